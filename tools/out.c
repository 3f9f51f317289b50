/* SPDX-License-Identifier: MIT */
/* out.c - strings from counters, escaped for the form that they are printed in. */
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "out.h"

static void csv_char(struct format *f, char c)
{
	if (c == '"')
		format_char(f, '"');
	format_char(f, c);
}

static void label_char(struct format *f, char c)
{
	if (c == '"' || c == '\\')
		format_char(f, '\\');
	format_char(f, c);
}

static void html_char(struct format *f, char c)
{
	switch (c) {
	case '&':
		return format_text(f, "&amp;");
	case '<':
		return format_text(f, "&lt;");
	case '>':
		return format_text(f, "&gt;");
	case '"':
		return format_text(f, "&quot;");
	case '\'':
		return format_text(f, "&#39;");
	default:
		return format_char(f, c);
	}
}

void out_escaped(struct format *f, enum out_form form, const char *s, size_t max)
{
	static void (*const put[])(struct format *, char) = {
		[OUT_CSV] = csv_char, [OUT_LABEL] = label_char, [OUT_HTML] = html_char};
	char text[STATS_ARGV + 1];
	struct format safe = format_into(text, sizeof(text));

	format_safe(&safe, s, max);
	for (s = text; *s; s++)
		put[form](f, *s);
}

size_t out_same_process(const struct stats *const *process, size_t count)
{
	const struct stats *a = process[0];
	size_t n = 1;

	while (n < count && process[n]->pid == a->pid && process[n]->started == a->started &&
	       strncmp(process[n]->host, a->host, sizeof(a->host)) == 0)
		n++;
	return n;
}

void out_life(struct format *f, const struct stats *const *process, size_t count)
{
	size_t running = 0, processes = 0, i;

	for (i = 0; i < count; i += out_same_process(process + i, count - i)) {
		running += strcmp(counters_ended_word(process[i]), "running") == 0;
		processes++;
	}
	format_u64(f, processes);
	format_text(f, processes == 1 ? " process" : " processes");
	if (processes < count)
		format_text(f, " (with children that ended)");
	if (running == 0) {
		format_text(f, processes == 1 ? ", ended: " : ", the first ended: ");
		format_text(f, counters_ended_word(process[0]));
	} else {
		format_text(f, ", ");
		format_u64(f, running);
		format_text(f, " still running");
	}
}

void out_site(struct format *f, enum out_form form, const struct stats *s,
	      const struct stats_site *site, const struct report_options *o)
{
	char text[512], file[256];
	struct format whole = format_into(text, sizeof(text));
	unsigned line;

	if (!site)
		return;
	walk_frame_text(&whole, s, &site->frame[0]);
	if (o && o->line &&
	    o->line(o->line_context, s, &site->frame[0], file, sizeof(file), &line)) {
		const char *slash = strrchr(file, '/');

		format_text(&whole, " (");
		format_text(&whole, slash ? slash + 1 : file);
		format_char(&whole, ':');
		format_u64(&whole, line);
		format_char(&whole, ')');
	}
	out_escaped(f, form, text, sizeof(text));
}
