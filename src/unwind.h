/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - where in the program a hook was called from, by name.
 */
#ifndef SHUNT_UNWIND_H
#define SHUNT_UNWIND_H

#include <stdbool.h>

enum { UNWIND_FULL = -1, UNWIND_NOT_NOW = -2 };

/*
 * Finds the frame that CALLER, the return address of a hook below us on this stack,
 * lies in, and up to STATS_FRAMES - 1 frames above it, names them, and puts them
 * into the counters' sites. Returns the index there; UNWIND_FULL when no place
 * is left; UNWIND_NOT_NOW in a signal handler of the program, or in a call of our own.
 *
 * Slow (tens of microseconds, the first time milliseconds: libunwind is loaded), so
 * once a site. It may load libunwind, which takes the loader's lock and allocates: never
 * with a lock of ours held, never in our own signal handlers. Keeps errno.
 */
int unwind_site(const void *caller);

/*
 * Names CALLER alone, as long as it is enough to know that: in the program itself, of a site that
 * has counted little yet. That costs a twentieth. *ALONE: unwind_site is to be called some time, and
 * puts the frames above behind that one; the index stays. Also in a signal handler. Else as
 * unwind_site.
 */
int unwind_caller(const void *caller, bool *alone);

/*
 * Is this process a second old? Most that others start have ended by then, and need not be walked
 * through. Asks the clock.
 */
bool unwind_is_due(void);

/* A connection was accepted: a child that this process forks from now on may have sites to name. */
void unwind_expect(void);

/* In such a process libunwind is loaded once, before the fork, not in each child. Keeps errno. */
void unwind_before_fork(void);

/*
 * pthread_create: libunwind is loaded now or never. A thread that loaded it later could be stopped
 * by another in the midst of that. Keeps errno.
 */
void unwind_before_thread(void);

/*
 * The program is about to get another root or other mounts, where anybody's file may have the
 * library's name, and would run with its rights: libunwind is loaded now or never. Keeps errno.
 */
void unwind_before_root(void);

/* No stack is walked any more: sites are the caller alone. */
void unwind_stop(void);

/* Is this thread inside unwind_site? What libunwind makes then is ours. */
bool unwind_inside(void);

#endif
