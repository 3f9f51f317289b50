/* SPDX-License-Identifier: MIT */
/*
 * guard.c - Syscall User Dispatch: who is enrolled, and what is done with a call; see guard.h.
 *
 * The handler runs on the alternate stack with every signal blocked. It touches no
 * memory of the program's directly, since a fault would kill there: it copies by
 * process_vm_readv and _writev, which answer EFAULT. It takes the locks of landings, which nobody
 * holds over code that can be dispatched.
 *
 * Nothing that blocks is done in the handler, and no call is made for the program but
 * those that only change what the handler's own return would undo.
 */
#undef _FORTIFY_SOURCE
#include "guard.h"

_Atomic bool guard_on;
FORK_WRITES _Atomic bool guard_complete;
_Atomic unsigned guard_chunks;

#if defined(__x86_64__)

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

#include "config.h"
#include "guard_fit.h"
#include "hook.h"
#include "landing.h"
#include "linux_new.h"
#include "prim.h"
#include "remap.h"
#include "sig.h"
#include "symbols.h"
#include "thread.h"

/* What the program may keep below its stack pointer; the two words of guard.S lie below that. */
enum { RED_ZONE = 128, WORDS = 2 };

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

extern const char guard_back[];

/*
 * The byte that the kernel reads at each call that does not come from libc's text. It
 * is the same for all threads, and on a line that nobody writes to.
 */
static struct {
	_Atomic unsigned char byte;
} __attribute__((aligned(64))) selector = { SYSCALL_DISPATCH_FILTER_BLOCK };

/* Calls looked at since the last account, and when that was. */
static _Atomic unsigned traps;
static _Atomic uint64_t counted_at;

/* Are libc and the kernel fit? Found out when it is first of use, in any thread. */
static _Atomic int fitness;
enum { UNKNOWN, FIT, UNFIT };

/*
 * For guard_hears_all: was the first thread asked whether it is alone, and is there what spoils it
 * for good?
 */
static FORK_WRITES _Atomic bool asked, missed;

/* ---- is it to be had? ---- */

COLD void guard_init(void)
{
	if (config.guard == TRI_OFF || config.mode != MODE_REWRITE)
		return;
	sig_faults |= sig_bit(SIGSYS);
	guard_on = true;
}

COLD bool guard_available(void)
{
	if (!guard_on)
		return false;
	if (fitness == UNKNOWN)
		fitness = guard_is_fit() ? FIT : UNFIT;
	if (fitness == UNFIT)
		guard_on = false;
	return guard_on;
}

static long dispatch(unsigned long mode)
{
	if (mode == PR_SYS_DISPATCH_OFF)
		return PRIM5(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, mode, 0, 0, 0);
	/* the kernel compares with the address after the instruction */
	return PRIM5(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, mode, guard_text,
		     guard_text_end + 1 - guard_text, &selector);
}

/* Both give what they moved, or an error. */
static long read_program(unsigned long p, void *to, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)p, n };

	landing_open((void *)p, n);
	return PRIM6(SYS_process_vm_readv, prim_getpid(), &here, 1, &there, 1, 0);
}

static long write_program(unsigned long p, const void *from, size_t n)
{
	struct iovec here = { (void *)from, n }, there = { (void *)p, n };

	landing_open((void *)p, n);
	return PRIM6(SYS_process_vm_writev, prim_getpid(), &here, 1, &there, 1, 0);
}

/* ---- threads ---- */

/* A handler's end is sent on to libc's restorer: it must be in libc, and what it is taken for. */
static bool restorer_is_fit(void)
{
	static const unsigned char wanted[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	uintptr_t r = (uintptr_t)sig_restorer();

	return r >= guard_text && r + sizeof(wanted) <= guard_text_end &&
	       memcmp((void *)r, wanted, sizeof(wanted)) == 0;
}

/*
 * Does the program free by our hooks? One with functions of that name may go on to libc's own
 * under another (__libc_free), and what that gives back goes by no hook.
 */
static bool allocator_is_ours(void)
{
	return symbols_bind_here("free") && symbols_bind_here("realloc");
}

/*
 * The first thread of this process is enrolled. If nobody shares its memory now, then all that do
 * later are born where we hear of it. The kernel refuses this to a task that is not
 * alone, and for one that is there is nothing to be done.
 */
static void ask_alone(void)
{
	if (atomic_exchange(&asked, true))
		return;
	if (allocator_is_ours() && PRIM1(SYS_unshare, CLONE_VM) == 0)
		guard_complete = true;
	if (missed)
		guard_complete = false;
}

/* Blocked by a call that was not heard: from here on they all are. */
static void unblock_faults(struct thread *t)
{
	uint64_t faults = SIG_FAULTS, old = 0;

	prim_sigprocmask(SIG_UNBLOCK, &faults, &old);
	if (!(old & faults))
		return;
	sig_believe(t, old | t->masked);
}

static void cannot(void)
{
	guard_on = guard_complete = false;
}

COLD void guard_enrol(void)
{
	struct thread *t = thread_self();

	if (!t || t->guarded || thread_passive || !shunt_live() || !guard_available())
		return;
	if (!sig_own_faults() || !restorer_is_fit()) {
		cannot();
		return;
	}
	prim_gate = guard_gate;
	thread_alternate_stack();
	unblock_faults(t);
	t->guarded = dispatch(PR_SYS_DISPATCH_ON) == 0;
	if (!t->guarded)
		cannot();
	else
		ask_alone();
}

bool guard_leave(void)
{
	struct thread *t = thread_self_record;

	if (!t || !t->guarded)
		return false;
	dispatch(PR_SYS_DISPATCH_OFF);
	t->guarded = false;
	return true;
}

void guard_end(void)
{
	cannot();
	atomic_store(&selector.byte, SYSCALL_DISPATCH_FILTER_ALLOW);
}

void guard_misses(void)
{
	missed = true;
	guard_complete = false;
}

FORKS void guard_forked(void)
{
	asked = guard_complete = false;
}

/* ---- a call ---- */

/* The same instruction again; after guard_end, or it would come back here for ever. */
static void again(greg_t *r)
{
	r[REG_RIP] -= 2;
}

static void stand_aside_and_do(greg_t *r)
{
	shunt_stand_aside();
	again(r);
}

/*
 * May [to, sp) be written? Below the red zone there is room on a stack where the kernel may put
 * a signal's frame: a thread's own, and the alternate one. A runtime that has stacks of its
 * own and all its handlers elsewhere (Go) has none to spare. Unknown: as on a thread's own.
 */
static bool has_room(const struct thread *t, const stack_t *alternate, uintptr_t to, uintptr_t sp)
{
	uintptr_t lo = (uintptr_t)alternate->ss_sp;

	if (!t || !t->stack_hi || (to >= t->stack_lo && sp <= t->stack_hi))
		return true;
	return to >= lo && sp <= lo + alternate->ss_size;
}

/*
 * The call is made after the handler by libc's instruction, from which it comes back
 * by guard_back. So it blocks, is interrupted, restarts, is left by longjmp and
 * cancelled like the original: no handler is alive.
 */
static void redirect(const ucontext_t *context, greg_t *r)
{
	uintptr_t words[WORDS] = { (uintptr_t)guard_back, (uintptr_t)r[REG_RIP] };
	uintptr_t to = (uintptr_t)r[REG_RSP] - RED_ZONE - sizeof(words);
	const struct thread *t = thread_self_record;

	if (!has_room(t, &context->uc_stack, to, (uintptr_t)r[REG_RSP])) {
		stand_aside_and_do(r);
		return;
	}
	if (write_program(to, words, sizeof(words)) != sizeof(words)) {
		/* the first stack grows by a touch, not by a call */
		if (!t || to < t->stack_lo || to >= t->stack_hi || prim_getpid() != t->tid) {
			stand_aside_and_do(r);
			return;
		}
		memcpy((void *)to, words, sizeof(words));
	}
	r[REG_RSP] = (greg_t)to;
	r[REG_RIP] = (greg_t)prim_gate;
}

/*
 * rt_sigprocmask: a mask that were set here would be gone with the handler, so CONTEXT's is
 * changed.
 */
static long change_mask(ucontext_t *context, const unsigned long arg[6])
{
	struct thread *t = thread_self_record;
	uint64_t bits = sig_bits(&context->uc_sigmask), before, set = 0;

	sig_doubt(bits);
	before = (bits & ~SIG_FAULTS) | (t ? t->masked : 0);
	if (arg[3] != sizeof(set))
		return -EINVAL;
	if (arg[1]) {
		if (read_program(arg[1], &set, sizeof(set)) != sizeof(set))
			return -EFAULT;
		if (arg[0] > SIG_SETMASK)
			return -EINVAL;
		set = sig_changed((int)arg[0], before, set & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP)));
		sig_set_bits(&context->uc_sigmask, set & ~SIG_FAULTS);
		if (t)
			sig_believe(t, set);
		(void)sig_pending(); /* sends what is let through now */
	}
	if (arg[2] && write_program(arg[2], &before, sizeof(before)) != sizeof(before))
		return -EFAULT;
	return 0;
}

/* rt_sigaction: true if it was answered, in *RESULT. */
static bool change_action(const unsigned long arg[6], long *result)
{
	struct kernel_action k;
	int signal = (int)arg[0];

	if (!arg[1] || arg[3] != sizeof(uint64_t) || read_program(arg[1], &k, sizeof(k)) != sizeof(k))
		return false;
	sig_note_raw(signal);
	if (signal == SIGSEGV || signal == SIGBUS || signal == SIGSYS) {
		shunt_stand_aside(); /* the next fault is not ours to see */
		return false;
	}
	if (!(k.mask & SIG_FAULTS))
		return false;
	k.mask &= ~SIG_FAULTS;
	landing_open((void *)arg[2], sizeof(k));
	*result = PRIM4(SYS_rt_sigaction, signal, &k, arg[2], sizeof(uint64_t));
	return true;
}

/* sigaltstack is made after the handler, whose own return would undo it; it is noted now. */
static void note_stack(const greg_t *r, const ucontext_t *context, unsigned long p)
{
	uintptr_t used = (uintptr_t)context->uc_stack.ss_sp;
	struct thread *t = thread_self_record;
	stack_t s;

	if (!t || !p || (uintptr_t)r[REG_RSP] - used < context->uc_stack.ss_size ||
	    read_program(p, &s, sizeof(s)) != sizeof(s))
		return;
	t->alternate_in_use = false;
	t->program_stack = s;
}

/* Their child returns first, on a stack that is shared or new: there is no way back on it. */
static bool makes_task(long number)
{
	return number == SYS_clone || number == SYS_clone3 || number == SYS_vfork ||
	       number == SYS_fork;
}

static void handle(long number, const unsigned long arg[6], ucontext_t *context)
{
	greg_t *r = context->uc_mcontext.gregs;
	long result;

	switch (number) {
	case SYS_rt_sigreturn:
		r[REG_RIP] = (greg_t)sig_restorer();
		return;
	case SYS_rt_sigprocmask:
		r[REG_RAX] = change_mask(context, arg);
		return;
	case SYS_sigaltstack:
		note_stack(r, context, arg[0]);
		break;
	}
	if (number == SYS_rt_sigaction ? change_action(arg, &result)
				       : guard_before(number, arg, &result)) {
		r[REG_RAX] = result;
		return;
	}
	guard_open(number, arg);
	if (number == SYS_mremap && arg[3] <= INT_MAX &&
	    remap_pieces(arg[0], arg[1], arg[2], (int)arg[3], arg[4], &result))
		r[REG_RAX] = result;
	else if (shunt_live())
		redirect(context, r);
	else
		again(r);
}

/*
 * A runtime that makes all its calls itself: each costs a microsecond here, a landed chunk
 * wins two to four. More than two calls a chunk, and so many that it is felt (2 % of a processor),
 * do not pay.
 */
static bool costs_too_much(void)
{
	enum { ACCOUNT = 16384 };
	uint64_t now, then;
	unsigned landed;

	if ((atomic_fetch_add_explicit(&traps, 1, memory_order_relaxed) + 1) % ACCOUNT)
		return false;
	now = prim_now();
	then = atomic_exchange(&counted_at, now);
	landed = atomic_exchange(&guard_chunks, 0);
	return now - then < 1000000000 && landed < ACCOUNT / 2;
}

void guard_trap(const siginfo_t *info, ucontext_t *context)
{
	greg_t *r = context->uc_mcontext.gregs;
	unsigned long arg[6] = { (unsigned long)r[REG_RDI], (unsigned long)r[REG_RSI],
				 (unsigned long)r[REG_RDX], (unsigned long)r[REG_R10],
				 (unsigned long)r[REG_R8], (unsigned long)r[REG_R9] };

	if (!shunt_live())
		again(r);
	else if (info->si_arch != AUDIT_ARCH_X86_64 || makes_task(info->si_syscall) ||
		 costs_too_much())
		stand_aside_and_do(r);
	else
		handle(info->si_syscall, arg, context);
}

#else

COLD void guard_init(void)
{
}

void guard_enrol(void)
{
}

bool guard_leave(void)
{
	return false;
}

void guard_end(void)
{
}

bool guard_available(void)
{
	return false;
}

void guard_misses(void)
{
}

void guard_forked(void)
{
}

void guard_trap(const siginfo_t *info, ucontext_t *context)
{
	(void)info;
	(void)context;
}

#endif
