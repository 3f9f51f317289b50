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
#include "copy.h"
#include "fill.h"
#include "guard.h"
#include "land.h"
#include "landing.h"
#include "maps.h"
#include "prim.h"
#include "source.h"
#include "thread.h"

/* Measured per route, file -> socket: below these a landing does not pay. */
enum { MIN_ODD = 32 * 1024, MIN_ALIGNED = 16 * 1024 };

/*
 * As much is read ahead at a time at the least, but for a file's first pages: half of the kernel's
 * default.
 */
enum { STRETCH = 64 * 1024 };

/*
 * Nanoseconds for which the head of the next chunk, read along with a tail, is taken as read just
 * now.
 */
enum { AHEAD_AGE = 1000000000 };

/* A read in the making. */
struct attempt {
	int fd;
	const struct fd_entry *entry; /* of the number */
	struct landing *l;
	uintptr_t base, lo, hi; /* the buffer; the whole pages that are to be armed */
	size_t n;
	off_t at;               /* LAND_AT_OFFSET, or pread's */
	off_t offset;           /* where the bytes are in the file, once known */
	int source;
	bool asked;             /* st is of this read */
	uint32_t generation;    /* of the number: it changes with what that means */
	bool fresh;             /* armed just now: the pages hold what they held */
	bool held;              /* a hold on the source was taken, beside the landing's own */
	struct landing *before; /* of the chunk that ends where this begins, locked; or NULL */
	unsigned char *ahead;   /* the head, read before: to be put into the buffer; or NULL */
	uint64_t now;
	struct stat st;
};

static size_t smallest(const void *buf)
{
	if (config.min)
		return config.min;
	return (uintptr_t)buf & (shunt_page - 1) ? MIN_ODD : MIN_ALIGNED;
}

/* Why no read of N bytes into BUF from E lands, whatever was learned. */
static enum verdict refuse(const struct fd_entry *e, const void *buf, size_t n)
{
	if (e->refusal != VERDICT_REWRITTEN)
		return e->refusal;
	if (n < smallest(buf))
		return VERDICT_TOO_SMALL;
	return config.engines & ENGINE_SENDFILE ? VERDICT_REWRITTEN : VERDICT_ENGINE_OFF;
}

/*
 * Will what is read at SITE go where nothing is rewritten, as the last chunk did? Another sink makes
 * itself known by its first chunk.
 */
static bool sink_refuses(const struct site *site)
{
	uint8_t kind = relaxed(site->sink);

	return kind != STATS_KIND_TCP && kind != STATS_KIND_UNIX && kind != STATS_KIND_UNKNOWN;
}

enum verdict land_wanted(struct fd_entry *e, const void *buf, size_t n, struct site *site,
			 struct pass *pass)
{
	struct landing *l;
	enum verdict v = refuse(e, buf, n);

	if (v != VERDICT_REWRITTEN) {
		/* so would a smaller one be if that is what is wrong, else one of this size */
		pass_give(pass, n, v == VERDICT_TOO_SMALL);
		return v;
	}
	l = landing_find((uintptr_t)buf);
	/* what another loop did with the same memory says nothing of this one */
	v = site_ready(site, l && l->site == site ? &l->patience : NULL, n, pass);
	if (v == VERDICT_REWRITTEN && unlikely(sink_refuses(site))) {
		patience_lost(l && l->site == site ? &l->patience : &site->patience, VERDICT_SINK_KIND);
		return VERDICT_SINK_KIND;
	}
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
 * the disk. cachestat counts the pages, those that are still on their way from the disk as
 * well, and answers only for files that one may write to; so a page in each stretch that
 * is read in at a time is tried.
 */
static bool resident(int fd, off_t offset, size_t n)
{
	struct { uint64_t offset, length; } range = { (uint64_t)offset, n };
	struct { uint64_t cache, dirty, writeback, evicted, recently; } answer;
	uint64_t first = page_down((uintptr_t)offset), last = page_up((uintptr_t)offset + n);

	enum { CACHESTAT = 451 }; /* kernel >= 6.5, the same number everywhere */
	if (PRIM4(CACHESTAT, fd, &range, &answer, 0) == 0 &&
	    answer.cache < (last - first) / shunt_page)
		return false;
	for (size_t end = n; end > 0; end -= end < STRETCH ? end : STRETCH)
		if (!page_resident(fd, offset + (off_t)end - 1))
			return false;
	return true;
}

/*
 * The whole pages that would be armed: inside the buffer, less those that the program is known to
 * touch.
 */
static enum verdict plan_pages(struct attempt *a, struct site *site)
{
	if (unlikely(site->head | site->tail))
		site_edge_landed(site);
	a->lo = page_up(a->base) + site->head * shunt_page;
	a->hi = page_down(a->base + a->n);
	a->hi -= a->hi > site->tail * shunt_page ? site->tail * shunt_page : 0;
	return a->lo + shunt_page <= a->hi && a->hi > a->base ? VERDICT_REWRITTEN
							      : VERDICT_NO_WHOLE_PAGE;
}

static bool edge_room(struct landing *l)
{
	if (!l->edge)
		l->edge = l->tail_copy = arena_alloc(2 * EDGE_ROOM * shunt_page);
	return l->edge != NULL;
}

/*
 * Another thread may have closed the number since its source was found, and our duplicate with it:
 * who unbinds it looks for holds then, so one of the two sees the other.
 */
static enum verdict hold(struct attempt *a)
{
	enum verdict v;

	if (a->held)
		return VERDICT_REWRITTEN;
	a->held = true;
	v = source_hold(a->source);
	return atomic_load(&a->entry->source) == a->source + 1 ? v : VERDICT_DESCRIPTORS;
}

/* Sees to it that exactly a->lo .. a->hi are armed, with a->l locked. */
static enum verdict arm(struct attempt *a)
{
	struct landing *l = a->l;
	enum verdict v;

	if (landing_lo(l) == a->lo && landing_hi(l) == a->hi && (l->source || l->freed) &&
	    (landing_is_sure(l) || maps_still_armed(a->lo, a->hi)))
		return VERDICT_REWRITTEN;
	v = hold(a); /* for opening lets the landing's own go */
	if (v != VERDICT_REWRITTEN)
		return v;
	if (!landing_open_locked(l))
		return VERDICT_HOST_LIMITS;
	if (l->base != a->base || !edge_room(l))
		return VERDICT_LIMIT;
	a->fresh = true;
	return landing_arm(l, a->lo, a->hi);
}

/* Was the last chunk in this buffer read from the same descriptor? */
static bool reads_on(const struct attempt *a)
{
	return a->l->fd == a->fd && a->l->generation == a->generation;
}

/* And does the buffer still mean it? */
static bool steady(const struct attempt *a)
{
	return reads_on(a) && a->l->source == a->source + 1;
}

/* The kernel writes nothing here: a read that has a byte to give fails, and moves nothing. */
static const char nowhere;

/*
 * The last chunk ended where the file did: does the next read give nothing? The kernel is asked,
 * so that the answer is its own. The buffer is not touched then, and what is landed there stays.
 */
static bool at_end(const struct attempt *a)
{
	const struct landing *l = a->l;
	off_t next = a->at == LAND_AT_OFFSET ? l->offset + (off_t)l->length : a->at;

	if (!steady(a) || l->base != a->base || likely(next < l->size))
		return false;
	return (a->at == LAND_AT_OFFSET ? prim_read(a->fd, (void *)&nowhere, 1)
					: prim_pread(a->fd, (void *)&nowhere, 1, a->at)) == 0;
}

/*
 * Before anything moves: is the file still the one, still settled, and long
 * enough? A steady read knows the size from its last chunk; what it says is asked
 * again after the seek.
 */
static enum verdict check_file(struct attempt *a)
{
	off_t offset = a->at, next = a->l->offset + (off_t)a->l->length;
	enum verdict v;

	if (offset == LAND_AT_OFFSET && steady(a) && next <= a->l->size - (off_t)a->n)
		return VERDICT_REWRITTEN;
	if (!a->asked && prim_fstat(a->fd, &a->st) < 0)
		return VERDICT_SPECIAL_FILE;
	v = source_still(a->source, &a->st);
	if (v != VERDICT_REWRITTEN)
		return v;
	/*
	 * at the end of the file, behind a last piece that was read plainly, or at its start again:
	 * the same number, the same file, opened anew
	 */
	if (offset == LAND_AT_OFFSET)
		offset = reads_on(a) ? prim_lseek(a->fd, 0, SEEK_CUR) : 0;
	return offset > a->st.st_size - (off_t)a->n ? VERDICT_NEAR_END : VERDICT_REWRITTEN;
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

/*
 * ---- edges: the parts of the buffer before and behind the armed pages, with copies to compare
 * with at the write ----
 */

/* Does the chunk begin where that of L ended, as in a loop over a file? */
static bool follows(const struct attempt *a, const struct landing *l)
{
	return relaxed(l->source) == a->source + 1 && a->offset == l->offset + (off_t)l->length;
}

/*
 * The chunk before this one may have gone into the same buffer, or into the one that this
 * thread read into last: some programs take a new one for each chunk before they give back the old.
 */
static struct landing *lock_before(const struct attempt *a)
{
	const struct thread *t = thread_self();
	struct landing *l = t ? t->landed : NULL;

	if (follows(a, a->l))
		return a->l;
	if (!l || l == a->l || relaxed(l->source) != a->source + 1 || !lock_try_second(&l->lock))
		return NULL;
	if (follows(a, l))
		return l;
	lock_drop_second(&l->lock);
	return NULL;
}

static void unlock_before(const struct attempt *a)
{
	if (a->before && a->before != a->l)
		lock_drop_second(&a->before->lock);
}

/*
 * The last tail was read together with the bytes behind it: is that the HEAD of now? The
 * file is unchanged by its stamps; the age bounds what stamps cannot tell.
 */
static bool read_ahead(const struct attempt *a, size_t head)
{
	const struct landing *l = a->before;

	return l && l->ahead >= head && head && a->now - l->read < AHEAD_AGE &&
	       source_unchanged(a->source, &a->st);
}

/*
 * How many bytes behind the chunk are worth reading along with its tail: the next HEAD. Where two
 * buffers take turns that is as long as the last.
 */
static size_t worth_ahead(const struct attempt *a, const struct site *site, size_t head)
{
	if (!COPY_IN || site->crosses)
		return 0;
	if (a->before && a->before != a->l)
		return a->before->head;
	/* the first chunk of a file is followed by another, where loops land */
	return a->before || a->offset == 0 ? head : 0;
}

static bool read_head(const struct attempt *a, int fd, size_t head, unsigned char *copy)
{
	if (prim_pread(fd, (void *)a->base, head, a->offset) != (ssize_t)head)
		return false;
	memcpy(copy, (void *)a->base, head);
	return true;
}

/* The tail, with a copy, and behind that as much of MORE bytes as there is: *AHEAD. */
static bool read_tail(const struct attempt *a, int fd, size_t tail, size_t more,
		      unsigned char *copy, size_t *ahead)
{
	struct iovec iov[2] = { { (void *)a->hi, tail }, { copy + tail, more } };
	off_t at = a->offset + (off_t)(a->hi - a->base);
	ssize_t n = more ? prim_preadv(fd, iov, 2, at) : prim_pread(fd, (void *)a->hi, tail, at);

	if (n < (ssize_t)tail)
		return false;
	memcpy(copy, (void *)a->hi, tail);
	*ahead = (size_t)n - tail;
	return true;
}

/*
 * Reads both edges, with a->before locked. A head that is here already is only noted (a->ahead): it
 * is put into the buffer when no lock is held any more, since that may fault.
 */
static bool read_edges_behind(struct attempt *a, const struct site *site)
{
	struct landing *l = a->l;
	size_t head = a->lo - a->base, tail = a->base + a->n - a->hi, ahead = 0;
	size_t room = EDGE_ROOM * shunt_page, more = tail ? worth_ahead(a, site, head) : 0;
	int fd = source_at(a->source)->fd;
	unsigned char *old = l->tail_copy == l->edge ? l->edge : l->edge + room;
	unsigned char *new = l->tail_copy == l->edge ? l->edge + room : l->edge;

	if (read_ahead(a, head)) {
		a->ahead = a->before->tail_copy + a->before->tail;
		if (a->before != l)
			a->ahead = memcpy(old, a->ahead, head);
		old = a->ahead;
	}
	l->head = l->tail = l->ahead = 0;
	if (head && !a->ahead && !read_head(a, fd, head, old))
		return false;
	if (tail && !read_tail(a, fd, tail, more, new, &ahead))
		return false;
	l->head_copy = old;
	l->tail_copy = new;
	l->head = head;
	l->tail = tail;
	l->ahead = ahead;
	return true;
}

static bool read_edges(struct attempt *a, const struct site *site)
{
	bool ok;

	a->before = lock_before(a);
	ok = read_edges_behind(a, site);
	unlock_before(a);
	return ok;
}

/*
 * The range is reserved but cannot land: it is read plainly, there, and what was reserved
 * too much is given back in one relative step, which is right whoever else moves the offset.
 */
static ssize_t read_there(const struct attempt *a)
{
	ssize_t n = prim_pread(a->fd, (void *)a->base, a->n, a->offset);

	if (a->at == LAND_AT_OFFSET && n != (ssize_t)a->n)
		prim_lseek(a->fd, (n > 0 ? n : 0) - (off_t)a->n, SEEK_CUR);
	if (n < 0) {
		errno = (int)-n;
		return -1;
	}
	return n;
}

/* The end of the file came nearer, or is here; or the disk failed. */
static ssize_t read_reserved(struct attempt *a, enum verdict why)
{
	if (why == VERDICT_NEAR_END && !a->fresh && a->offset >= a->st.st_size) {
		prim_lseek(a->fd, -(off_t)a->n, SEEK_CUR);
		return 0; /* what is landed stays: nothing comes into the buffer */
	}
	if (a->fresh)
		landing_unarm(a->l);
	else
		landing_open_locked(a->l);
	return read_there(a);
}

/* The landing now means this chunk. */
static void mean(struct attempt *a, struct site *site)
{
	struct thread *t = thread_self();
	struct landing *l = a->l;
	int old = relaxed(l->source);

	landing_change_begin(l);
	l->length = a->n;
	l->offset = a->offset;
	l->size = a->st.st_size;
	set_relaxed(l->source, a->source + 1);
	l->fd = a->fd;
	l->generation = a->generation;
	l->reader = t ? relaxed(t->tid) : 0;
	if (t)
		t->landed = l;
	if (l->site != site)
		l->patience = (struct patience){ 0 };
	l->site = site;
	set_relaxed(l->written, 0);
	set_relaxed(l->credit, 0);
	set_relaxed(l->route, NULL);
	set_relaxed(l->looks, 0);
	if (relaxed(l->freed)) {
		set_relaxed(l->freed, false);
		set_relaxed(l->returns, true);
	}
	l->read = a->now;
	set_relaxed(l->touched, a->now);
	landing_change_end(l);
	/* the hold of this attempt is the landing's from now on */
	if (a->held && old)
		source_release(old - 1);
}

/* With the landing locked. */
static ssize_t land_locked(struct attempt *a, struct site *site, enum verdict *why)
{
	*why = VERDICT_NEAR_END;
	if (at_end(a))
		return 0;
	/* what the landing names stays while it is locked; anything else needs a hold of its own */
	*why = relaxed(a->l->source) != a->source + 1 ? hold(a) : VERDICT_REWRITTEN;
	if (*why == VERDICT_REWRITTEN)
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
	if (*why == VERDICT_REWRITTEN && !read_edges(a, site))
		*why = VERDICT_TRUNCATED;
	return *why == VERDICT_REWRITTEN ? (ssize_t)a->n : read_reserved(a, *why);
}

/* Is the number still bound to its file? Binds it at the first chunk. */
static enum verdict bind_source(struct attempt *a, struct fd_entry *e)
{
	enum verdict v;

	a->source = atomic_load(&e->source) - 1;
	if (likely(a->source >= 0))
		return VERDICT_REWRITTEN;
	if (!a->asked && prim_fstat(a->fd, &a->st) < 0)
		return VERDICT_SPECIAL_FILE;
	if (!S_ISREG(a->st.st_mode))
		return VERDICT_SPECIAL_FILE;
	a->asked = true;
	/* most files are small, and the questions are many */
	if (a->st.st_size > 0 && (size_t)a->st.st_size < (config.min ? config.min : MIN_ALIGNED))
		e->refusal = VERDICT_NEAR_END; /* while it is open: should it grow, it is read plainly */
	if (a->st.st_size > 0 && (a->at == LAND_AT_OFFSET ? 0 : a->at) > a->st.st_size - (off_t)a->n)
		return VERDICT_NEAR_END;
	v = source_bind(a->fd, e, &a->st);
	a->source = atomic_load(&e->source) - 1;
	return v != VERDICT_REWRITTEN || a->source >= 0 ? v : VERDICT_LIMIT;
}

enum verdict land_observe(int fd, struct fd_entry *e, const void *buf, size_t n, off_t at,
			  struct site *site)
{
	struct attempt a = { .fd = fd, .entry = e, .base = (uintptr_t)buf, .n = n, .at = at };
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

/*
 * The head that was read ahead goes into the buffer, now that nothing is locked. Where
 * there is no page the kernel is to say so; and if a signal handler has read into the same
 * buffer meanwhile, the order is: first it, then we.
 */
static ssize_t put_head(const struct attempt *a, uint32_t sequence, enum verdict *why)
{
	if (copy_in((void *)a->base, a->ahead, a->lo - a->base) &&
	    relaxed(a->l->sequence) == sequence)
		return (ssize_t)a->n;
	landing_fill((void *)a->base, a->n);
	*why = VERDICT_LIMIT;
	return read_there(a);
}

ssize_t land_read(int fd, struct fd_entry *e, void *buf, size_t n, off_t at, const struct stat *st,
		  struct site *site, enum verdict *why)
{
	struct attempt a = { .fd = fd, .entry = e, .base = (uintptr_t)buf, .n = n, .at = at };
	unsigned long calls = prim_calls;
	struct lock_held held;
	uint32_t sequence;
	ssize_t ret;

	a.generation = relaxed(e->generation);
	a.asked = st->st_mode != 0;
	if (a.asked)
		a.st = *st;
	*why = plan_pages(&a, site);
	if (*why == VERDICT_REWRITTEN)
		*why = bind_source(&a, e);
	if (*why != VERDICT_REWRITTEN)
		return LAND_PLAINLY;
	guard_enter(); /* with the program's own mask, so before any lock */
	guard_landed();
	a.l = landing_claim(a.base);
	if (!a.l) {
		*why = VERDICT_LIMIT;
		return LAND_PLAINLY;
	}
	landing_retire_overlaps(a.l, a.base, n);
	a.now = prim_now();
	lock_take(&a.l->lock, &held);
	ret = land_locked(&a, site, why);
	if (*why == VERDICT_REWRITTEN) {
		mean(&a, site);
		a.l->calls = (unsigned)(prim_calls - calls);
	} else {
		if (a.fresh)
			landing_unarm(a.l);
		if (a.held)
			source_release(a.source);
	}
	sequence = relaxed(a.l->sequence);
	lock_drop(&a.l->lock, &held);
	if (a.ahead && *why == VERDICT_REWRITTEN)
		ret = put_head(&a, sequence, why);
	if (*why == VERDICT_CHANGED || source_at(a.source)->verdict != VERDICT_REWRITTEN)
		source_unbind(e, false); /* another file by now, or it must be judged again */
	return ret;
}
