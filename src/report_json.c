/* SPDX-License-Identifier: MIT */
/*
 * report_json.c - the report for scripts: one object for one process, schema 1.
 *
 * A new field does not change the schema, a changed one does. Signal safe.
 */
#include <string.h>

#include "report_walk.h"

enum { SCHEMA = 1 };

struct json {
	struct format *f;
	const struct stats *s;
	const struct report_options *options;
	bool comma; /* before the next element */
};

static void element(struct json *j)
{
	if (j->comma)
		format_char(j->f, ',');
	j->comma = true;
}

/* NAME is a word of ours, which stands for itself. */
static void key(struct json *j, const char *name)
{
	format_text(j->f, j->comma ? ",\"" : "\"");
	format_text(j->f, name);
	format_text(j->f, "\":");
	j->comma = true;
}

static void open_with(struct json *j, char bracket)
{
	format_char(j->f, bracket);
	j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
	format_char(j->f, bracket);
	j->comma = true;
}

static void put_string(struct json *j, const char *name, const char *s, size_t max)
{
	key(j, name);
	format_json(j->f, s, max);
}

static void put_number(struct json *j, const char *name, uint64_t n)
{
	key(j, name);
	format_u64(j->f, n);
}

static void put_signed(struct json *j, const char *name, int64_t n)
{
	key(j, name);
	format_i64(j->f, n);
}

static void put_bool(struct json *j, const char *name, bool b)
{
	key(j, name);
	format_text(j->f, b ? "true" : "false");
}

/* The words of argv, with a NUL after each; what was cut off has none. */
static void put_argv(struct json *j)
{
	size_t length = *(const volatile uint32_t *)&j->s->argv_length, at = 0;

	if (length > STATS_ARGV)
		length = STATS_ARGV;
	key(j, "argv");
	open_with(j, '[');
	while (at < length) {
		element(j);
		format_json(j->f, j->s->argv + at, length - at);
		at += strnlen(j->s->argv + at, length - at) + 1;
	}
	close_with(j, ']');
}

/* A setting as config_dump wrote it; what a comma or a backslash is written with is taken off. */
static void put_setting(struct json *j, const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);
	size_t name = colon ? (size_t)(colon - text) : length, n = 0;
	char value[STATS_SETTINGS];

	if (length == 0)
		return;
	for (size_t i = name + 1; i < length; i++) {
		i += text[i] == '\\' && i + 1 < length;
		value[n++] = text[i];
	}
	element(j);
	format_json(j->f, text, name);
	format_char(j->f, ':');
	format_json(j->f, value, n);
}

/* Up to a comma that has no backslash before it, or LEFT. */
static size_t setting_length(const char *text, size_t left)
{
	size_t n = 0;

	while (n < left && text[n] != ',')
		n += text[n] == '\\' && n + 1 < left ? 2 : 1;
	return n;
}

/* "key:value,key:value"; all values are strings, as a person would write them. */
static void put_settings(struct json *j)
{
	const char *text = j->s->settings;
	size_t left = strnlen(text, STATS_SETTINGS);

	key(j, "settings");
	open_with(j, '{');
	while (left > 0) {
		size_t n = setting_length(text, left);

		put_setting(j, text, n);
		n += n < left;
		text += n;
		left -= n;
	}
	close_with(j, '}');
}

static const char *ended_word(const struct stats *s)
{
	switch (atomic_load(&s->ended)) {
	case STATS_EXIT:
		return "exit";
	case STATS_SIGNAL:
		return "signal";
	case STATS_RUNNING:
		return walk_alive(s) ? "running" : "unknown";
	default:
		return "unknown";
	}
}

static void put_times(struct json *j)
{
	uint64_t ms;

	key(j, "started");
	format_char(j->f, '"');
	format_time(j->f, j->s->started);
	format_char(j->f, '"');
	key(j, "seconds");
	if (walk_milliseconds(j->s, &ms)) {
		format_u64(j->f, ms / 1000);
		format_char(j->f, '.');
		format_padded(j->f, ms % 1000, 3);
	} else {
		format_text(j->f, "null");
	}
	key(j, "ended");
	format_char(j->f, '"');
	format_text(j->f, ended_word(j->s));
	format_char(j->f, '"');
	if (atomic_load(&j->s->ended) == STATS_SIGNAL)
		put_signed(j, "signal", j->s->signal);
}

static void put_process(struct json *j)
{
	const struct stats *s = j->s;

	put_number(j, "schema", SCHEMA);
	put_string(j, "tool", "shunt", 5);
	put_string(j, "version", s->version, sizeof(s->version));
	put_string(j, "host", s->host, sizeof(s->host));
	put_signed(j, "pid", s->pid);
	put_signed(j, "parent", s->parent);
	put_signed(j, "root", s->root);
	put_string(j, "program", s->program, sizeof(s->program));
	put_argv(j);
	put_times(j);
	put_bool(j, "observe", s->observe);
	put_settings(j);
	key(j, "features");
	open_with(j, '{');
	put_bool(j, "guard", s->feature_guard);
	put_bool(j, "lease", s->feature_lease);
	put_bool(j, "procmap_query", s->feature_procmap);
	close_with(j, '}');
}

/* Each system call not made is two switches: into the kernel and back. */
static void put_totals(struct json *j, const struct walk *w)
{
	key(j, "totals");
	open_with(j, '{');
	put_number(j, "bytes", w->sum.bytes);
	put_number(j, "bytes_rewritten", w->sum.bytes_rewritten);
	put_number(j, "chunks", w->sum.chunks);
	put_number(j, "chunks_rewritten", w->sum.chunks_rewritten);
	put_signed(j, "copies_avoided_bytes", w->sum.copies_avoided);
	put_signed(j, "syscalls_avoided", w->sum.calls_avoided);
	put_signed(j, "switches_avoided", (int64_t)(2 * (uint64_t)w->sum.calls_avoided));
	put_number(j, "looks", w->sum.looks);
#define F(name, type) put_number(j, #name, w->total.name);
	STATS_TOTAL_COUNTERS(F)
#undef F
	close_with(j, '}');
}

static void put_verdicts(struct json *j, const struct walk_sums *sum)
{
	unsigned order[VERDICT_COUNT], count = walk_verdicts(sum, order);

	key(j, "verdicts");
	open_with(j, '{');
	for (unsigned i = 0; i < count; i++)
		put_number(j, verdict_word(order[i]), sum->verdict[order[i]]);
	close_with(j, '}');
}

static void put_line(struct json *j, const struct walk_row *row, const struct stats_frame *frame)
{
	char file[STATS_PATH * 2];
	unsigned line;

	if (!j->options->line ||
	    !j->options->line(j->options->line_context, row->s, frame, file, sizeof(file), &line))
		return;
	put_string(j, "file", file, sizeof(file));
	put_number(j, "line", line);
}

static void put_frames(struct json *j, const struct walk_row *row, const struct stats_site *site)
{
	unsigned count = walk_frames(site);

	key(j, "frames");
	open_with(j, '[');
	for (unsigned i = 0; i < count; i++) {
		char text[3 * STATS_PATH];
		struct format f = format_into(text, sizeof(text));

		walk_frame_text(&f, row->s, &site->frame[i]);
		element(j);
		format_json(j->f, text, sizeof(text));
	}
	close_with(j, ']');
}

/* "offset" is that in the symbol; without one, as "module_offset", that in the module. */
static void put_site(struct json *j, const char *name, const struct walk_row *row,
		     const struct stats_site *site)
{
	const struct stats_frame *frame;

	key(j, name);
	if (!site) {
		format_text(j->f, "null");
		return;
	}
	frame = &site->frame[0];
	open_with(j, '{');
	put_string(j, "symbol", frame->symbol, STATS_SYMBOL);
	put_number(j, "offset", frame->symbol[0] ? frame->symbol_offset : frame->offset);
	put_string(j, "module", walk_module(row->s, *(const volatile uint32_t *)&frame->module),
		   STATS_PATH);
	put_number(j, "module_offset", frame->offset);
	put_line(j, row, frame);
	put_frames(j, row, site);
	close_with(j, '}');
}

static void put_route(struct json *j, const struct walk_row *row)
{
	element(j);
	open_with(j, '{');
	put_string(j, "source", stats_kind_word(row->source), 16);
	put_string(j, "sink", stats_kind_word(row->sink), 16);
	put_string(j, "engine", stats_engine_word(row->engine), 16);
	put_number(j, "bytes", row->sum.bytes);
	put_number(j, "bytes_rewritten", row->sum.bytes_rewritten);
	put_number(j, "chunks", row->sum.chunks);
	put_number(j, "chunks_rewritten", row->sum.chunks_rewritten);
	put_number(j, "looks", row->sum.looks);
	put_signed(j, "copies_avoided_bytes", row->sum.copies_avoided);
	put_signed(j, "syscalls_avoided", row->sum.calls_avoided);
	put_verdicts(j, &row->sum);
	put_site(j, "read_site", row, row->read);
	put_site(j, "write_site", row, row->write);
	key(j, "example");
	open_with(j, '{');
	put_string(j, "source", row->route->example_source, STATS_PATH);
	put_string(j, "sink", row->route->example_sink, sizeof(row->route->example_sink));
	close_with(j, '}');
	close_with(j, '}');
}

void report_json(const struct stats *s, const struct report_options *options, report_out_fn *out,
		 void *context)
{
	static const struct report_options standard;
	char buf[512];
	struct format f = format_through(buf, sizeof(buf), out, context);
	struct json j = { .f = &f, .s = s, .options = options ? options : &standard };
	const struct walk *w = report_walk(&s, 1, j.options->sort);

	open_with(&j, '{');
	put_process(&j);
	put_totals(&j, w);
	key(&j, "routes");
	open_with(&j, '[');
	for (size_t i = 0; i < w->rows; i++)
		put_route(&j, w->row[i]);
	close_with(&j, ']');
	put_verdicts(&j, &w->sum);
	close_with(&j, '}');
	format_char(&f, '\n');
	format_flush(&f);
}
