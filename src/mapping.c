/* SPDX-License-Identifier: MIT */
/*
 * mapping.c - the file mappings that the program made; see mapping.h.
 *
 * A sorted array. Who changes it holds the lock and makes the sequence odd for that
 * time; readers take no lock and look again when the sequence has moved. Sources are let go
 * of when the lock is dropped, since that may close a descriptor.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "config.h"
#include "lock.h"
#include "mapping.h"
#include "meter.h"
#include "prim.h"
#include "source.h"

enum { MAPPINGS = 1024, TRIES = 64, RELEASES = 16 };

HOT _Atomic unsigned mapping_count;

static LARGE_TABLE struct mapping table[MAPPINGS]; /* by address, disjoint */
HOT _Atomic uint32_t mapping_changes;
static uint64_t serials;
static struct lock table_lock;
static _Atomic unsigned calls; /* for mapping_calls */

/* ---- finding ---- */

/* The first of COUNT that ends above P. */
static unsigned first_above(uintptr_t p, unsigned count)
{
	unsigned lo = 0, hi = count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (table[mid].hi > p)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

enum found { NONE, FOUND, CHANGES };

static enum found look(uintptr_t p, size_t n, struct mapping *m)
{
	uintptr_t end = n > UINTPTR_MAX - p ? UINTPTR_MAX : p + n;

	for (int tries = 0; tries < TRIES; tries++) {
		uint32_t before = atomic_load_explicit(&mapping_changes, memory_order_acquire);
		unsigned count = atomic_load_explicit(&mapping_count, memory_order_relaxed);
		unsigned i = first_above(p, count);
		bool found = i < count && table[i].lo < end;

		if (found)
			*m = table[i];
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) && atomic_load_explicit(&mapping_changes, memory_order_relaxed) == before)
			return found ? FOUND : NONE;
	}
	return CHANGES;
}

bool mapping_find(uintptr_t p, size_t n, struct mapping *m)
{
	return look(p, n, m) == FOUND;
}

bool mapping_gap(uintptr_t p, struct mapping_gap *g)
{
	uint32_t before = atomic_load_explicit(&mapping_changes, memory_order_acquire);
	unsigned count = atomic_load_explicit(&mapping_count, memory_order_relaxed);
	unsigned i = first_above(p, count);

	*g = (struct mapping_gap){ .lo = i > 0 ? table[i - 1].hi : 0,
				   .hi = i < count ? table[i].lo : UINTPTR_MAX, .changes = before };
	atomic_thread_fence(memory_order_acquire);
	return !(before & 1) && relaxed(mapping_changes) == before && g->lo <= p && p < g->hi;
}

bool mapping_still(uintptr_t p, uint64_t serial)
{
	struct mapping m;

	return mapping_find(p, 1, &m) && m.serial == serial;
}

/* ---- changing ---- */

/* What is let go of once the lock is dropped. */
struct releases {
	unsigned count;
	int source[RELEASES + 1];
};

static void change_begin(struct lock_held *held)
{
	lock_take(&table_lock, held);
	atomic_fetch_add(&mapping_changes, 1);
	atomic_thread_fence(memory_order_release);
}

static void change_end(const struct lock_held *held, const struct releases *r)
{
	atomic_fetch_add_explicit(&mapping_changes, 1, memory_order_release);
	lock_drop(&table_lock, held);
	for (unsigned i = 0; i < r->count; i++)
		source_abandon(r->source[i]);
}

static void insert(unsigned i, const struct mapping *m)
{
	unsigned count = mapping_count;

	memmove(&table[i + 1], &table[i], (count - i) * sizeof(*table));
	table[i] = *m;
	table[i].serial = ++serials;
	atomic_store_explicit(&mapping_count, count + 1, memory_order_relaxed);
}

static void drop(unsigned i, struct releases *r)
{
	unsigned count = mapping_count - 1;

	if (table[i].source >= 0)
		r->source[r->count++] = table[i].source;
	memmove(&table[i], &table[i + 1], (count - i) * sizeof(*table));
	atomic_store_explicit(&mapping_count, count, memory_order_relaxed);
}

/* Entry I becomes two, which meet at AT. False if there is no room. */
static bool split(unsigned i, uintptr_t at)
{
	struct mapping upper = table[i];

	if (mapping_count == MAPPINGS)
		return false;
	upper.file.offset += at - upper.lo;
	upper.lo = at;
	if (upper.source >= 0)
		source_hold_mapping(upper.source);
	table[i].hi = at;
	table[i].serial = ++serials;
	insert(i + 1, &upper);
	return true;
}

static void mark_writable(unsigned i, struct releases *r)
{
	if (table[i].source >= 0)
		r->source[r->count++] = table[i].source;
	table[i].source = -1;
	table[i].why = VERDICT_WRITABLE;
	table[i].serial = ++serials;
}

/* No entry reaches across AT afterwards; one that cannot be split is dropped. */
static void cut(uintptr_t at, struct releases *r)
{
	unsigned i = first_above(at, mapping_count);

	if (i < mapping_count && table[i].lo < at && !split(i, at))
		drop(i, r);
}

/* Drops [lo, hi), or marks it as writable. False: there is more, once R has been let go. */
static bool change(uintptr_t lo, uintptr_t hi, bool mark, struct releases *r)
{
	unsigned i;

	cut(lo, r);
	cut(hi, r);
	i = first_above(lo, mapping_count);
	while (i < mapping_count && table[i].lo < hi) {
		if (r->count == RELEASES)
			return false;
		if (mark)
			mark_writable(i++, r);
		else
			drop(i, r);
	}
	return true;
}

/* As far as the kernel goes: from page to page. */
static void change_range(uintptr_t p, size_t n, bool mark)
{
	uintptr_t lo = page_down(p), most = UINTPTR_MAX - shunt_page - p;
	uintptr_t hi = n > most ? UINTPTR_MAX : page_up(p + n);
	struct mapping m;
	struct lock_held held;
	bool all = !mapping_any() || n == 0 || look(lo, hi - lo, &m) == NONE;
	unsigned long before = prim_calls;

	while (!all) {
		struct releases r = { 0 };

		change_begin(&held);
		all = change(lo, hi, mark, &r);
		change_end(&held, &r);
	}
	if (prim_calls != before)
		atomic_fetch_add(&calls, (unsigned)(prim_calls - before));
}

void mapping_forget(const void *p, size_t n)
{
	change_range((uintptr_t)p, n, false);
}

void mapping_writable(const void *p, size_t n)
{
	change_range((uintptr_t)p, n, true);
}

/* M is remembered, in place of what was there. Its hold on a source goes with it. */
static void remember(const struct mapping *m)
{
	struct releases r = { 0 };
	struct lock_held held;
	bool all;

	do {
		r.count = 0;
		change_begin(&held);
		all = change(m->lo, m->hi, false, &r);
		if (all && mapping_count < MAPPINGS)
			insert(first_above(m->lo, mapping_count), m);
		else if (all && m->source >= 0)
			r.source[r.count++] = m->source;
		change_end(&held, &r);
	} while (!all);
}

/* ---- mmap and mremap ---- */

/* Can M, a mapping of FD that is ST, be sent from? Then its source is held. */
static enum verdict adopt(struct mapping *m, int fd, const struct stat *st)
{
	enum verdict v = site_map_ready(m->site);

	if (!(config.engines & ENGINE_MAPPED))
		return VERDICT_ENGINE_OFF;
	if (v != VERDICT_REWRITTEN)
		return v;
	/* the number can mean another file than it did in mmap */
	if (!maps_file_at(m->lo, &m->file) || m->file.inode != st->st_ino)
		return VERDICT_HOST_LIMITS;
	return source_adopt(fd, st, &m->source);
}

void mapping_made(uintptr_t p, size_t n, int prot, int flags, int fd, const void *caller)
{
	struct mapping m = { .lo = p, .source = -1 };
	unsigned long before = prim_calls;
	uint64_t since = meter_clock();
	int saved = errno;
	struct stat st;

	if ((flags & MAP_ANONYMOUS) || n < MAPPING_SMALLEST || prim_fstat(fd, &st) < 0 ||
	    !S_ISREG(st.st_mode)) {
		change_range(p, n, false);
		return;
	}
	m.hi = page_up(m.lo + n);
	m.site = site_of(caller);
	if (unlikely(m.site->wanted))
		site_name(m.site);
	m.why = prot & PROT_WRITE ? VERDICT_WRITABLE : adopt(&m, fd, &st);
	remember(&m);
	if (m.source >= 0)
		meter_adopted(n, m.site, since);
	atomic_fetch_add(&calls, (unsigned)(prim_calls - before));
	errno = saved;
}

void mapping_take(struct mapping *m, uintptr_t p, size_t n)
{
	if (!mapping_any() || !mapping_find(p, 1, m) || m->hi - p < n) {
		*m = (struct mapping){ .lo = 0 };
	} else {
		m->file.offset += p - m->lo;
		m->lo = p;
	}
	if (m->lo && m->source >= 0)
		source_hold_mapping(m->source);
	/*
	 * the source may have gone just before the hold; what is still there had one all the time
	 */
	if (m->lo && !mapping_still(p, m->serial)) {
		if (m->source >= 0)
			source_abandon(m->source);
		m->lo = 0;
	}
	change_range(p, n, false);
}

void mapping_give(struct mapping *m, uintptr_t to, size_t n)
{
	if (m->lo && to) {
		m->lo = to;
		m->hi = page_up(m->lo + n);
		remember(m);
		return;
	}
	if (to)
		change_range(to, n, false);
	if (m->lo && m->source >= 0)
		source_abandon(m->source);
}

/* ---- the rest ---- */

unsigned mapping_calls(void)
{
	return relaxed(calls) ? atomic_exchange(&calls, 0) : 0;
}

void mapping_forget_source(int index)
{
	struct lock_held held;
	bool all = !mapping_any();

	while (!all) {
		struct releases r = { 0 };
		unsigned i = 0;

		change_begin(&held);
		while (i < mapping_count && r.count < RELEASES) {
			if (table[i].source == index)
				drop(i, &r);
			else
				i++;
		}
		all = i == mapping_count;
		change_end(&held, &r);
	}
}

FORKS void mapping_forked(void)
{
	if (atomic_load(&table_lock.word) != 0) {
		/* a thread that is not here was changing it: it is abandoned */
		atomic_store(&mapping_count, 0);
		mapping_changes &= ~1u;
	}
	lock_reset(&table_lock);
	for (unsigned i = 0; i < mapping_count; i++)
		if (table[i].source >= 0)
			source_hold_mapping(table[i].source);
}
