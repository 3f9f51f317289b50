/* SPDX-License-Identifier: MIT */
/*
 * segment.h - a write as a list of segments: memory, or bytes of a file that a
 * landing stands for.
 */
#ifndef SHUNT_SEGMENT_H
#define SHUNT_SEGMENT_H

#include <sys/uio.h>

#include "landing.h"
#include "shunt.h"

enum { SEGMENTS = 64 };

struct segment {
	const char *p;          /* where the program has it */
	size_t n;
	struct landing *l;      /* NULL: memory */
	uint32_t sequence;      /* of l, when this was read */
	int source;             /* index */
	int fd;                 /* of the source: our own duplicate */
	off_t offset;           /* in the source */
	size_t at;              /* of p in the chunk */
	size_t lazy_from, lazy_to; /* in the chunk: what lies in armed pages */
	size_t length;          /* of the chunk */
	struct site *read_site;
	int reader, read_fd;
};

struct segments {
	unsigned count, landed;
	struct segment seg[SEGMENTS];
};

/*
 * Cuts COUNT pieces of IOV into segments, in order; empty pieces vanish. A landed
 * segment takes in the buffer's edges where these are unchanged since the read.
 * False if it cannot be done (too many, a landing that changes just now): then the
 * caller opens the memory and writes plainly. Takes no lock, keeps errno.
 */
bool segments_build(struct segments *s, const struct iovec *iov, size_t count);

/*
 * Makes sure that the sources of all landed segments stay open until
 * segments_unpin, and that the landings still mean what they did. May be left by
 * longjmp or cancellation: a forgotten pin only keeps a duplicate open longer.
 */
bool segments_pin(const struct segments *s);
void segments_unpin(void);

#endif
