/* SPDX-License-Identifier: MIT */
/*
 * sleep.h - a landing is not a cache: what a sleeping program holds is made safe.
 *
 * Bytes that are landed could change with their file, or keep a writer waiting (lease.h). So
 * a thread that is about to sleep for who knows how long has what it read filled first, and
 * what nobody has touched for a second is filled at the next call that comes by.
 */
#ifndef SHUNT_SLEEP_H
#define SHUNT_SLEEP_H

#include <signal.h>
#include <time.h>

#include "landing.h"
#include "lease.h"
#include "pipes.h"

enum { SLEEP_GRACE_MS = 1000 };

/* Has the process what it is not to sleep with: anything landed, a lease, or hidden pipes? */
static inline bool sleep_holds(void)
{
	return landing_any() || lease_any() ||
	       unlikely(atomic_load_explicit(&pipes_open, memory_order_relaxed));
}

/*
 * How long a wait leaves things as they are: while a lease is held somebody may be waiting for us.
 */
static inline int sleep_grace(void)
{
	return lease_any() ? LEASE_GRACE_MS : SLEEP_GRACE_MS;
}

/*
 * Before a call that blocks without end: fills what this thread read, and what is old. Keeps errno.
 */
void sleep_settle_slow(void);

/* Is there anything to fill, or a lease to look at? */
static inline bool sleep_matters(void)
{
	return landing_any() || lease_any();
}

static inline void sleep_settle(void)
{
	if (sleep_matters())
		sleep_settle_slow();
}

/*
 * Before a read of FD, or accept: the same, if FD blocks and has nothing to give now. Where nobody
 * can tell, a second is waited first, so that what is landed stays from one request to the next.
 * Keep errno.
 */
void sleep_before_slow(int fd);

static inline void sleep_before(int fd)
{
	if (landing_any())
		sleep_before_slow(fd);
}

/*
 * Before an accept on FD and before a plain sleep: the same, and when nothing is landed
 * any more the pipes are closed. Not before a read: a loop that waits for its source would
 * make them anew for each chunk.
 */
void sleep_before_accept_slow(int fd);
void sleep_rest_slow(void);

static inline void sleep_before_accept(int fd)
{
	if (sleep_holds())
		sleep_before_accept_slow(fd);
}

/*
 * For calls with a timeout (poll, epoll_wait, select): how long to wait at first,
 * of a timeout (negative, NULL: for ever). If that passes without an event,
 * sleep_over(WAITED_MS) settles, and the caller waits for the rest. The timeout itself when
 * nothing is held or it is short.
 *
 * To settle may take as long as a disk does, and a signal that comes then would have ended the one
 * wait that the program made. So that it ends the second, all are blocked from sleep_between to
 * sleep_end, but for the length of that wait, which is given *MASK. -1, and EINTR: a handler ran
 * since the call began, when sig_handled was HANDLED; no second wait is made then, nor sleep_end.
 */
int sleep_first(int timeout_ms);
const struct timespec *sleep_first_of(const struct timespec *timeout);
void sleep_over(int waited_ms);
int sleep_between(unsigned handled, int waited_ms, sigset_t *mask);
int sleep_between_of(unsigned handled, const struct timespec *waited, sigset_t *mask);
void sleep_end(const sigset_t *mask);

/* What is left of a timeout after FIRST of it; NULL stays NULL. Writes to REST, returns it. */
const struct timespec *sleep_rest_of(const struct timespec *timeout, const struct timespec *first,
				     struct timespec *rest);

#endif
