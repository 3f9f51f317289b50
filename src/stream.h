/* SPDX-License-Identifier: MIT */
/*
 * stream.h - landings of what cannot be read again: sockets and pipes.
 *
 * A read splices what is queued into a hidden pipe, PENDING, which the write splices
 * out. A tee of it leaves the bytes for a look, which may come after the write: those
 * before and behind the armed pages are read from it into the buffer (with a copy to
 * compare with at the write), and those of the armed pages go to the pipe KEEP. A
 * chunk that ends before the armed pages do leaves the rest as it was, so KEEP is a log:
 * a fill plays it into the pages in order, and a chunk that covers them all empties it.
 * A ring buffer that was written in part is read into at its start while its end waits:
 * so there may be two pending pipes, each for a part of the buffer.
 *
 * The count of a read is what the socket said was queued, never less: an
 * edge-triggered program takes less than that for "drained" and sleeps.
 */
#ifndef SHUNT_STREAM_H
#define SHUNT_STREAM_H

#include "config.h"
#include "fd.h"
#include "landing.h"
#include "meter.h"
#include "pipes.h"
#include "site.h"
#include "verdict.h"

enum { STREAM_LOG = 6, STREAM_PENDING = 2 };

struct stream {
	struct pipe *keep;      /* under the landing's lock */
	struct {
		uint32_t at, n; /* in the buffer */
	} log[STREAM_LOG];
	unsigned entries;
	/*
	 * bytes of this chunk, and of the one before it, that wait to be written; NULL: none do, or
	 * they are memory
	 */
	_Atomic(struct pipe *) pending[STREAM_PENDING];
	size_t size;            /* of the buffer */
	size_t image;           /* from its start: what chunk and pending bytes reach to */
	uint8_t kind;           /* of the source: enum stats_kind */
	uint8_t shorts;         /* chunks in a row that were much shorter than the buffer */
	uint8_t pause;          /* chunks to let pass for that */
};

/* Does the setting engines name splice? It does not by default. */
static inline bool stream_on(void)
{
	return config.engines & ENGINE_SPLICE;
}

/*
 * Reads of what is no file, of fewer bytes than this, where nothing is landed: not worth a
 * try, whatever else is so. 0: the engine is off, and no number is.
 */
extern HIDDEN size_t stream_least;

static inline bool stream_is_small(size_t n)
{
	return n - 1 < stream_least - 1;
}

/* Once the settings are read. */
void stream_init(void);

/*
 * Why a read of N bytes into BUF from E, no regular file, is not worth a try, and for how long, to
 * PASS; REWRITTEN if it is. *M: as meter_chunk, untouched where nothing is measured.
 */
enum verdict stream_wanted(int fd, struct fd_entry *e, const void *buf, size_t n, struct site *site,
			   struct pass *pass, struct meter **m);

/*
 * Answers read(FD, BUF, N), or recv without flags, with the bytes landed, or read really
 * where they could not land after all (*WHY says): the count, never less than 1. Or
 * LAND_PLAINLY (land.h): nothing has been read, the caller makes the call. *QUEUED: that
 * call will not block. Keeps errno. Does not block.
 */
ssize_t stream_read(int fd, struct fd_entry *e, void *buf, size_t n, struct site *site,
		    enum verdict *why, bool *queued);

/* A plain read of N bytes of FD gave RET: what that says of FD, and of *WHY, the verdict. */
void stream_read_plainly(int fd, size_t n, ssize_t ret, enum verdict *why);

/* The options of the socket E changed: whether it can be a source is asked anew. */
void stream_options_changed(struct fd_entry *e);

/* ---- for landing.c: S with its landing locked ---- */

/*
 * Fills the armed pages [lo, hi) of the buffer at BASE and opens them. False: they stay as they
 * were.
 */
bool stream_fill(struct stream *s, uintptr_t base, uintptr_t lo, uintptr_t hi);

/* The landing means nothing any more. A write in flight goes on. */
void stream_forget(struct stream *s);

/* In the child of a fork: the pipes are the parent's. */
void stream_forked(struct stream *s);

/* ---- for segment.c and the engine ---- */

/* Takes hold of the pipe with bytes [at, at + n) of the buffer; NULL if none has them all. */
struct pipe *stream_hold(struct stream *s, size_t at, size_t n);

/* Has P, which this thread holds, these bytes? */
static inline bool stream_has(const struct pipe *p, size_t at, size_t n)
{
	return at >= p->at && at + n <= p->at + p->bytes;
}

/*
 * Makes AT of the buffer the first byte of P, held, which has it: what the program passed over,
 * or wrote in another way, is thrown away. False if that failed.
 */
bool stream_seek(struct pipe *p, size_t at);

/* P, held, was used; it goes when it is empty. */
void stream_leave(struct stream *s, struct pipe *p);

#endif
