/* SPDX-License-Identifier: MIT */
/*
 * echo.c - how long a byte takes to the far end of a relay and back.
 *
 *	bench echo RELAY UPSTREAM COUNT BEFORE
 *
 * listens at UPSTREAM, connects to the relay at RELAY, sends BEFORE bytes that way first, and then
 * COUNT single ones. The answer: the median of the round trips, in ns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

static size_t before;

static int listen_at(size_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		err(1, "listen");
	return fd;
}

static void no_delay(int fd)
{
	int on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		err(1, "echo");
}

/* Reads all of N bytes and throws them away. */
static void take(int fd, size_t n)
{
	static char part[1 << 20];
	ssize_t r;

	for (; n > 0; n -= (size_t)r)
		if ((r = read(fd, part, n < sizeof(part) ? n : sizeof(part))) <= 0)
			err(1, "echo read");
}

/* The far end. */
static void *answer(void *argument)
{
	int fd = accept(*(int *)argument, NULL, NULL);
	char byte;

	no_delay(fd);
	take(fd, before);
	while (read(fd, &byte, 1) == 1)
		if (write(fd, &byte, 1) != 1)
			err(1, "echo write");
	close(fd);
	return NULL;
}

static void send_before(int fd)
{
	static char part[1 << 20];
	ssize_t w;

	for (size_t left = before; left > 0; left -= (size_t)w)
		if ((w = write(fd, part, left < sizeof(part) ? left : sizeof(part))) <= 0)
			err(1, "echo write");
}

static uint64_t round_trip(int fd)
{
	uint64_t start = now_ns();
	char byte = 'x';

	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		err(1, "echo");
	return now_ns() - start;
}

static int smaller(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int echo_main(char **word)
{
	size_t count = number(word[2]);
	uint64_t *ns = calloc(count, sizeof(*ns));
	int listener = listen_at(number(word[1])), fd;
	pthread_t far;

	before = number(word[3]);
	if (!ns || !count || pthread_create(&far, NULL, answer, &listener) != 0)
		err(1, "echo");
	fd = tcp_connect((int)number(word[0]), 0);
	no_delay(fd);
	send_before(fd);
	for (int i = 0; i < 100; i++)
		round_trip(fd);
	for (size_t i = 0; i < count; i++)
		ns[i] = round_trip(fd);
	shutdown(fd, SHUT_WR);
	pthread_join(far, NULL);
	qsort(ns, count, sizeof(*ns), smaller);
	printf("%llu\n", (unsigned long long)ns[count / 2]);
	return 0;
}
