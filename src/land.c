/* SPDX-License-Identifier: MIT */
/*
 * land.c - the reading side; see land.h.
 *
 * In a steady loop a read is lseek (which reserves the range, so that shared
 * offsets need no tracking), fstat (the size, and whether the file is still the
 * one that settled), a look whether the pages are still protected, and the partial
 * pages at both ends. Whatever can refuse comes before the lseek; after it the only way back
 * is to read at the offset that was reserved.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "arena.h"
#include "config.h"
#include "fill.h"
#include "land.h"
#include "landing.h"
#include "maps.h"
#include "prim.h"
#include "source.h"
#include "thread.h"

/* Measured per route, file -> socket: below these a landing does not pay. */
enum { MIN_ODD = 32 * 1024, MIN_ALIGNED = 16 * 1024 };

/* A read in the making. */
struct attempt {
	int fd;
	struct landing *l;
	uintptr_t base, lo, hi; /* the buffer; the whole pages that are to be armed */
	size_t n;
	off_t at;               /* LAND_AT_OFFSET, or pread's */
	off_t offset;           /* where the bytes are in the file, once known */
	int source;
	bool fresh;             /* armed just now: the pages hold what they held */
	struct stat st;
};

static size_t smallest(const void *buf)
{
	if (config.min)
		return config.min;
	return (uintptr_t)buf & (shunt_page - 1) ? MIN_ODD : MIN_ALIGNED;
}

enum verdict land_wanted(struct fd_entry *e, const void *buf, size_t n, struct site *site)
{
	struct landing *l;
	enum verdict v;

	if (e->refusal != VERDICT_REWRITTEN)
		return e->refusal;
	if (n < smallest(buf))
		return VERDICT_TOO_SMALL;
	if (!(config.engines & ENGINE_SENDFILE))
		return VERDICT_ENGINE_OFF;
	atomic_fetch_add_explicit(&site->chunks, 1, memory_order_relaxed);
	l = landing_find((uintptr_t)buf);
	/* what another loop did with the same memory says nothing of this one */
	v = site_ready(site, l && l->site == site ? &l->patience : NULL, n);
	if (v == VERDICT_REWRITTEN && !fill_possible())
		v = VERDICT_LIMIT;
	return v;
}

static bool page_resident(int fd, off_t offset)
{
	char byte;
	struct iovec iov = { &byte, 1 };

	/* preadv2 takes its offset in two halves; on 64 bits the first has it all */
	return PRIM6(SYS_preadv2, fd, &iov, 1, offset, 0, RWF_NOWAIT) == 1;
}

/*
 * Another thread writes what is read here: an event loop must not come to wait for
 * the disk. cachestat counts the pages, but answers only for files that one may write
 * to; else the middle and the last page are tried, since a file is read in ahead in order.
 */
static bool resident(int fd, off_t offset, size_t n)
{
	struct { uint64_t offset, length; } range = { (uint64_t)offset, n };
	struct { uint64_t cache, dirty, writeback, evicted, recently; } answer;
	uint64_t first = page_down((uintptr_t)offset), last = page_up((uintptr_t)offset + n);

	enum { CACHESTAT = 451 }; /* kernel >= 6.5, the same number everywhere */
	if (PRIM4(CACHESTAT, fd, &range, &answer, 0) == 0)
		return answer.cache >= (last - first) / shunt_page;
	return page_resident(fd, offset + (off_t)n - 1) && page_resident(fd, offset + (off_t)(n / 2));
}

/* The whole pages that would be armed: inside the buffer, less those that the program is known to touch. */
static enum verdict plan_pages(struct attempt *a, const struct site *site)
{
	a->lo = page_up(a->base) + site->head * shunt_page;
	a->hi = page_down(a->base + a->n);
	a->hi -= a->hi > site->tail * shunt_page ? site->tail * shunt_page : 0;
	return a->lo + shunt_page <= a->hi && a->hi > a->base ? VERDICT_REWRITTEN
							      : VERDICT_NO_WHOLE_PAGE;
}

static bool edge_room(struct landing *l)
{
	if (!l->edge)
		l->edge = arena_alloc(2 * EDGE_PAGES * shunt_page);
	return l->edge != NULL;
}

/* Sees to it that exactly a->lo .. a->hi are armed, with a->l locked. */
static enum verdict arm(struct attempt *a)
{
	struct landing *l = a->l;

	if (landing_lo(l) == a->lo && landing_hi(l) == a->hi && (l->source || l->freed) &&
	    maps_still_armed(a->lo, a->hi))
		return VERDICT_REWRITTEN;
	if (!landing_open_locked(l))
		return VERDICT_HOST_LIMITS;
	if (l->base != a->base || !edge_room(l))
		return VERDICT_LIMIT;
	a->fresh = true;
	return landing_arm(l, a->lo, a->hi);
}

static bool steady(const struct attempt *a)
{
	return a->l->fd == a->fd && a->l->source == a->source + 1;
}

/*
 * Before anything moves: is the file still the one, still settled, and long
 * enough? A steady read knows the size from its last chunk; what it says is asked
 * again after the seek.
 */
static enum verdict check_file(struct attempt *a)
{
	off_t offset = a->at, size = a->l->size;
	enum verdict v;

	if (offset == LAND_AT_OFFSET && steady(a)) {
		offset = a->l->offset + (off_t)a->l->length;
	} else {
		if (prim_fstat(a->fd, &a->st) < 0)
			return VERDICT_SPECIAL_FILE;
		v = source_still(a->source, &a->st);
		if (v != VERDICT_REWRITTEN)
			return v;
		size = a->st.st_size;
		offset = offset == LAND_AT_OFFSET ? 0 : offset;
	}
	return offset > size - (off_t)a->n ? VERDICT_NEAR_END : VERDICT_REWRITTEN;
}

/*
 * Takes the range from the descriptor's offset, as read does. The seek comes
 * first: it reserves the range against whoever shares the offset; the size is
 * that of after it. Anything but REWRITTEN: the range must be read plainly.
 */
static enum verdict reserve(struct attempt *a)
{
	off_t end;
	enum verdict v;

	if (a->at != LAND_AT_OFFSET) {
		a->offset = a->at;
		return VERDICT_REWRITTEN;
	}
	end = prim_lseek(a->fd, (off_t)a->n, SEEK_CUR);
	a->offset = end - (off_t)a->n;
	if (end < 0)
		return VERDICT_SPECIAL_FILE;
	if (prim_fstat(a->fd, &a->st) < 0)
		return VERDICT_SPECIAL_FILE;
	v = source_still(a->source, &a->st);
	return v == VERDICT_REWRITTEN && end > a->st.st_size ? VERDICT_NEAR_END : v;
}

/* Reads N bytes at OFFSET into TO and keeps a COPY; false if there are fewer, or an error. */
static bool read_edge(int fd, uintptr_t to, size_t n, off_t offset, unsigned char *copy)
{
	if (n == 0)
		return true;
	if (prim_pread(fd, (void *)to, n, offset) != (ssize_t)n)
		return false;
	memcpy(copy, (void *)to, n);
	return true;
}

/* The parts of the buffer before and behind the armed pages, with copies to compare with at the write. */
static bool read_edges(struct attempt *a)
{
	struct landing *l = a->l;
	size_t head = a->lo - a->base, tail = a->base + a->n - a->hi;
	int fd = source_at(a->source)->fd;

	l->head = l->tail = 0;
	if (!read_edge(fd, a->base, head, a->offset, l->edge) ||
	    !read_edge(fd, a->hi, tail, a->offset + (off_t)(a->hi - a->base),
		       l->edge + EDGE_PAGES * shunt_page))
		return false;
	l->head = head;
	l->tail = tail;
	return true;
}

/*
 * The range is reserved but cannot land (the end of the file came nearer, the
 * disk failed): it is read plainly, there, and what was reserved too much is given back
 * in one relative step, which is right whoever else moves the offset.
 */
static ssize_t read_reserved(struct attempt *a)
{
	ssize_t n;

	if (a->fresh)
		landing_unarm(a->l);
	else
		landing_open_locked(a->l);
	n = prim_pread(a->fd, (void *)a->base, a->n, a->offset);
	if (a->at == LAND_AT_OFFSET && n != (ssize_t)a->n)
		prim_lseek(a->fd, (n > 0 ? n : 0) - (off_t)a->n, SEEK_CUR);
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	return n;
}

/* The landing now means this chunk. */
static void mean(struct attempt *a, struct site *site)
{
	struct landing *l = a->l;
	int old = l->source;

	atomic_fetch_add(&l->sequence, 1);
	l->length = a->n;
	l->offset = a->offset;
	l->size = a->st.st_size;
	l->source = a->source + 1;
	l->fd = a->fd;
	l->reader = thread_self() ? thread_self()->tid : 0;
	if (l->site != site)
		l->patience = (struct patience){ 0 };
	l->site = site;
	l->written = 0;
	l->credit = 0;
	l->route = NULL;
	l->looks = 0;
	if (l->freed) {
		l->freed = false;
		l->returns = true;
	}
	l->touched = prim_now();
	atomic_fetch_add(&l->sequence, 1);
	if (old != a->source + 1) {
		/* the hold for the new one was taken before; the old one's goes */
		if (old)
			source_release(old - 1);
	} else {
		source_release(a->source);
	}
}

/* With the landing locked and the source held. */
static ssize_t land_locked(struct attempt *a, struct site *site, enum verdict *why)
{
	*why = a->l->base == a->base ? check_file(a) : VERDICT_LIMIT;
	if (*why == VERDICT_REWRITTEN)
		*why = arm(a);
	if (*why != VERDICT_REWRITTEN)
		return LAND_PLAINLY;
	*why = reserve(a);
	if (a->offset < 0)
		return LAND_PLAINLY; /* it cannot seek: not the file that it was, nothing has moved */
	if (*why == VERDICT_REWRITTEN && site->crosses && !resident(a->fd, a->offset, a->n))
		*why = VERDICT_NOT_CACHED;
	if (*why == VERDICT_REWRITTEN && !read_edges(a))
		*why = VERDICT_TRUNCATED;
	return *why == VERDICT_REWRITTEN ? (ssize_t)a->n : read_reserved(a);
}

/* Is the number still bound to its file? Binds it at the first chunk. */
static enum verdict bind_source(struct attempt *a, struct fd_entry *e)
{
	enum verdict v;

	a->source = atomic_load(&e->source) - 1;
	if (likely(a->source >= 0))
		return VERDICT_REWRITTEN;
	if (prim_fstat(a->fd, &a->st) < 0 || !S_ISREG(a->st.st_mode))
		return VERDICT_SPECIAL_FILE;
	v = source_bind(a->fd, e, &a->st);
	a->source = atomic_load(&e->source) - 1;
	return v != VERDICT_REWRITTEN || a->source >= 0 ? v : VERDICT_LIMIT;
}

enum verdict land_observe(int fd, struct fd_entry *e, const void *buf, size_t n, off_t at,
			  struct site *site)
{
	struct attempt a = { .fd = fd, .base = (uintptr_t)buf, .n = n, .at = at };
	enum verdict why = plan_pages(&a, site);
	off_t offset;

	if (why == VERDICT_REWRITTEN)
		why = bind_source(&a, e);
	if (why == VERDICT_REWRITTEN)
		why = maps_can_land(a.lo, a.hi);
	if (why != VERDICT_REWRITTEN)
		return why;
	offset = at == LAND_AT_OFFSET ? prim_lseek(fd, 0, SEEK_CUR) : at;
	if (prim_fstat(fd, &a.st) < 0 || offset > a.st.st_size - (off_t)n)
		return VERDICT_NEAR_END;
	return source_still(a.source, &a.st);
}

ssize_t land_read(int fd, struct fd_entry *e, void *buf, size_t n, off_t at, struct site *site,
		  enum verdict *why)
{
	struct attempt a = { .fd = fd, .base = (uintptr_t)buf, .n = n, .at = at };
	unsigned long calls = prim_calls;
	struct lock_held held;
	ssize_t ret;

	*why = plan_pages(&a, site);
	if (*why == VERDICT_REWRITTEN)
		*why = bind_source(&a, e);
	if (*why != VERDICT_REWRITTEN)
		return LAND_PLAINLY;
	a.l = landing_claim(a.base);
	if (!a.l) {
		*why = VERDICT_LIMIT;
		return LAND_PLAINLY;
	}
	landing_retire_overlaps(a.l, a.base, n);
	lock_take(&a.l->lock, &held);
	source_hold(a.source);
	ret = land_locked(&a, site, why);
	if (*why == VERDICT_REWRITTEN) {
		mean(&a, site);
		a.l->calls = (unsigned)(prim_calls - calls);
	} else {
		if (a.fresh)
			landing_unarm(a.l);
		source_release(a.source);
	}
	lock_drop(&a.l->lock, &held);
	if (*why == VERDICT_CHANGED || source_at(a.source)->verdict != VERDICT_REWRITTEN)
		source_unbind(e, false); /* the number means another file by now, or the file must be judged again */
	return ret;
}
