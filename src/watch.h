/* SPDX-License-Identifier: MIT */
/*
 * watch.h - chunks that were read plainly, until they are written: how a loop is
 * recognised, and how what is not rewritten comes into the report.
 *
 * A table by address that may lose entries: nothing but learning and the accounts
 * depend on it.
 */
#ifndef SHUNT_WATCH_H
#define SHUNT_WATCH_H

#include "fd.h"
#include "shunt.h"
#include "site.h"
#include "verdict.h"

enum { WATCH_SMALLEST = 512 }; /* shorter reads are no chunks */

/* Was anything ever watched here? */
extern _Atomic bool watch_used;

static inline bool watch_any(void)
{
	return atomic_load_explicit(&watch_used, memory_order_relaxed);
}

/* N bytes were read into BUF from FD, plainly because of WHY. */
void watch_read(const void *buf, size_t n, int fd, struct site *site, enum verdict why);

/*
 * A landing's chunk became plain memory, for WHY, after WRITTEN of its N bytes had
 * been sent. LOOKED: a look that could not be counted yet, since the route is not known.
 */
void watch_filled(const void *buf, size_t n, size_t written, int fd, struct site *site,
		  enum verdict why, bool looked);

/*
 * The first N bytes of what begins at BUF went to the sink FD, in one call at
 * WRITE_SITE, plainly. WHY: a reason of the sink's, or REWRITTEN when there is none.
 */
void watch_written(const void *buf, size_t n, int fd, struct fd_entry *sink,
		   struct site *write_site, enum verdict why);

/*
 * The same two for a loop that was seen before and in which nothing is to be learned (WHY is that
 * it would not pay): a relay's small chunk, read by CALLER where the last one was read, and written
 * whole as that was. Such a chunk is only counted. The first returns N; the second is false where
 * the chunk is another, and watch_written has to find out.
 */
ssize_t watch_small(const void *buf, size_t n, int fd, const struct fd_entry *e, const void *caller);
bool watch_wrote_small(const void *buf, size_t n, int fd, const void *caller);

/* In the child of a fork: rows are the parent's. */
void watch_forked(void);

/* Is there anything to recognise at BUF .. BUF + N? Quick, and may be wrong. */
bool watch_knows(const void *buf, size_t n);

#endif
