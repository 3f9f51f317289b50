/* SPDX-License-Identifier: MIT */
/*
 * pays.h - does it pay to land what is read here? Measured where it runs.
 *
 * What an exact landing of a stream costs depends on the machine, on the peers and on
 * their segments, so no constant can promise a gain. At each reading site the CPU
 * clock of the thread is read at the ends of runs of chunks, which are landed and plain
 * in turn; after 64 of each the cheaper way is kept. Of each way the best run counts: what
 * else the thread does, and what it is disturbed by, only makes a run dearer. All of it
 * are hints: what racing threads mix up is a measurement, never a byte.
 */
#ifndef SHUNT_PAYS_H
#define SHUNT_PAYS_H

#include "shunt.h"

enum { PAYS_FIRST = 64, PAYS_RUN = 16, PAYS_RUNS = 8 };

struct pays {
	_Atomic uint8_t run;      /* even: landed; odd: plain; PAYS_RUNS: decided */
	_Atomic bool plain;       /* and so */
	_Atomic int thread;       /* whose clock */
	_Atomic uint32_t chunks;  /* of this run, so far */
	_Atomic uint64_t start;   /* ns of that thread */
	_Atomic uint64_t bytes;
	_Atomic uint64_t best[2]; /* ps a byte, landed and plain; 0: not yet */
};

/* Is the next chunk to land? */
static inline bool pays_land(const struct pays *p)
{
	uint8_t run = atomic_load_explicit(&p->run, memory_order_relaxed);

	return run < PAYS_RUNS ? !(run & 1) : !atomic_load_explicit(&p->plain, memory_order_relaxed);
}

/* A chunk of N bytes was read by THREAD, in the way that pays_land asked for. Keeps errno. */
void pays_chunk_slow(struct pays *p, int thread, size_t n);

static inline void pays_chunk(struct pays *p, int thread, size_t n)
{
	if (unlikely(atomic_load_explicit(&p->run, memory_order_relaxed) < PAYS_RUNS))
		pays_chunk_slow(p, thread, n);
}

#endif
