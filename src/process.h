/* SPDX-License-Identifier: MIT */
/*
 * process.h - what is done where processes begin and end.
 *
 * The three of fork go together, and nest. All keep errno. In the child of a
 * vfork they do nothing.
 */
#ifndef SHUNT_PROCESS_H
#define SHUNT_PROCESS_H

#include "shunt.h"

/*
 * Called in the constructor: registers the handlers of fork. The first to
 * register is the last to be called before the fork, so it comes early.
 */
void process_init(void);

/* Before: everything is filled and opened, and nothing armed until it is over. */
void process_before_fork(void);
void process_after_fork_parent(void);
void process_after_fork_child(void);

/* Has this process forked, or does it come of a fork? */
extern _Atomic bool process_has_kin;

/*
 * A call of the kernel's that forks, with memory of its own for the child: -1 and errno, or its
 * result.
 */
long process_raw_fork(long number, long a, long b, long c, long d, long e);

/*
 * Rights are about to go: what is made by them is made now, what must not outlast them is closed.
 */
void process_before_losing_rights(void);

/*
 * May system call NUMBER, whose first argument is FIRST, take rights away, that to look at this
 * process's own /proc among them?
 */
bool process_takes_rights(long number, long first);

/*
 * From here the process may end without passing through us again: marks the end, makes the report.
 */
void process_ending(void);

/*
 * The program is about to forbid itself system calls, and a filter cannot be asked: shunt stands
 * aside, reports now what there is to report, and makes no call of its own from here on.
 */
void process_before_filter(void);

/*
 * This thread is about to get a table of descriptors of its own: the numbers of ours, as of all
 * others, mean one thing to it and another to the other threads.
 */
void process_before_own_table(void);

/*
 * A child with memory of its own is about to have the same table: what of ours the one closes, or
 * takes anew, would go on to be what it was to the other.
 */
void process_before_shared_table(void);

#endif
