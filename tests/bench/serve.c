/* SPDX-License-Identifier: MIT */
/*
 * serve.c - a server for many clients: each that connects gets a file, and is hung up on.
 *
 *   serve FILE CHUNK THREADS
 *
 * THREADS 0: one thread, epoll, sockets that do not block. Else so many threads accept, read and
 * write, one client each. Every client has a descriptor of the file and a buffer from
 * malloc, for as long as it is there. Send buffers are small: those of 10000 clients must fit into
 * the kernel's memory.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

enum { SEND_BUFFER = 32 << 10, CHUNKS_A_TURN = 16, EVENTS = 256 };

static const char *path;
static size_t chunk;
static int listener;

struct client {
	int fd, file;
	char *buf;
	size_t at, end; /* what of the buffer is still to be written */
};

static struct client *client_new(int flags)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags), size = SEND_BUFFER;
	struct client *c;

	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			err(1, "accept");
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c = calloc(1, sizeof(*c));
	if (!c)
		err(1, "client");
	c->fd = fd;
	c->file = open(path, O_RDONLY | O_CLOEXEC);
	c->buf = malloc(chunk);
	if (c->file < 0 || !c->buf)
		err(1, "client");
	return c;
}

static void client_end(struct client *c)
{
	close(c->file);
	close(c->fd);
	free(c->buf);
	free(c);
}

/* One read, or one write; false when there is nothing more to do: the end, or EAGAIN. */
static bool client_step(struct client *c, bool *ended)
{
	ssize_t n;

	if (c->at < c->end) {
		n = write(c->fd, c->buf + c->at, c->end - c->at);
		*ended = n < 0 && errno != EAGAIN;
		c->at += n > 0 ? (size_t)n : 0;
		return n > 0;
	}
	n = read(c->file, c->buf, chunk);
	*ended = n <= 0;
	c->at = 0;
	c->end = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void client_turn(struct client *c)
{
	bool ended = false;

	for (int i = 0; i < 2 * CHUNKS_A_TURN && client_step(c, &ended); i++)
		;
	if (ended)
		client_end(c);
}

static void clients_new(int poller)
{
	struct client *c;

	while ((c = client_new(SOCK_NONBLOCK))) {
		struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };

		if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) < 0)
			err(1, "epoll_ctl");
	}
}

static void loop(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, event[EVENTS];
	int poller = epoll_create1(EPOLL_CLOEXEC);

	fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK);
	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e) < 0)
		err(1, "epoll");
	for (;;) {
		int n = epoll_wait(poller, event, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (event[i].data.ptr)
				client_turn(event[i].data.ptr);
			else
				clients_new(poller);
		}
	}
}

static void *thread(void *unused)
{
	(void)unused;
	for (;;) {
		struct client *c = client_new(0);
		bool ended = false;

		if (!c)
			continue;
		while (client_step(c, &ended))
			;
		client_end(c);
	}
	return NULL;
}

int serve_main(char **word)
{
	size_t threads = number(word[2]);
	int port;

	path = word[0];
	chunk = number(word[1]);
	signal(SIGPIPE, SIG_IGN);
	listener = tcp_listen(&port);
	printf("%d\n", port);
	fflush(stdout);
	for (size_t i = 1; i < threads; i++) {
		pthread_t id;

		if ((errno = pthread_create(&id, NULL, thread, NULL)) != 0)
			err(1, "thread");
	}
	if (threads)
		thread(NULL);
	else
		loop();
	return 1;
}
