/* SPDX-License-Identifier: MIT */
/* cmd_report.c - shunt report: counters of processes, living or ended, in the form asked for. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "families.h"
#include "lines.h"
#include "out.h"
#include "tool.h"

enum form { FORM_TEXT, FORM_JSON, FORM_CSV, FORM_PROMETHEUS, FORM_HTML };

static const char *const form_words[] = {"text", "json", "csv", "prometheus", "html", NULL};
static const char *const sort_words[] = {"bytes", "chunks", "rewritten", "looks", NULL};

struct report {
	int form;
	bool verbose, kept;
	uid_t owner; /* of the last file that was asked for */
	struct report_options options;
	struct families families;
	int failed;
};

static int help(void)
{
	puts("usage: shunt report [OPTION...] FILE|PID...\n"
	     "Prints what shunt counted in processes, living or ended. FILE is a counters\n"
	     "file; of a PID, it is looked for where the setting stats says, and with the\n"
	     "first process of a family come its children.\n\n"
	     "  -f, --format FORM   text, json, csv, prometheus or html\n"
	     "  -s, --sort KEY      bytes, chunks, rewritten or looks: largest first\n"
	     "  -n, --rows ROWS     at most so many rows (default: 20; 0: all)\n"
	     "  -v, --verbose       explain the words of the column 'why not'\n"
	     "      --help          this text");
	return 0;
}

/* The place of WORD in WORDS, or -1 after a complaint that names them all. */
static int choose(const char *option, const char *word, const char *const *words)
{
	char all[128] = "";
	int i;

	for (i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0)
			return i;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 words[i]);
	}
	complain("report", "%s %s: accepted: %s", option, word, all);
	return -1;
}

static bool read_rows(struct report *r, const char *word)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (word[0] < '0' || word[0] > '9' || *end || n > WALK_ROWS) {
		complain("report", "-n %s: accepted: a number from 0 to %d", word, WALK_ROWS);
		return false;
	}
	r->options.rows = n ? (unsigned)n : WALK_ROWS;
	return true;
}

/* Returns the index of the first operand, 0 after --help, or -1 after a complaint. */
static int options(struct report *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{"format", required_argument, NULL, 'f'}, {"sort", required_argument, NULL, 's'},
		{"rows", required_argument, NULL, 'n'},	  {"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":f:s:n:vh", longs, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c == 'v')
			r->verbose = true;
		else if (c == 'f' && (r->form = choose("-f", optarg, form_words)) < 0)
			return -1;
		else if (c == 's' && (r->options.sort = choose("-s", optarg, sort_words)) < 0)
			return -1;
		else if (c == 'n' && !read_rows(r, optarg))
			return -1;
		else if (c == ':' || c == '?')
			return complain_option("report", c, argv), -1;
	}
	if (optind < argc)
		return optind;
	complain("report", "a FILE or PID is missing; see shunt report --help");
	return -1;
}

static void load(struct report *r, const char *path)
{
	struct counters_id id;
	struct stats *s = counters_load(path, &id);

	if (!s || !families_add(&r->families, s, &id))
		r->failed++;
	else
		r->owner = id.owner;
}

/*
 * Of the same family as the process that was asked for? Strangers' files are passed over in
 * silence, also those that a stranger says are none, and so are counts that the family's file has
 * already: where files are kept (the setting stats) they have gone into a report only.
 */
static bool load_child(void *context, const char *path)
{
	struct report *r = context;
	const struct stats *parent = families_last_asked(&r->families);
	struct counters_id id;
	struct stats *s = counters_peek(path, &id);

	if (s && counters_trusted(id.owner, r->owner) && families_same(parent, s) &&
	    (r->kept || s->reported == 0))
		families_add_child(&r->families, s, &id);
	else
		free(s);
	return true;
}

/* A number that is no file's name is a process, 0 if none can have it; -1: it is a file. */
static int as_pid(const char *operand)
{
	char *end;
	long pid;

	if (!operand[0] || strspn(operand, "0123456789") != strlen(operand) ||
	    access(operand, F_OK) == 0)
		return -1;
	errno = 0;
	pid = strtol(operand, &end, 10);
	return errno == 0 && pid <= INT_MAX ? (int)pid : 0;
}

static void load_pid(struct report *r, const struct config *c, int pid, const char *operand)
{
	const struct stats *s;
	char path[PATH_MAX];
	int failed = r->failed;

	if (pid == 0 || !counters_find(c, pid, path)) {
		complain("report", "%s: no counters of such a process were found", operand);
		r->failed++;
		return;
	}
	load(r, path);
	s = families_last_asked(&r->families);
	if (r->failed == failed && s && s->pid == pid && s->root == pid)
		counters_beside(path, load_child, r);
}

static void put(void *context, const char *text, size_t length)
{
	fwrite(text, 1, length, stdout);
}

static void explain(struct format *f, const struct stats *const *process, size_t count)
{
	unsigned order[VERDICT_COUNT], n, i;

	n = walk_verdicts(&report_walk(process, count, REPORT_BY_BYTES)->sum, order);
	for (i = 0; i < n; i++) {
		format_text(f, "    ");
		format_text(f, verdict_word(order[i]));
		format_text(f, ": ");
		format_text(f, verdict_text(order[i]));
		format_char(f, '\n');
	}
	format_flush(f);
}

static void print_text(const struct report *r, struct format *f)
{
	size_t i, n;

	for (i = 0; i < r->families.count; i += n) {
		const struct stats *const *first = families_from(&r->families, i, &n);

		report_text(first, n, &r->options, put, NULL);
		format_text(f, "    ");
		out_life(f, first, n);
		format_char(f, '\n');
		format_flush(f);
		if (r->verbose)
			explain(f, first, n);
	}
}

static void print_html(const struct report *r, struct format *f)
{
	size_t i, n;

	out_html_begin(f);
	for (i = 0; i < r->families.count; i += n) {
		const struct stats *const *first = families_from(&r->families, i, &n);

		out_html_family(f, first, n, &r->options);
	}
	out_html_end(f);
}

static void print(struct report *r)
{
	const struct stats *const *all = families_sorted(&r->families);
	char buf[4096];
	struct format f = format_through(buf, sizeof(buf), put, NULL);
	size_t i;

	if (r->form == FORM_TEXT)
		print_text(r, &f);
	else if (r->form == FORM_HTML)
		print_html(r, &f);
	else if (r->form == FORM_CSV)
		out_csv(&f, all, r->families.count, &r->options);
	else if (r->form == FORM_PROMETHEUS)
		out_prometheus(&f, all, r->families.count);
	for (i = 0; r->form == FORM_JSON && i < r->families.count; i++)
		report_json(all[i], &r->options, put, NULL);
	format_flush(&f);
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && no[0]);
}

static int finish(struct report *r)
{
	if (r->families.count > 0)
		print(r);
	families_end(&r->families);
	lines_end();
	return r->failed > 0;
}

int cmd_report(int argc, char **argv)
{
	static struct report r = {.options = {.rows = 20, .line = lines_find}};
	struct config c;
	int i = options(&r, argc, argv);

	if (i <= 0)
		return i < 0 ? EXIT_WRONG_USE : 0;
	settings_load(&c, NULL);
	r.kept = c.stats[0] != '\0';
	r.options.color = wants_color();
	for (; i < argc; i++) {
		int pid = as_pid(argv[i]);

		if (pid >= 0)
			load_pid(&r, &c, pid, argv[i]);
		else
			load(&r, argv[i]);
	}
	i = finish(&r);
	sweep(&c);
	return i;
}
