/* SPDX-License-Identifier: MIT */
/* ahead.c - the few bytes behind a chunk; see ahead.h. */
#include <string.h>

#include "ahead.h"
#include "arena.h"
#include "prim.h"
#include "thread.h"

/* Two or three steps of the coarse clock: a loop that runs is through by then. */
#define FRESH UINT64_C(12000000)

struct ahead {
	int source; /* index + 1, 0: nothing in store */
	off_t offset;
	size_t n;
	uint64_t when;
	char bytes[];
};

static struct ahead *store(void)
{
	struct thread *t = thread_self();

	if (t && !t->ahead)
		t->ahead = arena_alloc(sizeof(struct ahead) + shunt_page);
	return t ? t->ahead : NULL;
}

bool ahead_read_tail(int index, int fd, void *to, size_t n, off_t offset)
{
	struct ahead *a = store();
	struct iovec iov[2] = { { to, n }, { a ? a->bytes : NULL, a ? shunt_page - n : 0 } };
	ssize_t r = PRIM5(SYS_preadv, fd, iov, a ? 2 : 1, offset, 0);

	if (a)
		a->source = 0;
	if (r < (ssize_t)n)
		return false;
	if (a) {
		a->offset = offset + (off_t)n;
		a->n = (size_t)r - n;
		a->when = prim_now();
		a->source = index + 1;
	}
	return true;
}

bool ahead_take(int index, void *to, size_t n, off_t offset)
{
	struct thread *t = thread_self_record;
	struct ahead *a = t ? t->ahead : NULL;

	if (!a || a->source != index + 1 || a->offset != offset || a->n < n ||
	    prim_now() - a->when > FRESH)
		return false;
	memcpy(to, a->bytes, n);
	return true;
}
