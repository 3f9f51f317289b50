/* SPDX-License-Identifier: MIT */
/* send.h - the writing side: what every write, writev, send, sendto and sendmsg comes to. */
#ifndef SHUNT_SEND_H
#define SHUNT_SEND_H

#include <sys/uio.h>

#include "shunt.h"

/*
 * A write of COUNT pieces of IOV to FD with the FLAGS of send (0 for write), of
 * which some part lies in a landing, called from CALLER. True: done, *RET is the
 * result, with errno. False: the memory is open, the caller makes the original call.
 */
bool send_landings(int fd, const struct iovec *iov, size_t count, int flags, const void *caller,
		   ssize_t *ret);

/* The same, quickly: is there anything of ours in these pieces at all? */
bool send_touches(const struct iovec *iov, size_t count);

/*
 * The original call was made with RET: what it passed on is learned from and counted. Keeps errno.
 */
void send_watch(int fd, const struct iovec *iov, size_t count, ssize_t ret, const void *caller);

/* The same for the first RET bytes of one piece at BUF, while nothing is mapped. Returns RET. */
ssize_t send_watch_one(int fd, const void *buf, ssize_t ret, const void *caller);

/*
 * Does FD owe an error that sendfile swallowed? Then the call returns -1 with that
 * errno, once. Asked while fd_debts is not 0.
 */
bool send_owes(int fd);

#endif
