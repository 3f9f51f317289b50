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

/* Is there anything to recognise at BUF .. BUF + N? Quick, and may be wrong. */
bool watch_knows(const void *buf, size_t n);

#endif
