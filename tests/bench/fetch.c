/* SPDX-License-Identifier: MIT */
/*
 * fetch.c - a client of HTTP servers that throws away what it gets.
 *
 *   fetch PORT PATH COUNT KEEP
 *
 * COUNT requests, one after the other; KEEP 1: on one connection, as long as the server keeps it.
 * Prints the bytes of the bodies, and how many connections it took. An answer other than 200, or
 * one that ends early, ends it with a message.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

static struct {
	int fd;
	size_t length; /* of the body of this answer */
	size_t early;  /* bytes of it that came with the head */
	bool last;     /* the server hangs up behind it */
	size_t bytes, connections;
} the = { .fd = -1 };

static void ask(int port, const char *path, bool keep)
{
	char text[512];
	int n;

	if (the.fd < 0) {
		the.fd = tcp_connect(port, 0);
		the.connections++;
	}
	n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n\r\n",
		     path, keep ? "keep-alive" : "close");
	if (send(the.fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		err(1, "send");
}

/* The value behind NAME in the head of an answer, or NULL. */
static const char *field(const char *head, const char *name)
{
	const char *p = strcasestr(head, name);

	return p ? p + strlen(name) + strspn(p + strlen(name), " ") : NULL;
}

static void head_take(void)
{
	char head[8192];
	size_t got = 0;
	char *end = NULL;
	const char *length, *connection;

	while (!end) {
		ssize_t n = recv(the.fd, head + got, sizeof(head) - 1 - got, 0);

		if (n <= 0)
			errx(1, "the server hung up within the head");
		got += (size_t)n;
		head[got] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	end[2] = '\0';
	the.early = got - (size_t)(end + 4 - head);
	length = field(head, "\r\nContent-Length:");
	connection = field(head, "\r\nConnection:");
	if (strncmp(head + 8, " 200", 4) != 0 || !length)
		errx(1, "the answer was %.40s", head);
	the.length = strtoul(length, NULL, 10);
	the.last = connection ? strncasecmp(connection, "close", 5) == 0 : head[7] == '0';
}

static void body_take(void)
{
	size_t left = the.length - the.early;

	while (left > 0) {
		struct pollfd p = { .fd = the.fd, .events = POLLIN };
		ssize_t n;

		/* not in recv: what that has taken already would not count towards waking it */
		wake_for(the.fd, left);
		poll(&p, 1, -1);
		n = recv(the.fd, NULL, left, MSG_TRUNC | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			errx(1, "%zu bytes of %zu did not come", left, the.length);
		left -= (size_t)n;
	}
	wake_for(the.fd, 1);
	the.bytes += the.length;
}

int fetch_main(char **word)
{
	int port = (int)number(word[0]);
	size_t count = number(word[2]);
	bool keep = number(word[3]);

	for (size_t i = 0; i < count; i++) {
		ask(port, word[1], keep);
		head_take();
		body_take();
		if (the.last || !keep) {
			close(the.fd);
			the.fd = -1;
		}
	}
	printf("%zu %zu\n", the.bytes, the.connections);
	return 0;
}
