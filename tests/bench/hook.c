/* SPDX-License-Identifier: MIT */
/*
 * hook.c - what a call costs that shunt hears of and has nothing to do for.
 *
 *   hook CALL ARMED
 *
 * CALL is a name of the table below; with ARMED 1 a buffer of 256 KiB is landed meanwhile. The
 * answer: how many calls, and the counts. Most are the shortest calls there are, so what a
 * wrapper adds shows at its largest.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

enum { CALLS = 20000, CHUNK = 256 << 10, WARM_UP = 24 };

static int fd = -1, other = -1;
static char byte;
extern char **environ;

static bool call_read(void)
{
	return read(fd, &byte, 1) == 1;
}

static bool call_write(void)
{
	return write(fd, &byte, 1) == 1;
}

static bool call_recv(void)
{
	return recv(fd, &byte, 1, 0) == 1;
}

static bool call_send(void)
{
	return send(fd, &byte, 1, 0) == 1;
}

static bool call_close(void)
{
	return close(-1) == -1;
}

static bool call_poll(void)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 1000) == 1;
}

static bool call_mmap(void)
{
	/* far from all others: what lies beside a mapping changes what it costs */
	void *far = (void *)((uintptr_t)1 << 40);
	void *p = mmap(far, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && munmap(p, PAGE) == 0;
}

static bool call_sigaction(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };

	return sigaction(SIGUSR1, &sa, NULL) == 0;
}

static bool call_free(void)
{
	void *p = malloc(64);

	__asm__ volatile("" : "+r"(p)); /* else the compiler leaves out the pair */
	free(p);
	return true;
}

static bool ended(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool call_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return ended(pid);
}

static bool call_true(void)
{
	char *argv[] = { (char *)"true", NULL };
	pid_t pid;

	return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0 && ended(pid);
}

static void open_zero(void)
{
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static void open_null(void)
{
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

/* A socket pair with all the bytes in it that will be asked for. */
static void open_pair(void)
{
	static char bytes[CALLS];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    write(pair[1], bytes, sizeof(bytes)) != sizeof(bytes))
		err(1, "socketpair");
	fd = pair[0];
	other = pair[1];
}

/* Datagrams to a socket that nobody reads: those that do not fit are dropped. */
static void open_udp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(other, (struct sockaddr *)&a, n) < 0 ||
	    getsockname(other, (struct sockaddr *)&a, &n) < 0 ||
	    connect(fd, (struct sockaddr *)&a, n) < 0)
		err(1, "udp");
}

static const struct {
	const char *name;
	void (*open)(void);
	bool (*call)(void);
	int calls;
} table[] = {
	{ "read", open_zero, call_read, CALLS },   { "write", open_null, call_write, CALLS },
	{ "recv", open_pair, call_recv, CALLS },   { "send", open_udp, call_send, CALLS },
	{ "close", NULL, call_close, CALLS },      { "poll", open_null, call_poll, CALLS },
	{ "mmap", NULL, call_mmap, CALLS / 2 },    { "sigaction", NULL, call_sigaction, CALLS },
	{ "free", NULL, call_free, CALLS },        { "fork", NULL, call_fork, 20 },
	{ "true", NULL, call_true, 10 },
};

void hook_job(char **word, char *text, size_t n)
{
	char *buf = number(word[1]) ? buffer_new(CHUNK, false) : NULL;
	struct counts c;
	size_t i = 0;

	while (strcmp(table[i].name, word[0]) != 0)
		if (++i == sizeof(table) / sizeof(*table))
			errx(2, "no such call: %s", word[0]);
	fd = other = -1;
	if (table[i].open)
		table[i].open();
	if (buf)
		loop_arm(buf, CHUNK, WARM_UP);
	c = counters_now();
	for (int k = 0; k < table[i].calls; k++)
		if (!table[i].call())
			err(1, "%s", table[i].name);
	c = counters_since(&c);
	if (fd >= 0)
		close(fd);
	if (other >= 0)
		close(other);
	if (buf)
		buffer_free(buf, false);
	snprintf(text, n, "%d", table[i].calls);
	counts_print(text, n, &c);
}
