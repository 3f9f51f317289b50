/* SPDX-License-Identifier: MIT */
/*
 * hook_sigwait.c - calls that wait and take a mask or a set of signals.
 *
 * All block, all may be left by longjmp and cancellation: nothing is held over
 * the real call but the thread's own idea of its mask, which siglongjmp puts right.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>

#include "debts.h"
#include "fd.h"
#include "hook_idle.h"
#include "sig.h"
#include "sleep.h"
#include "thread.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_signal.def"
#undef HOOK

static inline bool passive(void)
{
	return thread_passive || !atomic_load_explicit(&sig_active, memory_order_relaxed);
}

static void settle(void)
{
	if (!hook_passive())
		sleep_settle();
}

static int interrupted(void)
{
	errno = EINTR;
	return -1;
}

/* Does T end at once? Such a call is no sleep. */
static bool polls(const struct timespec *t)
{
	return t && hook_readable(t, sizeof(*t)) && t->tv_sec == 0 && t->tv_nsec == 0;
}

/* Is there a mask or set at SET? */
static bool is_there(const sigset_t *set)
{
	return set && hook_open_readable(set, sizeof(uint64_t));
}

/*
 * LENT(call): CALL sees INNER instead of MASK, and the thread's idea of its mask is
 * MASK's for as long. A waiting signal that MASK lets through ends it before it began.
 */
#define LENT(call)                                                                                \
	({                                                                                        \
		int lent_ = -1;                                                                   \
		bool lends_ = is_there(mask);                                                     \
		sigset_t inner_;                                                                  \
		const sigset_t *inner = lends_ ? &inner_ : mask;                                  \
		uint64_t before_ = 0;                                                             \
		if (lends_ && !sig_lend(mask, &inner_, &before_)) {                               \
			lent_ = interrupted();                                                    \
		} else {                                                                          \
			lent_ = (call);                                                           \
			if (lends_)                                                               \
				sig_take_back(before_);                                           \
		}                                                                                 \
		lent_;                                                                            \
	})

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		 const sigset_t *mask)
{
	const struct timespec *first;
	struct timespec rest;
	unsigned handled = sig_handled();
	sigset_t outer;
	int ret;

	if (passive())
		return REAL(ppoll)(fds, count, timeout, mask);
	landing_open(fds, count * sizeof(*fds));
	first = sleep_first_of(timeout);
	ret = LENT(REAL(ppoll)(fds, count, first, inner));
	if (ret == 0 && first != timeout && (ret = sleep_between_of(handled, first, &outer)) == 0) {
		ret = LENT(REAL(ppoll)(fds, count, sleep_rest_of(timeout, first, &rest),
				       inner ? inner : &outer));
		sleep_end(&outer);
	}
	return unlikely(fd_debts) ? debts_in_poll(fds, count, ret) : ret;
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		       const sigset_t *mask, size_t size)
{
	if (size / sizeof(*fds) < count)
		return REAL(__ppoll_chk)(fds, count, timeout, mask, size); /* which ends the process */
	return ppoll(fds, count, timeout, mask);
}

static void open_set(fd_set *set, int count)
{
	if (set && count > 0)
		landing_open(set, ((size_t)count + 63) / 64 * 8);
}

EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *except,
		   const struct timespec *timeout, const sigset_t *mask)
{
	if (passive())
		return REAL(pselect)(count, in, out, except, timeout, mask);
	if (!polls(timeout))
		settle();
	open_set(in, count);
	open_set(out, count);
	open_set(except, count);
	return LENT(REAL(pselect)(count, in, out, except, timeout, inner));
}

EXPORT int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout,
		       const sigset_t *mask)
{
	unsigned handled = sig_handled();
	sigset_t outer;
	int first, ret;

	if (passive())
		return REAL(epoll_pwait)(epoll, events, count, timeout, mask);
	if (count > 0)
		landing_open(events, (size_t)count * sizeof(*events));
	first = sleep_first(timeout);
	ret = LENT(REAL(epoll_pwait)(epoll, events, count, first, inner));
	if (ret == 0 && first != timeout && (ret = sleep_between(handled, first, &outer)) == 0) {
		ret = LENT(REAL(epoll_pwait)(epoll, events, count,
					     timeout < 0 ? timeout : timeout - first,
					     inner ? inner : &outer));
		sleep_end(&outer);
	}
	return unlikely(fd_debts) ? debts_in_epoll(epoll, events, ret) : ret;
}

EXPORT int epoll_pwait2(int epoll, struct epoll_event *events, int count,
			const struct timespec *timeout, const sigset_t *mask)
{
	const struct timespec *first;
	struct timespec rest;
	unsigned handled = sig_handled();
	sigset_t outer;
	int ret;

	if (!REAL(epoll_pwait2)) {
		errno = ENOSYS;
		return -1;
	}
	if (passive())
		return REAL(epoll_pwait2)(epoll, events, count, timeout, mask);
	if (count > 0)
		landing_open(events, (size_t)count * sizeof(*events));
	landing_open(timeout, sizeof(*timeout));
	first = timeout;
	if (sleep_holds() && (!timeout || hook_readable(timeout, sizeof(*timeout))))
		first = sleep_first_of(timeout);
	ret = LENT(REAL(epoll_pwait2)(epoll, events, count, first, inner));
	if (ret == 0 && first != timeout && (ret = sleep_between_of(handled, first, &outer)) == 0) {
		ret = LENT(REAL(epoll_pwait2)(epoll, events, count, sleep_rest_of(timeout, first, &rest),
					      inner ? inner : &outer));
		sleep_end(&outer);
	}
	return unlikely(fd_debts) ? debts_in_epoll(epoll, events, ret) : ret;
}

EXPORT int sigsuspend(const sigset_t *mask)
{
	sigset_t inner;
	uint64_t before;
	int ret;

	if (passive() || !is_there(mask))
		return REAL(sigsuspend)(mask);
	settle();
	if (!sig_lend(mask, &inner, &before))
		return interrupted();
	ret = REAL(sigsuspend)(&inner);
	sig_take_back(before);
	return ret;
}

EXPORT int __sigsuspend(const sigset_t *mask)
{
	return sigsuspend(mask);
}

/* sigpause as BSD has it (a mask of 32), and as X/Open (the thread's mask without one signal). */
static int pause_with(int what, bool is_signal)
{
	sigset_t mask = {{0}};

	if (!is_signal) {
		sig_set_bits(&mask, (unsigned)what);
		return sigsuspend(&mask);
	}
	sig_mask(SIG_BLOCK, NULL, &mask);
	if (sigdelset(&mask, what) < 0)
		return -1;
	return sigsuspend(&mask);
}

EXPORT int __sigpause(int what, int is_signal)
{
	return passive() ? REAL(__sigpause)(what, is_signal) : pause_with(what, is_signal);
}

EXPORT int __xpg_sigpause(int signal)
{
	return passive() ? REAL(__xpg_sigpause)(signal) : pause_with(signal, true);
}

/* The header gives this name to __xpg_sigpause. */
EXPORT int bsd_sigpause(int mask) __asm__("sigpause");

EXPORT int bsd_sigpause(int mask)
{
	return passive() ? REAL(sigpause)(mask) : pause_with(mask, false);
}

/* ---- waiting for a set: it is not a mask, and takes nothing that a fault could need ---- */

/* One that this thread has in store. libc shows SI_TKILL as SI_USER. */
static int stored(const sigset_t *set, siginfo_t *info)
{
	siginfo_t found;
	int signal = is_there(set) ? sig_take_pending(set, &found) : 0;

	if (!signal)
		return 0;
	if (found.si_code == SI_TKILL)
		found.si_code = SI_USER;
	if (info)
		*info = found;
	return signal;
}

EXPORT int sigwait(const sigset_t *set, int *number)
{
	int signal;

	if (passive())
		return REAL(sigwait)(set, number);
	settle();
	signal = stored(set, NULL);
	if (!signal)
		return REAL(sigwait)(set, number);
	*number = signal;
	return 0;
}

EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	int signal;

	if (passive())
		return REAL(sigwaitinfo)(set, info);
	settle();
	if (info)
		landing_open(info, sizeof(*info));
	signal = stored(set, info);
	return signal ? signal : REAL(sigwaitinfo)(set, info);
}

EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	int signal;

	if (passive())
		return REAL(sigtimedwait)(set, info, timeout);
	if (!polls(timeout))
		settle();
	landing_open(timeout, timeout ? sizeof(*timeout) : 0);
	if (info)
		landing_open(info, sizeof(*info));
	signal = stored(set, info);
	return signal ? signal : REAL(sigtimedwait)(set, info, timeout);
}

/* Its set is no mask either: only what is blocked in truth can be read from it. */
EXPORT int signalfd(int fd, const sigset_t *set, int flags)
{
	landing_open(set, sizeof(uint64_t));
	return REAL(signalfd)(fd, set, flags);
}
