/* SPDX-License-Identifier: MIT */
/*
 * quiet.h - file work of our own that must not be felt: all signals wait, and those
 * that it raises itself are taken back.
 *
 * RLIMIT_FSIZE raises SIGXFSZ, a closed pipe SIGPIPE, a background terminal
 * SIGTTOU; each would end the host. The signals of faults are left as they are:
 * blocked, they kill.
 */
#ifndef SHUNT_QUIET_H
#define SHUNT_QUIET_H

#include "prim.h"

struct quiet {
	uint64_t mask, pending;
};

#define QUIET_BIT(signal) (UINT64_C(1) << ((signal) - 1))
#define QUIET_FAULTS (QUIET_BIT(SIGSEGV) | QUIET_BIT(SIGBUS) | QUIET_BIT(SIGSYS) | QUIET_BIT(SIGILL) | \
		      QUIET_BIT(SIGFPE) | QUIET_BIT(SIGTRAP))

static inline void quiet_begin(struct quiet *q)
{
	static const uint64_t all = ~QUIET_FAULTS;

	prim_sigprocmask(SIG_BLOCK, &all, &q->mask);
	q->pending = 0;
	prim_sigpending(&q->pending);
}

static inline void quiet_end(const struct quiet *q)
{
	static const uint64_t raised = QUIET_BIT(SIGXFSZ) | QUIET_BIT(SIGPIPE) | QUIET_BIT(SIGTTOU);
	static const struct timespec at_once;
	uint64_t pending = 0, fresh;

	prim_sigpending(&pending);
	for (fresh = pending & ~q->pending & raised; fresh; fresh &= fresh - 1) {
		uint64_t one = fresh & -fresh;

		prim_sigtimedwait(&one, NULL, &at_once);
	}
	prim_sigprocmask(SIG_SETMASK, &q->mask, NULL);
}

#endif
