/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - a relay by read and write, of which tests/trace/run asks by which calls they were made.
 *
 *   sockets KIND
 *
 * KIND: tcp, unix, seqpacket, datagram, pipe; renumbered: in the midst, past libc, pipes get the numbers
 * of the sockets; refused: counts that read and write refuse, or do nothing for.
 * It prints the numbers that it reads and writes, and what came of refused calls. What it reads and writes
 * are small chunks; that each arrives, and that errno is kept, it sees to itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIZE = 2048, MANY = 100, MARK = 77 };

static int feeder, source, sink, drain; /* what goes into feeder comes out of drain */
static char fed[SIZE], buf[SIZE], drained[SIZE];

/* Neither libc nor shunt without its guard sees it. */
static void renumber(int from, int to)
{
	long ret;

#if defined(__x86_64__)
	__asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_dup3), "D"(from), "S"(to), "d"(0)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_dup3;
	register long x0 __asm__("x0") = from;
	register long x1 __asm__("x1") = to;
	register long x2 __asm__("x2") = 0;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	ret = x0;
#endif
	if (ret != to)
		errx(1, "renumber: %ld", ret);
}

static void connect_tcp(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &n) != 0 ||
	    connect(pair[0], (struct sockaddr *)&a, n) != 0)
		err(1, "tcp");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void make(const char *kind, int pair[2])
{
	int type = strcmp(kind, "seqpacket") == 0 ? SOCK_SEQPACKET :
		   strcmp(kind, "datagram") == 0 ? SOCK_DGRAM : SOCK_STREAM;
	int ends[2];

	if (strcmp(kind, "pipe") == 0) {
		if (pipe(ends) != 0)
			err(1, "pipe");
		pair[0] = ends[1];
		pair[1] = ends[0];
	} else if (type != SOCK_STREAM || strcmp(kind, "unix") == 0) {
		if (socketpair(AF_UNIX, type, 0, pair) != 0)
			err(1, "socketpair");
	} else {
		connect_tcp(pair);
	}
}

static void pass(int i)
{
	ssize_t got, put;

	memset(fed, i + 1, SIZE);
	if (write(feeder, fed, SIZE) != SIZE)
		err(1, "feed");
	errno = MARK;
	got = read(source, buf, SIZE);
	put = write(sink, buf, SIZE);
	if (got != SIZE || put != SIZE || errno != MARK)
		err(1, "chunk %d: %zd, %zd", i, got, put);
	if (read(drain, drained, SIZE) != SIZE || memcmp(fed, drained, SIZE) != 0)
		errx(1, "chunk %d is another one", i);
}

static void say(const char *what, ssize_t ret)
{
	printf("%s: %zd, errno %d\n", what, ret, ret < 0 ? errno : 0);
}

static void refused(void)
{
	volatile size_t most = SIZE_MAX, none = 0;

	alarm(20);
	say("read of all", read(source, buf, most));
	say("write of all", write(sink, buf, most));
	say("read of none", read(source, buf, none));
	say("write of none", write(sink, buf, none));
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "tcp";
	int in[2], out[2];

	make(kind, in);
	make(kind, out);
	feeder = in[0], source = in[1], sink = out[0], drain = out[1];
	printf("%d %d\n", source, sink);
	for (int i = 0; i < MANY; i++) {
		if (i == MANY / 2 && strcmp(kind, "renumbered") == 0) {
			make("pipe", in);
			make("pipe", out);
			renumber(in[1], source);
			renumber(out[0], sink);
			feeder = in[0], drain = out[1];
		}
		pass(i);
	}
	if (strcmp(kind, "refused") == 0)
		refused();
	return 0;
}
