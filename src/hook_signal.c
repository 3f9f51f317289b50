/* SPDX-License-Identifier: MIT */
/*
 * hook_signal.c - dispositions and masks, under every name that libc has for them.
 *
 * The old names are made of sigaction and sigprocmask as libc makes them: its own
 * functions call those inside, where no hook sees it.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "filter.h"
#include "hook_idle.h"
#include "sig.h"
#include "thread.h"
#include "unwind.h"
#include "writers.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_signal.def"
#undef HOOK

/* Signals that siginterrupt told to interrupt: signal() leaves SA_RESTART out for them. */
static _Atomic uint64_t interrupting;

static inline bool passive(void)
{
	return thread_passive || !atomic_load_explicit(&sig_active, memory_order_relaxed);
}

/* In the child of a vfork: it has the handlers of its parent, as the kernel knows them. */
static int passive_action(int signal, const struct sigaction *action, struct sigaction *old)
{
	int ret = REAL(sigaction)(signal, action, old);

	if (ret == 0 && old)
		sig_show_passive(signal, old);
	return ret;
}

static sighandler_t passive_handler(int signal, sighandler_t before)
{
	struct sigaction action = {.sa_flags = 0};

	action.sa_handler = before;
	sig_show_passive(signal, &action);
	return action.sa_handler;
}

EXPORT int sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	if (passive())
		return passive_action(signal, action, old);
	return sig_action(signal, action, old);
}

EXPORT int __sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	return sigaction(signal, action, old);
}

static bool bad(int signal)
{
	if (signal >= 1 && signal < _NSIG)
		return false;
	errno = EINVAL;
	return true;
}

/* SIG_ERR and errno where libc's functions would have it. */
static sighandler_t set(int signal, sighandler_t handler, int flags, bool mask_itself)
{
	struct sigaction action = {.sa_flags = flags}, old;

	if (handler == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (bad(signal))
		return SIG_ERR;
	action.sa_handler = handler;
	if (mask_itself)
		sigaddset(&action.sa_mask, signal);
	return sig_action(signal, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

EXPORT sighandler_t signal(int signal, sighandler_t handler)
{
	bool restart;

	if (passive())
		return passive_handler(signal, REAL(signal)(signal, handler));
	restart = signal < 1 || signal >= _NSIG || !(interrupting & sig_bit(signal));
	return set(signal, handler, restart ? SA_RESTART : 0, true);
}

EXPORT sighandler_t ssignal(int number, sighandler_t handler)
{
	return signal(number, handler);
}

EXPORT sighandler_t bsd_signal(int number, sighandler_t handler)
{
	return signal(number, handler);
}

EXPORT sighandler_t __sysv_signal(int signal, sighandler_t handler)
{
	if (passive())
		return passive_handler(signal, REAL(__sysv_signal)(signal, handler));
	return set(signal, handler, (int)SA_RESETHAND | SA_NODEFER | SA_INTERRUPT, false);
}

EXPORT sighandler_t sysv_signal(int signal, sighandler_t handler)
{
	return __sysv_signal(signal, handler);
}

EXPORT int sigignore(int signal)
{
	if (passive())
		return REAL(sigignore)(signal);
	return set(signal, SIG_IGN, 0, false) == SIG_ERR ? -1 : 0;
}

EXPORT int siginterrupt(int signal, int interrupt)
{
	struct sigaction action;

	if (passive())
		return REAL(siginterrupt)(signal, interrupt);
	if (sig_action(signal, NULL, &action) < 0)
		return -1;
	if (interrupt) {
		atomic_fetch_or(&interrupting, sig_bit(signal));
		action.sa_flags &= ~SA_RESTART;
	} else {
		atomic_fetch_and(&interrupting, ~sig_bit(signal));
		action.sa_flags |= SA_RESTART;
	}
	return sig_action(signal, &action, NULL);
}

EXPORT int sigaltstack(const stack_t *ss, stack_t *old)
{
	struct thread *t;

	if (passive() || !(t = thread_self()))
		return REAL(sigaltstack)(ss, old);
	if (ss && !hook_open_readable(ss, sizeof(*ss)))
		return REAL(sigaltstack)(ss, old);
	return thread_set_stack(t, ss, old);
}

/* ---- masks ---- */

static inline bool masks_pass(void)
{
	return passive() && !sig_passive_believes();
}

static int mask_errno(int how, const sigset_t *change, sigset_t *old)
{
	int error = sig_mask(how, change, old);

	if (!error)
		return 0;
	errno = error;
	return -1;
}

EXPORT int sigprocmask(int how, const sigset_t *change, sigset_t *old)
{
	if (masks_pass())
		return REAL(sigprocmask)(how, change, old);
	return mask_errno(how, change, old);
}

EXPORT int pthread_sigmask(int how, const sigset_t *change, sigset_t *old)
{
	if (masks_pass())
		return REAL(pthread_sigmask)(how, change, old);
	return sig_mask(how, change, old);
}

/* The mask of BSD: the first 32 signals in an int. */
static int bsd_mask(int how, int mask)
{
	sigset_t change = {{0}}, old = {{0}};

	sig_set_bits(&change, (unsigned)mask);
	if (mask_errno(how, &change, &old) < 0)
		return -1;
	return (int)sig_bits(&old);
}

EXPORT int sigblock(int mask)
{
	return masks_pass() ? REAL(sigblock)(mask) : bsd_mask(SIG_BLOCK, mask);
}

EXPORT int sigsetmask(int mask)
{
	return masks_pass() ? REAL(sigsetmask)(mask) : bsd_mask(SIG_SETMASK, mask);
}

EXPORT int siggetmask(void)
{
	return masks_pass() ? REAL(siggetmask)() : bsd_mask(SIG_BLOCK, 0);
}

static int one(int how, int signal, sigset_t *old)
{
	sigset_t change = {{0}};

	if (bad(signal) || sigaddset(&change, signal) < 0) /* libc keeps two for itself */
		return -1;
	return mask_errno(how, &change, old);
}

EXPORT int sighold(int signal)
{
	return masks_pass() ? REAL(sighold)(signal) : one(SIG_BLOCK, signal, NULL);
}

EXPORT int sigrelse(int signal)
{
	return masks_pass() ? REAL(sigrelse)(signal) : one(SIG_UNBLOCK, signal, NULL);
}

EXPORT sighandler_t sigset(int signal, sighandler_t handler)
{
	sigset_t old = {{0}};
	struct sigaction was;
	sighandler_t before;

	if (passive())
		return passive_handler(signal, REAL(sigset)(signal, handler));
	if (handler == SIG_HOLD) {
		if (one(SIG_BLOCK, signal, &old) < 0)
			return SIG_ERR;
		if (sigismember(&old, signal))
			return SIG_HOLD;
		return sig_action(signal, NULL, &was) < 0 ? SIG_ERR : was.sa_handler;
	}
	before = set(signal, handler, 0, false);
	if (before == SIG_ERR || one(SIG_UNBLOCK, signal, &old) < 0)
		return SIG_ERR;
	return sigismember(&old, signal) ? SIG_HOLD : before;
}

EXPORT int sigpending(sigset_t *out)
{
	landing_open(out, sizeof(uint64_t));
	if (passive())
		return REAL(sigpending)(out);
	if (REAL(sigpending)(out) < 0)
		return -1;
	sig_set_bits(out, sig_bits(out) | sig_pending());
	return 0;
}

/* ---- leaving a frame ---- */

EXPORT int setcontext(const ucontext_t *context)
{
	ucontext_t copy;

	if (passive() || !(sig_bits(&context->uc_sigmask) & SIG_FAULTS))
		return REAL(setcontext)(context);
	copy = *context; /* its pointer to the floating point state stays right */
	sig_context(&copy);
	return REAL(setcontext)(&copy);
}

/* From the assembly of swapcontext, which then jumps there: the mask is taken out where it lies. */
void *swapcontext_prepare(ucontext_t *old, const ucontext_t *context);

void *swapcontext_prepare(ucontext_t *old, const ucontext_t *context)
{
	(void)old;
	if (!passive())
		sig_context((ucontext_t *)context);
	return (void *)REAL(swapcontext);
}

static void jump(const struct __jmp_buf_tag *env)
{
	if (passive())
		return;
	sig_jump(env->__mask_was_saved, &env->__saved_mask);
	writers_done();
}

EXPORT void longjmp(jmp_buf env, int value)
{
	jump(env);
	REAL(longjmp)(env, value);
	__builtin_unreachable();
}

EXPORT void _longjmp(jmp_buf env, int value)
{
	jump(env);
	REAL(_longjmp)(env, value);
	__builtin_unreachable();
}

EXPORT void siglongjmp(jmp_buf env, int value)
{
	jump(env);
	REAL(siglongjmp)(env, value);
	__builtin_unreachable();
}

EXPORT void __longjmp_chk(jmp_buf env, int value)
{
	jump(env);
	REAL(__longjmp_chk)(env, value);
	__builtin_unreachable();
}

/* ---- threads ---- */

/*
 * A thread that is cancelled anywhere would be while it holds a lock, unless signals are blocked.
 */
EXPORT int pthread_setcanceltype(int type, int *old)
{
	if (type == PTHREAD_CANCEL_ASYNCHRONOUS)
		atomic_fetch_or(&sig_must, SIG_MUST_OTHERS);
	return REAL(pthread_setcanceltype)(type, old);
}

EXPORT int thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
	if (passive() || filter_silences())
		return REAL(thrd_create)(thread, start, argument);
	unwind_before_thread();
	return thread_create_c11(thread, start, argument, REAL(thrd_create));
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*start)(void *), void *argument)
{
	if (passive() || filter_silences())
		return REAL(pthread_create)(thread, attributes, start, argument);
	unwind_before_thread();
	return thread_create(thread, attributes, start, argument, REAL(pthread_create));
}
