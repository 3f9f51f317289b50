/* SPDX-License-Identifier: MIT */
/*
 * relay.c - the relays that block: one connection after the other, a child or two for each,
 * two threads for each.
 *
 *	relay WAY UPSTREAM-PORT SIZE [odd] [crashes]
 *
 * It listens on a port of its own choice, which it writes to standard output with the range
 * of its buffers, and serves until it is ended.
 */
#include "relay.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crash.h"

enum { BUFFERS = 2100, PAGE = 4096, ODD = 800 };

struct relay relay;

static struct sockaddr_in upstream = { .sin_family = AF_INET };
static char *buffers, *next_buffer;
static long long until_crash = -1; /* bytes; negative: never */

/* ---- what all have in common ---- */

char *relay_buffer(void)
{
	char *p = next_buffer;

	next_buffer += relay.size + 2 * PAGE;
	if (next_buffer > buffers + BUFFERS * (relay.size + 2 * PAGE))
		errx(1, "too many buffers");
	return p + (relay.odd ? ODD : 0);
}

int relay_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "socket");
	if (connect(fd, (struct sockaddr *)&upstream, sizeof(upstream)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int take(void)
{
	int fd = accept(relay.listener, NULL, NULL);

	/* a client that is gone before it was accepted */
	if (fd < 0 && errno != ECONNABORTED)
		err(1, "accept");
	return fd;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno != EINTR)
			return false;
		p += w > 0 ? w : 0;
		n -= w > 0 ? (size_t)w : 0;
	}
	return true;
}

/* Some clients' children end here, in one of the ways in which programs do. */
static void crash_in_time(ssize_t n)
{
	if (until_crash < 0 || n <= 0)
		return;
	until_crash -= n;
	if (until_crash > 0)
		return;
	if (until_crash & 1)
		_exit(3);
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), until_crash & 2 ? SIGKILL : SIGSEGV);
}

/* What came from FROM goes to TO. False: one of them is broken; *ENDED: FROM has no more. */
static bool pass_on(int from, int to, char *buf, bool *ended)
{
	ssize_t n = read(from, buf, relay.size);

	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		*ended = true;
		shutdown(to, SHUT_WR);
	}
	crash_in_time(n);
	return write_all(to, buf, (size_t)n);
}

/* ---- one thread for both directions ---- */

static void pass_both(int client, int server, char *buf[2])
{
	int fd[2] = { client, server };
	bool ended[2] = { false, false };

	while (!ended[0] || !ended[1]) {
		struct pollfd p[2];

		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd){ .fd = ended[i] ? -1 : fd[i], .events = POLLIN };
		if (poll(p, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (p[i].revents && !pass_on(fd[i], fd[!i], buf[i], &ended[i]))
				return;
	}
}

static void serve(int client, char *buf[2])
{
	int server = relay_connect();

	if (server < 0)
		return;
	pass_both(client, server, buf);
	close(server);
}

static void one_by_one(void)
{
	char *buf[2] = { relay_buffer(), relay_buffer() };

	for (;;) {
		int client = take();

		if (client < 0)
			continue;
		serve(client, buf);
		close(client);
	}
}

static void plan_crash(int client)
{
	struct sockaddr_in sin;
	socklen_t n = sizeof(sin);

	if (relay.crashes && getpeername(client, (struct sockaddr *)&sin, &n) == 0)
		until_crash = crash_after(ntohs(sin.sin_port));
}

static void child_each(void)
{
	char *buf[2] = { relay_buffer(), relay_buffer() };

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = take();

		if (client < 0)
			continue;
		if (fork() == 0) {
			close(relay.listener);
			plan_crash(client);
			serve(client, buf);
			_exit(0);
		}
		close(client);
	}
}

/* ---- one for each direction ---- */

static void one_way(int from, int to, char *buf)
{
	bool ended = false;

	while (!ended)
		if (!pass_on(from, to, buf, &ended)) {
			shutdown(from, SHUT_RDWR);
			shutdown(to, SHUT_RDWR);
			return;
		}
}

static void two_children_each(void)
{
	char *buf = relay_buffer();

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = take(), server = client < 0 ? -1 : relay_connect();

		for (int i = 0; i < 2 && server >= 0; i++)
			if (fork() == 0) {
				close(relay.listener);
				one_way(i ? server : client, i ? client : server, buf);
				_exit(0);
			}
		close(server);
		close(client);
	}
}

struct link {
	int client, server;
	_Atomic int ways;
	struct way {
		struct link *link;
		bool back;
	} way[2];
};

static void *thread(void *argument)
{
	struct way *w = argument;
	struct link *l = w->link;
	char *memory = malloc(relay.size + 2 * PAGE);

	if (!memory)
		err(1, "malloc");
	one_way(w->back ? l->server : l->client, w->back ? l->client : l->server,
		memory + (relay.odd ? ODD : (size_t)(-(uintptr_t)memory % PAGE)));
	free(memory);
	if (--l->ways == 0) {
		close(l->client);
		close(l->server);
		free(l);
	}
	return NULL;
}

static void two_threads_each(void)
{
	pthread_attr_t attr;

	/* what is left of a buffer can be told from what an arena has in reserve */
	mallopt(M_ARENA_MAX, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int client = take(), server = client < 0 ? -1 : relay_connect();
		struct link *l = server < 0 ? NULL : malloc(sizeof(*l));

		if (!l) {
			close(client);
			continue;
		}
		*l = (struct link){ client, server, 2, { { l, false }, { l, true } } };
		for (int i = 0; i < 2; i++) {
			pthread_t t;

			if (pthread_create(&t, &attr, thread, &l->way[i]) != 0)
				errx(1, "pthread_create");
		}
	}
}

/* ---- the start ---- */

static void listen_somewhere(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	relay.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (relay.listener < 0 || bind(relay.listener, (struct sockaddr *)&sin, n) != 0 ||
	    listen(relay.listener, 2048) != 0 ||
	    getsockname(relay.listener, (struct sockaddr *)&sin, &n) != 0)
		err(1, "listen");
	printf("%d %lx %lx\n", ntohs(sin.sin_port), (unsigned long)buffers,
	       (unsigned long)(buffers + BUFFERS * (relay.size + 2 * PAGE)));
	fflush(stdout);
}

static void more_descriptors(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max < 8192 ? r.rlim_max : 8192;
	setrlimit(RLIMIT_NOFILE, &r);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "blocking", one_by_one }, { "child", child_each }, { "children", two_children_each },
	{ "threads", two_threads_each }, { "select", relay_select }, { "level", relay_level },
	{ "edge", relay_edge },
};

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "relay WAY PORT SIZE [odd] [crashes]");
	upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	upstream.sin_port = htons((uint16_t)atoi(argv[2]));
	relay.size = strtoul(argv[3], NULL, 0);
	for (int i = 4; i < argc; i++) {
		relay.odd |= strcmp(argv[i], "odd") == 0;
		relay.crashes |= strcmp(argv[i], "crashes") == 0;
	}
	signal(SIGPIPE, SIG_IGN);
	more_descriptors();
	buffers = mmap(NULL, BUFFERS * (relay.size + 2 * PAGE), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (buffers == MAP_FAILED)
		err(1, "mmap");
	next_buffer = buffers;
	listen_somewhere();
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].name, argv[1]) == 0)
			ways[i].run();
	errx(2, "no way %s", argv[1]);
}
