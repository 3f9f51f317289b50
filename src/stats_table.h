/* SPDX-License-Identifier: MIT */
/*
 * stats_table.h - new entries in a struct stats: modules, sites, and whole rows added to
 * those of another.
 *
 * No lock: a row is taken by its state word (0 free, 1 being written, 2 valid), so two
 * writers may at worst make the same entry twice, which readers add up; a writer that
 * dies half way leaves an entry that nobody reads. A site that is its caller alone (3) becomes 2
 * when somebody sets about to add the frames above; they count when they are all there. Safe in a
 * signal handler.
 */
#ifndef SHUNT_STATS_TABLE_H
#define SHUNT_STATS_TABLE_H

#include <stddef.h>

#include "stats.h"

/* The index of the module with this PATH (MAX bytes at most); UINT32_MAX when there is no room. */
uint32_t stats_module(struct stats *s, const char *path, size_t max);

/* A place for a site, to be filled in and then published; NULL when there is no room. */
struct stats_site *stats_site_take(struct stats *s);
void stats_site_publish(struct stats_site *site, bool alone);

/*
 * SITE is its caller alone: true for the one who is to write the other frames, and then to set
 * frame_count.
 */
bool stats_site_claim(struct stats_site *site);

/*
 * The index in TO of SITE of FROM, which may hold anything; copied if it is not there. -1: no room.
 */
int stats_site_copy(struct stats *to, const struct stats *from, const struct stats_site *site);

/* Adds all rows, their sites, and the totals of FROM, which may hold anything, to TO. */
void stats_add_all(struct stats *to, const struct stats *from);

/* The same, and leaves zeros in FROM, which others go on counting in. Was there anything? */
bool stats_take_all(struct stats *to, struct stats *from);

#endif
