/* SPDX-License-Identifier: MIT */
/*
 * sockio.h - read and write of a stream socket, made as recv and send.
 *
 * Without flags these are the same calls by send(2) and recv(2), and to the socket they are: the same
 * function of the protocol is called with the same message. But read and write go by way of the file
 * first, which no socket has use for, and that takes 70 to 100 ns of each call (doc/performance.md). It
 * is more than shunt takes to find out that a small chunk is not worth a rewrite.
 *
 * Not under a filter of system calls, which may refuse the one and not the other, nor where the real
 * functions are not all libc's, nor with mode:observe.
 *
 * What differs, and is seen to here: recv waits for no bytes, and both take a count that read and
 * write refuse. What is not a stream is left alone: a record ends where write ends (SOCK_SEQPACKET).
 * What differs for those who look on is in libshunt(7).
 */
#ifndef SHUNT_SOCKIO_H
#define SHUNT_SOCKIO_H

#include <errno.h>

#include "fd.h"
#include "hook.h"

/* MAX_RW_COUNT: the kernel reads and writes no more in one call, with 4 KiB pages. */
enum { LARGEST_CALL = 0x7ffff000 };

/* Is a read or write of N bytes of FD made so? What is known of FD may be out of date: fd.h. */
static inline bool sockio_serves(int fd, size_t n)
{
	const struct fd_entry *e = fd_peek(fd);

	return e && relaxed(e->socket_calls) && n - 1 < LARGEST_CALL;
}

/*
 * Was the call refused for what FD is, a number that came to mean something else unseen? Then errno is
 * KEPT again: nothing was done yet.
 */
static inline bool sockio_mistaken(ssize_t ret, int kept)
{
	if (likely(ret >= 0) || errno != ENOTSOCK)
		return false;
	errno = kept;
	return true;
}

/*
 * read(FD, BUF, N) and write(FD, BUF, N), where shunt is seen to be live. The same results and errno,
 * points of cancellation, restarted or not after a signal as they are. Signal safe.
 */
static inline ssize_t sockio_read(int fd, void *buf, size_t n)
{
	if (sockio_serves(fd, n)) {
		int kept = errno;
		ssize_t ret = REAL_LIVE(recv)(fd, buf, n, 0);

		if (!sockio_mistaken(ret, kept))
			return ret;
	}
	return REAL_LIVE(read)(fd, buf, n);
}

static inline ssize_t sockio_write(int fd, const void *buf, size_t n)
{
	if (sockio_serves(fd, n)) {
		int kept = errno;
		ssize_t ret = REAL_LIVE(send)(fd, buf, n, 0);

		if (!sockio_mistaken(ret, kept))
			return ret;
	}
	return REAL_LIVE(write)(fd, buf, n);
}

#endif
