/* SPDX-License-Identifier: MIT */
/* hooks.c - which of our names a libc has and a program asks for, out of their symbol tables. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elfview.h"
#include "hooks.h"

/* The calls that people know their server by; the order is that of the answer. */
static const char *const movers[] = {
	"read",	   "pread",  "pread64",	 "readv",      "preadv", "recv", "recvfrom",
	"recvmsg", "fread",  "write",	 "pwrite64",   "writev", "send", "sendto",
	"sendmsg", "fwrite", "sendfile", "sendfile64", "splice",
};

enum { NAMES_MAX = 2048, MOVERS = sizeof(movers) / sizeof(movers[0]) };

struct names {
	const char *name[NAMES_MAX]; /* point into the library, which stays mapped meanwhile */
	size_t count;
	bool moves[MOVERS], seen[NAMES_MAX];
	size_t hits;
	bool want_defined;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void collect(void *context, const char *name, bool defined)
{
	struct names *n = context;

	if (defined && n->count < NAMES_MAX)
		n->name[n->count++] = name;
}

static void note_mover(struct names *n, const char *name)
{
	size_t i;

	for (i = 0; i < MOVERS; i++)
		if (strcmp(movers[i], name) == 0)
			n->moves[i] = true;
}

/* A name may be there in several versions: it counts once. */
static void hit(void *context, const char *name, bool defined)
{
	struct names *n = context;
	const char **at = bsearch(&name, n->name, n->count, sizeof(n->name[0]), compare);

	if (defined != n->want_defined || !at || n->seen[at - n->name])
		return;
	n->seen[at - n->name] = true;
	n->hits++;
	note_mover(n, name);
}

/* How many of the names PATH defines or asks for. */
static size_t hits(struct names *n, const char *path, bool defined)
{
	struct elf e;

	n->hits = 0;
	n->want_defined = defined;
	memset(n->moves, 0, sizeof(n->moves));
	memset(n->seen, 0, sizeof(n->seen));
	if (path && elf_open(&e, path) == 0) {
		elf_symbols(&e, hit, n);
		elf_close(&e);
	}
	return n->hits;
}

static void list_movers(const struct names *n, char *buf, size_t size)
{
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < MOVERS; i++)
		if (n->moves[i])
			snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", buf[0] ? ", " : "",
				 movers[i]);
}

bool hooks_count(struct hooks *h, const char *library, const char *libc, const char *program)
{
	static struct names n;
	struct elf e;

	*h = (struct hooks){0};
	memset(&n, 0, sizeof(n));
	if (!library || elf_open(&e, library) != 0)
		return false;
	h->native = e.native;
	elf_symbols(&e, collect, &n);
	qsort(n.name, n.count, sizeof(n.name[0]), compare);
	h->count = n.count;
	h->in_libc = hits(&n, libc, true);
	h->called = hits(&n, program, false);
	list_movers(&n, h->moves, sizeof(h->moves));
	elf_close(&e);
	return true;
}
