/* SPDX-License-Identifier: MIT */
/* pipes.c - the pool of hidden pipes; see pipes.h. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "config.h"
#include "fd.h"
#include "pipes.h"
#include "prim.h"
#include "sig.h"
#include "thread.h"

enum { NULL_UNKNOWN = -1, NULL_NONE = -2, SCRATCH = 4096 };
#define SECOND UINT64_C(1000000000)

_Atomic int pipes_open;

static _Atomic(struct pipe *) table;
static _Atomic int null_fd = NULL_UNKNOWN;
static _Atomic unsigned used; /* entries ever taken: scans end here */
static _Atomic uint64_t not_before; /* prim_now() at which one that could not be made is tried again */

static int self_tid(void)
{
	struct thread *t = thread_self();

	return t ? t->tid : -1;
}

static struct pipe *make_table(void)
{
	size_t size = config.pipes * sizeof(struct pipe);
	struct pipe *expected = NULL, *t;

	if (config.pipes == 0)
		return NULL;
	t = prim_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (prim_mmap_failed(t))
		return NULL;
	if (atomic_compare_exchange_strong(&table, &expected, t))
		return t;
	prim_munmap(t, size);
	return expected;
}

/* ---- making and closing ---- */

static int own(int fd)
{
	int high = prim_move_high(fd);

	if (high >= 0)
		fd_mark_ours(high);
	return high;
}

static void disown(int fd)
{
	fd_unmark_ours(fd);
	prim_close(fd);
}

/*
 * A pipe that cannot be as large as it should be (pipe-user-pages-soft is spent) is none:
 * the user's other programs need what is left more.
 */
static bool make(struct pipe *p)
{
	int fd[2], out, in;

	if (prim_pipe(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	if (prim_fcntl(fd[1], F_SETPIPE_SZ, PIPES_SIZE) < PIPES_SIZE) {
		prim_close(fd[0]);
		prim_close(fd[1]);
		return false;
	}
	out = own(fd[0]);
	in = own(fd[1]);
	if (out < 0 || in < 0) {
		if (out >= 0)
			disown(out);
		if (in >= 0)
			disown(in);
		return false;
	}
	atomic_store(&p->out, out);
	atomic_store(&p->in, in);
	p->open = true;
	atomic_fetch_add(&pipes_open, 1);
	return true;
}

static void unmake(struct pipe *p)
{
	if (!p->open)
		return;
	p->open = false;
	atomic_fetch_sub(&pipes_open, 1);
	disown(p->out);
	disown(p->in);
}

/* ---- what goes nowhere ---- */

/* /dev/null, and nothing that only has its name. */
static int open_null(void)
{
	int fd = prim_openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC, 0), none = NULL_UNKNOWN;
	struct stat st;

	if (fd >= 0 && (prim_fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))) {
		prim_close(fd);
		fd = -1;
	}
	if (fd >= 0)
		fd = own(fd);
	if (fd < 0)
		fd = NULL_NONE;
	if (!atomic_compare_exchange_strong(&null_fd, &none, fd)) {
		if (fd >= 0)
			disown(fd);
		fd = none;
	}
	return fd;
}

void pipes_before_chroot(void)
{
	if ((config.engines & ENGINE_SPLICE) && atomic_load(&null_fd) == NULL_UNKNOWN)
		open_null();
}

void pipes_before_umount(void)
{
	int fd = atomic_load(&null_fd);

	if (fd < 0)
		return;
	atomic_store(&null_fd, NULL_UNKNOWN);
	disown(fd);
}

bool pipes_skip(struct pipe *p, size_t n)
{
	int null = atomic_load_explicit(&null_fd, memory_order_relaxed);
	char scratch[SCRATCH];

	if (unlikely(null == NULL_UNKNOWN))
		null = open_null();
	while (n > 0) {
		ssize_t r;

		if (null >= 0)
			r = prim_splice(p->out, null, n, SPLICE_F_NONBLOCK);
		else
			r = prim_read(p->out, scratch, n < SCRATCH ? n : SCRATCH);
		if (r == -EINTR)
			continue;
		if (r <= 0)
			return false;
		n -= (size_t)r;
		p->bytes -= (size_t)r;
		p->at += (size_t)r;
	}
	return true;
}

/* ---- the pool ---- */

/* P, loose and held by this thread, goes back to the pool. */
static void give_back(struct pipe *p)
{
	if (p->bytes && !pipes_skip(p, p->bytes))
		unmake(p);
	p->bytes = 0;
	p->at = 0;
	atomic_store(&p->taken, false);
	atomic_store(&p->holder, 0);
}

bool pipes_hold(struct pipe *p)
{
	int nobody = 0;

	return atomic_compare_exchange_strong(&p->holder, &nobody, self_tid());
}

/*
 * P is nobody's if it is loose and has no holder. Whether it still is can be told by who holds it
 * alone: before that it may have gone back and be another landing's by now.
 */
static void collect(struct pipe *p)
{
	while (atomic_load(&p->loose) && atomic_load(&p->taken) && pipes_hold(p)) {
		if (p->loose && p->taken) {
			give_back(p);
			return;
		}
		atomic_store(&p->holder, 0);
	}
}

void pipes_leave(struct pipe *p)
{
	atomic_store(&p->holder, 0);
	collect(p);
}

void pipes_drop(struct pipe *p)
{
	atomic_store(&p->loose, true);
	collect(p);
}

/* Takes P from the pool, if it is there, and OPEN or not: then it is loose, and this thread's. */
static bool claim(struct pipe *p, bool open)
{
	if (atomic_load_explicit(&p->taken, memory_order_relaxed) || p->open != open || !pipes_hold(p))
		return false;
	if (p->taken || p->open != open) {
		pipes_leave(p);
		return false;
	}
	atomic_store(&p->loose, true);
	atomic_store(&p->taken, true);
	return true;
}

static struct pipe *take(struct pipe *t, unsigned n, bool open)
{
	for (struct pipe *p = t; p < t + n; p++) {
		if (!claim(p, open))
			continue;
		if (p->open || make(p))
			return p;
		atomic_store(&not_before, prim_now() + SECOND);
		give_back(p);
		return NULL;
	}
	return NULL;
}

/*
 * Loose, and held by a thread that is gone, or by this one in a call that a handler left by
 * longjmp.
 */
static bool is_lost(const struct pipe *p, int self, int pid)
{
	int holder = p->holder;

	if (!p->loose || holder <= 0)
		return false;
	return holder == self ? !sig_in_handler() : prim_tgkill(pid, holder, 0) == -ESRCH;
}

void pipes_reclaim(void)
{
	struct pipe *t = atomic_load(&table);
	unsigned n = atomic_load(&used);
	int self = self_tid(), pid = prim_getpid();

	for (struct pipe *p = t; t && p < t + n; p++) {
		int holder = p->holder;

		if (!is_lost(p, self, pid) || !atomic_compare_exchange_strong(&p->holder, &holder, self))
			continue;
		unmake(p); /* how much is in it is not known */
		p->bytes = 0;
		give_back(p);
	}
}

struct pipe *pipes_get(void)
{
	struct pipe *t = atomic_load(&table), *p;
	unsigned n = atomic_load(&used);

	if (!t)
		t = make_table();
	if (!t || self_tid() < 0)
		return NULL;
	p = take(t, n, true);
	if (p || prim_now() < atomic_load_explicit(&not_before, memory_order_relaxed))
		return p;
	p = take(t, n, false);
	while (!p && n < config.pipes && prim_now() >= not_before) {
		if (atomic_compare_exchange_strong(&used, &n, n + 1))
			n++;
		p = take(t, n, false);
	}
	return p;
}

struct pipe *pipes_get_first(void)
{
	struct pipe *p = pipes_get();

	if (p)
		return p;
	pipes_reclaim();
	return pipes_get();
}

void pipes_rest(void)
{
	struct pipe *t = atomic_load(&table);
	unsigned n = atomic_load(&used);

	for (struct pipe *p = t; t && p < t + n; p++)
		if (claim(p, true)) {
			unmake(p);
			give_back(p);
		}
}

/* ---- what happens to descriptors ---- */

static bool evade_one(_Atomic int *where, int fd)
{
	int high;

	if (atomic_load(where) != fd)
		return false;
	high = prim_dup_high(fd);
	if (high >= 0)
		fd_mark_ours(high);
	atomic_store(where, high); /* negative: what uses it fails, and says so */
	fd_unmark_ours(fd);
	return true;
}

void pipes_evade(int fd)
{
	struct pipe *t = atomic_load(&table);
	unsigned n = atomic_load(&used);

	if (evade_one(&null_fd, fd))
		return;
	for (struct pipe *p = t; t && p < t + n; p++)
		if (p->open && (evade_one(&p->out, fd) || evade_one(&p->in, fd)))
			return;
}

FORKS void pipes_forked(void)
{
	struct pipe *t = atomic_load(&table);
	unsigned n = atomic_load(&used);

	for (struct pipe *p = t; t && p < t + n; p++) {
		unmake(p);
		p->bytes = p->at = 0;
		p->holder = 0;
		p->loose = false;
		p->taken = false;
	}
}
