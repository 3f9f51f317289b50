/* SPDX-License-Identifier: MIT */
/* site.c - the table of call sites; see site.h. */
#include "site.h"

#include "config.h"
#include "pair.h"
#include "unwind.h"

/*
 * To load libunwind and to walk two stacks takes as long as 64 chunks of 4 KiB, and most processes
 * that others start pass on fewer than this, or live for less than a second: they never do.
 */
enum { WALK_AFTER = 256 };

/* The first sites lie together, on one page: most processes have few, and many are forked. */
enum { FRONT = 48, FRONT_PROBES = 8 };
enum { SITES = 512, PROBES = 16, LEVELS = 12, SINK_LEVELS = 3, EDGE_LEVELS = 8, STEADY = 64 };

/*
 * A wrong guess costs a few microseconds whatever the size: for large chunks that is less
 * than the copy of one, and one is enough to learn from; for vast ones it is nothing.
 */
enum { LARGE = 128 * 1024, VAST = 1024 * 1024 };

static LARGE_TABLE struct site sites[SITES];
static _Atomic bool used;
/* Of all others, when the table is full. */
static struct site nowhere = { .caller = 1, .stats = SITE_NONE };

static unsigned hash(uintptr_t caller)
{
	return (unsigned)((caller * UINT64_C(0x9e3779b97f4a7c15)) >> 40);
}

/* The site of KEY, old or new, in one of PROBES slots of the N at FIRST; NULL if others have them all. */
static inline struct site *probe(uintptr_t key, unsigned first, unsigned n, unsigned probes)
{
	unsigned slot = hash(key) % n;

	for (unsigned i = 0; i < probes; i++, slot = (slot + 1) % n) {
		struct site *s = &sites[first + slot];
		uintptr_t there = atomic_load_explicit(&s->caller, memory_order_acquire);

		if (likely(there == key))
			return s;
		if (there == 0 && (atomic_compare_exchange_strong(&s->caller, &there, key) || there == key)) {
			used = true;
			return s;
		}
	}
	return NULL;
}

struct site *site_of(const void *caller)
{
	struct site *s = probe((uintptr_t)caller, 0, FRONT, FRONT_PROBES);

	if (unlikely(!s))
		s = probe((uintptr_t)caller, FRONT, SITES - FRONT, PROBES);
	return likely(s != NULL) ? s : &nowhere;
}

/* Not now (in a signal handler, it seems): again after 1, 2, 4, 8 ... calls. */
static bool is_time(struct site *site)
{
	uint32_t tries = atomic_fetch_add_explicit(&site->names, 1, memory_order_relaxed);

	return !(tries & (tries + 1));
}

/* The frames above come behind the caller, whose index stays. */
static void walk(struct site *site)
{
	if (unwind_site((const void *)site->caller) != UNWIND_NOT_NOW)
		site->alone = false;
	site->wanted = false;
}

void site_name(struct site *site)
{
	int known = atomic_load_explicit(&site->stats, memory_order_relaxed), index;
	bool alone;

	if (likely(known != SITE_UNNAMED && known != SITE_LATER)) {
		if (unlikely(relaxed(site->wanted) && relaxed(site->alone)))
			walk(site);
		return;
	}
	if (known == SITE_LATER && !is_time(site))
		return;
	index = unwind_caller((const void *)site->caller, &alone);
	site->alone = index >= 0 && alone;
	atomic_store(&site->stats, index >= 0 ? index + 1 : index);
	if (index >= 0)
		pair_site_named(site, index);
	if (index != SITE_LATER)
		site->wanted = false;
}

void site_walk_slow(struct site *site)
{
	if (is_time(site))
		walk(site);
}

void site_counted(struct site *read_site, struct site *write_site, uint64_t chunks)
{
	if (chunks < WALK_AFTER)
		return;
	if (relaxed(write_site->alone) && is_time(write_site) && unwind_is_due())
		walk(write_site);
	if (relaxed(read_site->alone) && is_time(read_site) && unwind_is_due())
		read_site->wanted = true;
}

/* How many chunks of N bytes have to be seen written whole before one lands. */
static uint32_t enough(size_t n)
{
	if (n < LARGE)
		return config.learn;
	return n < VAST && config.learn > 0 ? 1 : 0;
}

enum verdict site_ready(struct site *site, struct patience *buffer, size_t n, struct pass *pass)
{
	struct patience *p = buffer ? buffer : &site->patience;
	uint32_t wait = atomic_load_explicit(&p->wait, memory_order_relaxed);
	bool learned = relaxed(site->streak) >= enough(n);

	if (wait > 0) {
		wait--;
		/* chunks that go by a pass do not count as passed on: here they need not */
		if (learned)
			wait -= pass_take(pass, wait, n);
		atomic_store_explicit(&p->wait, wait, memory_order_relaxed);
		return atomic_load_explicit(&p->why, memory_order_relaxed);
	}
	return learned ? VERDICT_REWRITTEN : VERDICT_LEARNING;
}

enum verdict site_map_ready(struct site *site)
{
	uint32_t wait = relaxed(site->patience.wait);

	if (likely(wait == 0))
		return VERDICT_REWRITTEN;
	set_relaxed(site->patience.wait, wait - 1);
	return relaxed(site->patience.why);
}

void site_passed(struct site *site)
{
	uint32_t streak = atomic_load_explicit(&site->streak, memory_order_relaxed);

	if (streak < UINT32_MAX)
		atomic_store_explicit(&site->streak, streak + 1, memory_order_relaxed);
}

void site_strayed(struct site *site)
{
	atomic_store_explicit(&site->streak, 0, memory_order_relaxed);
}

void patience_lost(struct patience *p, enum verdict why)
{
	uint8_t level = atomic_load_explicit(&p->level, memory_order_relaxed);

	/* a look after many chunks that paid is no reason to stop for long */
	if (atomic_load_explicit(&p->good, memory_order_relaxed) >= 16)
		level = 0;
	if (level < (why == VERDICT_LOOKED_AT ? LEVELS : SINK_LEVELS))
		level++;
	p->level = level;
	p->why = (uint8_t)why;
	p->wait = (uint32_t)1 << (2 * level);
	p->good = 0;
}

void patience_paid(struct patience *p)
{
	uint32_t good = atomic_load_explicit(&p->good, memory_order_relaxed);

	if (good < UINT32_MAX)
		atomic_store_explicit(&p->good, good + 1, memory_order_relaxed);
	if (unlikely(good == STEADY))
		set_relaxed(p->level, 0);
}

void site_touched(struct site *site, _Atomic uint8_t *edge, size_t pages)
{
	uint8_t level = atomic_load_explicit(&site->edge_level, memory_order_relaxed);

	if (atomic_load_explicit(edge, memory_order_relaxed) >= pages)
		return;
	if (level < EDGE_LEVELS)
		level++;
	site->edge_level = level;
	site->edge_wait = (uint32_t)16 << (2 * level);
	atomic_store_explicit(edge, (uint8_t)pages, memory_order_relaxed);
}

void site_edge_landed(struct site *site)
{
	uint32_t wait = atomic_load_explicit(&site->edge_wait, memory_order_relaxed);

	if (wait > 0)
		atomic_store_explicit(&site->edge_wait, wait - 1, memory_order_relaxed);
	else
		site->head = site->tail = 0;
}

FORKS void site_forked(void)
{
	/* a page of the table that was never used is not touched: forks are many */
	if (atomic_load(&used))
		for (int i = 0; i < SITES; i++)
			if (sites[i].caller)
				atomic_store_explicit(&sites[i].stats, SITE_UNNAMED, memory_order_relaxed);
}
