/* SPDX-License-Identifier: MIT */
/*
 * meter.h - what a few chunks in a row cost, by the CPU clock of the threads that pass them on.
 *
 * While a site is on trial (choice.h) units of its chunks are followed. A unit is what is read from
 * one descriptor: up to sixteen chunks, or the file to its end. It costs what the hooks take that
 * read it, write it, in however many calls, and open or free what was landed for it, with the calls
 * of the kernel in them. What the program does in between, and what other connections of an
 * event loop do, is in none of it: so units of both ways may go on side by side.
 *
 * A chunk that finds its buffer as a unit of the other way left it pays for the turn from one way
 * to the other, which is made for the trial alone: it goes the way it should, but is in no unit.
 *
 * No clock is read while nothing is on trial. Everything here keeps errno and is signal safe.
 */
#ifndef SHUNT_METER_H
#define SHUNT_METER_H

#include <sys/uio.h>

#include "choice.h"
#include "config.h"
#include "fd.h"
#include "site.h"
#include "verdict.h"

enum { METER_CHUNKS = 16 }; /* of a unit */

struct meter;

/* How many units are followed. 0: no clock is read. */
extern HIDDEN _Atomic int meter_active;

/* When the hook began that this thread is in, if that is measured; else 0. */
extern __thread uint64_t meter_since __attribute__((tls_model("initial-exec")));

/* The measurement is off where `min` says what is to land, and where nothing is landed. */
static inline bool meter_on(void)
{
	return config.min == 0 && config.mode == MODE_REWRITE;
}

/*
 * Is a chunk of N bytes, read from FD (a file or a stream) into BUF at SITE, to land? REWRITTEN, or why
 * not, and for how long, to PASS, or NULL. *M gets the unit that it is in, or NULL; then the clock runs, and
 * meter_read stops it.
 */
enum verdict meter_chunk(int fd, struct fd_entry *e, const void *buf, size_t n, struct site *site,
			 struct pass *pass, struct meter **m);

/* The read of a chunk of M is over, with RET. 0 ends the unit; a stream that has nothing does not. */
void meter_read(struct meter *m, ssize_t ret);

/* FD was read, but not by meter_chunk's leave. */
void meter_skip_slow(int fd);

static inline void meter_skip(int fd)
{
	if (unlikely(relaxed(meter_active)))
		meter_skip_slow(fd);
}

/* The same for N bytes at P of a mapping that was made at SITE, in a write. */
enum verdict meter_mapped(uintptr_t p, size_t n, struct site *site);

/*
 * N bytes were mapped at SITE, and adopted, since SINCE (meter_clock). To let go of it costs as much
 * again: a unit that goes by reference bears both.
 */
void meter_adopted(size_t n, const struct site *site, uint64_t since);

/*
 * N bytes of a mapping made at SITE that was let pass, since by reference it would not pay, go plainly.
 * Is it time for the next trial? That takes mappings that are adopted.
 */
bool meter_mapped_passes(size_t n, const struct site *site);

/* A hook begins that may write a chunk; it is over, having written RET bytes of IOV. */
uint64_t meter_start_slow(void);
void meter_written_slow(const struct iovec *iov, size_t count, ssize_t ret);

static inline void meter_start(void)
{
	meter_since = unlikely(relaxed(meter_active)) ? meter_start_slow() : 0;
}

static inline void meter_written(const struct iovec *iov, size_t count, ssize_t ret)
{
	if (unlikely(meter_since))
		meter_written_slow(iov, count, ret);
}

/* Something begins that is done for a landing, in no hook that is measured: 0 if it need not be. */
static inline uint64_t meter_clock(void)
{
	return unlikely(relaxed(meter_active)) && !meter_since ? meter_start_slow() : 0;
}

/* It is over, and was for the buffer at BASE. */
void meter_spent(uintptr_t base, uint64_t since);

/* FD is closed: its unit is over. */
void meter_closed_slow(int fd);

static inline void meter_closed(int fd)
{
	if (unlikely(relaxed(meter_active)))
		meter_closed_slow(fd);
}

/* In the child of a fork: what is followed is the parent's. */
void meter_forked(void);

#endif
