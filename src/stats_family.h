/* SPDX-License-Identifier: MIT */
/*
 * stats_family.h - the counts of a family: children that end hand theirs over, and
 * the one that reports adds all of them up.
 *
 * A server that forks for each connection would leave a file for each. So a child
 * that ends adds its rows to one file of the family, ROOT-TICKS-family.shunt, and
 * its own goes. That file is another struct stats, with the root's number in its
 * head; every process of the family may write to it, so it is read like any
 * other: nothing in it is believed.
 *
 * Raw system calls only; errno is kept; the caller holds signals back (quiet.h).
 */
#ifndef SHUNT_STATS_FAMILY_H
#define SHUNT_STATS_FAMILY_H

#include "stats.h"

/* Maps the family's file in a child, while it can still be opened. */
void stats_family_keep(void);

/*
 * This process ends and reports nothing itself: a child's counts go to the family,
 * the root's stay in its file. Nothing is done twice.
 */
void stats_family_hand_over(void);

/*
 * Adds to SUM what files of the family there are that no report has taken yet, but not
 * this process's own; marks them as taken, and removes them unless the setting
 * `stats` asked for them. SCRATCH holds one file at a time. Returns how many it found.
 */
unsigned stats_family_collect(struct stats *sum, struct stats *scratch);

/*
 * Called in the parent after a fork: now and then it removes the empty files of
 * children that ended in a chroot and could not.
 */
void stats_forked_parent(void);

/* Has the process that began this family, and the one that forked this process, ended? */
bool stats_family_orphan(void);

#endif
