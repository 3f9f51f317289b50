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

#if defined(__x86_64__)

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "config.h"
#include "hook.h"
#include "landing.h"
#include "prim.h"
#include "sig.h"
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

static uintptr_t text, text_end; /* libc's */

/* Calls looked at since the last account, when that was, and reads that landed since. */
static _Atomic unsigned traps, chunks;
static _Atomic uint64_t counted_at;

/* ---- is it to be had? ---- */

struct search {
	uintptr_t address;
	bool found;
};

static int find_text(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *s = context;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t lo = info->dlpi_addr + p->p_vaddr, hi = lo + p->p_memsz;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || s->address < lo || s->address >= hi)
			continue;
		text = lo;
		text_end = hi;
		s->found = true;
		return 1;
	}
	return 0;
}

/* In a function that is nothing but a system call without arguments: "syscall; ret". */
static const void *find_gate(const unsigned char *function)
{
	static const unsigned char wanted[] = { 0x0f, 0x05, 0xc3 };

	for (int i = 0; function && i < 16; i++)
		if (memcmp(function + i, wanted, sizeof(wanted)) == 0)
			return function + i;
	return NULL;
}

/* Since 2.34 threads and timers are in libc itself: all that blocks SIGSYS over its own calls. */
static bool libc_is_whole(void)
{
	const char *(*version)(void) = (const char *(*)(void))dlsym(RTLD_NEXT, "gnu_get_libc_version");
	const char *v = version ? version() : "";

	return strncmp(v, "2.", 2) == 0 && atoi(v + 2) >= 34;
}

/* With a shadow stack, a ret may not go where no call came from. */
static bool has_shadow_stack(void)
{
	enum { SHADOW_STACK_STATUS = 0x5005 };
	uint64_t features = 0;

	return PRIM2(SYS_arch_prctl, SHADOW_STACK_STATUS, &features) == 0 && features != 0;
}

static bool find_libc(void)
{
	struct search s = { (uintptr_t)dlsym(RTLD_NEXT, "getppid"), false };
	const void *gate;

	if (!s.address || !libc_is_whole())
		return false;
	dl_iterate_phdr(find_text, &s);
	gate = s.found ? find_gate((const unsigned char *)s.address) : NULL;
	if (gate)
		prim_gate = gate;
	return gate != NULL;
}

static long dispatch(unsigned long mode)
{
	if (mode == PR_SYS_DISPATCH_OFF)
		return PRIM5(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, mode, 0, 0, 0);
	/* the kernel compares with the address after the instruction */
	return PRIM5(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, mode, text, text_end + 1 - text,
		     &selector);
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

/* A filter of system calls could kill for what we need, and cannot be asked. */
static bool kernel_is_fit(void)
{
	uint64_t from = 1, to = 0;

	return PRIM5(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 0 &&
	       dispatch(PR_SYS_DISPATCH_OFF) == 0 && !has_shadow_stack() &&
	       read_program((unsigned long)&from, &to, sizeof(to)) == sizeof(to) && to == 1 &&
	       write_program((unsigned long)&to, &from, sizeof(to)) == sizeof(to);
}

COLD void guard_init(void)
{
	int saved = errno;

	if (config.guard == TRI_ON && config.mode == MODE_REWRITE && kernel_is_fit() && find_libc()) {
		sig_faults |= sig_bit(SIGSYS);
		guard_on = true;
	}
	errno = saved;
}

/* ---- threads ---- */

/* A handler's end is sent on to libc's restorer: it must be in libc, and what it is taken for. */
static bool restorer_is_fit(void)
{
	static const unsigned char wanted[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
	uintptr_t r = (uintptr_t)sig_restorer();

	return r >= text && r + sizeof(wanted) <= text_end &&
	       memcmp((void *)r, wanted, sizeof(wanted)) == 0;
}

COLD void guard_enrol(void)
{
	struct thread *t = thread_self();
	uint64_t faults = SIG_FAULTS, old = 0;

	if (t && t->guarded)
		atomic_fetch_add_explicit(&chunks, 1, memory_order_relaxed);
	if (!t || t->guarded || thread_passive || !shunt_live())
		return;
	if (!sig_own_faults() || !restorer_is_fit()) {
		guard_on = false;
		return;
	}
	thread_alternate_stack();
	/* blocked by a call that was not heard: from here on they all are */
	prim_sigprocmask(SIG_UNBLOCK, &faults, &old);
	if (old & faults)
		t->masked = t->masked_base = t->masked | (old & faults);
	t->guarded = dispatch(PR_SYS_DISPATCH_ON) == 0;
	if (!t->guarded)
		guard_on = false;
}

void guard_leave(void)
{
	struct thread *t = thread_self_record;

	if (!t || !t->guarded)
		return;
	dispatch(PR_SYS_DISPATCH_OFF);
	t->guarded = false;
}

void guard_end(void)
{
	guard_on = false;
	atomic_store(&selector.byte, SYSCALL_DISPATCH_FILTER_ALLOW);
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
 * The call is made after the handler by libc's instruction, from which it comes back
 * by guard_back. So it blocks, is interrupted, restarts, is left by longjmp and
 * cancelled like the original: no handler is alive.
 */
static void redirect(greg_t *r)
{
	uintptr_t words[WORDS] = { (uintptr_t)guard_back, (uintptr_t)r[REG_RIP] };
	uintptr_t to = (uintptr_t)r[REG_RSP] - RED_ZONE - sizeof(words);
	const struct thread *t = thread_self_record;

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

static uint64_t changed(unsigned long how, uint64_t before, uint64_t set)
{
	if (how == SIG_BLOCK)
		return before | set;
	return how == SIG_UNBLOCK ? before & ~set : set;
}

/* rt_sigprocmask: a mask that were set here would be gone with the handler, so CONTEXT's is changed. */
static long change_mask(ucontext_t *context, const unsigned long arg[6])
{
	struct thread *t = thread_self_record;
	uint64_t bits = sig_bits(&context->uc_sigmask), before, set = 0;

	before = (bits & ~SIG_FAULTS) | (t ? t->masked : 0);
	if (arg[3] != sizeof(set))
		return -EINVAL;
	if (arg[1]) {
		if (read_program(arg[1], &set, sizeof(set)) != sizeof(set))
			return -EFAULT;
		if (arg[0] > SIG_SETMASK)
			return -EINVAL;
		set = changed(arg[0], before, set & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP)));
		sig_set_bits(&context->uc_sigmask, set & ~SIG_FAULTS);
		if (t)
			t->masked = t->masked_base = set & SIG_FAULTS;
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
	if (shunt_live())
		redirect(r);
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
	landed = atomic_exchange(&chunks, 0);
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

void guard_leave(void)
{
}

void guard_end(void)
{
}

void guard_trap(const siginfo_t *info, ucontext_t *context)
{
	(void)info;
	(void)context;
}

#endif
