/* SPDX-License-Identifier: MIT */
/*
 * fault.c - SIGSEGV and SIGBUS: is it a landing that was touched, or the program's own?
 * SIGSYS: is it a system call that the guard is to look at?
 *
 * Runs on the alternate stack with every signal blocked, calls nothing of libc's
 * that locks or allocates, and returns to the instruction that faulted.
 */
#include <errno.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "copy.h"
#include "fault.h"
#include "guard.h"
#include "landing.h"
#include "sig.h"
#include "stats.h"

/* What the page at ADDRESS was to allow: a fetched instruction, a write, a read; PROT_*. */
static int access_of(const ucontext_t *context, uintptr_t address)
{
#if defined(__x86_64__)
	enum { WRITE = 2, FETCH = 16 }; /* of the page fault's error code */
	greg_t error = context->uc_mcontext.gregs[REG_ERR];

	(void)address;
	if (error & FETCH)
		return PROT_EXEC;
	return error & WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
#else
	/* the machine does not tell reads from writes: both have to be allowed */
	return context->uc_mcontext.pc == address ? PROT_EXEC : PROT_READ | PROT_WRITE;
#endif
}

/* Nothing of ours, or our own copy into a buffer that has no page. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	if (!copy_gave_up(context))
		sig_chain(signal, info, context);
}

/* A page that cannot be filled is to the program what a page of a truncated mapping is. */
static void tell_unreadable(siginfo_t *info, void *context)
{
	info->si_signo = SIGBUS;
	info->si_code = BUS_ADRERR;
	sig_chain_made(SIGBUS, info, context);
}

/* since Linux 5.11; a filter's SIGSYS has another code */
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif

void fault_handler(int signal, siginfo_t *info, void *context)
{
	int saved = errno;
	bool failed = false;

	if (signal == SIGBUS && info->si_code > 0 && stats_rescue(info->si_addr)) {
		/* somebody truncated the file of the counters: they go on without it */
	} else if (signal == SIGSYS && info->si_code == SYS_USER_DISPATCH) {
		guard_trap(info, context);
	} else if (sig_defer(signal, info, context)) {
		/* it was sent, and comes when what it interrupted is over */
	} else if (signal != SIGSEGV || info->si_code != SEGV_ACCERR) {
		pass_on(signal, info, context);
	} else if (!landing_fault((uintptr_t)info->si_addr, access_of(context, (uintptr_t)info->si_addr),
				  &failed)) {
		if (failed)
			tell_unreadable(info, context);
		else
			pass_on(signal, info, context);
	}
	errno = saved;
}
