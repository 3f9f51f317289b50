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
 * A thread is enrolled before it lands, and at its birth; for good, since a mask or a handler
 * that blocks SIGSYS must not go by unseen. Where the machine or libc is not fit, guard_on stays false
 * and the hooks are all there is.
 */
#ifndef SHUNT_GUARD_H
#define SHUNT_GUARD_H

#include <signal.h>
#include <ucontext.h>

#include "shunt.h"

/* Is it asked for, and can it be had? The report says so. */
extern _Atomic bool guard_on __attribute__((visibility("hidden")));

/* From the constructor, before sig_init: looks at the setting, the kernel and libc. Keeps errno. */
void guard_init(void);

/*
 * Enrols this thread if it is not. Signal safe, keeps errno. Not with signals blocked by shunt
 * itself: what is found blocked of SIGSEGV, SIGBUS and SIGSYS is taken for the program's wish.
 */
void guard_enrol(void);

static inline void guard_enter(void)
{
	if (unlikely(atomic_load_explicit(&guard_on, memory_order_relaxed)))
		guard_enrol();
}

/* The calls of this thread are its own again, until guard_enter. Signal safe. */
void guard_leave(void);

/* Standing aside: no call of any thread is dispatched any more. Signal safe. */
void guard_end(void);

/* From the handler of SIGSYS, every signal blocked: a call was dispatched. Changes CONTEXT. */
void guard_trap(const siginfo_t *info, ucontext_t *context);

/* ---- guard_args.c: safe in that handler, and reads no memory of the program's ---- */

/* Opens what a call of NUMBER with these arguments can reach; for a number not known, everything. */
void guard_open(long number, const unsigned long arg[6]);

/*
 * What shunt has to know of a call before it is made, as the hooks of the same name do. True if
 * the call is answered with *RESULT; else it is to be made. May stand aside.
 */
bool guard_before(long number, const unsigned long arg[6], long *result);

#endif
