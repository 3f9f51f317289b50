/* SPDX-License-Identifier: MIT */
/* sleep.c - what a sleeping program holds is made safe; see sleep.h. */
#include <errno.h>
#include <poll.h>

#include "fd.h"
#include "prim.h"
#include "process.h"
#include "quiet.h"
#include "sig.h"
#include "sleep.h"
#include "thread.h"

enum { MS = 1000000 }; /* nanoseconds */
#define GRACE_NS ((uint64_t)SLEEP_GRACE_MS * MS)

/* Settles what nobody touched for a second; the scan itself at most as often. */
static void settle_old(void)
{
	static _Atomic uint64_t last;
	uint64_t now = prim_now(), then = atomic_load_explicit(&last, memory_order_relaxed);

	lease_look(now);
	if (now - then < GRACE_NS || !atomic_compare_exchange_strong(&last, &then, now))
		return;
	landing_settle(now - GRACE_NS);
}

COLD void sleep_settle_slow(void)
{
	struct thread *t = thread_self();

	lease_look(prim_now());
	if (t)
		landing_settle_thread(t->tid);
	settle_old();
}

/*
 * May a call on the socket FD that blocks be cut in two, as poll is: wait for it here first? Not
 * where that could be seen: a handler ends such a wait or does not, a time limit would begin
 * anew, a thread could be cancelled in it.
 */
static bool may_cut(int fd)
{
	struct timeval limit = { 1, 0 };
	socklen_t n = sizeof(limit);

	return thread_single() && !sig_handlers_exist() &&
	       prim_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &n) == 0 && limit.tv_sec == 0 &&
	       limit.tv_usec == 0;
}

static COLD void before_blocking(int fd, bool alone, void (*settle)(void))
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI };

	if (prim_poll(&p, 1, 0) != 0 || fd_is_nonblocking(fd))
		return;
	lease_look(prim_now());
	if (!alone || !may_cut(fd) || prim_poll(&p, 1, sleep_grace()) <= 0)
		settle();
}

COLD void sleep_before_slow(int fd)
{
	before_blocking(fd, true, sleep_settle_slow);
}

COLD void sleep_rest_slow(void)
{
	sleep_settle_slow();
	if (!landing_any())
		pipes_rest();
}

/*
 * What comes may be taken by another process of the family, and all of them would be woken for it.
 */
COLD void sleep_before_accept_slow(int fd)
{
	before_blocking(fd, !relaxed(process_has_kin), sleep_rest_slow);
}

int sleep_first(int timeout_ms)
{
	int grace;

	if (!sleep_holds())
		return timeout_ms;
	settle_old();
	grace = sleep_grace();
	return timeout_ms < 0 || timeout_ms > grace ? grace : timeout_ms;
}

const struct timespec *sleep_first_of(const struct timespec *timeout)
{
	static const struct timespec long_grace = { SLEEP_GRACE_MS / 1000, SLEEP_GRACE_MS % 1000 * MS };
	static const struct timespec short_grace = { LEASE_GRACE_MS / 1000, LEASE_GRACE_MS % 1000 * MS };
	const struct timespec *grace;

	if (!sleep_holds())
		return timeout;
	settle_old();
	grace = lease_any() ? &short_grace : &long_grace;
	/* what is malformed is the kernel's to refuse */
	if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000 * MS ||
			timeout->tv_sec < grace->tv_sec ||
			(timeout->tv_sec == grace->tv_sec && timeout->tv_nsec < grace->tv_nsec)))
		return timeout;
	return grace;
}

const struct timespec *sleep_rest_of(const struct timespec *timeout, const struct timespec *first,
				     struct timespec *rest)
{
	if (!timeout)
		return NULL;
	*rest = *timeout;
	rest->tv_sec -= first->tv_sec;
	rest->tv_nsec -= first->tv_nsec;
	if (rest->tv_nsec < 0) {
		rest->tv_nsec += 1000 * MS;
		rest->tv_sec--;
	}
	return rest;
}

void sleep_over(int waited_ms)
{
	uint64_t now = prim_now();

	/* the coarse clock may lag by one step of 10 ms */
	landing_settle(now - (uint64_t)waited_ms * MS + 20 * MS);
}

COLD int sleep_between(unsigned handled, int waited_ms, sigset_t *mask)
{
	/* faults are left as they are, since a thread that is cancelled in its wait ends with this */
	static const uint64_t all = ~QUIET_FAULTS;
	uint64_t before = 0;

	prim_sigprocmask(SIG_BLOCK, &all, &before);
	sigemptyset(mask);
	sig_set_bits(mask, before);
	if (sig_handled() != handled) {
		sleep_end(mask);
		errno = EINTR;
		return -1;
	}
	sleep_over(waited_ms);
	return 0;
}

int sleep_between_of(unsigned handled, const struct timespec *waited, sigset_t *mask)
{
	return sleep_between(handled, (int)(waited->tv_sec * 1000 + waited->tv_nsec / MS), mask);
}

void sleep_end(const sigset_t *mask)
{
	uint64_t before = sig_bits(mask);

	prim_signals_restore(&before);
}
