/* SPDX-License-Identifier: MIT */
/*
 * report_text.c - the report for people: a heading, a table, what was saved and
 * what was not rewritten.
 *
 * The table is a list of columns, each a function that writes its cell. Widths
 * come from the data: every cell but those of the last column is written once
 * into a buffer to be measured. Signal safe; memory is static or a few hundred bytes of stack.
 */
#include <string.h>

#include "report_walk.h"

enum { DEFAULT_ROWS = 20, CELL = 64 };

struct table {
	struct format *f;
	const struct report_options *options;
	const struct walk *walk;
	bool observe;
};

struct column {
	const char *title, *observe_title;
	bool right; /* numbers */
	void (*cell)(const struct table *t, const struct walk_row *row, struct format *f);
};

static void cell_bytes(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_size(f, row->sum.bytes);
}

static void cell_chunks(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_grouped(f, row->sum.chunks);
}

static void cell_rewritten(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_percent(f, row->sum.bytes_rewritten, row->sum.bytes);
}

static void cell_engine(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_text(f, stats_engine_word(row->engine));
}

static void cell_route(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_text(f, stats_kind_word(row->source));
	format_text(f, " -> ");
	format_text(f, stats_kind_word(row->sink));
}

static void cell_why_not(const struct table *t, const struct walk_row *row, struct format *f)
{
	format_text(f, verdict_word(walk_why_not(&row->sum)));
}

static void write_site(const struct table *t, const struct stats *s, const struct stats_site *site,
		       struct format *f)
{
	char file[STATS_PATH];
	const char *base;
	unsigned line;

	if (!site) {
		format_text(f, "...");
		return;
	}
	walk_frame_text(f, s, &site->frame[0]);
	if (!t->options->line || !t->options->line(t->options->line_context, s, &site->frame[0],
						   file, sizeof(file), &line))
		return;
	base = strrchr(file, '/');
	format_text(f, " (");
	format_safe(f, base ? base + 1 : file, sizeof(file));
	format_char(f, ':');
	format_u64(f, line);
	format_char(f, ')');
}

static void cell_sites(const struct table *t, const struct walk_row *row, struct format *f)
{
	write_site(t, row->s, row->read, f);
	format_text(f, " -> ");
	write_site(t, row->s, row->write, f);
}

static const struct column columns[] = {
	{ "bytes", "bytes", true, cell_bytes },
	{ "chunks", "chunks", true, cell_chunks },
	{ "rewritten", "would be", true, cell_rewritten },
	{ "engine", "engine", false, cell_engine },
	{ "source -> sink", "source -> sink", false, cell_route },
	{ "why not", "why not", false, cell_why_not },
	{ "read at -> written at", "read at -> written at", false, cell_sites },
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]), LAST = COLUMNS - 1 };

static const char *title_of(const struct table *t, size_t c)
{
	return t->observe ? columns[c].observe_title : columns[c].title;
}

static void color(const struct table *t, const char *sequence)
{
	if (t->options->color)
		format_text(t->f, sequence);
}

static void measure(const struct table *t, size_t count, size_t *width)
{
	for (size_t c = 0; c < LAST; c++) {
		width[c] = strlen(title_of(t, c));
		for (size_t i = 0; i < count; i++) {
			char cell[CELL];
			struct format f = format_into(cell, sizeof(cell));

			columns[c].cell(t, t->walk->row[i], &f);
			if (f.length > width[c])
				width[c] = f.length;
		}
	}
}

static void write_cell(const struct table *t, size_t c, const char *text, size_t width)
{
	size_t length = strlen(text), pad = width > length ? width - length : 0;

	format_text(t->f, c ? "  " : " ");
	if (columns[c].right)
		format_fill(t->f, ' ', pad);
	format_text(t->f, text);
	if (!columns[c].right)
		format_fill(t->f, ' ', pad);
}

static void write_titles(const struct table *t, const size_t *width)
{
	color(t, "\033[2m");
	for (size_t c = 0; c < COLUMNS; c++)
		write_cell(t, c, title_of(t, c), c < LAST ? width[c] : 0);
	color(t, "\033[0m");
	format_char(t->f, '\n');
}

static void write_row(const struct table *t, const struct walk_row *row, const size_t *width)
{
	for (size_t c = 0; c < LAST; c++) {
		char cell[CELL];
		struct format f = format_into(cell, sizeof(cell));

		columns[c].cell(t, row, &f);
		write_cell(t, c, cell, width[c]);
	}
	format_text(t->f, "  ");
	columns[LAST].cell(t, row, t->f);
	format_char(t->f, '\n');
}

static void write_rows(const struct table *t)
{
	size_t most = t->options->rows ? t->options->rows : DEFAULT_ROWS;
	size_t count = t->walk->rows < most ? t->walk->rows : most;
	size_t width[COLUMNS];

	measure(t, count, width);
	write_titles(t, width);
	for (size_t i = 0; i < count; i++)
		write_row(t, t->walk->row[i], width);
	if (t->walk->rows > count) {
		format_text(t->f, " and ");
		format_grouped(t->f, t->walk->rows - count);
		format_text(t->f, " more\n");
	}
}

static uint64_t magnitude(int64_t n)
{
	return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

static void write_count(struct format *f, uint64_t n, const char *one, const char *many)
{
	format_grouped(f, n);
	format_text(f, n == 1 ? one : many);
}

/* A fill costs more calls than it saves, so less than nothing may have been avoided: it is said. */
void report_saved(struct format *f, const struct walk *w)
{
	int64_t copies = w->sum.copies_avoided, calls = w->sum.calls_avoided;

	format_text(f, "saved: ");
	if (copies == 0) {
		format_text(f, "no copies");
	} else {
		format_size(f, magnitude(copies));
		format_text(f, copies > 0 ? " of copies" : " more were copied");
	}
	format_text(f, ", ");
	if (calls >= 0) {
		write_count(f, magnitude(calls), " system call, ", " system calls, ");
		write_count(f, 2 * magnitude(calls), "", " user/kernel switches\n");
		return;
	}
	write_count(f, magnitude(calls), " more system call made, ", " more system calls made, ");
	write_count(f, 2 * magnitude(calls), "", " more user/kernel switches\n");
}

static void write_verdicts(const struct table *t)
{
	unsigned order[VERDICT_COUNT], count = walk_verdicts(&t->walk->sum, order);

	if (count == 0)
		return;
	format_text(t->f, t->observe ? "would not be rewritten: " : "not rewritten: ");
	for (unsigned i = 0; i < count; i++) {
		format_text(t->f, i ? ", " : "");
		format_text(t->f, verdict_word(order[i]));
		format_char(t->f, ' ');
		format_grouped(t->f, t->walk->sum.verdict[order[i]]);
	}
	format_char(t->f, '\n');
}

/*
 * What stood for the files not to change while they were served; age is the
 * weaker of the two, since a writer through a mapping leaves no stamp.
 */
static void write_settled(const struct table *t)
{
	const struct walk_totals *total = &t->walk->total;

	if (total->lease_granted == 0 && total->age_granted == 0)
		return;
	format_text(t->f, "files taken as settled: ");
	format_grouped(t->f, total->lease_granted);
	format_text(t->f, " by a lease, ");
	format_grouped(t->f, total->age_granted);
	format_text(t->f, " by their age alone\n");
}

/* source:lease: what was on its way then could arrive as the writer made it. */
static void write_leases(const struct table *t)
{
	const struct walk_totals *total = &t->walk->total;

	if (total->leases_broken == 0)
		return;
	format_text(t->f, "leases broken by writers: ");
	format_grouped(t->f, total->leases_broken);
	format_text(t->f, ", with ");
	format_size(t->f, total->lease_in_flight);
	format_text(t->f, " on the way to peers");
	if (total->leases_lost) {
		format_text(t->f, "; ");
		format_grouped(t->f, total->leases_lost);
		format_text(t->f, " ended by the kernel, after the file was changed");
	}
	format_char(t->f, '\n');
}

void report_native(struct format *f, const struct walk *w)
{
	if (w->total.native_bytes == 0)
		return;
	format_text(f, "sent by the program itself with sendfile or splice: ");
	format_size(f, w->total.native_bytes);
	format_char(f, '\n');
}

/* "shunt 0.1: nginx[4711] 62.4 s, " */
static void write_who(struct format *f, const struct stats *s)
{
	uint64_t ms;

	format_text(f, "shunt ");
	format_safe(f, s->version, sizeof(s->version));
	format_text(f, ": ");
	format_safe(f, s->program, sizeof(s->program));
	format_char(f, '[');
	format_i64(f, s->pid);
	format_text(f, "] ");
	if (walk_milliseconds(s, &ms)) {
		format_u64(f, ms / 1000);
		format_char(f, '.');
		format_u64(f, ms / 100 % 10);
		format_text(f, " s, ");
	} else {
		format_text(f, "ended unseen, ");
	}
}

void report_seen(struct format *f, const struct walk *w, bool observe)
{
	format_size(f, w->sum.bytes);
	format_text(f, " seen, ");
	format_size(f, w->sum.bytes_rewritten);
	format_text(f, " (");
	format_percent(f, w->sum.bytes_rewritten, w->sum.bytes);
	format_text(f, observe ? ") would go without a copy" : ") without a copy");
}

static void write_heading(const struct table *t, const struct stats *s)
{
	color(t, "\033[1m");
	write_who(t->f, s);
	if (t->walk->rows == 0)
		format_text(t->f, "nothing found: no bytes went from one descriptor to another by way "
				  "of a buffer");
	else
		report_seen(t->f, t->walk, t->observe);
	color(t, "\033[0m");
	format_char(t->f, '\n');
}

void report_text(const struct stats *const *process, size_t count,
		 const struct report_options *options, report_out_fn *out, void *context)
{
	static const struct report_options standard;
	char buf[512];
	struct format f = format_through(buf, sizeof(buf), out, context);
	struct table t = { .f = &f, .options = options ? options : &standard };

	if (count == 0)
		return;
	t.walk = report_walk(process, count, t.options->sort);
	t.observe = process[0]->observe;
	write_heading(&t, process[0]);
	if (t.walk->rows) {
		write_rows(&t);
		if (!t.observe) /* where nothing is done nothing of this is counted */
			report_saved(&f, t.walk);
		write_verdicts(&t);
		write_settled(&t);
		write_leases(&t);
	}
	report_native(&f, t.walk);
	format_flush(&f);
}
