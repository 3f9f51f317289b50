/* SPDX-License-Identifier: MIT */
/* select_loop.c - one process, select() and non-blocking sockets. */
#include "app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { MOST = 64, LINE = 1024 };

struct client {
	int sock, fd, number;
	char line[LINE];
	size_t have;         /* bytes of the request */
	char *buf;
	size_t length, done; /* of the chunk in buf */
};

static struct client clients[MOST];
static int finished;

static void drop(struct client *c)
{
	if (c->fd >= 0)
		app_note("close", close(c->fd), -1);
	close(c->sock);
	c->sock = -1;
	finished++;
}

static void take(int listener)
{
	int sock = app_accept(listener);

	for (struct client *c = clients; c < clients + MOST; c++)
		if (c->sock < 0) {
			app_nonblocking(sock);
			c->sock = sock;
			c->number = app_connection;
			c->fd = -1;
			c->have = c->length = c->done = 0;
			if (c->buf == NULL)
				c->buf = app_buffer(app.size);
			return;
		}
	close(sock);
	finished++;
}

static void on_readable(struct client *c)
{
	ssize_t n = read(c->sock, c->line + c->have, LINE - 1 - c->have);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->have += (size_t)n;
	c->line[c->have] = '\0';
	if (strchr(c->line, '\n') == NULL)
		return;
	c->fd = app_open(c->line);
	if (c->fd < 0)
		drop(c);
}

static void on_writable(struct client *c)
{
	ssize_t n;

	if (c->done == c->length) {
		n = app_note("read", read(c->fd, c->buf, app.size), c->fd);
		if (n <= 0) {
			drop(c);
			return;
		}
		c->length = (size_t)n;
		c->done = 0;
	}
	n = app_note("write", write(c->sock, c->buf + c->done, c->length - c->done), c->fd);
	if (n > 0)
		c->done += (size_t)n;
	else if (errno != EAGAIN)
		drop(c);
}

static void turn(int listener)
{
	fd_set in, out;
	int most = listener;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(listener, &in);
	for (struct client *c = clients; c < clients + MOST; c++) {
		if (c->sock < 0)
			continue;
		FD_SET(c->sock, c->fd < 0 ? &in : &out);
		most = c->sock > most ? c->sock : most;
	}
	if (select(most + 1, &in, &out, NULL, NULL) < 0)
		exit(1);
	for (struct client *c = clients; c < clients + MOST; c++) {
		app_connection = c->number;
		if (c->sock >= 0 && FD_ISSET(c->sock, &in))
			on_readable(c);
		else if (c->sock >= 0 && FD_ISSET(c->sock, &out))
			on_writable(c);
	}
	if (FD_ISSET(listener, &in))
		take(listener);
}

int main(int argc, char **argv)
{
	int listener;

	app_options(argc, argv);
	for (int i = 0; i < MOST; i++)
		clients[i].sock = -1;
	listener = app_listen();
	while (finished < app.connections)
		turn(listener);
	return 0;
}
