/* SPDX-License-Identifier: MIT */
/*
 * pieces.h - what is written plainly while the program has files mapped.
 *
 * Why a piece is not sent by reference (too small, of a mapping that was writable) is found out by
 * asking much. In a loop that goes through the mapping the answer is the same for the next one. So
 * each thread keeps how its last piece went; the next one that goes the same way is noted, written
 * and counted. And it keeps the gap between two mappings that its last other memory lay in: what is
 * written from there to a socket or a pipe has nothing to do with any. Both are hints: whatever they
 * say, it is the program's own call that writes.
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

extern HIDDEN __thread struct mapping_gap pieces_gap __attribute__((tls_model("initial-exec")));

/* Will the N bytes at BUF, written to FD by CALLER, go the way of the last piece? */
static inline bool pieces_go_on(const void *buf, size_t n, int fd, const void *caller)
{
	const struct pieces_way *w = &pieces_way;
	uintptr_t p = (uintptr_t)buf;

	return p >= w->lo && p < w->hi && n <= w->hi - p && n <= w->most && w->fd == fd &&
	       w->caller == caller && w->changes == relaxed(mapping_changes) &&
	       w->generation == relaxed(w->sink->generation);
}

/* Are the N bytes at BUF no part of any mapping, as far as this thread knows? */
static inline bool pieces_none(const void *buf, size_t n)
{
	const struct mapping_gap *g = &pieces_gap;
	uintptr_t p = (uintptr_t)buf;

	return p >= g->lo && p < g->hi && n <= g->hi - p && g->changes == relaxed(mapping_changes);
}

/* With files mapped: is a write of N bytes at BUF to FD by CALLER only to be made, and counted? */
static inline bool pieces_pass(const void *buf, size_t n, int fd, const void *caller)
{
	return pieces_go_on(buf, n, fd, caller) || (pieces_none(buf, n) && fd_is_known_stream(fd));
}

/* They were written: if they went that way, they are counted. Keeps errno. */
bool pieces_wrote(const void *buf, size_t n, int fd, const void *caller);

/* This thread's pieces go WAY from now on. A signal handler may ask and tell meanwhile. */
void pieces_know(const struct pieces_way *way);

/* This thread writes what is not mapped from BUF. The same. */
void pieces_look_round(const void *buf);

/* In the child of a fork: rows are the parent's. */
static inline void pieces_forked(void)
{
	pieces_way.hi = 0;
}

#endif
