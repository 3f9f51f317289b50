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
#include "pass.h"
#include "shunt.h"
#include "site.h"
#include "verdict.h"

enum { WATCH_SMALLEST = 512 }; /* shorter reads are no chunks */

/* Was anything ever watched here? */
extern HIDDEN _Atomic bool watch_used;

static inline bool watch_any(void)
{
	return atomic_load_explicit(&watch_used, memory_order_relaxed);
}

/*
 * N bytes were read into BUF from FD, plainly because of WHY; so will others be by PASS, or NULL.
 */
void watch_read(const void *buf, size_t n, int fd, struct site *site, enum verdict why,
		const struct pass *pass);

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
 * Is there a pass for a read of N bytes from FD into BUF by CALLER? It holds where the last chunk
 * was read so, too, and was written whole. Then watch_passed, which returns RET, is told what the
 * call gave; else NULL.
 */
struct watched *watch_pass(const void *buf, size_t n, int fd, const void *caller) NO_ACCESS;
ssize_t watch_passed(struct watched *w, const void *buf, ssize_t ret);

/* How many chunks may be taken off a count for such a read, which has no pass: struct pass. */
uint8_t watch_ahead(const void *buf, int fd, const struct site *site);

/*
 * N bytes at BUF were written to FD by CALLER. Were they a chunk, written whole and as the one before it
 * was? Then it is counted; else watch_written has to find out.
 */
bool watch_wrote(const void *buf, size_t n, int fd, const void *caller);

/* In the child of a fork: rows are the parent's. */
void watch_forked(void);

/* Is there anything to recognise at BUF .. BUF + N? Quick, and may be wrong. */
bool watch_knows(const void *buf, size_t n);

#endif
