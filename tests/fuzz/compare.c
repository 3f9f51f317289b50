/* SPDX-License-Identifier: MIT */
/* compare.c - two results of one program; see fuzz.h. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The operation that a line of a transcript belongs to. */
static void show_line(FILE *to, const char *who, const unsigned char *line,
		      const unsigned char *end, const struct program *p)
{
	const unsigned char *stop = memchr(line, '\n', (size_t)(end - line));
	int at = line < end ? atoi((const char *)line) : -1;

	fprintf(to, "    %s: %.*s", who, line < end ? (int)((stop ? stop : end) - line) : 5,
		line < end ? (const char *)line : "(end)");
	if (at >= 0 && at < p->count && line < end) {
		fputs("   by: ", to);
		program_print_op(to, &p->op[at]);
	} else {
		putc('\n', to);
	}
}

static bool same_transcript(const struct bytes *a, const struct bytes *b, const struct program *p,
			    FILE *to)
{
	size_t i = 0, line = 0;

	if (a->n == b->n && memcmp(a->p, b->p, a->n) == 0)
		return true;
	for (; i < a->n && i < b->n && a->p[i] == b->p[i]; i++)
		if (a->p[i] == '\n')
			line = i + 1;
	if (to) {
		show_line(to, "plain", a->p + line, a->p + a->n, p);
		show_line(to, "shunt", b->p + line, b->p + b->n, p);
	}
	return false;
}

static bool same_bytes(const char *what, int which, const struct bytes *a, const struct bytes *b,
		       bool loose, FILE *to)
{
	size_t n = a->n < b->n ? a->n : b->n, i = 0;

	if ((a->n == b->n || loose) && (n == 0 || memcmp(a->p, b->p, n) == 0))
		return true;
	while (i < n && a->p[i] == b->p[i])
		i++;
	if (to)
		fprintf(to, "    %s %d: plain %zu bytes, shunt %zu, first difference at %zu\n",
			what, which, a->n, b->n, i);
	return false;
}

bool compare(const struct result *a, const struct result *b, const struct program *p, FILE *to)
{
	uint32_t loose = a->loose | b->loose;
	bool same = same_transcript(&a->transcript, &b->transcript, p, to);

	if (b->hung && to)
		fprintf(to, "    it hangs\n");
	if (a->status != b->status && to)
		fprintf(to, "    status: plain %#x, shunt %#x\n", (unsigned)a->status,
			(unsigned)b->status);
	for (int k = 0; k < SINKS; k++)
		same &= same_bytes("received by peer", k, &a->received[k], &b->received[k],
				   loose & (1u << k), to);
	same &= same_bytes("file", MUTABLE, &a->file[0], &b->file[0], false, to);
	same &= same_bytes("file out", 0, &a->file[1], &b->file[1], false, to);
	return same && a->status == b->status && !b->hung;
}
