/* SPDX-License-Identifier: MIT */
/*
 * segment.h - a write as a list of segments: memory, or bytes of a file that a
 * landing stands for, or that the program has mapped.
 */
#ifndef SHUNT_SEGMENT_H
#define SHUNT_SEGMENT_H

#include <sys/uio.h>

#include "landing.h"
#include "pipes.h"
#include "shunt.h"
#include "verdict.h"

enum { SEGMENTS = 64, SEGMENTS_MEMORY = 16 };

struct segment {
	const char *p;          /* where the program has it */
	size_t n;
	struct landing *l;      /* NULL: memory, or a mapping */
	uint64_t mapping;       /* its serial; 0: none */
	uint32_t sequence;      /* of l, when this was read */
	int source;             /* index; -1: a stream */
	struct pipe *pipe;      /* of a stream: where its bytes are, while pinned */
	int fd;                 /* of the source: our own duplicate, or the end of the pipe */
	off_t offset;           /* in the source; of a stream: in the chunk */
	size_t at;              /* of p in the chunk */
	size_t lazy_from, lazy_to; /* in the chunk: what lies in armed pages */
	size_t length;          /* of the chunk */
	size_t copied;          /* of what was sent: by a copy of ours after all (dontwait.h) */
	struct site *read_site;
	int reader, read_fd;
	uint8_t kind;           /* of the source: enum stats_kind */
};

struct segments {
	unsigned count, landed, mapped, streams;
	bool fed;               /* under source:lease: what went is noted already (lease_fed) */
	bool filled;            /* and the rest was sent from memory (stall.h) */
	bool joint;             /* others may write to the sink: by one call (joint.h) or not at all */
	enum verdict why;       /* why something that is mapped is memory here; REWRITTEN: nothing is */
	size_t left;            /* of what one call can write */
	unsigned first_pin;     /* of this thread's (thread.h), */
	uintptr_t pinner;       /* and whose they were before */
	struct segment seg[SEGMENTS];
};

static inline bool segment_is_file(const struct segment *g)
{
	return g->l || g->mapping;
}

static inline size_t segments_length(const struct segments *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += s->seg[i].n;
	return n;
}

/*
 * How many bytes from segment I on, of a file, lie in a row in that file: one call sends them. And
 * from I on, which is memory: those of the pieces up to the next of a file, of SEGMENTS_MEMORY at the
 * most. *NEXT gets the first segment that does not belong to them.
 */
static inline size_t segments_row(const struct segments *s, unsigned i, unsigned *next)
{
	const struct segment *first = &s->seg[i];
	size_t n = first->n;

	for (i++; i < s->count && segment_is_file(&s->seg[i]) && s->seg[i].fd == first->fd &&
		  s->seg[i].offset == first->offset + (off_t)n; i++)
		n += s->seg[i].n;
	*next = i;
	return n;
}

static inline size_t segments_memory(const struct segments *s, unsigned i, unsigned *next)
{
	unsigned end = i + SEGMENTS_MEMORY < s->count ? i + SEGMENTS_MEMORY : s->count;
	size_t n = 0;

	for (; i < end && !segment_is_file(&s->seg[i]); i++)
		n += s->seg[i].n;
	*next = i;
	return n;
}

/*
 * For who sends in pieces and has come to byte AT of segment I. N bytes more went: I and AT follow,
 * SENT of each segment, if it is given, too.
 */
void segments_advance(const struct segments *s, unsigned *i, size_t *at, size_t n, size_t *sent);

/*
 * The next N bytes at the most, as they lie in the program's memory: up to the next piece of a file,
 * unless FILES are meant as well. *COUNT of IOV are set; returns the first segment behind them.
 */
unsigned segments_gather(const struct segments *s, unsigned i, size_t at, size_t n, bool files,
			 struct iovec iov[SEGMENTS_MEMORY], size_t *count);

/*
 * Cuts COUNT pieces of IOV into segments, in order; empty pieces vanish. A landed
 * segment takes in the buffer's edges where these are unchanged since the read. What is mapped
 * and is found to be what the file has now becomes a segment of the file, the rest memory.
 * False if it cannot be done (too many, a landing that changes just now, a file shorter than
 * its mapping): then the caller opens the memory and writes plainly. Keeps errno.
 */
bool segments_build(struct segments *s, const struct iovec *iov, size_t count);

/*
 * Makes sure that the sources of all segments of files stay open until
 * segments_unpin, and that landings and mappings still mean what they did. May be left by
 * longjmp or cancellation: a forgotten pin only keeps a duplicate open longer, and a
 * stream's bytes from being sent by anything but a plain write. False: nothing is pinned.
 */
bool segments_pin(struct segments *s);

/*
 * Is what G needs pinned still, under its number? Not where a handler sent something itself meanwhile,
 * or gave that number to a file of the program's (fd_evade).
 */
bool segment_is_pinned(const struct segment *g);

/* Also in a handler that came in the middle of a write of this thread's: what that has pinned stays. */
void segments_unpin(const struct segments *s);

#endif
