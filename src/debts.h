/* SPDX-License-Identifier: MIT */
/*
 * debts.h - an error that sendfile ate (engine_sendfile.c) shows in what poll and epoll
 * report, as if it were still in the kernel.
 *
 * Such a connection is closed: the kernel reports POLLHUP for it whenever it would have
 * reported POLLERR too. Called only while somebody owes; keeps errno.
 */
#ifndef SHUNT_DEBTS_H
#define SHUNT_DEBTS_H

#include <poll.h>
#include <sys/epoll.h>

/* RET of poll over the N of FDS; of a wait on EPOLL that filled EVENTS. Both return RET. */
int debts_in_poll(struct pollfd *fds, nfds_t n, int ret);
int debts_in_epoll(int epoll, struct epoll_event *events, int ret);

#endif
