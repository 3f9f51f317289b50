/* SPDX-License-Identifier: MIT */
/*
 * hook_sleep.c - calls that wait. What is landed is made safe before a long
 * sleep; a wait with a timeout is cut in two, so that a short one costs nothing.
 */
#undef _FORTIFY_SOURCE

#include <string.h>

#include "hook.h"
#include "sleep.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

/* What is left of TIMEOUT after FIRST; negative stays for ever. */
static int rest_of(int timeout, int first)
{
	return timeout < 0 ? timeout : timeout - first;
}

#define POLL_BODY(name, fds, n, timeout, ...)                                                      \
	int first, ret;                                                                            \
                                                                                                   \
	if (!landing_any() || hook_passive())                                                      \
		return REAL(name)(fds, n, timeout, ##__VA_ARGS__);                                 \
	landing_open(fds, (n) * sizeof(*(fds)));                                                   \
	first = sleep_first(timeout);                                                              \
	ret = REAL(name)(fds, n, first, ##__VA_ARGS__);                                            \
	if (ret != 0 || first == (timeout))                                                        \
		return ret;                                                                        \
	sleep_over();                                                                              \
	return REAL(name)(fds, n, rest_of(timeout, first), ##__VA_ARGS__)

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	POLL_BODY(poll, fds, n, timeout);
}

EXPORT int __poll(struct pollfd *fds, nfds_t n, int timeout)
{
	POLL_BODY(__poll, fds, n, timeout);
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
	POLL_BODY(__poll_chk, fds, n, timeout, room);
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int n, int timeout)
{
	int first, ret;

	if (!landing_any() || hook_passive())
		return REAL(epoll_wait)(epoll, events, n, timeout);
	if (n > 0)
		landing_open(events, (size_t)n * sizeof(*events));
	first = sleep_first(timeout);
	ret = REAL(epoll_wait)(epoll, events, n, first);
	if (ret != 0 || first == timeout)
		return ret;
	sleep_over();
	return REAL(epoll_wait)(epoll, events, n, rest_of(timeout, first));
}

/*
 * select changes its sets and, on Linux, its timeout, so it is not cut in two: it
 * is asked without waiting first, and only a call that would sleep settles.
 */
static void before_select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	size_t bytes = n > 0 ? ((size_t)n + 63) / 64 * 8 : 0;
	fd_set *set[3] = { in, out, except };

	for (int i = 0; i < 3; i++)
		if (set[i])
			landing_open(set[i], bytes);
	if (timeout)
		landing_open(timeout, sizeof(*timeout));
}

static bool long_wait(const struct timeval *timeout)
{
	return !timeout || timeout->tv_sec > 0 || timeout->tv_usec >= SLEEP_GRACE_MS * 1000L;
}

/* Is something of the three sets ready now? The sets are left as they are. */
static bool ready_now(int n, const fd_set *in, const fd_set *out, const fd_set *except)
{
	struct timeval zero = { 0, 0 };
	fd_set copy[3];

	if (n < 0 || n > FD_SETSIZE)
		return false;
	if (in)
		memcpy(&copy[0], in, sizeof(fd_set));
	if (out)
		memcpy(&copy[1], out, sizeof(fd_set));
	if (except)
		memcpy(&copy[2], except, sizeof(fd_set));
	return REAL(select)(n, in ? &copy[0] : NULL, out ? &copy[1] : NULL,
			    except ? &copy[2] : NULL, &zero) != 0;
}

#define SELECT_BODY(name)                                                                          \
	if (landing_any() && !hook_passive()) {                                                    \
		before_select(n, in, out, except, timeout);                                        \
		if (long_wait(timeout) && !ready_now(n, in, out, except))                          \
			sleep_settle();                                                            \
	}                                                                                          \
	return REAL(name)(n, in, out, except, timeout)

EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	SELECT_BODY(select);
}

EXPORT int __select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
	SELECT_BODY(__select);
}

/* ---- plain sleeps: shorter ones than the grace leave things as they are ---- */

static void before_sleep(bool is_long)
{
	if (landing_any() && is_long && !hook_passive())
		sleep_settle();
}

#define NANOSLEEP_BODY(name)                                                                       \
	if (landing_any() && t) {                                                                  \
		landing_open(t, sizeof(*t));                                                       \
		landing_open(rest, sizeof(*rest));                                                 \
		before_sleep(t->tv_sec > 0);                                                       \
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
	before_sleep(us >= SLEEP_GRACE_MS * 1000u);
	return REAL(usleep)(us);
}

EXPORT unsigned sleep(unsigned s)
{
	before_sleep(s > 0);
	return REAL(sleep)(s);
}

EXPORT int pause(void)
{
	before_sleep(true);
	return REAL(pause)();
}
