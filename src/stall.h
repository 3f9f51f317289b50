/* SPDX-License-Identifier: MIT */
/*
 * stall.h - source:lease, and a peer that takes nothing: a writer of the file must not wait for it.
 *
 * A sendfile that blocks cannot be woken by us. So where the lease of what is sent is held and the
 * socket blocks, and has not plenty of room, the call is made in pieces that fit, and the waits
 * between them are ours: every LEASE_GRACE_MS we look whether somebody waits for the lease. If so,
 * and after a second without room in any case, what is left of the chunk is filled, the lease goes,
 * and the rest is written from memory. What the program gets is what its own blocking call gives.
 */
#ifndef SHUNT_STALL_H
#define SHUNT_STALL_H

#include "engine.h"

/*
 * Might a call that sends S to FD keep a writer waiting? Asked while lease_any(). Two system calls
 * where a lease is held, three where there is little room.
 */
bool stall_threatens(int fd, const struct fd_entry *e, const struct segments *s, int flags);

/*
 * engine_send in pieces. S may be unpinned when it returns, and says which of its bytes were
 * written from memory (s->filled). A cancellation point; may be left by longjmp while it waits,
 * which is with the program's own signal mask.
 */
ssize_t stall_send(int fd, struct fd_entry *e, struct segments *s, int flags, size_t sent[SEGMENTS],
		   enum verdict *why);

/*
 * How much FD, a stream socket that E tells of, takes without a wait: half of what is free, since what
 * is queued takes more than its bytes. *ASK: only POLLOUT makes it sure. -1: it cannot be told.
 */
ssize_t stall_room(int fd, const struct fd_entry *e, bool *ask);

#endif
