/* SPDX-License-Identifier: MIT */
/* pieces.c - pieces of a mapping that are only counted; see pieces.h. */
#include "pieces.h"

#include "tally.h"

__thread struct pieces_way pieces_way __attribute__((tls_model("initial-exec")));
static __thread volatile bool busy;

bool pieces_wrote(const void *buf, size_t n, int fd, const void *caller)
{
	if (!pieces_go_on(buf, n, fd, caller))
		return false;
	tally_chunk(pieces_way.route, pieces_way.why, n);
	return true;
}

void pieces_know(const struct pieces_way *way)
{
	struct pieces_way w = *way;

	/* a row that is the last of the table means many loops, and is not for the tallies */
	if (busy || w.route->rest)
		return;
	busy = true;
	pieces_way.hi = 0; /* for a handler that comes in between */
	atomic_signal_fence(memory_order_seq_cst);
	w.hi = 0;
	pieces_way = w;
	atomic_signal_fence(memory_order_seq_cst);
	pieces_way.hi = way->hi;
	busy = false;
}
