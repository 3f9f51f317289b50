/* SPDX-License-Identifier: MIT */
/* program.c - programs as text, and the bytes of the files; see program.h. */
#include "program.h"

#include <stdlib.h>
#include <string.h>

const char *const op_name[OP_COUNT] = {
#define OP(name, numbers) #name,
	FUZZ_OPS(OP)
#undef OP
};

const char *const op_numbers[OP_COUNT] = {
#define OP(name, numbers) numbers,
	FUZZ_OPS(OP)
#undef OP
};

const size_t file_length[FILES] = { 2 * 1024 * 1024 + 123, 300001, 65536, 9000, 0, 200007 };

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t word_of(int f, int generation, uint64_t word)
{
	return mix(word + ((uint64_t)(f + 1) << 40) + ((uint64_t)generation << 48));
}

unsigned char file_byte(int f, uint64_t offset)
{
	return (unsigned char)(word_of(f, 0, offset / 8) >> (offset % 8 * 8));
}

void file_bytes(int f, int generation, uint64_t offset, void *to, size_t n)
{
	unsigned char *p = to;

	for (size_t i = 0; i < n; i++, offset++)
		p[i] = (unsigned char)(word_of(f, generation, offset / 8) >> (offset % 8 * 8));
}

uint64_t fuzz_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = n + 1, w;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	for (; n; n--, s++)
		h = (h ^ *s) * UINT64_C(0x100000001b3);
	return h ^ (h >> 32);
}

static int numbers_of(int code)
{
	int n = 1;

	for (const char *s = op_numbers[code]; *s; s++)
		n += *s == ' ';
	return n;
}

void program_print_op(FILE *to, const struct op *op)
{
	fputs(op_name[op->code], to);
	for (int i = 0; i < numbers_of(op->code); i++)
		fprintf(to, " %d", op->a[i]);
	putc('\n', to);
}

static const char *const kinds[SINK_KINDS] = { "tcp", "unix", "pipe" };

void program_print(FILE *to, const struct program *p)
{
	for (int k = 0; k < SINKS; k++)
		fprintf(to, "sink %d %s %d %d\n", k, kinds[p->sink[k].kind], p->sink[k].room,
			p->sink[k].nonblocking);
	fprintf(to, "sigpipe %d\n", p->sigpipe);
	for (int i = 0; i < p->count; i++)
		program_print_op(to, &p->op[i]);
}

static bool parse_sink(const char *line, struct program *p)
{
	struct sink_plan s = { 0 };
	char kind[8];
	int k;

	if (sscanf(line, "sink %d %7s %d %d", &k, kind, &s.room, &s.nonblocking) != 4 || k < 0 ||
	    k >= SINKS)
		return false;
	while (s.kind < SINK_KINDS && strcmp(kind, kinds[s.kind]) != 0)
		s.kind++;
	if (s.kind == SINK_KINDS)
		return false;
	p->sink[k] = s;
	return true;
}

static bool parse_op(char *line, struct op *op)
{
	char *word = strtok(line, " \n");

	while (op->code < OP_COUNT && strcmp(word, op_name[op->code]) != 0)
		op->code++;
	for (int i = 0; i < ARGS && (word = strtok(NULL, " \n")) != NULL; i++)
		op->a[i] = atoi(word);
	return op->code < OP_COUNT;
}

bool program_parse(FILE *from, struct program *p, int *line)
{
	char text[256];

	*p = (struct program){ 0 };
	for (*line = 1; fgets(text, sizeof(text), from); ++*line) {
		if (text[0] == '#' || text[strspn(text, " \n")] == 0)
			continue;
		if (strncmp(text, "sink ", 5) == 0) {
			if (!parse_sink(text, p))
				return false;
		} else if (sscanf(text, "sigpipe %d", &p->sigpipe) != 1) {
			p->op[p->count] = (struct op){ 0 };
			if (p->count == OPS - 1 || !parse_op(text, &p->op[p->count++]))
				return false;
		}
	}
	return true;
}
