/* SPDX-License-Identifier: MIT */
/* pieces.c - what is written plainly while files are mapped; see pieces.h. */
#include "pieces.h"

#include "tally.h"

__thread struct pieces_way pieces_way __attribute__((tls_model("initial-exec")));
__thread struct mapping_gap pieces_gap __attribute__((tls_model("initial-exec")));
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

void pieces_look_round(const void *buf)
{
	struct mapping_gap g;

	if (busy || pieces_none(buf, 0) || !mapping_gap((uintptr_t)buf, &g))
		return;
	busy = true;
	pieces_gap.hi = 0;
	atomic_signal_fence(memory_order_seq_cst);
	pieces_gap.lo = g.lo;
	pieces_gap.changes = g.changes;
	atomic_signal_fence(memory_order_seq_cst);
	pieces_gap.hi = g.hi;
	busy = false;
}
