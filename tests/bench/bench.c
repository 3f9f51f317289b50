/* SPDX-License-Identifier: MIT */
/*
 * bench.c - one program for what `make bench` measures; tests/bench/run starts it.
 *
 *   bench work CONTROL FILE [tcp-in=FD] [unix-in=FD] [pipe-in=FD] [tcp-out=FD] [unix-out=FD]
 *
 * is the measured process, plain or with LD_PRELOAD. A line on CONTROL (a socket that
 * keeps messages apart) is a job, its answer is one line; "detail 1" counts more, see counter.c.
 * The others:
 *
 *   bench drain FD | feed FD             the far end of a route: takes, or gives, all it can
 *   bench count CONTROL COMMAND...       runs COMMAND; a line asks what it has used so far
 *   bench keep CONTROL COMMAND...        the same, and nothing is counted
 *   bench serve FILE CHUNK THREADS       a server; prints its port
 *   bench crowd PORT COUNT               COUNT clients at a time
 *   bench fetch PORT PATH COUNT KEEP     a client of HTTP servers
 *   bench echo UPSTREAM COUNT BEFORE RELAY...   both ends of a relay, or of two in turn
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

struct ends ends = { -1, -1, -1, -1, -1, -1, NULL };

size_t number(const char *word)
{
	char *end;
	size_t n = word ? strtoul(word, &end, 10) : 0;

	if (!word || end == word || *end)
		errx(2, "no number: %s", word ? word : "(nothing)");
	return n;
}

int tcp_connect(int port, int receive)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (receive)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		err(1, "connect");
	return fd;
}

int tcp_listen(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		err(1, "listen");
	*port = ntohs(a.sin_port);
	return fd;
}

/* One "name=FD" of the command line. */
static void end_set(const char *word)
{
	static const struct {
		const char *name;
		int *fd;
	} known[] = {
		{ "tcp-in=", &ends.tcp_in },   { "unix-in=", &ends.unix_in },
		{ "pipe-in=", &ends.pipe_in }, { "tcp-out=", &ends.tcp_out },
		{ "unix-out=", &ends.unix_out },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t n = strlen(known[i].name);

		if (strncmp(word, known[i].name, n) == 0) {
			*known[i].fd = (int)number(word + n);
			return;
		}
	}
	errx(2, "what is %s?", word);
}

static void job(char *line, char *text, size_t n)
{
	char *word[16] = { NULL };
	int words = 0;

	for (char *s = strtok(line, " "); s && words < 15; s = strtok(NULL, " "))
		word[words++] = s;
	text[0] = '\0';
	if (words > 0 && strcmp(word[0], "loop") == 0)
		loop_job(word + 1, text, n);
	else if (words > 0 && strcmp(word[0], "hook") == 0)
		hook_job(word + 1, text, n);
	else if (words > 0 && strcmp(word[0], "cold") == 0)
		cold_job(word + 1, text, n);
	else if (words > 1 && strcmp(word[0], "detail") == 0)
		counters_detail(number(word[1]));
	else
		errx(2, "no such job");
	if (!*text)
		snprintf(text, n, "done");
}

static int work_main(char **word)
{
	int control = (int)number(word[0]);
	char line[256], text[512];
	ssize_t n;

	ends.path = word[1];
	ends.file = open(ends.path, O_RDONLY | O_CLOEXEC);
	if (ends.file < 0)
		err(1, "%s", ends.path);
	for (word += 2; *word; word++)
		end_set(*word);
	counters_open(0);
	while ((n = recv(control, line, sizeof(line) - 1, 0)) > 0) {
		line[n] = '\0';
		job(line, text, sizeof(text));
		if (send(control, text, strlen(text), MSG_NOSIGNAL) < 0)
			err(1, "answer");
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*main)(char **word);
		int words;
	} programs[] = {
		{ "work", work_main, 2 },   { "drain", drain_main, 1 }, { "feed", feed_main, 1 },
		{ "count", count_main, 2 }, { "serve", serve_main, 3 }, { "crowd", crowd_main, 2 },
		{ "fetch", fetch_main, 4 }, { "echo", echo_main, 4 },   { "keep", keep_main, 2 },
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		if (argc >= programs[i].words + 2 && strcmp(argv[1], programs[i].name) == 0)
			return programs[i].main(argv + 2);
	errx(2, "started by tests/bench/run only");
}
