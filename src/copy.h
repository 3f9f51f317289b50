/* SPDX-License-Identifier: MIT */
/*
 * copy.h - moves bytes into memory of the program's that may not be there.
 *
 * The kernel answers EFAULT where a buffer has no page; memcpy would kill the
 * process. copy_in faults as well, but at one known instruction, and the fault
 * handler lets it go on behind that.
 */
#ifndef SHUNT_COPY_H
#define SHUNT_COPY_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a copy_in on this architecture? */
#if defined(__x86_64__)
enum { COPY_IN = 1 };
#else
enum { COPY_IN = 0 };
#endif

/*
 * N bytes to TO. False if not all of it could be written: then a part may be. SIGSEGV
 * and SIGBUS must not be blocked. Keeps errno; safe in a signal handler.
 */
bool copy_in(void *to, const void *from, size_t n);

/*
 * For the fault handler: CONTEXT (a ucontext_t) faulted in copy_in; it is to return false. False if
 * not.
 */
bool copy_gave_up(void *context);

#endif
