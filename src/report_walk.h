/* SPDX-License-Identifier: MIT */
/*
 * report_walk.h - one walk over the counters of one or more processes: rows
 * added up where they are the same code, sums, and the order of the rows.
 *
 * What is read here may have been written by anybody, and may be changed while
 * it is read. So every index is copied, then checked, every string has a
 * length, and arithmetic wraps rather than overflows. Signal safe throughout.
 */
#ifndef SHUNT_REPORT_WALK_H
#define SHUNT_REPORT_WALK_H

#include "format.h"
#include "report.h"

enum { WALK_ROWS = 512 }; /* the last takes what does not fit */

struct walk_sums {
#define F(name, type) type name;
	STATS_ROUTE_COUNTERS(F)
#undef F
	uint64_t verdict[VERDICT_COUNT];
};

struct walk_row {
	const struct stats *s;           /* names, sites and examples are those of the first */
	const struct stats_route *route;
	unsigned source, sink, engine;
	const struct stats_site *read, *write; /* in S; NULL when not known */
	struct walk_sums sum;
};

struct walk_totals {
#define F(name, type) type name;
	STATS_TOTAL_COUNTERS(F)
#undef F
};

struct walk {
	size_t rows;
	struct walk_row *row[WALK_ROWS]; /* in order */
	struct walk_sums sum;            /* of all rows */
	struct walk_totals total;
};

/* Walks PROCESS[0 .. COUNT - 1]. The result is static and holds until the next walk. */
const struct walk *report_walk(const struct stats *const *process, size_t count, int sort);

/* The verdict that S has most of where not all was rewritten, else VERDICT_REWRITTEN. */
unsigned walk_why_not(const struct walk_sums *s);

/*
 * The verdicts of S other than "rewritten", the most frequent first, into ORDER
 * (VERDICT_COUNT of room). Returns how many are not 0.
 */
unsigned walk_verdicts(const struct walk_sums *s, unsigned *order);

/*
 * "10.4 GiB seen, 10.4 GiB (99.9 %) without a copy", the line of what was saved, and the line
 * of what the program itself sent by sendfile, if it did.
 */
void report_seen(struct format *f, const struct walk *w, bool observe);
void report_saved(struct format *f, const struct walk *w);
void report_native(struct format *f, const struct walk *w);

/*
 * Is this row, or site, or any behind it in use? They are taken in order, and what was never
 * taken is not to be looked at: each page of it would come into being.
 */
static inline bool walk_used(const _Atomic uint32_t *state)
{
	return atomic_load_explicit(state, memory_order_relaxed) != 0;
}

/* Is SITE complete? More frames may yet come behind the first. */
static inline bool walk_is_site(const struct stats_site *site)
{
	uint32_t state = atomic_load_explicit(&site->state, memory_order_acquire);

	return state == 2 || state == STATS_SITE_ALONE;
}

/* Is it its caller alone, so far? */
static inline bool walk_is_alone(const struct stats_site *site)
{
	return atomic_load_explicit(&site->state, memory_order_acquire) == STATS_SITE_ALONE;
}

/* The site of INDEX in S, NULL if it is none or not complete. */
const struct stats_site *walk_site(const struct stats *s, int index);

/* How many frames of SITE may be looked at: 1 to STATS_FRAMES. */
unsigned walk_frames(const struct stats_site *site);

/* The path of module INDEX, at most STATS_PATH bytes and perhaps no NUL; "" if there is none. */
const char *walk_module(const struct stats *s, uint32_t index);

/* Is A in SA the same code as B in SB? Module path and place in it of the innermost frame. */
bool walk_same_site(const struct stats *sa, const struct stats_site *a, const struct stats *sb,
		    const struct stats_site *b);

/* FRAME as "symbol+0x4e", or "module+0x1234" (without directory) when it has no symbol. */
void walk_frame_text(struct format *f, const struct stats *s, const struct stats_frame *frame);

/* The start of process PID in clock ticks since boot (field 22 of its stat), 0: not known. */
uint64_t walk_start_ticks(int pid);

/*
 * Does process PID, begun at TICKS (0: whenever), still run? A zombie does not. True
 * when that cannot be said. errno is kept.
 */
bool walk_pid_alive(int pid, uint64_t ticks);

/* Does the process of S still run? As walk_pid_alive. */
bool walk_alive(const struct stats *s);

/* Milliseconds that S ran, up to now if it still runs. False if it died without a word. */
bool walk_milliseconds(const struct stats *s, uint64_t *ms);

#endif
