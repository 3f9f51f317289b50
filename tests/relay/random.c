/* SPDX-License-Identifier: MIT */
/*
 * random.c - one process that relays to itself, and does to its buffers what a program can.
 *
 *	random SEED [STEPS]
 *
 * All memory that it reads into has a double, which is never read into: what a look finds, what a
 * call returns and what a sink gets must be what the double says. How much is queued is known
 * before each read, so the count of a read is known, too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"

enum { PAGE = 4096, AREA = 96 * PAGE, SOURCES = 3, SINKS = 3, MOST = 128 * 1024, QUEUE = 8 << 20 };

static struct source {
	int fd, feeder;
	uint64_t fed, got;  /* of its stream */
	bool is_pipe, nonblocking;
} sources[SOURCES];

static struct sink {
	int fd, other;
	char *queue;        /* what it is to get; all of it, from the start */
	uint64_t put, seen;
} sinks[SINKS];

static char *area, *twin;
static char scratch[QUEUE];
static uint64_t seed, state, step;
static size_t chunk_at, chunk_n, chunk_done; /* what was read last */

static uint64_t below(uint64_t n)
{
	return plan_next(&state) % n;
}

static void wrong(const char *what, long long is, long long should)
{
	printf("FAILED seed %llu step %llu: %s: %lld, not %lld\n", (unsigned long long)seed,
	       (unsigned long long)step, what, is, should);
	exit(1);
}

static void expect(const char *what, long long is, long long should)
{
	if (is != should)
		wrong(what, is, should);
}

/* ---- sources ---- */

static void connect_pair(int pair[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), room = 2 << 20;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&sin, &n) != 0 ||
	    connect(pair[1], (struct sockaddr *)&sin, sizeof(sin)) != 0)
		err(2, "connect");
	pair[0] = accept(listener, NULL, NULL);
	close(listener);
}

static void open_source(struct source *s)
{
	int pair[2];

	if (!s->is_pipe)
		connect_pair(pair);
	else if (pipe(pair) != 0 || fcntl(pair[1], F_SETPIPE_SZ, 1 << 20) < 0)
		err(2, "pipe");
	s->nonblocking = below(2);
	if (s->nonblocking)
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	s->fd = pair[0];
	s->feeder = pair[1];
	s->got = s->fed;
}

static void close_source(struct source *s)
{
	close(s->fd);
	close(s->feeder);
}

static size_t queued(const struct source *s)
{
	int n = 0;

	if (ioctl(s->fd, FIONREAD, &n) != 0)
		err(2, "FIONREAD");
	return (size_t)n;
}

/* The next N bytes of the stream, in pieces, and all of them have come. */
static void feed(struct source *s, size_t n)
{
	size_t piece = below(3) ? MOST : 1 + below(9000), done = 0;

	n = n < MOST ? n : MOST;
	plan_bytes((unsigned char *)scratch, s->fed, n, seed, (uint32_t)(s - sources), SERVER);
	while (done < n) {
		ssize_t w = write(s->feeder, scratch + done, n - done < piece ? n - done : piece);

		if (w < 0)
			err(2, "feed");
		done += (size_t)w;
	}
	s->fed += n;
	while (queued(s) < s->fed - s->got)
		sched_yield();
}

/* Different places in the program that read: each is learnt for itself. */
#define READ_SITE(i) \
	case i: \
		ret = i % 2 ? read(fd, p, n) : recv(fd, p, n, 0); \
		__asm__ volatile("" : "+r"(ret)); \
		break;

static ssize_t read_at_site(unsigned site, int fd, void *p, size_t n, bool is_pipe)
{
	struct iovec iov = { p, n };
	ssize_t ret = -1;

	switch (is_pipe ? site | 1 : site) {
	READ_SITE(0) READ_SITE(1) READ_SITE(2) READ_SITE(3) READ_SITE(4) READ_SITE(5)
	default:
		ret = readv(fd, &iov, 1);
		break;
	}
	return ret;
}

static void do_read(struct source *s, unsigned site, size_t at, size_t n)
{
	size_t there = s->fed - s->got, get = n < there ? n : there;
	ssize_t r;

	if (there == 0 && !s->nonblocking)
		return;
	r = read_at_site(site, s->fd, area + at, n, s->is_pipe);
	if (there == 0) {
		expect("a read of nothing", r, n ? -1 : 0);
		return;
	}
	expect("a read", r, (long long)get);
	plan_bytes((unsigned char *)twin + at, s->got, get, seed, (uint32_t)(s - sources), SERVER);
	s->got += get;
	chunk_at = at;
	chunk_n = get;
	chunk_done = 0;
}

/* ---- sinks ---- */

static void open_sink(struct sink *k, bool is_unix)
{
	int pair[2];

	if (!is_unix)
		connect_pair(pair);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		err(2, "socketpair");
	k->fd = pair[1];
	k->other = pair[0];
	if (below(2))
		fcntl(k->fd, F_SETFL, O_NONBLOCK);
	k->put = k->seen = 0;
	if (!k->queue)
		k->queue = mmap(NULL, QUEUE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What has come of what was written; with ALL, all of it must come. */
static void receive(struct sink *k, bool all)
{
	while (k->seen < k->put) {
		ssize_t n = recv(k->other, scratch, QUEUE, all ? 0 : MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || (uint64_t)n > k->put - k->seen)
			wrong("received", n, (long long)(k->put - k->seen));
		for (ssize_t i = 0; i < n; i++)
			if (scratch[i] != k->queue[k->seen + (uint64_t)i])
				wrong("a byte in the sink, at", (long long)k->seen + i, -1);
		k->seen += (uint64_t)n;
	}
}

static void put(struct sink *k, const char *p, size_t n)
{
	memcpy(k->queue + k->put, p, n);
	k->put += n;
}

/* Bytes [AT, AT + N) of the area, in one of the ways to write. */
static size_t do_write(struct sink *k, size_t at, size_t n)
{
	size_t cut = below(n + 1);
	char head[] = "a head";
	struct iovec iov[3] = { { head, 6 }, { area + at, cut }, { area + at + cut, n - cut } };
	struct msghdr msg = { .msg_iov = iov + 1, .msg_iovlen = 2 };
	unsigned way = below(3) ? 0 : (unsigned)below(6);
	size_t before = 0;
	ssize_t w;

	if (k->put + n + 6 > QUEUE)
		return 0;
	switch (way) {
	case 0: w = write(k->fd, area + at, n); break;
	case 1: w = send(k->fd, area + at, n, MSG_NOSIGNAL); break;
	case 2: w = send(k->fd, area + at, n, MSG_MORE); break;
	case 3: w = writev(k->fd, iov + 1, 2); break;
	case 4: w = sendmsg(k->fd, &msg, 0); break;
	default:
		w = writev(k->fd, iov, 3);
		before = 6;
	}
	if (w < 0) {
		expect("a write failed", errno, EAGAIN);
		receive(k, true);
		return 0;
	}
	put(k, head, (size_t)w < before ? (size_t)w : before);
	w -= (ssize_t)before;
	if (w > 0)
		put(k, twin + at, (size_t)w);
	receive(k, false);
	if (k->put - k->seen > MOST)
		receive(k, true);
	return w > 0 ? (size_t)w : 0;
}

/* What is left of the last chunk, or a part of it. */
static void pass_on(struct sink *k, bool whole)
{
	size_t left = chunk_n - chunk_done;

	if (left)
		chunk_done += do_write(k, chunk_at + chunk_done, whole ? left : 1 + below(left));
}

/* ---- what else programs do with memory ---- */

static void some_range(size_t *at, size_t *n)
{
	*at = below(3) || !chunk_n ? below(AREA) : chunk_at + below(chunk_n);
	*n = 1 + below(below(2) ? 300 : 100000);
	if (*n > AREA - *at)
		*n = AREA - *at;
}

static void look(size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		if (((volatile char *)area)[i] != twin[i])
			wrong("a byte in the buffer, at", (long long)i, -1);
}

static void change(size_t at, size_t n)
{
	int c = (int)below(256);

	memset(area + at, c, n);
	memset(twin + at, c, n);
}

static void to_file(size_t at, size_t n)
{
	int fd = memfd_create("random", MFD_CLOEXEC);

	expect("a write to a file", write(fd, area + at, n), (long long)n);
	expect("a read of the file", pread(fd, scratch, n, 0), (long long)n);
	if (memcmp(scratch, twin + at, n) != 0)
		wrong("the bytes of the file, from", (long long)at, -1);
	close(fd);
}

static void from_file(size_t at, size_t n)
{
	int fd = open("/dev/zero", O_RDONLY);

	expect("a read of /dev/zero", read(fd, area + at, n), (long long)n);
	memset(twin + at, 0, n);
	close(fd);
}

static void pages(size_t at, size_t n, unsigned how)
{
	at &= ~(size_t)(PAGE - 1);
	n = (n + PAGE - 1) & ~(size_t)(PAGE - 1);
	n = n < AREA - at ? n : AREA - at;
	if (how == 0) {
		madvise(area + at, n, MADV_DONTNEED);
		memset(twin + at, 0, n);
	} else if (how == 1) {
		mmap(area + at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memset(twin + at, 0, n);
	} else {
		mprotect(area + at, n, PROT_READ);
		mprotect(area + at, n, PROT_READ | PROT_WRITE);
	}
}

/* The child has what the parent had, and leaves the parent alone. */
static void child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		look(0, AREA);
		change(0, AREA);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	expect("the child's end", status, 0);
}

/* The same source and sink, and whole buffers: so is a loop learnt. */
static void calm(void)
{
	struct source *s = &sources[below(SOURCES)];
	struct sink *k = &sinks[below(SINKS)];
	size_t size = below(3) ? 16384u << below(3) : 8192 + below(100000);
	size_t at = below(3) ? below(8) * PAGE : below(AREA - MOST);
	unsigned site = (unsigned)below(7), rounds = 1 + (unsigned)below(below(4) ? 8 : 90);

	for (unsigned i = 0; i < rounds && k->put + MOST < QUEUE; i++) {
		feed(s, size);
		do_read(s, site, at, size);
		while (chunk_done < chunk_n)
			pass_on(k, true);
	}
	/* it waits in the buffer, in whole or in part */
	feed(s, below(2) ? size : 1 + below(size));
	do_read(s, site, at, below(4) ? size : 1 + below(size));
	if (below(2))
		pass_on(k, false);
}

static void anything(void)
{
	struct source *s = &sources[below(SOURCES)];
	struct sink *k = &sinks[below(SINKS)];
	size_t at, n;

	some_range(&at, &n);
	switch (below(20)) {
	case 0: case 1: case 2: look(at, n); break;
	case 3: case 4: change(at, n); break;
	case 5: case 6: case 7: pass_on(k, true); break;
	case 8: pass_on(k, false); break;
	case 9: do_write(k, at, n); break;
	case 10: to_file(at, n); break;
	case 11: from_file(at, n); break;
	case 12: pages(at, n, (unsigned)below(3)); break;
	case 13: child(); break;
	case 14: close_source(s); open_source(s); break;
	case 15: feed(s, n); break;
	case 16: case 17: do_read(s, (unsigned)below(7), at, n); break;
	case 18: memmove(area + at / 2, area + at, n); memmove(twin + at / 2, twin + at, n); break;
	case 19: look(0, AREA); break;
	}
}

static void loop(uint64_t steps)
{
	for (step = 0; step < steps; step++) {
		/* no source gets so full that the feeder would wait */
		for (int i = 0; i < SOURCES; i++)
			while (sources[i].fed - sources[i].got > MOST)
				do_read(&sources[i], 5, below(AREA - MOST), MOST);
		if (below(3) == 0)
			calm();
		else
			anything();
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "random SEED [STEPS]");
	state = seed = strtoull(argv[1], NULL, 0);
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	twin = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || twin == MAP_FAILED)
		err(2, "mmap");
	for (int i = 0; i < SOURCES; i++) {
		sources[i].is_pipe = i == SOURCES - 1;
		open_source(&sources[i]);
	}
	for (int i = 0; i < SINKS; i++)
		open_sink(&sinks[i], i == SINKS - 1);
	loop(argc > 2 ? strtoull(argv[2], NULL, 0) : 60);
	look(0, AREA);
	for (int i = 0; i < SINKS; i++)
		receive(&sinks[i], true);
	return 0;
}
