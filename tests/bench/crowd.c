/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - many clients at a time, of a server that sends at once and hangs up.
 *
 *   crowd PORT COUNT
 *
 * Two lines of input in turn: at the first all connect, and take nothing; at the second they take
 * what comes until the server hangs up. Each is answered with the number of bytes taken so far.
 *
 * Their receive buffers are small, as the server's send buffers are: what is on its way to 10000
 * of them must fit into what the kernel lets TCP have (tcp_mem), else the server waits in vain.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

enum { RECEIVE_BUFFER = 16 << 10, EVENTS = 256 };

static int poller;
static size_t taken;

static void answer(void)
{
	printf("%zu\n", taken);
	fflush(stdout);
}

static void all_connect(int port, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = tcp_connect(port, RECEIVE_BUFFER);
		struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0)
			err(1, "epoll_ctl");
	}
}

/* Returns whether the server has hung up. */
static bool take(int fd)
{
	ssize_t n = recv(fd, NULL, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);

	if (n > 0)
		taken += (size_t)n;
	return n == 0;
}

static void all_take(size_t left)
{
	struct epoll_event event[EVENTS];

	while (left > 0) {
		int n = epoll_wait(poller, event, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (!take(event[i].data.fd))
				continue;
			close(event[i].data.fd);
			left--;
		}
	}
}

int crowd_main(char **word)
{
	int port = (int)number(word[0]);
	size_t count = number(word[1]);
	char line[16];

	poller = epoll_create1(EPOLL_CLOEXEC);
	while (fgets(line, sizeof(line), stdin)) {
		all_connect(port, count);
		answer();
		if (!fgets(line, sizeof(line), stdin))
			break;
		all_take(count);
		answer();
	}
	return 0;
}
