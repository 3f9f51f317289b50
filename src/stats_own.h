/* SPDX-License-Identifier: MIT */
/*
 * stats_own.h - what the files about this process's counters share: who it is,
 * and its place in the family.
 *
 * A family is the process in which shunt began and all that were forked from it.
 * exec begins a new one, as far as the counters know.
 */
#ifndef SHUNT_STATS_OWN_H
#define SHUNT_STATS_OWN_H

#include "stats.h"
#include "stats_file.h"

struct stats_own {
	int pid, parent, root;
	bool guest; /* not what `shunt run` became, but started by that: silent when it found nothing */
	bool forked; /* by us, or by one before us in the family */
	bool learned;
	/* start_ticks of this process and of the root; 0: not known, or not asked yet */
	uint64_t ticks, root_ticks;
	uint64_t root_started, started;
	uint64_t forks_at; /* when the fork under way began: the child need not ask; 0: not known */
	enum stats_ended ended;
	int signal;
	uint64_t finished;
	bool feature_lease, feature_procmap, feature_guard;
	char program[64], host[64];
	char argv[STATS_ARGV];
	uint32_t argv_length;
	char path[STATS_PATH]; /* of the program */
	struct stats_file file; /* of the counters; in the child of a fork none */
};

extern struct stats_own stats_own;

/* Fills the head of S, which is all zeros, with what is known of this process. */
void stats_write_head(struct stats *s);

/* Asks for what cannot be asked any more in a chroot: the program's path, the host. Once. */
void stats_learn(void);

/* When this process began; asked once. */
uint64_t stats_ticks(void);

/*
 * The counters if they are this process's own: NULL if it counted nothing, and where it
 * counts in those of the family (stats_family.h).
 */
struct stats *stats_peek_own(void);

/*
 * This process's counts stand elsewhere now, in a report or with the family: takes its
 * file away, or where that is out of reach (chroot) gives back what it takes up. The
 * counters go on in memory that nobody reads. Files that the setting `stats` asked for stay.
 */
void stats_discard(void);

#endif
