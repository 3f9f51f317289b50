/* SPDX-License-Identifier: MIT */
/*
 * stall.h - on a socket that blocks, a call in pieces that fit; the waits between them are ours.
 *
 * A sendfile that blocks cannot be woken by us, is not told MSG_NOSIGNAL, and waits for as long as
 * SO_SNDTIMEO says with every 64 KiB anew. So this is done
 *
 *  - where the lease of what is sent is held (source:lease), and there is not plenty of room, since
 *    a writer of the file must not wait for a peer that takes nothing: every LEASE_GRACE_MS we look
 *    whether somebody waits for it;
 *  - where SIGPIPE must not come, and would: no piece waits, so SIGPIPE may be blocked meanwhile;
 *  - where the socket has a SO_SNDTIMEO.
 *
 * If somebody waits for the lease, and after a second without room in any case, what is left of the
 * chunk is filled, the lease goes, and the rest is written from memory. What the program gets is what
 * its own blocking call gives.
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
 * Is FD, a stream socket that E tells of, connected? Else a send waits for that, or fails, whatever
 * there is room for. A system call for TCP.
 */
bool stall_is_connected(int fd, const struct fd_entry *e);

/*
 * How much FD, a stream socket that E tells of, takes without a wait: half of what is free, since what
 * is queued takes more than its bytes. *ASK: only POLLOUT makes it sure. -1: it cannot be told.
 */
ssize_t stall_room(int fd, const struct fd_entry *e, bool *ask);

#endif
