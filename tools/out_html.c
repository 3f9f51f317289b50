/* SPDX-License-Identifier: MIT */
/* out_html.c - a page that needs nothing but itself: no script, no fetched style, no image. */
#include <string.h>

#include "out.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\"><title>shunt report</title>\n"
	"<style>\n"
	":root{color-scheme:light dark}\n"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:80em;margin:2em auto;padding:0 1em}\n"
	"h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse}\n"
	"th,td{padding:.3em .8em;text-align:left;border-bottom:1px solid "
	"#8886;white-space:nowrap}\n"
	"td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
	"code{font-size:.9em}\n"
	"</style></head><body>\n<h1>shunt report</h1>\n";

static void text(struct format *f, const char *s, size_t max)
{
	out_escaped(f, OUT_HTML, s, max);
}

static void cell_size(struct format *f, uint64_t bytes)
{
	format_text(f, "<td class=\"n\">");
	format_size(f, bytes);
	format_text(f, "</td>");
}

static void cell_word(struct format *f, const char *word)
{
	format_text(f, "<td>");
	text(f, word, strlen(word));
	format_text(f, "</td>");
}

static void cell_site(struct format *f, const struct stats *s, const struct stats_site *site,
		      const struct report_options *o)
{
	format_text(f, "<td><code>");
	out_site(f, OUT_HTML, s, site, o);
	format_text(f, "</code></td>");
}

static void why_cell(struct format *f, unsigned why)
{
	format_text(f, "<td title=\"");
	if (why != VERDICT_REWRITTEN)
		text(f, verdict_text(why), strlen(verdict_text(why)));
	format_text(f, "\">");
	text(f, verdict_word(why), strlen(verdict_word(why)));
	format_text(f, "</td>");
}

static void row(struct format *f, const struct walk_row *r, const struct report_options *o)
{
	format_text(f, "<tr>");
	cell_size(f, r->sum.bytes);
	format_text(f, "<td class=\"n\">");
	format_grouped(f, r->sum.chunks);
	format_text(f, "</td><td class=\"n\">");
	format_percent(f, r->sum.bytes_rewritten, r->sum.bytes);
	format_text(f, "</td>");
	cell_word(f, stats_engine_word(r->engine));
	cell_word(f, stats_kind_word(r->source));
	cell_word(f, stats_kind_word(r->sink));
	why_cell(f, walk_why_not(&r->sum));
	cell_site(f, r->s, r->read, o);
	cell_site(f, r->s, r->write, o);
	format_text(f, "</tr>\n");
}

static void table(struct format *f, const struct walk *w, const struct stats *s,
		  const struct report_options *o)
{
	size_t i;

	format_text(f, "<div class=\"wide\"><table>\n<tr><th class=\"n\">bytes</th>"
		       "<th class=\"n\">chunks</th><th class=\"n\">");
	format_text(f, s->observe ? "would be" : "rewritten");
	format_text(f, "</th><th>engine</th><th>source</th><th>sink</th><th>why not</th>"
		       "<th>read at</th><th>written at</th></tr>\n");
	for (i = 0; i < w->rows && i < o->rows; i++)
		row(f, w->row[i], o);
	format_text(f, "</table></div>\n");
	if (w->rows > o->rows) {
		format_text(f, "<p>and ");
		format_u64(f, w->rows - o->rows);
		format_text(f, " rows more</p>\n");
	}
}

static void totals(struct format *f, const struct walk *w, bool observe)
{
	format_text(f, "<p>");
	if (w->rows == 0)
		format_text(f, "nothing was read and written on");
	else
		report_seen(f, w, observe);
	format_text(f, "</p>\n<p>");
	if (w->rows && !observe)
		report_saved(f, w);
	format_text(f, "</p>\n<p>");
	report_native(f, w);
	format_text(f, "</p>\n");
}

static void family_heading(struct format *f, const struct stats *const *process, size_t count)
{
	const struct stats *s = process[0];
	uint64_t ms;

	format_text(f, "<h2>");
	text(f, s->program, sizeof(s->program));
	format_char(f, '[');
	format_i64(f, s->pid);
	format_text(f, "] on ");
	text(f, s->host, sizeof(s->host));
	format_text(f, "</h2>\n<p>started ");
	format_time(f, s->started);
	if (walk_milliseconds(s, &ms)) {
		format_text(f, ", ");
		format_u64(f, ms / 1000);
		format_char(f, '.');
		format_u64(f, ms % 1000 / 100);
		format_text(f, " s");
	}
	format_text(f, "; ");
	out_life(f, process, count);
	format_text(f, "</p>\n");
}

void out_html_begin(struct format *f)
{
	format_text(f, head);
}

void out_html_family(struct format *f, const struct stats *const *process, size_t count,
		     const struct report_options *o)
{
	const struct walk *w = report_walk(process, count, o->sort);

	family_heading(f, process, count);
	totals(f, w, process[0]->observe);
	if (w->rows)
		table(f, w, process[0], o);
}

void out_html_end(struct format *f)
{
	format_text(f, "</body></html>\n");
}
