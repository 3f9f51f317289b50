/* SPDX-License-Identifier: MIT */
/* out_csv.c - comma-separated values (RFC 4180): a heading, and a row a route. */
#include <string.h>

#include "counters.h"
#include "out.h"

static void text(struct format *f, const char *s, size_t max)
{
	format_char(f, '"');
	out_escaped(f, OUT_CSV, s, max);
	format_text(f, "\",");
}

static void word(struct format *f, const char *s)
{
	text(f, s, strlen(s));
}

static void number(struct format *f, uint64_t n)
{
	format_u64(f, n);
	format_char(f, ',');
}

static void site(struct format *f, const struct stats *s, const struct stats_site *at,
		 const struct report_options *o)
{
	format_char(f, '"');
	out_site(f, OUT_CSV, s, at, o);
	format_text(f, "\",");
}

static void process_cells(struct format *f, const struct stats *s)
{
	uint64_t ms;

	text(f, s->program, sizeof(s->program));
	format_i64(f, s->pid);
	format_char(f, ',');
	format_i64(f, s->parent);
	format_char(f, ',');
	text(f, s->host, sizeof(s->host));
	format_time(f, s->started);
	format_char(f, ',');
	if (walk_milliseconds(s, &ms)) {
		format_u64(f, ms / 1000);
		format_char(f, '.');
		format_padded(f, ms % 1000, 3);
	}
	format_char(f, ',');
	format_text(f, counters_ended_word(s));
	format_char(f, ',');
}

static void row_cells(struct format *f, const struct walk_row *r, const struct report_options *o)
{
	unsigned why = walk_why_not(&r->sum);

	word(f, stats_kind_word(r->source));
	word(f, stats_kind_word(r->sink));
	word(f, r->engine == STATS_ENGINE_NONE ? "" : stats_engine_word(r->engine));
	number(f, r->sum.bytes);
	number(f, r->sum.bytes_rewritten);
	number(f, r->sum.chunks);
	number(f, r->sum.chunks_rewritten);
	number(f, r->sum.looks);
	format_i64(f, r->sum.copies_avoided);
	format_char(f, ',');
	format_i64(f, r->sum.calls_avoided);
	format_char(f, ',');
	word(f, why == VERDICT_REWRITTEN ? "" : verdict_word(why));
	site(f, r->s, r->read, o);
	site(f, r->s, r->write, o);
	text(f, r->route->example_source, sizeof(r->route->example_source));
	format_char(f, '"');
	out_escaped(f, OUT_CSV, r->route->example_sink, sizeof(r->route->example_sink));
	format_text(f, r->s->observe ? "\",true\r\n" : "\",false\r\n");
}

void out_csv(struct format *f, const struct stats *const *process, size_t count,
	     const struct report_options *o)
{
	size_t i, k, n;

	format_text(f, "program,pid,parent,host,started,seconds,ended,source,sink,engine,bytes,"
		       "bytes_rewritten,chunks,chunks_rewritten,looks,copies_avoided_bytes,"
		       "syscalls_avoided,why_not,read_site,write_site,example_source,"
		       "example_sink,observe\r\n");
	for (i = 0; i < count; i += n) {
		const struct walk *w;

		n = out_same_process(process + i, count - i);
		w = report_walk(process + i, n, o->sort);

		for (k = 0; k < w->rows && k < o->rows; k++) {
			process_cells(f, process[i]);
			row_cells(f, w->row[k], o);
		}
	}
}
