/* SPDX-License-Identifier: MIT */
/*
 * guard.h - the second line: system calls that no hook hears.
 *
 * The kernel does not fault on an armed page, it answers EFAULT or stops short. What
 * libc's functions reach is opened by the hooks; a system call made inline by the
 * program or another library is caught here: Syscall User Dispatch (since Linux 5.11, x86-64)
 * raises SIGSYS for each call of a thread that is enrolled and that is not made from
 * libc's own code. The handler opens what the arguments can reach and lets the call be made
 * outside of the handler, by a "syscall; ret" of libc's, with all registers as they were.
 *
 * Libc's own code stays free, for two reasons. It is where all signals are blocked over
 * calls (pthread_create, a thread's end, posix_spawn, abort), and a call that is dispatched
 * while SIGSYS is blocked kills. And what everybody calls costs 15 ns so, not 700.
 *
 * A thread is enrolled before it lands, and at its birth; for good, since a mask or a handler that
 * blocks SIGSYS must not go by unseen. Where libc or the kernel is not fit, guard_on becomes false
 * when the first thread is to be enrolled, and the hooks are all there is.
 */
#ifndef SHUNT_GUARD_H
#define SHUNT_GUARD_H

#include <signal.h>
#include <ucontext.h>

#include "shunt.h"
#include "thread.h"

/* Is it asked for, and is nothing known that forbids it? */
extern _Atomic bool guard_on __attribute__((visibility("hidden")));

/* From the constructor, before sig_init: looks at the setting. */
void guard_init(void);

/*
 * Can it be had? Looks at libc and the kernel, the first time. For who is to be enrolled, and the
 * report. Signal safe.
 */
bool guard_available(void);

/*
 * Enrols this thread if it is not. Signal safe, keeps errno. Not with signals blocked by shunt
 * itself: what is found blocked of SIGSEGV, SIGBUS and SIGSYS is taken for the program's wish.
 */
void guard_enrol(void);

static inline void guard_enter(void)
{
	const struct thread *t = thread_self_record;

	if (atomic_load_explicit(&guard_on, memory_order_relaxed) && unlikely(!t || !t->guarded))
		guard_enrol();
}

/*
 * Reads that landed since the last account of what the guard costs; one that threads lose does not
 * matter.
 */
extern _Atomic unsigned guard_chunks __attribute__((visibility("hidden")));

static inline void guard_landed(void)
{
	set_relaxed(guard_chunks, relaxed(guard_chunks) + 1);
}

/* The calls of this thread are its own again, until guard_enter; were they not? Signal safe. */
bool guard_leave(void);

/* Standing aside: no call of any thread is dispatched any more. Signal safe. */
void guard_end(void);

/* From the handler of SIGSYS, every signal blocked: a call was dispatched. Changes CONTEXT. */
void guard_trap(const siginfo_t *info, ucontext_t *context);

/* In the child of a fork, whose one thread is not enrolled. */
void guard_forked(void);

/*
 * ---- is everything heard? ----
 *
 * True: nothing in this process can change the address space, from now on until this is asked
 * again, but by a call that a hook or the guard hears before it is made, with two exceptions. One
 * is libc itself, which gives back and moves what the program gave back before: so this says
 * nothing of a landing of which `freed` is set, and of one that is read into again after that not
 * before landing_mean has taken it as new. The other are those that the contract leaves out:
 * debuggers, and the child of a vfork before its exec.
 *
 * How it is known is in doc/transparency.md. A load and a test; from true it may become false at
 * any time.
 */
extern _Atomic bool guard_complete __attribute__((visibility("hidden")));

static inline bool guard_hears_all(void)
{
	return likely(atomic_load_explicit(&guard_complete, memory_order_acquire));
}

/*
 * From now on there may be calls that nobody hears: guard_hears_all is false for good. Signal safe.
 */
void guard_misses(void);

/* ---- guard_args.c: safe in that handler, and reads no memory of the program's ---- */

/*
 * Opens what a call of NUMBER with these arguments can reach; for a number not known, everything.
 */
void guard_open(long number, const unsigned long arg[6]);

/*
 * What a call changes of descriptors, locks, files and what memory is, as the hooks of the same name
 * note it, for syscall() as well. True if the call is answered with *RESULT.
 */
bool guard_notes(long number, const unsigned long arg[6], long *result);

/*
 * What shunt has to know of a call before it is made, as the hooks of the same name do. True if
 * the call is answered with *RESULT; else it is to be made. May stand aside.
 */
bool guard_before(long number, const unsigned long arg[6], long *result);

#endif
