/* SPDX-License-Identifier: MIT */
/*
 * lease.c - read leases that are held while a file is landed or being sent; see lease.h.
 *
 * One lock orders taking and giving; it is a leaf, and held over fcntl on our own descriptors
 * only. Who needs a lease counts itself in its source first and takes the lock then, so that
 * whoever gives the lease back under the lock has seen the count or is waited for.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "format.h"
#include "landing.h"
#include "lease.h"
#include "lock.h"
#include "prim.h"
#include "sig.h"
#include "source.h"
#include "stats.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

HOT _Atomic int lease_count;

static struct lock lease_lock;

/* ---- one descriptor ---- */

static bool same_file(int a, int b)
{
	struct stat s, t;

	return prim_fstat(a, &s) == 0 && prim_fstat(b, &t) == 0 && s.st_ino == t.st_ino &&
	       s.st_dev == t.st_dev;
}

int lease_open(int fd)
{
	char path[48];
	struct format f = format_into(path, sizeof(path));
	int own, flags = prim_fcntl(fd, F_GETFL, 0);

	if (flags < 0)
		return flags;
	/* not self: that is gone when the first thread is */
	format_text(&f, "/proc/thread-self/fd/");
	format_i64(&f, fd);
	own = prim_openat(AT_FDCWD, path,
			  O_RDONLY | O_CLOEXEC | O_NONBLOCK | (flags & O_NOATIME), 0);
	if (own < 0)
		return own;
	if (!same_file(fd, own)) {
		prim_close(own);
		return -ESTALE;
	}
	return prim_move_high(own);
}

/*
 * By default who breaks the lease has its owner told by SIGIO, which kills: so there is another
 * signal, that nobody hears, for the moment until there is no owner.
 */
static enum verdict take(int fd)
{
	int ret, signal = sig_unheard();

	if (!signal || prim_fcntl(fd, F_SETSIG, signal) < 0)
		return VERDICT_NO_LEASE;
	ret = prim_fcntl(fd, F_SETLEASE, F_RDLCK);
	prim_fcntl(fd, F_SETOWN, 0);
	if (ret == 0)
		return VERDICT_REWRITTEN;
	return ret == -EAGAIN ? VERDICT_BEING_WRITTEN : VERDICT_NO_LEASE;
}

enum verdict lease_ask(int fd)
{
	enum verdict v = take(fd);

	if (v == VERDICT_REWRITTEN)
		prim_fcntl(fd, F_SETLEASE, F_UNLCK);
	return v;
}

/* ---- bytes on their way ---- */

void lease_fed(struct fd_entry *e, int index, size_t n)
{
	if (e->fed != index + 1) {
		e->fed = index + 1;
		e->fed_bytes = 0;
	}
	e->fed_bytes += n;
}

/*
 * What was given to sockets and not acknowledged yet: those pages are the file's, and their
 * bytes may arrive as the writer makes them. A socket that was closed meanwhile cannot be asked.
 */
static uint64_t in_flight(const struct source *s)
{
	int index = source_index(s);
	uint64_t sum = 0;

	for (int fd = fd_next_entry(0); fd >= 0; fd = fd_next_entry(fd + 1)) {
		struct fd_entry *e = fd_peek(fd);
		int queued = 0;

		if (!e || e->fed != index + 1 || prim_ioctl(fd, SIOCOUTQ, &queued) < 0 || queued <= 0)
			continue;
		sum += (uint64_t)queued < e->fed_bytes ? (uint64_t)queued : e->fed_bytes;
	}
	return sum;
}

/* ---- held for a source ---- */

enum verdict lease_hold(struct source *s)
{
	enum verdict v = VERDICT_REWRITTEN;
	struct lock_held held;

	lock_take(&lease_lock, &held);
	if (!s->leased) {
		v = take(s->fd);
		if (v == VERDICT_REWRITTEN) {
			s->leased = true;
			atomic_fetch_add(&lease_count, 1);
		}
	}
	lock_drop(&lease_lock, &held);
	if (v != VERDICT_REWRITTEN) {
		s->retry = prim_now() + SECOND;
		atomic_store(&s->verdict, v);
	}
	return v;
}

/* Has a writer waited for as long as the kernel lets it wait, and begun to write? */
static bool is_lost(const struct source *s)
{
	struct stat st;

	return prim_fstat(s->fd, &st) == 0 && !source_same_stamps(s, &st);
}

/* A lease that somebody waits for, or that is gone already, is accounted for once. */
static void note_broken(struct source *s)
{
	struct stats *stats;

	if (prim_fcntl(s->fd, F_GETLEASE, 0) == F_RDLCK || atomic_exchange(&s->breaking, true))
		return;
	stats = stats_get();
	stats_add(&stats->leases_broken, 1);
	stats_add(&stats->lease_in_flight, in_flight(s));
	if (is_lost(s))
		stats_add(&stats->leases_lost, 1);
}

static void give(struct source *s, bool only_if_unused)
{
	struct lock_held held;

	if (!s->leased)
		return;
	lock_take(&lease_lock, &held);
	if (s->leased && !(only_if_unused && (s->landings > 0 || source_sending(s)))) {
		note_broken(s);
		s->leased = s->breaking = false;
		atomic_fetch_sub(&lease_count, 1);
		prim_fcntl(s->fd, F_SETLEASE, F_UNLCK);
	}
	lock_drop(&lease_lock, &held);
}

void lease_rest(struct source *s)
{
	give(s, true);
}

void lease_end(struct source *s)
{
	give(s, false);
}

/* ---- a writer ---- */

/*
 * First the verdict, then the landings: who lands now sees the one or is seen by the other.
 * What it was too late for stays landed: there is nothing to fill it from, and sendfile tells
 * what is missing.
 */
static void let_writer_in(struct source *s, int index)
{
	s->retry = prim_now() + SECOND;
	atomic_store(&s->verdict, VERDICT_BEING_WRITTEN);
	if (is_lost(s)) {
		lease_end(s);
		return;
	}
	landing_open_source(index);
	lease_rest(s);
}

COLD bool lease_wanted(int index)
{
	struct source *s = source_at(index);

	if (s->leased)
		note_broken(s);
	return !s->leased || s->breaking;
}

COLD void lease_let_in(int index)
{
	struct source *s = source_at(index);

	if (s->leased)
		let_writer_in(s, index);
	else if (!is_lost(s))
		landing_open_source(index);
}

COLD void lease_look_slow(uint64_t now)
{
	static _Atomic uint64_t last;
	uint64_t then = atomic_load_explicit(&last, memory_order_relaxed);

	if (now - then < LEASE_LOOK_MS * MS || !atomic_compare_exchange_strong(&last, &then, now))
		return;
	for (int i = source_next(0); i >= 0; i = source_next(i + 1)) {
		struct source *s = source_at(i);

		if (!s->leased)
			continue;
		/* what a send kept that was left by longjmp */
		lease_rest(s);
		if (s->leased)
			note_broken(s);
		if (s->breaking)
			let_writer_in(s, i);
	}
}

/* ---- forks ---- */

/* Parent and child would give each other's lease back on a description that they share. */
void lease_forked(struct source *s)
{
	int fd = s->fd, own;

	s->leased = s->breaking = false;
	if (fd < 0)
		return;
	own = lease_open(fd);
	prim_close(fd);
	if (own < 0 || prim_dup_again(own, fd) < 0) {
		atomic_store(&s->fd, -1);
		fd_unmark_ours(fd);
		s->verdict = VERDICT_NO_LEASE;
	}
	if (own >= 0)
		prim_close(own);
}

void lease_forked_all(void)
{
	lock_reset(&lease_lock);
	lease_count = 0;
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		lease_forked(source_at(i));
}
