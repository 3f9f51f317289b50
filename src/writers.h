/* SPDX-License-Identifier: MIT */
/*
 * writers.h - does only one thread write to a socket?
 *
 * A header and a landed chunk in one call of the program's are two of ours: another
 * thread's bytes could come between them, as they never could in the one call. So
 * in a process with several threads that is done only for a socket of which every
 * write since its birth is known to be of one thread. Elsewhere one call has to do: joint.h.
 *
 * While there is one thread nothing need be noted. From the birth of a second on a write
 * notes its thread in the socket's entry: in a steady state two loads and a compare. The
 * first write of another thread waits until what the first one is just about to send is
 * sent. Of a socket that was there before the program began, or that came from another
 * process, nothing is known.
 *
 * Not seen: writes by a signal handler over its own thread's call, by another
 * process that shares the socket, and by aio_write.
 */
#ifndef SHUNT_WRITERS_H
#define SHUNT_WRITERS_H

#include "fd.h"
#include "shunt.h"
#include "thread.h"

/* Are writes noted? For the hooks of writing, before they pass through. */
extern HIDDEN _Atomic bool writers_noted;

/*
 * This thread is about to write to FD, with the FLAGS of send. Keeps errno; may wait, as that write
 * may; safe in a signal handler.
 */
void writers_note_slow(int fd, int flags);

/* Is it this thread whose writes to FD are noted already? */
static inline bool writers_known(int fd)
{
	const struct fd_entry *e = fd_peek(fd);
	const struct thread *self = thread_self_record;

	return e && self && relaxed(e->writer) == relaxed(self->tid);
}

static inline void writers_note(int fd, int flags)
{
	if (unlikely(relaxed(writers_noted)) && !writers_known(fd))
		writers_note_slow(fd, flags);
}

/* FD is a new socket: nobody knew its number before. */
void writers_born(int fd);

/* The process, which has one thread, is about to have two. */
void writers_before_thread(void);

/* In the child of a fork, which has one thread. */
void writers_forked(void);

/* FD gets a second way to be written to (dup, a stream): who writes there is not known any more. */
void writers_shared(int fd);

/*
 * May this thread send to E, which is open at FD, by several calls? If so nobody else begins
 * before writers_done, which is forgiven where the call is left by longjmp or cancellation.
 */
bool writers_alone(struct fd_entry *e);
void writers_done(void);

#endif
