/* SPDX-License-Identifier: MIT */
/*
 * poll_loop.c - poll() over hundreds of connections, a buffer each. A client is
 * written to until its socket is full, as an edge of epoll would want it.
 */
#include "app.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 256 };

struct client {
	int fd, number;
	char *buf;
	size_t length, done;
};

/* polls[0] is the listener; clients[i] belongs to polls[i] */
static struct pollfd polls[MOST];
static struct client clients[MOST];
static int count = 1, finished;

static void take(int listener)
{
	int sock = app_accept(listener);

	if (count == MOST)
		exit(1);
	app_nonblocking(sock);
	polls[count] = (struct pollfd){ .fd = sock, .events = POLLIN };
	clients[count] = (struct client){ .fd = -1, .number = app_connection };
	count++;
}

static void drop(int i)
{
	if (clients[i].fd >= 0)
		close(clients[i].fd);
	close(polls[i].fd);
	free(clients[i].buf);
	count--;
	polls[i] = polls[count];
	clients[i] = clients[count];
	finished++;
}

static int begin(int i)
{
	char line[1024];
	ssize_t n = read(polls[i].fd, line, sizeof(line) - 1);

	if (n <= 0)
		return -1;
	line[n] = '\0';
	clients[i].fd = app_open(line);
	clients[i].buf = malloc(app.size);
	polls[i].events = POLLOUT;
	return clients[i].fd < 0 || clients[i].buf == NULL ? -1 : 0;
}

/* Returns -1 when the client is done or lost. */
static int feed(int sock, struct client *c)
{
	ssize_t n;

	for (;;) {
		if (c->done == c->length) {
			n = app_note("read", read(c->fd, c->buf, app.size), c->fd);
			if (n <= 0)
				return -1;
			c->length = (size_t)n;
			c->done = 0;
		}
		n = app_note("write", write(sock, c->buf + c->done, c->length - c->done), c->fd);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->done += (size_t)n;
	}
}

int main(int argc, char **argv)
{
	app_options(argc, argv);
	polls[0] = (struct pollfd){ .fd = app_listen(), .events = POLLIN };
	while (finished < app.connections) {
		if (poll(polls, (nfds_t)count, -1) < 0)
			return 1;
		for (int i = count - 1; i > 0; i--) {
			int lost = 0;

			app_connection = clients[i].number;
			if (polls[i].revents & POLLOUT)
				lost = feed(polls[i].fd, &clients[i]);
			else if (polls[i].revents != 0)
				lost = begin(i);
			if (lost != 0)
				drop(i);
		}
		if (polls[0].revents & POLLIN)
			take(polls[0].fd);
	}
	return 0;
}
