/* SPDX-License-Identifier: MIT */
/* prim.c - calls of the kernel that need more than one line; see prim.h. */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>

#include "lock.h"
#include "prim.h"

__thread unsigned long prim_calls;
uint64_t prim_critical = ~UINT64_C(0);
__thread struct lock_thread lock_thread;

int prim_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	struct timespec t = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };

	return (int)PRIM5(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &t, NULL, 0);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	/* the coarse clocks: read in the vDSO, without a system call, and they cannot fail */
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t prim_now(void)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t prim_wall(void)
{
	return clock_ns(CLOCK_REALTIME_COARSE);
}

/*
 * A soft limit up to which ours are above it, and by how much it is raised for that: from ABOVE_UP_TO
 * on they lie among the program's numbers. For with the highest number the kernel's table of
 * descriptors grows, by 8 bytes for each, which is made, copied by each fork and cleared: with a
 * limit of a million those are eight megabytes.
 */
enum { ABOVE_UP_TO = 4096, ABOVE_ROOM = 4096, FIRST = 1024 };

/*
 * A descriptor above the soft limit stays valid, and the program, whose calls
 * are held to that limit, never gets or closes it by a loop up to the limit. The
 * soft limit is raised for the length of the dup only.
 */
static int dup_above_limit(int fd, rlim_t from, const struct rlimit *limit)
{
	struct rlimit wider = *limit;
	int ret;

	wider.rlim_cur = from + ABOVE_ROOM;
	if (wider.rlim_cur > limit->rlim_max)
		wider.rlim_cur = limit->rlim_max;
	if (prim_prlimit(RLIMIT_NOFILE, &wider, NULL) < 0)
		return -EPERM;
	ret = prim_fcntl(fd, F_DUPFD_CLOEXEC, (long)from);
	prim_prlimit(RLIMIT_NOFILE, limit, NULL);
	return ret;
}

/*
 * A number that the program is far from: numbers are given from the lowest on, so while one is free
 * it has hardly come to its double. At most LAST.
 */
static long far_ahead(long last)
{
	long from = FIRST;

	while (from < last && prim_fcntl((int)from / 2, F_GETFD, 0) >= 0)
		from *= 4;
	return from < last ? from : last;
}

int prim_dup_high(int fd)
{
	struct rlimit limit;
	long last;
	int ret;

	if (prim_prlimit(RLIMIT_NOFILE, NULL, &limit) < 0)
		return -EMFILE;
	if (limit.rlim_max > limit.rlim_cur && limit.rlim_cur <= ABOVE_UP_TO) {
		ret = dup_above_limit(fd, limit.rlim_cur, &limit);
		if (ret >= 0)
			return ret;
	}
	/*
	 * the last sixteenth of the numbers, where a program comes only when it is about to fail
	 * anyway
	 */
	last = (long)(limit.rlim_cur - limit.rlim_cur / 16);
	if (limit.rlim_cur < 64 || last < 32)
		return -EMFILE;
	return prim_fcntl(fd, F_DUPFD_CLOEXEC, far_ahead(last));
}

int prim_dup_again(int fd, int number)
{
	int ret = prim_fcntl(fd, F_DUPFD_CLOEXEC, number);
	struct rlimit limit;

	if (ret == -EINVAL && prim_prlimit(RLIMIT_NOFILE, NULL, &limit) == 0)
		ret = dup_above_limit(fd, (rlim_t)number, &limit);
	if (ret < 0 || ret == number)
		return ret;
	prim_close(ret);
	return -EBUSY;
}

int prim_move_high(int fd)
{
	int high = prim_dup_high(fd);

	prim_close(fd);
	return high;
}

COLD void lock_wait(struct lock *lock)
{
	for (int spin = 0; spin < 64; spin++) {
		uint32_t expected = 0;

		if (atomic_compare_exchange_weak(&lock->word, &expected, 1))
			return;
	}
	while (atomic_exchange(&lock->word, 2) != 0)
		PRIM4(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL);
}

COLD void lock_wake(struct lock *lock)
{
	PRIM3(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1);
}

COLD void lock_late(void)
{
	uint64_t mask = lock_thread.mask;

	lock_thread.late = false;
	prim_signals_restore(&mask);
}
