/* SPDX-License-Identifier: MIT */
/*
 * relay.c - the plainest relay: one connection at a time, read and write. What it
 * does with the bytes on their way is the variant: nothing; "first" parses the first
 * line and streams the rest; "lines" counts lines; "two" writes each chunk to a second
 * sink; "sum" looks at each chunk after it was written; "socks" talks first, then streams.
 */
#include "app.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin.h"

static char *buf;
static long long lines, sum;
static int second = -1;

static bool is(const char *variant)
{
	return app.variant != NULL && strcmp(app.variant, variant) == 0;
}

static int request(int client, int server)
{
	char line[1024];
	ssize_t n = read(client, line, sizeof(line));

	if (n <= 0)
		return -1;
	/* what came of the file before anybody reads lets the first reads be full ones */
	n = write(server, line, (size_t)n);
	usleep(20000);
	return n > 0 ? 0 : -1;
}

/* A word in each direction before the stream, as SOCKS has it. */
static void greet(int client)
{
	if (write(client, "\5\0\0\1", 4) != 4)
		_exit(4);
}

static void before(ssize_t n, bool first)
{
	char *end;

	if (is("first") && first) {
		end = memchr(buf, '\n', n < 512 ? (size_t)n : 512);
		app_note("first-line", end ? end - buf : 0, -1);
	}
	if (is("lines"))
		for (char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))) != NULL; p++)
			lines++;
}

static void after(ssize_t n)
{
	if (is("two"))
		app_writen(second, buf, (size_t)n, -1);
	if (is("sum"))
		for (ssize_t i = 0; i < n; i++)
			sum += (unsigned char)buf[i];
}

static void relay(int client)
{
	int server = origin_connect();
	ssize_t n, total = 0;

	if (is("socks"))
		greet(client);
	if (request(client, server) == 0)
		while ((n = app_note("read", read(server, buf, app.size), -1)) > 0) {
			before(n, total == 0);
			if (app_writen(client, buf, (size_t)n, -1) < 0)
				break;
			after(n);
			total += n;
		}
	close(server);
	if (is("lines"))
		app_note("lines", lines, -1);
	if (is("sum"))
		app_note("sum", sum, -1);
}

/* The second sink is a pipe that nobody blocks on: a child eats it. */
static void make_second(void)
{
	int ends[2];
	char part[65536];

	if (pipe(ends) != 0)
		_exit(5);
	if (fork() == 0) {
		close(ends[1]);
		while (read(ends[0], part, sizeof(part)) > 0)
			;
		_exit(0);
	}
	close(ends[0]);
	second = ends[1];
}

int main(int argc, char **argv)
{
	int listener;

	app_options(argc, argv);
	origin_start();
	if (is("two"))
		make_second();
	buf = app_buffer(app.size);
	listener = app_listen();
	for (int i = 0; i < app.connections; i++) {
		int sock = app_accept(listener);

		relay(sock);
		close(sock);
	}
	return 0;
}
