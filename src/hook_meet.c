/* SPDX-License-Identifier: MIT */
/*
 * hook_meet.c - waiting for another thread: the first second is waited apart, so that
 * what is landed is made safe before a longer wait (sleep.h).
 *
 * Only calls for which two waits in a row are the same as one. A condition variable
 * is none: between the two a signal would be lost, or the program would see a
 * wake-up that nobody sent.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>

#include "hook_idle.h"
#include "sig.h"
#include "sleep.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

/* The end of the first part, on CLOCK. */
static struct timespec first_part(clockid_t clock, int *ms)
{
	struct timespec t;

	*ms = sleep_first(-1);
	REAL(clock_gettime)(clock, &t);
	if (*ms < 0) /* nothing is landed any more */
		*ms = SLEEP_GRACE_MS;
	t.tv_sec += *ms / 1000;
	t.tv_nsec += *ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/*
 * True: the first part passed and nothing came, nor did a handler run since HANDLED that ends the
 * call. errno is as before then.
 */
static bool waits_on(int ret, int saved, int ms, unsigned handled, bool restarts)
{
	if (ret == 0 || errno != ETIMEDOUT)
		return false;
	sleep_over(ms);
	if (sig_handled() != handled && !(restarts && sig_restarts())) {
		errno = EINTR;
		return false;
	}
	errno = saved;
	return true;
}

/*
 * A handler ends sem_timedwait in any case, sem_wait not if it has SA_RESTART: that must be known to
 * wait for a time in its place.
 */
static COLD int landed_sem_wait(sem_t *s)
{
	unsigned handled = sig_handled();
	int ms, saved = errno, ret;
	struct timespec first;

	if (sig_must_mask()) {
		sleep_settle();
		return REAL(sem_wait)(s);
	}
	first = first_part(CLOCK_REALTIME, &ms);
	do
		ret = REAL(sem_timedwait)(s, &first);
	while (ret < 0 && errno == EINTR && sig_handled() != handled && sig_restarts());
	if (ret == 0)
		errno = saved;
	return waits_on(ret, saved, ms, handled, true) ? REAL(sem_wait)(s) : ret;
}

EXPORT int sem_wait(sem_t *s)
{
	if (!sleep_holds() || hook_passive())
		return REAL(sem_wait)(s);
	return landed_sem_wait(s);
}

static int wait_until(sem_t *s, clockid_t clock, const struct timespec *until)
{
	return clock == CLOCK_REALTIME ? REAL(sem_timedwait)(s, until)
				       : REAL(sem_clockwait)(s, clock, until);
}

static COLD int landed_wait_until(sem_t *s, clockid_t clock, const struct timespec *until)
{
	unsigned handled = sig_handled();
	int ms, saved = errno, ret;
	struct timespec first = first_part(clock, &ms);

	/* what is malformed is libc's to refuse */
	if (until->tv_nsec < 0 || until->tv_nsec >= 1000000000 || !before(&first, until))
		return wait_until(s, clock, until);
	ret = wait_until(s, clock, &first);
	return waits_on(ret, saved, ms, handled, false) ? wait_until(s, clock, until) : ret;
}

EXPORT int sem_timedwait(sem_t *s, const struct timespec *until)
{
	if (!sleep_holds() || hook_passive())
		return REAL(sem_timedwait)(s, until);
	return landed_wait_until(s, CLOCK_REALTIME, until);
}

EXPORT int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
	/* there are no others, but libc is to say so */
	bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;

	if (!known || !sleep_holds() || hook_passive())
		return REAL(sem_clockwait)(s, clock, until);
	return landed_wait_until(s, clock, until);
}

static COLD int landed_join(pthread_t thread, void **result)
{
	int ms, error;
	struct timespec first = first_part(CLOCK_REALTIME, &ms);

	error = REAL(pthread_timedjoin_np)(thread, result, &first);
	if (error != ETIMEDOUT)
		return error;
	sleep_over(ms);
	return REAL(pthread_join)(thread, result);
}

EXPORT int pthread_join(pthread_t thread, void **result)
{
	if (!sleep_holds() || hook_passive())
		return REAL(pthread_join)(thread, result);
	return landed_join(thread, result);
}

EXPORT int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
	sleep_settle();
	return REAL(pthread_timedjoin_np)(thread, result, until);
}

EXPORT int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
				const struct timespec *until)
{
	sleep_settle();
	return REAL(pthread_clockjoin_np)(thread, result, clock, until);
}

EXPORT int thrd_join(thrd_t thread, int *result)
{
	sleep_settle();
	return REAL(thrd_join)(thread, result);
}
