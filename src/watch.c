/* SPDX-License-Identifier: MIT */
/* watch.c - chunks that were read plainly, until they are written; see watch.h. */
#include "watch.h"

#include <string.h>

#include "pair.h"
#include "stats.h"
#include "tally.h"
#include "thread.h"

enum { WATCHED = 1024, RECENT = 4 };

/*
 * Racing threads can mix two entries up. What is mixed is a count or a hint: no
 * byte depends on it.
 *
 * ROUTE and what stands round it is how the last chunk here went, if it was written whole by one
 * call: the next one that goes the same way needs no other table. That it need not be judged anew
 * either is what PASSES says (pass.h). What is asked of such a chunk at its read lies in one line of
 * the cache, and what its write asks besides in the next.
 */
struct watched {
	_Atomic uintptr_t base;
	const void *_Atomic caller;   /* who read */
	const struct fd_entry *_Atomic source;
	_Atomic uint32_t generation;  /* of SOURCE, when ROUTE was known */
	_Atomic int fd;
	_Atomic uint32_t length, written;
	_Atomic uint32_t asked;       /* PASSES are for reads of so many bytes, */
	_Atomic bool smaller;         /* and of fewer */
	_Atomic uint8_t passes;
	_Atomic uint8_t fresh;        /* those that come with the next ROUTE */
	_Atomic uint8_t given;        /* those that were there at first */
	struct site *_Atomic site;
	_Atomic uint8_t forks;        /* those this process came from, when ROUTE was its own */
	_Atomic uint8_t why;          /* enum verdict: of the read */
	_Atomic bool stream;          /* no file was read */
	_Atomic bool looked;          /* a look that is not in the accounts yet */
	/* the way that the last chunk went */
	_Atomic(struct stats_route *) route __attribute__((aligned(64))); /* NULL: not known */
	const void *_Atomic write_caller;
	const struct fd_entry *_Atomic sink;
	_Atomic uint32_t sink_generation;
	_Atomic int sink_fd;
	_Atomic uint8_t counts; /* enum verdict: as what it counts; the sink may have another than WHY */
	_Atomic int reader;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct watched) == 128, "two lines");

static LARGE_TABLE struct watched table[WATCHED];
HOT _Atomic bool watch_used;
static HOT _Atomic uint8_t forks;

/*
 * The latest chunks of this thread, for writes that begin before one (a header in front) or in its
 * middle.
 */
static __thread struct {
	uintptr_t base[RECENT];
	uint32_t length[RECENT], last;
} __attribute__((aligned(64))) recent;

static inline void remember(uintptr_t base, size_t n)
{
	uint32_t i = recent.last;

	if (recent.base[i] != base)
		recent.last = i = (i + 1) % RECENT;
	recent.base[i] = base;
	recent.length[i] = (uint32_t)n;
}

static inline struct watched *entry_of(uintptr_t base)
{
	struct watched *w = &table[(base * UINT64_C(0x9e3779b97f4a7c15) >> 44) % WATCHED];

	/* one address in a register, not one for each field */
	__asm__("" : "+r"(w));
	return w;
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
		struct site *site, enum verdict why, const struct pass *pass)
{
	struct fd_entry *e = fd_peek(fd);

	set_relaxed(watch_used, true);
	set_relaxed(w->base, 0);
	set_relaxed(w->passes, 0);
	set_relaxed(w->route, NULL);
	set_relaxed(w->given, pass ? pass->chunks : 0);
	set_relaxed(w->fresh, pass ? pass->chunks : 0);
	set_relaxed(w->asked, pass ? pass->asked : 0);
	set_relaxed(w->smaller, pass && pass->smaller);
	set_relaxed(w->stream, fd_is_known_stream(fd) || (e && is_no_file(relaxed(e->kind))));
	set_relaxed(w->length, (uint32_t)n);
	set_relaxed(w->written, (uint32_t)written);
	set_relaxed(w->site, site);
	set_relaxed(w->fd, fd);
	set_relaxed(w->reader, self_tid());
	set_relaxed(w->why, (uint8_t)why);
	set_relaxed(w->looked, false);
	set_relaxed(w->base, (uintptr_t)buf);
	remember((uintptr_t)buf, n);
}

/* What W was read from and by, for goes_on. */
static void know_source(struct watched *w, const struct fd_entry *source, const struct site *site)
{
	set_relaxed(w->source, source);
	set_relaxed(w->generation, relaxed(source->generation));
	set_relaxed(w->caller, (const void *)site->caller);
	set_relaxed(w->forks, relaxed(forks));
}

static void use_passes(struct watched *w)
{
	if (relaxed(w->fresh))
		atomic_store_explicit(&w->passes, relaxed(w->fresh), memory_order_release);
	set_relaxed(w->fresh, 0);
}

void watch_read(const void *buf, size_t n, int fd, struct site *site, enum verdict why,
		const struct pass *pass)
{
	struct watched *w = entry_of((uintptr_t)buf);
	bool unwritten = relaxed(w->base) && relaxed(w->written) == 0 && relaxed(w->site) == site;
	bool again = unwritten && relaxed(w->base) == (uintptr_t)buf && relaxed(w->fd) == fd;
	struct fd_entry *source = fd_peek(fd);

	/* a loop that reads and does not write is not ours; a small read between says nothing */
	if (unwritten && tells((uint8_t)why))
		site_strayed(site);
	put(w, buf, n, 0, fd, site, why, pass);
	if (again && !tells((uint8_t)why) && source) {
		fd_classify(fd, source); /* it goes on: sockio.h pays */
		know_source(w, source, site);
		use_passes(w);
	}
}

void watch_filled(const void *buf, size_t n, size_t written, int fd, struct site *site,
		  enum verdict why, bool looked)
{
	struct watched *w = entry_of((uintptr_t)buf);

	put(w, buf, n, written, fd, site, why, NULL);
	set_relaxed(w->looked, looked);
}

bool watch_knows(const void *buf, size_t n)
{
	uintptr_t lo = (uintptr_t)buf;

	if (relaxed(entry_of(lo)->base) == lo)
		return true;
	/* a chunk begins in what is written, or what is written begins in a chunk: its rest */
	for (int i = 0; i < RECENT; i++)
		if (lo < recent.base[i] + recent.length[i] && recent.base[i] < lo + n)
			return true;
	return false;
}

static enum stats_kind source_kind(const struct watched *w)
{
	struct fd_entry *e = w->stream ? fd_peek(w->fd) : NULL;

	return e ? fd_classify(w->fd, e) : STATS_KIND_FILE;
}

static struct stats_route *account(struct watched *w, size_t n, bool first, int fd, struct fd_entry *sink,
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
	/*
	 * only mode:observe brings chunks here that nothing speaks against: then this is what would
	 * be
	 */
	if (why == VERDICT_REWRITTEN)
		stats_add(&route->bytes_rewritten, n);
	if (!first)
		return route;
	pair_count_chunk(route);
	stats_add(&route->verdict[why], 1);
	if (why == VERDICT_REWRITTEN)
		stats_add(&route->chunks_rewritten, 1);
	return route;
}

/*
 * W was written whole by one call of WRITE_CALLER, on ROUTE, where it counts as WHY: another such
 * chunk will only be counted if there are passes, unless its loop is to be named at its next read,
 * which is false.
 */
static bool know_route(struct watched *w, struct stats_route *route, int fd,
		       const struct fd_entry *sink, const void *write_caller, enum verdict why)
{
	const struct fd_entry *source = fd_peek(relaxed(w->fd));
	struct site *site = relaxed(w->site);

	if (!source || why == VERDICT_REWRITTEN || route->rest ||
	    (site_names_next(site) && !relaxed(site->alone)) || relaxed(w->reader) != self_tid())
		return false;
	know_source(w, source, site);
	set_relaxed(w->sink_fd, fd);
	set_relaxed(w->sink, sink);
	set_relaxed(w->sink_generation, relaxed(sink->generation));
	set_relaxed(w->counts, (uint8_t)why);
	set_relaxed(w->write_caller, write_caller);
	atomic_store_explicit(&w->route, route, memory_order_release); /* after what it tells of */
	if (likely(!site_names_next(site))) /* else it is to be walked at its next read */
		use_passes(w);
	set_relaxed(site->last, w);
	return true;
}

/* What of W the write of [lo, hi) covers; in order and without a gap it counts as passed on. */
static void cover(struct watched *w, uintptr_t lo, uintptr_t hi, int fd, struct fd_entry *sink,
		  struct site *write_site, enum verdict why)
{
	size_t length = relaxed(w->length), written = relaxed(w->written);
	uintptr_t base = relaxed(w->base), end = base + length;
	struct site *site = relaxed(w->site);
	struct stats_route *route;

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
	route = account(w, hi - lo, lo == base, fd, sink, write_site, why);
	if (hi - lo == length)
		know_route(w, route, fd, sink, (const void *)write_site->caller, why);
	if (lo > base + written || hi <= base + written)
		return;
	set_relaxed(w->written, (uint32_t)(hi - base));
	if (relaxed(w->reader) != self_tid())
		set_relaxed(site->crosses, true);
	/* of a rest that is shorter than this nobody is told */
	if (end - hi >= WATCH_SMALLEST || length - written < WATCH_SMALLEST || fd_is_any_file(sink))
		return;
	set_relaxed(site->sink, relaxed(sink->kind));
	if (tells(relaxed(w->why)))
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
			remember(lo, relaxed(w->length)); /* for the rest, perhaps in another thread */
		return;
	}
	for (int i = 0; i < RECENT; i++) {
		bool again = false;

		for (int j = 0; j < i; j++)
			again |= recent.base[j] == recent.base[i];
		w = entry_of(recent.base[i]);
		if (recent.base[i] && !again && relaxed(w->base) == recent.base[i])
			cover(w, lo, hi, fd, sink, write_site, why);
	}
}

/* ---- what is only counted ---- */

/*
 * Does a chunk read from FD into BUF by CALLER go on as the last one at W did? That went to its end,
 * or where it has no route, nowhere, as the one before it.
 */
static inline bool goes_on(const struct watched *w, const void *buf, int fd, const void *caller)
{
	return relaxed(w->base) == (uintptr_t)buf && relaxed(w->fd) == fd &&
	       relaxed(w->caller) == caller &&
	       relaxed(w->written) == (relaxed(w->route) ? relaxed(w->length) : 0) &&
	       relaxed(w->forks) == relaxed(forks) &&
	       relaxed(relaxed(w->source)->generation) == relaxed(w->generation);
}

OFTEN struct watched *watch_pass(const void *buf, size_t n, int fd, const void *caller)
{
	struct watched *w = entry_of((uintptr_t)buf);
	uint32_t asked = relaxed(w->asked);

	return atomic_load_explicit(&w->passes, memory_order_acquire) &&
	       (n == asked || (n < asked && relaxed(w->smaller))) &&
	       goes_on(w, buf, fd, caller) ? w : NULL;
}

OFTEN ssize_t watch_passed(struct watched *w, const void *buf, ssize_t ret)
{
	uint8_t passes = relaxed(w->passes);

	/* another thread may have taken the entry meanwhile: then this chunk is lost, or its would be */
	if (ret < WATCH_SMALLEST || unlikely(passes == 0 || relaxed(w->base) != (uintptr_t)buf))
		return ret;
	set_relaxed(w->passes, (uint8_t)(passes - 1));
	set_relaxed(w->length, (uint32_t)ret);
	set_relaxed(w->written, 0);
	remember((uintptr_t)buf, (size_t)ret);
	return ret;
}

uint8_t watch_ahead(const void *buf, int fd, const struct site *site)
{
	struct watched *w = entry_of((uintptr_t)buf);

	if (!atomic_load_explicit(&w->route, memory_order_acquire) ||
	    !goes_on(w, buf, fd, (const void *)site->caller))
		return 0;
	return relaxed(w->given) < PASS_CHUNKS / 2 ? (uint8_t)(2 * relaxed(w->given) + 1) : PASS_CHUNKS;
}

/* Are the N bytes at BUF the chunk of W, whole, for the first time or once more? */
static inline bool is_chunk(const struct watched *w, const void *buf, size_t n)
{
	uint32_t written = relaxed(w->written);

	return relaxed(w->base) == (uintptr_t)buf && relaxed(w->length) == n &&
	       (written == 0 || written == n);
}

/* Does a write to FD by CALLER go the way of W, which is known? */
static inline bool same_way(const struct watched *w, int fd, const void *caller)
{
	return relaxed(w->sink_fd) == fd && relaxed(w->write_caller) == caller &&
	       relaxed(relaxed(w->sink)->generation) == relaxed(w->sink_generation) &&
	       relaxed(w->forks) == relaxed(forks);
}

/*
 * A loop that takes a buffer of its own for each chunk: if that of W, N bytes, goes the way of the
 * last that was read there, the tables need not be asked again. Other threads read into what was the
 * last meanwhile, and it has no route then: so that is looked at once.
 */
static APART bool wrote_elsewhere(struct watched *w, size_t n, int fd, const void *caller)
{
	struct site *site = relaxed(w->site);
	const struct watched *last;
	struct stats_route *route;
	uint8_t counts;

	if (relaxed(w->looked) || tells(relaxed(w->why)))
		return false;
	last = relaxed(site->last);
	route = last ? atomic_load_explicit(&last->route, memory_order_acquire) : NULL;
	if (!route || relaxed(last->fd) != relaxed(w->fd) ||
	    relaxed(last->caller) != (const void *)site->caller || !same_way(last, fd, caller) ||
	    relaxed(last->why) != relaxed(w->why) ||
	    relaxed(relaxed(last->source)->generation) != relaxed(last->generation))
		return false;
	counts = relaxed(last->counts);
	if (!know_route(w, route, fd, relaxed(last->sink), caller, counts))
		return false;
	set_relaxed(w->written, (uint32_t)n);
	tally_chunk(route, counts, n);
	return true;
}

OFTEN bool watch_wrote(const void *buf, size_t n, int fd, const void *caller)
{
	struct watched *w = entry_of((uintptr_t)buf);
	struct stats_route *route = atomic_load_explicit(&w->route, memory_order_acquire);

	if (!is_chunk(w, buf, n))
		return false;
	if (!route)
		return wrote_elsewhere(w, n, fd, caller);
	if (!same_way(w, fd, caller))
		return false;
	set_relaxed(w->written, (uint32_t)n);
	tally_chunk(route, relaxed(w->counts), n);
	return true;
}

FORKS void watch_forked(void)
{
	if (!watch_any())
		return;
	set_relaxed(forks, (uint8_t)(relaxed(forks) + 1));
	if (relaxed(forks) == 0) /* the marks of 256 forks ago */
		memset(table, 0, sizeof(table));
}
