/* SPDX-License-Identifier: MIT */
/* watch.c - chunks that were read plainly, until they are written; see watch.h. */
#include "watch.h"

#include "pair.h"
#include "stats.h"
#include "thread.h"

enum { WATCHED = 1024, RECENT = 4 };

/*
 * Racing threads can mix two entries up. What is mixed is a count or a hint: no
 * byte depends on it.
 */
struct watched {
	_Atomic uintptr_t base;
	_Atomic size_t length, written;
	struct site *_Atomic site;
	_Atomic int fd;
	_Atomic int reader;
	_Atomic uint8_t why; /* enum verdict */
	_Atomic bool stream; /* no file was read */
	_Atomic bool looked; /* a look that is not in the accounts yet */
};

static LARGE_TABLE struct watched table[WATCHED];

/* The latest chunks of this thread, for writes that begin before one (a header in front) or in its middle. */
static __thread uintptr_t recent[RECENT];
static __thread unsigned recent_next;

static void remember(uintptr_t base)
{
	recent[recent_next++ % RECENT] = base;
}

static struct watched *entry_of(uintptr_t base)
{
	return &table[(base * UINT64_C(0x9e3779b97f4a7c15) >> 44) % WATCHED];
}

/* Does a chunk of verdict WHY say anything of its loop? */
static bool tells(uint8_t why)
{
	return why != VERDICT_TOO_SMALL && why != VERDICT_WOULD_NOT_PAY && why != VERDICT_NOT_FULL;
}

static int self_tid(void)
{
	struct thread *t = thread_self();

	return t ? relaxed(t->tid) : 0;
}

static bool is_no_file(uint8_t kind)
{
	return kind != STATS_KIND_UNKNOWN && kind != STATS_KIND_FILE;
}

static void put(struct watched *w, const void *buf, size_t n, size_t written, int fd,
		struct site *site, enum verdict why)
{
	struct fd_entry *e = fd_peek(fd);

	set_relaxed(w->base, 0);
	set_relaxed(w->stream, e && (relaxed(e->no_file) || is_no_file(relaxed(e->kind))));
	set_relaxed(w->length, n);
	set_relaxed(w->written, written);
	set_relaxed(w->site, site);
	set_relaxed(w->fd, fd);
	set_relaxed(w->reader, self_tid());
	set_relaxed(w->why, (uint8_t)why);
	set_relaxed(w->looked, false);
	set_relaxed(w->base, (uintptr_t)buf);
	remember((uintptr_t)buf);
}

void watch_read(const void *buf, size_t n, int fd, struct site *site, enum verdict why)
{
	struct watched *w = entry_of((uintptr_t)buf);

	/* a loop that reads and does not write is not ours; a small read between says nothing */
	if (relaxed(w->base) && relaxed(w->written) == 0 && relaxed(w->site) == site && tells((uint8_t)why))
		site_strayed(site);
	put(w, buf, n, 0, fd, site, why);
}

void watch_filled(const void *buf, size_t n, size_t written, int fd, struct site *site,
		  enum verdict why, bool looked)
{
	struct watched *w = entry_of((uintptr_t)buf);

	put(w, buf, n, written, fd, site, why);
	set_relaxed(w->looked, looked);
}

bool watch_knows(const void *buf, size_t n)
{
	uintptr_t lo = (uintptr_t)buf;

	if (relaxed(entry_of(lo)->base) == lo)
		return true;
	/* a chunk begins in what is written, or what is written begins in a chunk: its rest */
	for (int i = 0; i < RECENT; i++) {
		const struct watched *w = entry_of(recent[i]);

		if (recent[i] - lo < n ||
		    (relaxed(w->base) == recent[i] && lo - recent[i] < relaxed(w->length)))
			return true;
	}
	return false;
}

static enum stats_kind source_kind(const struct watched *w)
{
	struct fd_entry *e = w->stream ? fd_peek(w->fd) : NULL;

	return e ? fd_classify(w->fd, e) : STATS_KIND_FILE;
}

static void account(struct watched *w, size_t n, bool first, int fd, struct fd_entry *sink,
		    struct site *write_site, enum verdict why)
{
	struct pair_chunk c = { .source = source_kind(w), .read_site = relaxed(w->site),
				.write_site = write_site, .source_fd = relaxed(w->fd), .sink_fd = fd,
				.sink = fd_is_any_file(sink) ? STATS_KIND_FILE : STATS_KIND_UNKNOWN };
	struct stats_route *route;

	site_name(write_site);
	route = pair_route(&c, sink);
	stats_add(&route->bytes, n);
	if (relaxed(w->looked) && atomic_exchange(&w->looked, false))
		stats_add(&route->looks, 1);
	/* only mode:observe brings chunks here that nothing speaks against: then this is what would be */
	if (why == VERDICT_REWRITTEN)
		stats_add(&route->bytes_rewritten, n);
	if (!first)
		return;
	pair_count_chunk(route);
	stats_add(&route->verdict[why], 1);
	if (why == VERDICT_REWRITTEN)
		stats_add(&route->chunks_rewritten, 1);
}

/* What of W the write of [lo, hi) covers; in order and without a gap it counts as passed on. */
static void cover(struct watched *w, uintptr_t lo, uintptr_t hi, int fd, struct fd_entry *sink,
		  struct site *write_site, enum verdict why)
{
	size_t length = relaxed(w->length), written = relaxed(w->written);
	uintptr_t base = relaxed(w->base), end = base + length;
	struct site *site = relaxed(w->site);

	if (!base || !site || lo >= end || hi <= base)
		return;
	if (!w->stream && fd_is_any_file(sink))
		return; /* copies of files are nobody's question */
	if (lo < base)
		lo = base;
	if (hi > end)
		hi = end;
	if (why == VERDICT_REWRITTEN)
		why = relaxed(w->why);
	account(w, hi - lo, lo == base, fd, sink, write_site, why);
	if (lo > base + written || hi <= base + written)
		return;
	set_relaxed(w->written, hi - base);
	if (relaxed(w->reader) != self_tid())
		set_relaxed(site->crosses, true);
	/* of a rest that is shorter than this nobody is told */
	if (end - hi >= WATCH_SMALLEST || length - written < WATCH_SMALLEST ||
	    !tells(relaxed(w->why)) || fd_is_any_file(sink))
		return;
	set_relaxed(site->sink, relaxed(sink->kind));
	site_passed(site);
}

void watch_written(const void *buf, size_t n, int fd, struct fd_entry *sink,
		   struct site *write_site, enum verdict why)
{
	uintptr_t lo = (uintptr_t)buf, hi = lo + n;
	struct watched *w = entry_of(lo);

	if (relaxed(w->base) == lo) {
		cover(w, lo, hi, fd, sink, write_site, why);
		if (relaxed(w->written) < relaxed(w->length))
			remember(lo); /* the rest begins further on, perhaps in a thread that did not read */
		return;
	}
	for (int i = 0; i < RECENT; i++) {
		bool again = false;

		for (int j = 0; j < i; j++)
			again |= recent[j] == recent[i];
		w = entry_of(recent[i]);
		if (recent[i] && !again && relaxed(w->base) == recent[i])
			cover(w, lo, hi, fd, sink, write_site, why);
	}
}
