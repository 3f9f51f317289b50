/* SPDX-License-Identifier: MIT */
/*
 * pieces.h - pieces of a mapping that are written plainly, and only counted.
 *
 * Why a piece is not sent by reference (too small, of a mapping that was writable) is found out by
 * asking much. In a loop that goes through the mapping the answer is the same for the next one. So
 * each thread keeps how its last piece went; the next one that goes the same way is noted, written
 * and counted. It is a hint, but for the row that counts: whatever it says, the piece is written by
 * the program's own call.
 */
#ifndef SHUNT_PIECES_H
#define SHUNT_PIECES_H

#include "fd.h"
#include "mapping.h"
#include "shunt.h"
#include "stats.h"
#include "verdict.h"

struct pieces_way {
	uintptr_t lo, hi;             /* where the mapping lies; hi 0: nothing is known */
	size_t most;                  /* what is longer may go another way */
	uint32_t changes;             /* mapping_changes, before the mapping was found */
	uint32_t generation;          /* of the sink's number */
	int fd;
	uint8_t why;                  /* enum verdict */
	const struct fd_entry *sink;
	const void *caller;           /* who writes */
	struct stats_route *route;
};

extern HIDDEN __thread struct pieces_way pieces_way __attribute__((tls_model("initial-exec")));

/* Will the N bytes at BUF, written to FD by CALLER, go the way of the last piece? */
static inline bool pieces_go_on(const void *buf, size_t n, int fd, const void *caller)
{
	const struct pieces_way *w = &pieces_way;
	uintptr_t p = (uintptr_t)buf;

	return p >= w->lo && p < w->hi && n <= w->hi - p && n <= w->most && w->fd == fd &&
	       w->caller == caller && w->changes == relaxed(mapping_changes) &&
	       w->generation == relaxed(w->sink->generation);
}

/* They were written: if so, they are counted. Keeps errno. */
bool pieces_wrote(const void *buf, size_t n, int fd, const void *caller);

/* This thread's pieces go WAY from now on. A signal handler may ask and tell meanwhile. */
void pieces_know(const struct pieces_way *way);

/* In the child of a fork: rows are the parent's. */
static inline void pieces_forked(void)
{
	pieces_way.hi = 0;
}

#endif
