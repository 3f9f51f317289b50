/* SPDX-License-Identifier: MIT */
/*
 * pair.h - a place that reads with one that writes, and the report's row they count in.
 *
 * A row is for two call sites, a kind of source and a kind of sink, whatever the
 * connection. Pairs are kept in uthash, in shards by the reading site; memory is an arena of
 * ours, and a pair that finds none counts in its row all the same.
 */
#ifndef SHUNT_PAIR_H
#define SHUNT_PAIR_H

#include "fd.h"
#include "shunt.h"
#include "site.h"
#include "stats.h"

/* What a chunk was, for the accounts. */
struct pair_chunk {
	enum stats_kind source, sink; /* sink: UNKNOWN for what the descriptor is */
	struct site *read_site, *write_site;
	int source_fd, sink_fd;
};

/* The row of the report in which this chunk counts. Never NULL. Keeps errno. */
struct stats_route *pair_route(const struct pair_chunk *chunk, struct fd_entry *sink);

/* Counts a chunk in R, its row. */
static inline void pair_count_chunk(struct stats_route *r)
{
	stats_add(&r->chunks, 1);
	if (unlikely(r->rest))
		stats_add(&stats_get()->routes_lost, 1);
}

/* SITE is now known as INDEX: the rows that were made before learn it. */
void pair_site_named(const struct site *site, int index);

/* In the child of a fork: the rows were the parent's. */
void pair_forked(void);

#endif
