/* SPDX-License-Identifier: MIT */
/*
 * sig_late.c - the program's handlers wait while their thread holds a lock of ours.
 *
 * To block all signals round each lock would be two system calls a chunk in every program
 * that has a handler. So the kernel is given a handler of ours, which jumps on to the program's
 * in no more than a few instructions; but where the thread holds a lock it sends the
 * signal again, by the information that it came with, with all signals blocked until
 * the lock is let go of (lock_late). To the program that is a signal that came a little later.
 *
 * Only for signals of which no more than one waits: those in real time are queued, and one that is
 * sent again would come last. A handler that is called once (SA_RESETHAND, as those that report a
 * crash are) must still be there when it is sent again: so it is ours that has it forgotten.
 */
#include <ucontext.h>

#include "filter.h"
#include "lock.h"
#include "prim.h"
#include "sig.h"

enum { QUEUED = 32 }; /* from this number on more than one can wait */

static LARGE_TABLE struct {
	_Atomic(sig_function *) handler;
	_Atomic bool plain, once;
} fronted[QUEUED];

static void postpone(int signal, siginfo_t *info, ucontext_t *context)
{
	uint64_t before;

	/*
	 * of handlers that interrupt each other here, the first knows the mask, and is the last to
	 * say so
	 */
	prim_signals_block(&before);
	lock_thread.mask = sig_bits(&context->uc_sigmask);
	lock_thread.late = true;
	sig_set_bits(&context->uc_sigmask, prim_critical | sig_bit(signal));
	if (PRIM4(SYS_rt_tgsigqueueinfo, prim_getpid(), prim_gettid(), signal, info) < 0)
		prim_tgkill(prim_getpid(), prim_gettid(), signal); /* no room: it comes without */
}

/*
 * A program that steps itself (the trap flag, and a handler): where the handler has to wait the
 * step is none, as it is none in the kernel. A trap comes with every instruction, and one that
 * comes while SIGTRAP is blocked kills; so where the handler is fronted prim_signals_block leaves
 * it out.
 */
static bool is_step(const siginfo_t *info)
{
	return info->si_code == TRAP_TRACE;
}

/* No mask of the program's has SIGSEGV in it. */
static bool is_critical(const ucontext_t *context)
{
	return sig_bits(&context->uc_sigmask) & sig_bit(SIGSEGV);
}

/* SIGTRAP where no handler may run: under a lock, or where all else is blocked. */
static COLD void wait_trap(siginfo_t *info, ucontext_t *context)
{
	if (is_step(info))
		return;
	if (lock_thread.depth) {
		postpone(SIGTRAP, info, context);
		return;
	}
	sig_set_bits(&context->uc_sigmask, sig_bits(&context->uc_sigmask) | sig_bit(SIGTRAP));
	PRIM4(SYS_rt_tgsigqueueinfo, prim_getpid(), prim_gettid(), SIGTRAP, info);
}

/*
 * The kernel would have forgotten this handler when it called it. Where another thread was first the
 * signal is sent again, and finds what there is by now.
 */
static COLD bool is_first(int signal, siginfo_t *info)
{
	if (filter_silences()) /* it has, see sig_silence */
		return true;
	if (sig_forget_handler(signal, relaxed(fronted[signal].plain)))
		return true;
	PRIM4(SYS_rt_tgsigqueueinfo, prim_getpid(), prim_gettid(), signal, info);
	return false;
}

static void front(int signal, siginfo_t *info, void *context)
{
	if (unlikely(signal == SIGTRAP) && (lock_thread.depth || is_critical(context))) {
		wait_trap(info, context);
	} else if (unlikely(lock_thread.depth)) {
		postpone(signal, info, context);
	} else if (likely(!relaxed(fronted[signal].once)) || is_first(signal, info)) {
		lock_thread.handled++;
		lock_thread.signal = signal;
		relaxed(fronted[signal].handler)(signal, info, context);
	}
}

unsigned sig_handled(void)
{
	return lock_thread.handled;
}

bool sig_restarts(void)
{
	struct sigaction action = { .sa_flags = 0 };

	return sig_action(lock_thread.signal, NULL, &action) == 0 && action.sa_flags & SA_RESTART;
}

struct sig_late sig_late_get(int signal)
{
	struct sig_late l = { NULL, false, false };

	if (signal < QUEUED) {
		l.handler = relaxed(fronted[signal].handler);
		l.plain = relaxed(fronted[signal].plain);
		l.once = relaxed(fronted[signal].once);
	}
	return l;
}

static void put(int signal, struct sig_late l)
{
	set_relaxed(fronted[signal].plain, l.plain);
	set_relaxed(fronted[signal].once, l.once);
	atomic_store(&fronted[signal].handler, l.handler);
}

bool sig_late_front(int signal, struct sigaction *action)
{
	struct sig_late l = { action->sa_sigaction, !(action->sa_flags & SA_SIGINFO),
			      action->sa_flags & (int)SA_RESETHAND };

	if (signal >= QUEUED || signal == SIGSEGV || signal == SIGBUS || signal == SIGSYS)
		return false;
	if (signal == SIGTRAP)
		prim_critical |= sig_bit(SIGTRAP);
	/* a step must not be the one; and where no call can be made the kernel has to do it */
	if (l.once && (signal == SIGTRAP || filter_silences()))
		return false;
	if (signal == SIGTRAP)
		prim_critical &= ~sig_bit(SIGTRAP);
	put(signal, l);
	action->sa_flags = (action->sa_flags & ~(int)SA_RESETHAND) | SA_SIGINFO;
	action->sa_sigaction = front;
	return true;
}

void sig_late_put(int signal, struct sig_late was)
{
	if (signal < QUEUED)
		put(signal, was);
}

void sig_late_show(struct sig_late was, struct sigaction *action)
{
	if (action->sa_sigaction != front)
		return;
	action->sa_sigaction = was.handler;
	if (was.plain)
		action->sa_flags &= ~SA_SIGINFO;
	if (was.once)
		action->sa_flags |= (int)SA_RESETHAND;
}

bool sig_late_is_front(const void *handler)
{
	return handler == (const void *)front;
}

bool sig_late_sent(int signal, siginfo_t *info, void *context)
{
	if (!lock_thread.depth)
		return false;
	postpone(signal, info, context);
	return true;
}
