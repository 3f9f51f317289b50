/* SPDX-License-Identifier: MIT */
/*
 * hook_sleep.c - calls that wait. What is landed is made safe before a long
 * sleep; a wait with a timeout is cut in two, so that a short one costs nothing.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/time.h>

#include "debts.h"
#include "engine.h"
#include "fd.h"
#include "hook_idle.h"
#include "prim.h"
#include "sig.h"
#include "sleep.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

/* What is left of TIMEOUT after FIRST; negative stays for ever. */
static int rest_of(int timeout, int first)
{
	return timeout < 0 ? timeout : timeout - first;
}

/* A filter of system calls may forbid the kin of what the program calls. */
static bool is_forbidden(int ret)
{
	return unlikely(ret < 0 && (errno == ENOSYS || errno == EPERM));
}

/* The second part of a poll that waited for FIRST of TIMEOUT. */
static COLD int poll_on(struct pollfd *fds, nfds_t n, int timeout, int first, unsigned handled)
{
	int ms = rest_of(timeout, first), ret;
	struct timespec rest = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t mask;

	if (sleep_between(handled, first, &mask) < 0)
		return -1;
	ret = REAL(ppoll)(fds, n, ms < 0 ? NULL : &rest, &mask);
	sleep_end(&mask);
	return is_forbidden(ret) ? REAL(poll)(fds, n, ms) : ret;
}

/*
 * Is there nothing to be made safe, and no error owed? Then the wait is the program's own: a jump, and
 * no register is saved for the sake of what else there is.
 */
#define WAITS_PLAINLY(name) likely(!sleep_holds() && !fd_debts && real_##name != NULL)

#define POLL_BODY(name, fds, n, timeout, ...)                                                      \
	unsigned handled;                                                                          \
	int first, ret;                                                                            \
                                                                                                   \
	if ((!sleep_holds() && likely(!fd_debts)) || hook_passive())                               \
		return REAL(name)(fds, n, timeout, ##__VA_ARGS__);                                 \
	handled = sig_handled();                                                                   \
	landing_open(fds, (n) * sizeof(*(fds)));                                                   \
	first = sleep_first(timeout);                                                              \
	ret = REAL(name)(fds, n, first, ##__VA_ARGS__);                                            \
	if (ret == 0 && first != (timeout))                                                        \
		ret = poll_on(fds, n, timeout, first, handled);                                    \
	return unlikely(fd_debts) ? debts_in_poll(fds, n, ret) : ret

static APART int poll_safely(struct pollfd *fds, nfds_t n, int timeout)
{
	POLL_BODY(poll, fds, n, timeout);
}

EXPORT OFTEN int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return WAITS_PLAINLY(poll) ? real_poll(fds, n, timeout) : poll_safely(fds, n, timeout);
}

EXPORT int __poll(struct pollfd *fds, nfds_t n, int timeout)
{
	POLL_BODY(__poll, fds, n, timeout);
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	POLL_BODY(__poll_chk, fds, n, timeout, room);
}

static APART int epoll_wait_safely(int epoll, struct epoll_event *events, int n, int timeout)
{
	unsigned handled;
	sigset_t mask;
	int first, ret;

	if ((!sleep_holds() && likely(!fd_debts)) || hook_passive())
		return REAL(epoll_wait)(epoll, events, n, timeout);
	handled = sig_handled();
	if (n > 0)
		landing_open(events, (size_t)n * sizeof(*events));
	first = sleep_first(timeout);
	ret = REAL(epoll_wait)(epoll, events, n, first);
	if (ret == 0 && first != timeout && (ret = sleep_between(handled, first, &mask)) == 0) {
		ret = REAL(epoll_pwait)(epoll, events, n, rest_of(timeout, first), &mask);
		sleep_end(&mask);
		if (is_forbidden(ret))
			ret = REAL(epoll_wait)(epoll, events, n, rest_of(timeout, first));
	}
	return unlikely(fd_debts) ? debts_in_epoll(epoll, events, ret) : ret;
}

EXPORT OFTEN int epoll_wait(int epoll, struct epoll_event *events, int n, int timeout)
{
	return WAITS_PLAINLY(epoll_wait) ? real_epoll_wait(epoll, events, n, timeout)
					 : epoll_wait_safely(epoll, events, n, timeout);
}

/* ---- select: it changes its sets, and on Linux its timeout ---- */

struct select_sets {
	fd_set *set[3];
	fd_set saved[3];
};

/*
 * Opens the sets and keeps a copy of each. False if they are larger than an fd_set: then the wait
 * is not cut.
 */
static bool save_sets(struct select_sets *s, int n)
{
	size_t bytes = n > 0 ? ((size_t)n + 63) / 64 * 8 : 0;

	for (int i = 0; i < 3; i++) {
		landing_open(s->set[i], bytes);
		if (s->set[i] && bytes <= sizeof(fd_set) && hook_readable(s->set[i], bytes))
			memcpy(&s->saved[i], s->set[i], bytes);
		else if (s->set[i])
			return false;
	}
	return true;
}

static void restore_sets(const struct select_sets *s, int n)
{
	for (int i = 0; i < 3; i++)
		if (s->set[i] && n > 0)
			memcpy(s->set[i], &s->saved[i], ((size_t)n + 63) / 64 * 8);
}

typedef int select_fn(int, fd_set *, fd_set *, fd_set *, struct timeval *);

static struct timeval grace_of(int ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

/* The second part, with the mask that libc's select does not take. */
static int select_on(int n, struct select_sets *s, struct timeval *timeout, sigset_t *mask)
{
	struct { sigset_t *set; size_t size; } set = { mask, sizeof(uint64_t) };
	struct timespec rest = { 0, 0 };
	ssize_t r;

	if (timeout)
		rest = (struct timespec){ timeout->tv_sec, timeout->tv_usec * 1000 };
	restore_sets(s, n);
	r = engine_cancellable(SYS_pselect6, n, (long)s->set[0], (long)s->set[1], (long)s->set[2],
			       timeout ? (long)&rest : 0, (long)&set);
	if (timeout)
		*timeout = (struct timeval){ rest.tv_sec, rest.tv_nsec / 1000 };
	if (r >= 0)
		return (int)r;
	errno = (int)-r;
	return -1;
}

/*
 * Waits for MS of TIMEOUT first; what the kernel leaves of the whole is written back, as it would.
 */
static COLD int cut_select(select_fn *real, int n, struct select_sets *s, struct timeval *timeout,
			   int ms, unsigned handled)
{
	struct timeval first = grace_of(ms);
	sigset_t mask;
	int ret;

	if (timeout)
		timersub(timeout, &first, timeout);
	ret = real(n, s->set[0], s->set[1], s->set[2], &first);
	if (ret == 0) {
		ret = sleep_between(handled, ms, &mask);
		if (ret < 0) {
			restore_sets(s, n);
			return ret;
		}
		ret = select_on(n, s, timeout, &mask);
		sleep_end(&mask);
		return is_forbidden(ret) ? real(n, s->set[0], s->set[1], s->set[2], timeout) : ret;
	}
	if (timeout)
		timeradd(timeout, &first, timeout);
	return ret;
}

static COLD int landed_select(select_fn *real, int n, fd_set *in, fd_set *out, fd_set *except,
			      struct timeval *timeout)
{
	struct select_sets s = { .set = { in, out, except } };
	unsigned handled = sig_handled();
	bool whole = save_sets(&s, n);
	int ms = sleep_grace();
	struct timeval grace = grace_of(ms);

	lease_look(prim_now());
	landing_open(timeout, sizeof(*timeout));
	if (timeout && (!hook_readable(timeout, sizeof(*timeout)) || timeout->tv_sec < 0 ||
			timeout->tv_usec < 0 || timeout->tv_usec >= 1000000 ||
			timercmp(timeout, &grace, <)))
		return real(n, in, out, except, timeout);
	if (whole)
		return cut_select(real, n, &s, timeout, ms, handled);
	sleep_settle();
	return real(n, in, out, except, timeout);
}

#define SELECT_BODY(name)                                                                          \
	if (!sleep_holds() || hook_passive())                                                      \
		return REAL(name)(n, in, out, except, timeout);                                    \
	return landed_select(REAL(name), n, in, out, except, timeout)

EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	SELECT_BODY(select);
}

EXPORT int __select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	SELECT_BODY(__select);
}

/* ---- plain sleeps: shorter ones than the grace leave things as they are ---- */

static void before_sleep(bool is_long, unsigned ms)
{
	if (sleep_holds() && (is_long || ms >= (unsigned)sleep_grace()) && !hook_passive())
		sleep_rest_slow();
}

#define NANOSLEEP_BODY(name)                                                                       \
	if (sleep_holds() && t) {                                                                  \
		landing_open(t, sizeof(*t));                                                       \
		landing_open(rest, sizeof(*rest));                                                 \
		if (hook_readable(t, sizeof(*t)))                                                  \
			before_sleep(t->tv_sec > 0, (unsigned)(t->tv_nsec / 1000000));             \
	}                                                                                          \
	return REAL(name)(t, rest)

EXPORT int nanosleep(const struct timespec *t, struct timespec *rest)
{
	NANOSLEEP_BODY(nanosleep);
}

EXPORT int __nanosleep(const struct timespec *t, struct timespec *rest)
{
	NANOSLEEP_BODY(__nanosleep);
}

EXPORT int usleep(useconds_t us)
{
	before_sleep(false, us / 1000);
	return REAL(usleep)(us);
}

EXPORT unsigned sleep(unsigned s)
{
	before_sleep(s > 0, 0);
	return REAL(sleep)(s);
}

EXPORT int pause(void)
{
	before_sleep(true, 0);
	return REAL(pause)();
}
