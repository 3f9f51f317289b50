/* SPDX-License-Identifier: MIT */
/*
 * writers.h - does only one thread write to a socket?
 *
 * A header and a landed chunk in one call of the program's are two of ours: another
 * thread's bytes could come between them, as they never could in the one call. So
 * in a process with several threads that is done only for a socket of which every
 * write since its birth is known to be of one thread.
 *
 * Noting begins with the first socket that is born to a process with threads, or the
 * first call that needs it, and a socket that is older stays unknown. From then on a write notes its thread in the socket's entry: in a steady
 * state two loads and a compare. The first write of a second thread waits until
 * what the first one is just about to send is sent.
 *
 * Not seen: writes by a signal handler over its own thread's call, by another
 * process that shares the socket, and by aio_write.
 */
#ifndef SHUNT_WRITERS_H
#define SHUNT_WRITERS_H

#include "fd.h"
#include "shunt.h"

/* Are writes noted? For the hooks of writing, before they pass through. */
extern _Atomic bool writers_noted;

/* This thread is about to write to FD. Keeps errno; may wait; safe in a signal handler. */
void writers_note_slow(int fd);

static inline void writers_note(int fd)
{
	if (unlikely(atomic_load_explicit(&writers_noted, memory_order_relaxed)))
		writers_note_slow(fd);
}

/* FD is a new socket: nobody knew its number before. */
void writers_born(int fd);

/* FD gets a second way to be written to (dup, a stream): who writes there is not known any more. */
void writers_shared(int fd);

/*
 * May this thread send to E, which is open at FD, by several calls? If so nobody else begins
 * before writers_done, which is forgiven where the call is left by longjmp or cancellation.
 */
bool writers_alone(struct fd_entry *e);
void writers_done(void);

#endif
