/* SPDX-License-Identifier: MIT */
/*
 * sig_mask.c - masks: SIGSEGV and SIGBUS, and SIGSYS with the guard, never enter the
 * kernel as blocked. What the program believes is in its thread's record.
 *
 * A thread's own record is changed by itself alone, also in its handlers; a
 * handler that comes in between puts back what it changed. No locks.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>

#include "hook.h"
#include "landing.h"
#include "prim.h"
#include "sig.h"
#include "thread.h"

uint64_t sig_faults = UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1);

/* By the kernel SIGKILL and SIGSTOP, by libc its own two. */
#define NEVER_BLOCKED (sig_bit(SIGKILL) | sig_bit(SIGSTOP) | sig_bit(32) | sig_bit(33))

/* By number: the kernel takes the lower one first. */
static const int virtual[SIG_VIRTUAL] = { SIGBUS, SIGSEGV, SIGSYS };

static int slot(int signal)
{
	return signal == SIGBUS ? 0 : signal == SIGSEGV ? 1 : 2;
}

/*
 * Sends again what T may have now, by the information that it first came with. Of two the kernel
 * would push the frame of the lower number first, so that the other's handler runs before.
 */
static void resend(struct thread *t)
{
	uint64_t now = t->pending & ~t->masked;

	t->pending &= ~now;
	for (int i = SIG_VIRTUAL - 1; i >= 0; i--)
		if (now & sig_bit(virtual[i]))
			PRIM4(SYS_rt_tgsigqueueinfo, prim_getpid(), prim_gettid(), virtual[i],
			      &t->pending_info[i]);
}

void sig_keep_pending(int signal, const siginfo_t *info)
{
	struct thread *t = thread_self();

	if (!t || t->pending & sig_bit(signal))
		return;
	t->pending_info[slot(signal)] = *info;
	t->pending |= sig_bit(signal);
}

uint64_t sig_pending(void)
{
	struct thread *t = thread_self_record;

	if (!t || !t->pending)
		return 0;
	if (t->pending & ~t->masked)
		resend(t);
	return t->pending;
}

int sig_take_pending(const sigset_t *set, siginfo_t *info)
{
	struct thread *t = thread_self_record;
	uint64_t found = t ? t->pending & sig_bits(set) : 0;

	for (int i = 0; i < SIG_VIRTUAL; i++) {
		if (!(found & sig_bit(virtual[i])))
			continue;
		*info = t->pending_info[i];
		t->pending &= ~sig_bit(virtual[i]);
		return virtual[i];
	}
	return 0;
}

uint64_t sig_changed(int how, uint64_t before, uint64_t bits)
{
	if (how == SIG_BLOCK)
		return before | bits;
	return how == SIG_UNBLOCK ? before & ~bits : bits;
}

/*
 * In the child of a vfork. It goes on to another program, so its masks are the kernel's: with the
 * first that it sets, what was believed to be blocked is so, or is not. The parent, whose record
 * this is, puts back what it believed.
 */
static int passive_mask(struct thread *t, int how, const sigset_t *set, sigset_t *old)
{
	sigset_t inner = {{0}}, outer = {{0}};
	uint64_t before;
	int saved = errno, error = 0;

	if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
		return EINVAL;
	REAL(sigprocmask)(SIG_BLOCK, NULL, &outer);
	before = sig_bits(&outer) | t->masked;
	if (set) {
		sig_set_bits(&inner, sig_changed(how, before, sig_bits(set)));
		if (REAL(sigprocmask)(SIG_SETMASK, &inner, NULL) < 0)
			error = errno;
		else
			t->masked = 0;
	}
	errno = saved;
	if (old && !error)
		sig_set_bits(old, before);
	return error;
}

bool sig_passive_believes(void)
{
	return unlikely(thread_vforked) && thread_self_record && thread_self_record->masked;
}

int sig_mask(int how, const sigset_t *set, sigset_t *old)
{
	struct thread *t = thread_self_record;
	uint64_t before, bits = 0;
	sigset_t inner = {{0}}, outer = {{0}};
	int saved = errno, error = 0;

	if (sig_passive_believes())
		return passive_mask(t, how, set, old);
	if (set) {
		bits = sig_bits(set);
		sig_set_bits(&inner, bits & ~SIG_FAULTS);
		if (!t && bits & SIG_FAULTS)
			t = thread_self();
	}
	/* the kernel writes to OLD first, if it can: it is the one to refuse it */
	if (old)
		landing_open(old, sizeof(uint64_t));
	if (REAL(sigprocmask)(how, set ? &inner : NULL, old ? old : &outer) < 0)
		error = errno;
	errno = saved;
	if (error)
		return error;
	if (old)
		sig_set_bits(&outer, sig_bits(old));
	sig_doubt(sig_bits(&outer));
	before = t ? t->masked : 0;
	if (set && t) {
		sig_believe(t, sig_changed(how, sig_bits(&outer) | before, bits));
		/*
		 * blocked in the program's eyes only: then our handler must be there to keep what
		 * is sent
		 */
		if (unlikely(t->masked))
			sig_own_faults();
		if (unlikely(t->pending & ~t->masked))
			resend(t);
	}
	if (old) /* the kernel writes no more than its own 64 bits either */
		sig_set_bits(old, sig_bits(&outer) | before);
	return 0;
}

bool sig_lend(const sigset_t *mask, sigset_t *inner, uint64_t *before)
{
	uint64_t bits = sig_bits(mask);
	struct thread *t = thread_self_record;

	sigemptyset(inner);
	sig_set_bits(inner, bits & ~SIG_FAULTS);
	if (!t && bits & SIG_FAULTS)
		t = thread_self();
	*before = t ? t->masked : 0;
	if (!t)
		return true;
	t->masked = bits & SIG_FAULTS;
	t->masked_beside &= bits;
	if (unlikely(t->masked))
		sig_own_faults();
	if (likely(!(t->pending & ~t->masked)))
		return true;
	resend(t);
	t->masked = *before;
	return false;
}

void sig_take_back(uint64_t before)
{
	struct thread *t = thread_self_record;

	if (t)
		t->masked = before;
}

/*
 * The saved mask is the kernel's, so it does not say what the program believed to have blocked when
 * it was saved: what was last set by name is taken for it. But if it lacks what is blocked
 * since then, it is older than that.
 */
void sig_jump(bool restores_mask, const sigset_t *saved)
{
	struct thread *t = thread_self_record;

	if (!t || !restores_mask)
		return;
	t->masked = t->masked_base;
	sig_doubt(sig_bits(saved));
	t->masked_beside &= sig_bits(saved);
}

void sig_context(ucontext_t *context)
{
	uint64_t bits = sig_bits(&context->uc_sigmask);
	struct thread *t;

	if (!(bits & SIG_FAULTS))
		return;
	t = thread_self();
	if (t)
		sig_believe(t, bits);
	sig_set_bits(&context->uc_sigmask, bits & ~SIG_FAULTS);
}

/*
 * A belief that lasts has been true beside both what was blocked then and what is now: now may be
 * in a handler, whose own mask goes when it returns, and no hook hears that.
 */
void sig_believe(struct thread *t, uint64_t mask)
{
	uint64_t beside = mask & ~SIG_FAULTS;

	t->masked_beside = t->masked ? t->masked_beside & beside : beside;
	t->masked = t->masked_base = mask & SIG_FAULTS;
}

void sig_doubt(uint64_t mask)
{
	struct thread *t = thread_self_record;

	if (t && t->masked && t->masked_beside & ~(mask | SIG_FAULTS | NEVER_BLOCKED))
		t->masked = t->masked_base = t->masked_beside = 0;
}
