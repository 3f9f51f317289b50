/* SPDX-License-Identifier: MIT */
/*
 * site.h - call sites, and what is learned at them.
 *
 * A site is the return address of a hook. What a reading site has learned holds
 * for the next connection: a loop that was seen to pass its chunks on lands from
 * the first chunk on, one that looked into them is tried again 4, 16, 64 ...
 * chunks later. The counters are hints: lost updates between threads do no harm.
 */
#ifndef SHUNT_SITE_H
#define SHUNT_SITE_H

#include "pass.h"
#include "shunt.h"
#include "verdict.h"

struct pair;
struct watched;

struct patience {
	_Atomic uint32_t wait;  /* chunks to let pass before the next try */
	_Atomic uint8_t level;  /* tries that failed in a row: wait is 4 ^ level */
	_Atomic uint8_t why;    /* enum verdict: the last failure */
	_Atomic uint32_t good;  /* chunks rewritten since the last look */
};

struct site {
	_Atomic uintptr_t caller;   /* 0: free */
	_Atomic int stats;          /* index into the counters' sites + 1, or SITE_* below */
	_Atomic uint32_t names;     /* tries to name it */
	_Atomic uint32_t streak;    /* chunks in a row that were written whole, from where they were read */
	_Atomic uint8_t head, tail; /* whole pages at the buffer's ends that the program touches each time */
	_Atomic uint32_t edge_wait; /* landings until these are tried lazily again */
	_Atomic uint8_t edge_level; /* edges that were learned: edge_wait is 16 * 4 ^ level */
	_Atomic bool wanted;        /* a row of the report waits for its name, or for its frames */
	_Atomic bool alone;         /* named by its caller; the frames above are not known yet */
	_Atomic bool crosses;       /* another thread writes than reads */
	_Atomic uint8_t sink;       /* enum stats_kind of what its chunks were last written to */
	struct patience patience;
	_Atomic(struct pair *) pair; /* that it was last in, as the one that reads */
	_Atomic(struct watched *) last; /* read here: the latest of which the way is known (watch.c) */
};

enum { SITE_UNNAMED = 0, SITE_NONE = -1, SITE_LATER = -2 };

/* The index of SITE among the counters' sites, -1 when it has none. */
static inline int site_index(const struct site *site)
{
	int known = atomic_load_explicit(&site->stats, memory_order_relaxed);

	return known > 0 ? known - 1 : -1;
}

/*
 * Is SITE to be named, or walked, at its next call? Where that could not be done it is not hurried
 * any more.
 */
static inline bool site_names_next(const struct site *site)
{
	return relaxed(site->wanted) && relaxed(site->stats) != SITE_LATER;
}

/* The site of CALLER. Never NULL: when the table is full, one that all others share, without a name. */
struct site *site_of(const void *caller);

/*
 * Finds out where SITE is in the program (libunwind) if that is not known yet. It
 * must run below the call of the program's that SITE names. Not for signal
 * handlers, which it notices itself. Keeps errno.
 */
void site_name(struct site *site);

/*
 * Something read at SITE is about to land, or was landed and is written there: the frames above it
 * are found now, since to load libunwind later would open what is landed. As site_name.
 */
void site_walk_slow(struct site *site);

static inline void site_walk(struct site *site)
{
	if (unlikely(relaxed(site->alone)))
		site_walk_slow(site);
}

/*
 * A row of READ_SITE and WRITE_SITE, which is called now, has counted CHUNKS: if it is time, those
 * of them that are their caller alone have their stacks walked, the first at its next call.
 */
void site_counted(struct site *read_site, struct site *write_site, uint64_t chunks);

/*
 * May a chunk of N bytes land here now? REWRITTEN, LEARNING, or while there is to wait, which is
 * counted down, why the last try failed: then PASS, or NULL, gets its part of the wait. BUFFER: what
 * is known of this very buffer, or NULL.
 */
enum verdict site_ready(struct site *site, struct patience *buffer, size_t n, struct pass *pass);

/*
 * A file is mapped at SITE: is this one to be let pass, since what was mapped there went plainly? Then
 * why it did, and it is counted down; else REWRITTEN.
 */
enum verdict site_map_ready(struct site *site);

/* A chunk read at SITE was written whole. */
void site_passed(struct site *site);

/* A chunk read at SITE went elsewhere: the loop is not the one that we want. */
void site_strayed(struct site *site);

/*
 * A landed chunk was looked into, or its sink refused it, which is WHY; or it was
 * passed on untouched. The next sink may be another: for one no more than 64 chunks are waited.
 */
void patience_lost(struct patience *p, enum verdict why);
void patience_paid(struct patience *p);

/*
 * The program touched the first or last PAGES whole pages (EDGE: &site->head or tail) of a
 * chunk: they are filled from now on. A chunk is to land at a site with such pages:
 * after 64, 256, 1024 ... of them they are lazy again, until they are touched again.
 */
void site_touched(struct site *site, _Atomic uint8_t *edge, size_t pages);
void site_edge_landed(struct site *site);

/* In the child of a fork: names belong to the parent's counters. */
void site_forked(void);

#endif
