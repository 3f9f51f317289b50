/* SPDX-License-Identifier: MIT */
/*
 * out_prometheus.c - the text format of Prometheus, as the textfile collector reads it.
 *
 * A metric's samples must stand together and no two may have the same labels. So
 * each metric is a walk of its own, and the labels are what report_walk adds up by.
 */
#include <stddef.h>
#include <string.h>

#include "counters.h"
#include "out.h"

/* Signed counters can be taken back by a fill, so they are gauges. */
static const struct metric {
	const char *name, *type, *help;
	size_t offset; /* in struct walk_sums; the counters there are 64 bits wide */
} metrics[] = {
	{"shunt_route_bytes_total", "counter", "Bytes that reached the sink.",
	 offsetof(struct walk_sums, bytes)},
	{"shunt_route_rewritten_bytes_total", "counter", "Of these, bytes sent without a copy.",
	 offsetof(struct walk_sums, bytes_rewritten)},
	{"shunt_route_chunks_total", "counter", "Chunks of which something was written.",
	 offsetof(struct walk_sums, chunks)},
	{"shunt_route_rewritten_chunks_total", "counter", "Of these, chunks sent without a copy.",
	 offsetof(struct walk_sums, chunks_rewritten)},
	{"shunt_route_looks_total", "counter", "Landings that the program looked into.",
	 offsetof(struct walk_sums, looks)},
	{"shunt_route_copies_avoided_bytes", "gauge", "Bytes that were not copied.",
	 offsetof(struct walk_sums, copies_avoided)},
	{"shunt_route_syscalls_avoided", "gauge", "System calls that were not made.",
	 offsetof(struct walk_sums, calls_avoided)},
};

static void label(struct format *f, const char *name, const char *value, size_t max)
{
	format_text(f, name);
	format_text(f, "=\"");
	out_escaped(f, OUT_LABEL, value, max);
	format_text(f, "\"");
}

static void process_labels(struct format *f, const struct stats *s)
{
	format_char(f, '{');
	label(f, "program", s->program, sizeof(s->program));
	label(f, ",host", s->host, sizeof(s->host));
	format_text(f, ",pid=\"");
	format_i64(f, s->pid);
	format_text(f, "\",started=\"");
	format_u64(f, s->started / 1000000000);
	format_char(f, '.'); /* to the end: after an exec the process is another, perhaps at once */
	format_padded(f, s->started % 1000000000, 9);
	format_text(f, s->observe ? "\",observe=\"true\"" : "\"");
}

/* The place in the module; the symbol alone need not be the only one of its name. */
static void place_label(struct format *f, const char *name, const struct walk_row *r,
			const struct stats_site *site)
{
	char place[STATS_PATH + 24] = "";
	struct format text = format_into(place, sizeof(place));

	if (site) {
		format_safe(&text, walk_module(r->s, site->frame[0].module), STATS_PATH);
		format_char(&text, '+');
		format_hex(&text, site->frame[0].offset);
	}
	label(f, name, place, sizeof(place));
}

static void site_label(struct format *f, const char *name, const struct walk_row *r,
		       const struct stats_site *site)
{
	format_text(f, name);
	format_text(f, "=\"");
	out_site(f, OUT_LABEL, r->s, site, NULL);
	format_char(f, '"');
}

static void row_labels(struct format *f, const struct walk_row *r)
{
	const char *source = stats_kind_word(r->source), *sink = stats_kind_word(r->sink);
	const char *engine = stats_engine_word(r->engine);

	label(f, ",source", source, strlen(source));
	label(f, ",sink", sink, strlen(sink));
	label(f, ",engine", engine, strlen(engine));
	site_label(f, ",read", r, r->read);
	site_label(f, ",written", r, r->write);
	place_label(f, ",read_place", r, r->read);
	place_label(f, ",written_place", r, r->write);
}

static void heading(struct format *f, const char *name, const char *type, const char *help)
{
	format_text(f, "# HELP ");
	format_text(f, name);
	format_char(f, ' ');
	format_text(f, help);
	format_text(f, "\n# TYPE ");
	format_text(f, name);
	format_char(f, ' ');
	format_text(f, type);
	format_char(f, '\n');
}

static void sample(struct format *f, const struct metric *m, const struct stats *s,
		   const struct walk_row *r)
{
	int64_t n;

	memcpy(&n, (const char *)&r->sum + m->offset, sizeof(n));
	format_text(f, m->name);
	process_labels(f, s);
	row_labels(f, r);
	format_text(f, "} ");
	if (strcmp(m->type, "gauge") == 0)
		format_i64(f, n);
	else
		format_u64(f, (uint64_t)n);
	format_char(f, '\n');
}

static void verdict_samples(struct format *f, const struct metric *m, const struct stats *s,
			    const struct walk *w)
{
	unsigned v;

	for (v = 0; v < VERDICT_COUNT; v++) {
		if (w->sum.verdict[v] == 0 || v == VERDICT_REWRITTEN)
			continue;
		format_text(f, "shunt_not_rewritten_chunks_total");
		process_labels(f, s);
		label(f, ",why_not", verdict_word(v), strlen(verdict_word(v)));
		format_text(f, "} ");
		format_u64(f, w->sum.verdict[v]);
		format_char(f, '\n');
	}
}

static void process_sample(struct format *f, const char *name, const struct stats *s, uint64_t n)
{
	format_text(f, name);
	process_labels(f, s);
	format_text(f, "} ");
	format_u64(f, n);
	format_char(f, '\n');
}

static void running_samples(struct format *f, const struct metric *m, const struct stats *s,
			    const struct walk *w)
{
	process_sample(f, "shunt_process_running", s,
		       strcmp(counters_ended_word(s), "running") == 0);
}

static void native_samples(struct format *f, const struct metric *m, const struct stats *s,
			   const struct walk *w)
{
	process_sample(f, "shunt_native_bytes_total", s, w->total.native_bytes);
}

static void route_samples(struct format *f, const struct metric *m, const struct stats *s,
			  const struct walk *w)
{
	size_t i;

	for (i = 0; i < w->rows; i++)
		sample(f, m, s, w->row[i]);
}

struct processes {
	const struct stats *const *process;
	size_t count;
};

typedef void samples_fn(struct format *f, const struct metric *m, const struct stats *s,
			const struct walk *w);

static void for_each(struct format *f, const struct processes *p, const struct metric *m,
		     samples_fn *samples)
{
	size_t i, n;

	for (i = 0; i < p->count; i += n) {
		n = out_same_process(p->process + i, p->count - i);
		samples(f, m, p->process[i], report_walk(p->process + i, n, REPORT_BY_BYTES));
	}
}

void out_prometheus(struct format *f, const struct stats *const *process, size_t count)
{
	const struct processes all = {process, count};
	size_t m;

	heading(f, "shunt_process_running", "gauge", "1 while the process runs.");
	for_each(f, &all, NULL, running_samples);
	heading(f, "shunt_native_bytes_total", "counter",
		"Bytes that the program itself sent by sendfile or splice.");
	for_each(f, &all, NULL, native_samples);
	for (m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
		heading(f, metrics[m].name, metrics[m].type, metrics[m].help);
		for_each(f, &all, &metrics[m], route_samples);
	}
	heading(f, "shunt_not_rewritten_chunks_total", "counter",
		"Chunks that were copied, by why.");
	for_each(f, &all, NULL, verdict_samples);
}
