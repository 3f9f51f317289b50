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
 * A page that all of the family share says which files there may be, so that directories
 * are read only where there is something to find. It too is no more than a hint.
 *
 * Raw system calls only; errno is kept; the caller holds signals back (quiet.h).
 */
#ifndef SHUNT_STATS_FAMILY_H
#define SHUNT_STATS_FAMILY_H

#include "stats.h"

/*
 * The counters of the family, if this process, a child, is to count in them, else NULL. That is
 * so once a child has ended that counted something, or that lost its rights: a server
 * that forks for each connection then needs no file for each, and no adding up. Those
 * that were forked before, as the few workers of other servers, each have a file.
 */
struct stats *stats_family(void);

/*
 * Where each process of the family has counters of its own, the names of places in the
 * program that others of it have found: only the sites and modules are used. NULL if there are
 * none. A child that had to find them itself would pay more for it than for its work.
 */
struct stats *stats_family_names(void);

/* Maps the family's file in a child, while it can still be opened. */
void stats_family_keep(void);

/*
 * Where each process reports for itself, has a child of the family ended already? Then those that
 * lose their rights make no file beforehand: it would be made and removed for each
 * connection. Should they count, they do it in memory, which goes into their report, but
 * not beyond a SIGKILL. The long-lived workers of other servers each have a file.
 */
bool stats_family_is_short_lived(void);

/* The file of this process: makes it (a descriptor or -errno), removes it (false: out of reach). */
int stats_family_create_own(void);
bool stats_family_remove_own(void);

/*
 * This process ends and reports nothing itself: a child's counts go to the family,
 * the root's stay in its file. Nothing is done twice.
 */
void stats_family_hand_over(void);

/* This process ended and has reported for itself alone. */
void stats_family_reported(void);

/*
 * Adds to SUM what the family has that no report has taken yet, but not this process's
 * own file; files are marked as taken, and removed unless the setting `stats` asked for
 * them. SCRATCH holds one file at a time. Returns how many had something.
 */
unsigned stats_family_collect(struct stats *sum, struct stats *scratch);

/* May there be files of the family, other than this process's own? Asks nobody. */
bool stats_family_has_files(void);

/* Has the process that began this family, and the one that forked this process, ended? */
bool stats_family_orphan(void);

#endif
