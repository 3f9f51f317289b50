/* SPDX-License-Identifier: MIT */
/* tally.c - chunks that are only counted; see tally.h. */
#include <string.h>

#include "tally.h"
#include "thread.h"

static APART void count_in_row(struct stats_route *route, unsigned why, uint64_t bytes, uint64_t chunks)
{
	stats_add(&route->bytes, bytes);
	stats_add(&route->chunks, chunks);
	stats_add(&route->verdict[why], chunks);
}

/*
 * Who tells may be two at a time: what one has taken the other does not find, and a number
 * that is smaller than what was told is added as what it is, modulo 2^64.
 */
static APART void tell(struct tally *s)
{
	struct stats_route *route = atomic_load(&s->route);
	uint64_t bytes = relaxed(s->bytes), chunks = relaxed(s->chunks);

	if (route)
		count_in_row(route, relaxed(s->why), bytes - atomic_exchange(&s->told_bytes, bytes),
			     chunks - atomic_exchange(&s->told_chunks, chunks));
}

/* One more chunk of N bytes. */
static inline void count_in_slot(struct tally *s, size_t n)
{
	set_relaxed(s->bytes, relaxed(s->bytes) + n);
	set_relaxed(s->chunks, relaxed(s->chunks) + 1);
}

/* The slot for ROUTE and WHY, a free one if there is none yet; NULL: all four are others'. */
static struct tally *slot_of(struct tallies *t, struct stats_route *route, enum verdict why)
{
	for (struct tally *s = t->slot; s < t->slot + TALLY_SLOTS; s++) {
		struct stats_route *there = relaxed(s->route);

		if (there == route && relaxed(s->why) == why)
			return s;
		if (!there) {
			set_relaxed(s->why, (uint8_t)why);
			atomic_store_explicit(&s->route, route, memory_order_release);
			return s;
		}
	}
	return NULL;
}

/* What is not the next chunk in the first slot, which is not to be told yet either. */
static APART void count_apart(struct stats_route *route, enum verdict why, size_t n)
{
	struct thread *self = thread_self();
	struct tallies *t = self ? &self->tallies : NULL;
	struct tally *s;

	if (unlikely(!t || relaxed(t->busy))) {
		count_in_row(route, why, n, 1);
		return;
	}
	set_relaxed(t->busy, true);
	atomic_signal_fence(memory_order_seq_cst);
	s = slot_of(t, route, why);
	if (likely(s != NULL)) {
		count_in_slot(s, n);
		if (relaxed(s->chunks) - relaxed(s->told_chunks) >= TALLY_UNTOLD)
			tell(s);
	} else {
		count_in_row(route, why, n, 1);
	}
	atomic_signal_fence(memory_order_seq_cst);
	set_relaxed(t->busy, false);
}

/* Is it? */
static inline bool is_next(const struct tallies *t, const struct stats_route *route, enum verdict why)
{
	const struct tally *s = t->slot;

	return !relaxed(t->busy) && relaxed(s->route) == route && relaxed(s->why) == why &&
	       relaxed(s->chunks) - relaxed(s->told_chunks) < TALLY_UNTOLD - 1;
}

OFTEN void tally_chunk(struct stats_route *route, enum verdict why, size_t n)
{
	struct thread *self = thread_self_record;
	struct tallies *t;

	if (unlikely(!self || !is_next(&self->tallies, route, why))) {
		count_apart(route, why, n);
		return;
	}
	t = &self->tallies;
	set_relaxed(t->busy, true);
	atomic_signal_fence(memory_order_seq_cst);
	count_in_slot(t->slot, n);
	atomic_signal_fence(memory_order_seq_cst);
	set_relaxed(t->busy, false);
}

void tally_tell(void)
{
	for (struct thread *t = thread_list(); t; t = t->next)
		for (int i = 0; i < TALLY_SLOTS; i++)
			tell(&t->tallies.slot[i]);
}

void tally_end(struct tallies *t)
{
	for (struct tally *s = t->slot; s < t->slot + TALLY_SLOTS; s++) {
		if (!relaxed(s->route))
			continue; /* most threads count nothing: their page is not touched */
		tell(s);
		atomic_store(&s->route, NULL);
	}
	if (relaxed(t->busy))
		set_relaxed(t->busy, false);
}

FORKS void tally_forked(void)
{
	for (struct thread *t = thread_list(); t; t = t->next)
		if (relaxed(t->tallies.slot[0].route))
			memset(&t->tallies, 0, sizeof(t->tallies));
}
