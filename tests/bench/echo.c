/* SPDX-License-Identifier: MIT */
/*
 * echo.c - how long a byte takes to the far end of a relay and back.
 *
 *	bench echo UPSTREAM COUNT BEFORE RELAY...
 *
 * listens at UPSTREAM, connects to the relays at these ports, sends BEFORE bytes through each, and
 * then COUNT single ones. With two relays these go in turn, and each second turn begins
 * with the second relay: what slows the machine down for a while slows down both, and each comes
 * behind the other as often. A line for each relay: the median of its round trips and what
 * nine of ten stay below, in ns. With two, a last line: the median of second / first, turn by turn.
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

enum { RELAYS = 2, WARM = 200 };

static size_t before;
static struct {
	int fd;
	double *ns;
	pthread_t far;
} relay[RELAYS];

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
	static _Thread_local char part[1 << 20];
	ssize_t r;

	for (; n > 0; n -= (size_t)r)
		if ((r = read(fd, part, n < sizeof(part) ? n : sizeof(part))) <= 0)
			err(1, "echo read");
}

/* The far end of one relay, no matter of which. */
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

static double round_trip(int fd)
{
	uint64_t start = now_ns();
	char byte = 'x';

	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
		err(1, "echo");
	return (double)(now_ns() - start);
}

static int smaller(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Connected, and with nothing of what was sent before still under way. */
static void relay_open(int i, int *listener, int port, size_t count)
{
	relay[i].ns = calloc(count, sizeof(*relay[i].ns));
	if (!relay[i].ns || pthread_create(&relay[i].far, NULL, answer, listener) != 0)
		err(1, "echo");
	relay[i].fd = tcp_connect(port, 0);
	no_delay(relay[i].fd);
	send_before(relay[i].fd);
	for (int k = 0; k < WARM; k++)
		round_trip(relay[i].fd);
}

/* All turns; returns how long the second took of the first, a figure for each turn, or NULL. */
static double *turns_take(int relays, size_t count)
{
	double *pair = relays > 1 ? calloc(count, sizeof(*pair)) : NULL;

	for (size_t turn = 0; turn < count; turn++) {
		for (int k = 0; k < relays; k++) {
			int i = relays > 1 ? (int)(turn & 1) ^ k : k;

			relay[i].ns[turn] = round_trip(relay[i].fd);
		}
		if (pair)
			pair[turn] = relay[1].ns[turn] / relay[0].ns[turn];
	}
	return pair;
}

int echo_main(char **word)
{
	size_t count = number(word[1]);
	int listener = listen_at(number(word[0])), relays = 0;
	double *pair;

	before = number(word[2]);
	if (!count)
		errx(2, "no round trips");
	for (word += 3; *word && relays < RELAYS; word++)
		relay_open(relays++, &listener, (int)number(*word), count);
	pair = turns_take(relays, count);
	for (int i = 0; i < relays; i++) {
		shutdown(relay[i].fd, SHUT_WR);
		pthread_join(relay[i].far, NULL);
		qsort(relay[i].ns, count, sizeof(*relay[i].ns), smaller);
		printf("%.0f %.0f\n", relay[i].ns[count / 2], relay[i].ns[count * 9 / 10]);
	}
	if (pair) {
		qsort(pair, count, sizeof(*pair), smaller);
		printf("%.6f\n", pair[count / 2]);
	}
	return 0;
}
