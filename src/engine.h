/* SPDX-License-Identifier: MIT */
/*
 * engine.h - how a list of segments reaches its sink, with the result of the
 * one call that the program made.
 */
#ifndef SHUNT_ENGINE_H
#define SHUNT_ENGINE_H

#include "fd.h"
#include "segment.h"
#include "verdict.h"

enum { ENGINE_PLAINLY = -10000 }; /* nothing was sent: make the program's own call */

/*
 * Sends S to FD with the FLAGS of send. Returns the bytes sent or -errno as the
 * original would, or ENGINE_PLAINLY with *WHY. SENT[i] gets what went of segment i.
 *
 * Partial transfers: on a blocking socket a short sendfile is returned as it is,
 * since the kernel stops only where a write would have (a signal, an error); to
 * go on would block again and defeat alarm(). On a non-blocking one it goes on
 * until EAGAIN, since an edge-triggered epoll waits for an edge that comes only after that.
 *
 * A cancellation point while it may block. Nothing is locked or held but the pins.
 */
ssize_t engine_send(int fd, struct fd_entry *e, struct segments *s, int flags,
		    size_t sent[SEGMENTS], enum verdict *why);

/* ---- for stall.c, which sends the same in pieces ---- */

/* A system call that may block, and is a cancellation point as libc's is. */
ssize_t engine_cancellable(long nr, long a, long b, long c, long d, long e, long f);

/* A short sendfile to FD: has the kernel eaten an error? Then the socket owes it. */
void engine_note_swallowed(int fd, struct fd_entry *e);

/* The file of what is landed is too short: ends the connection, -EIO. */
ssize_t engine_end_truncated(int fd, enum verdict *why);

/* Is R, from a sendfile of G, for the program's own call to meet? */
bool engine_kernel_cannot(const struct segment *g, ssize_t r);

/*
 * The result of a call of which TOTAL bytes went before R, an error; GENERATION was E's when it
 * began: what the number means by now owes nothing.
 */
ssize_t engine_stop_at(struct fd_entry *e, uint32_t generation, size_t total, ssize_t r);

#endif
