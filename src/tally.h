/* SPDX-License-Identifier: MIT */
/*
 * tally.h - chunks that are only counted, and are too many to go to the report's row one by one.
 *
 * An atomic addition behind a system call waits for all that the call has stored: three
 * of them cost a relay's small chunk one in a hundred of its time. So each thread adds them up
 * in a few slots, one for a row and a verdict, and every 64th chunk, or at an end of
 * any kind, what a slot has more than it has told goes to the row. Nothing is lost or counted
 * twice; who looks at a live process may miss the last 63 chunks of a thread and row, as does
 * who looks at one that was killed by SIGKILL.
 *
 * A slot means one row for good. Its two sums are written by its thread alone, what was told
 * of them by whoever tells.
 */
#ifndef SHUNT_TALLY_H
#define SHUNT_TALLY_H

#include "shunt.h"
#include "stats.h"
#include "verdict.h"

enum { TALLY_SLOTS = 4, TALLY_UNTOLD = 64 };

struct tally {
	_Atomic(struct stats_route *) route; /* NULL: free */
	_Atomic uint8_t why;
	_Atomic uint64_t bytes, chunks;
	_Atomic uint64_t told_bytes, told_chunks;
};

/*
 * One thread's. BUSY: it is just now counting, and what a signal handler of it counts goes to the
 * row.
 */
struct tallies {
	_Atomic bool busy;
	struct tally slot[TALLY_SLOTS];
} __attribute__((aligned(64)));

/*
 * A chunk of N bytes was written plainly, because of WHY, on ROUTE, which is not the table's last
 * row. Keeps errno; safe in a signal handler.
 */
void tally_chunk(struct stats_route *route, enum verdict why, size_t n);

/*
 * Everything that any thread has counted goes to the rows. Keeps errno; safe in a signal handler.
 */
void tally_tell(void);

/* The same for T of a thread that ends; the slots are free. */
void tally_end(struct tallies *t);

/* In the child of a fork: what is not told is the parent's, and so are the rows. */
void tally_forked(void);

#endif
