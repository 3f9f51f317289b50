/* SPDX-License-Identifier: MIT */
/*
 * small.c - a relay's small chunks, which nobody rewrites, in ways that a count may miss.
 *
 *   small [-m] CASE [FILE]
 *
 * -m: it has a file mapped all the time, with which the chunks have nothing to do.
 * The program feeds itself and drains itself, a chunk at a time. Each case passes HALF chunks of
 * SIZE bytes in one way, and as many in another: tests/trace/run knows what the report has to say.
 * With a FILE of 32 KiB or more they are read from that, or mapped, TINY or WHOLE bytes each: what is asked of
 * a chunk now and then only is to be asked no less often.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
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

/* What it calls it calls from one place, whatever a compiler makes of the loops. */
#if __has_attribute(noipa)
#define ONE_SITE __attribute__((noipa))
#else
#define ONE_SITE __attribute__((noinline))
#endif

enum { SIZE = 8192, HALF = 100, TINY = 2048, WHOLE = 16384, MANY = 600, SLOW = 30 };

static int feeder, source, sink, drain; /* what goes into feeder comes out of drain */
static char buf[4 * SIZE], other[4 * SIZE];
static pthread_barrier_t turn;

static void make_pair(int domain, int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int listener;

	if (domain == AF_UNIX) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			err(1, "socketpair");
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, n) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &n) != 0 ||
	    connect(pair[0], (struct sockaddr *)&a, n) != 0)
		err(1, "tcp");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void make_ends(int domain, int ends[4])
{
	make_pair(domain, ends);
	make_pair(domain, ends + 2);
}

static void await(int fd, int n)
{
	int there = 0;

	while (ioctl(fd, FIONREAD, &there) == 0 && there < n)
		sched_yield();
}

static void feed(size_t n)
{
	static char bytes[4 * SIZE];

	if (write(feeder, bytes, n) != (ssize_t)n)
		err(1, "feed");
	await(source, (int)n);
}

static void drained(size_t n)
{
	static char bytes[4 * SIZE];

	await(drain, (int)n);
	if (read(drain, bytes, sizeof(bytes)) != (ssize_t)n)
		errx(1, "not all came");
}

static ONE_SITE void get(char *to, size_t n)
{
	if (read(source, to, SIZE) != (ssize_t)n)
		err(1, "read");
}

static ONE_SITE void put(const char *from, size_t n)
{
	if (write(sink, from, n) != (ssize_t)n)
		err(1, "write");
}

static ONE_SITE void put_otherwise(void)
{
	if (send(sink, buf, SIZE, 0) != SIZE)
		err(1, "send");
}

static void pass_by(char *by, size_t n)
{
	feed(n);
	get(by, n);
	put(by, n);
	drained(n);
}

static void pass(size_t n)
{
	pass_by(buf, n);
}

static void half(void)
{
	for (int i = 0; i < HALF; i++)
		pass(SIZE);
}

/* Each a HALF in its own way. */

static void lengths(void)
{
	for (int i = 0; i < HALF; i++)
		pass((size_t)(i % 2 ? SIZE - i : SIZE));
}

static void another_site(void)
{
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
		put_otherwise();
		drained(SIZE);
	}
}

static void another_reader(void)
{
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		if (recv(source, buf, SIZE, 0) != SIZE)
			err(1, "recv");
		put(buf, SIZE);
		drained(SIZE);
	}
}

/* What lies behind the chunk was not read with it. */
static void longer(void)
{
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
		put(buf, SIZE + 500);
		drained(SIZE + 500);
	}
}

static void parts(void)
{
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
		put(buf, 1000);
		put(buf + 1000, SIZE - 1000);
		drained(SIZE);
	}
}

/* The first bytes are for the relay itself. Some other buffers were used last. */
static void behind_a_header(void)
{
	for (int i = 0; i < 10; i++)
		pass_by(other + 1024 * i, SIZE);
	for (int i = 10; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
		put(buf + 10, SIZE - 10);
		drained(SIZE - 10);
	}
}

/* The relay puts a header of its own in front. */
static void in_front(void)
{
	for (int i = 0; i < HALF; i++) {
		struct iovec iov[2] = { { other, 20 }, { buf, SIZE } };

		feed(SIZE);
		get(buf, SIZE);
		if (writev(sink, iov, 2) != SIZE + 20)
			err(1, "writev");
		drained(SIZE + 20);
	}
}

static void two_buffers(void)
{
	for (int i = 0; i < HALF; i += 2) {
		feed(SIZE);
		get(buf, SIZE);
		feed(SIZE);
		get(other, SIZE);
		put(buf, SIZE);
		put(other, SIZE);
		drained(2 * SIZE);
	}
}

/* Each chunk in a place of its own, I chunks and a bit into ROOM. */
static char *place_of(int i)
{
	static char room[2 * HALF * (SIZE + 16)];

	return room + i * (SIZE + 16) + 8;
}

static void own_buffers(void)
{
	for (int i = 0; i < HALF; i++)
		pass_by(place_of(i), SIZE);
}

/* ... until they go elsewhere. */
static void own_buffers_another_sink(void)
{
	int ends[4];

	for (int i = 0; i < HALF; i++)
		pass_by(place_of(i), SIZE);
	make_ends(AF_UNIX, ends);
	sink = ends[2];
	drain = ends[3];
	for (int i = HALF; i < 2 * HALF; i++)
		pass_by(place_of(i), SIZE);
}

/* Chunks that go nowhere are nobody's; those after them count as those before. */
static void unwritten(void)
{
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
	}
	half();
}

/* A chunk that is written twice counts twice. */
static void twice(void)
{
	for (int i = 0; i < HALF; i += 2) {
		feed(SIZE);
		get(buf, SIZE);
		put(buf, SIZE);
		put(buf, SIZE);
		drained(2 * SIZE);
	}
}

/* The same number comes to mean another socket, by close and dup2. */
static void another_source(void)
{
	int ends[4];

	make_ends(AF_UNIX, ends);
	close(source);
	if (dup2(ends[1], source) < 0)
		err(1, "dup2");
	feeder = ends[0];
	pass_by(other, SIZE); /* the buffer that was used last is not the first one now */
	for (int i = 1; i < HALF; i++)
		pass(SIZE);
}

static void another_sink(void)
{
	int ends[4];

	make_ends(AF_UNIX, ends);
	if (dup2(ends[2], sink) < 0)
		err(1, "dup2");
	drain = ends[3];
	half();
}

static void second_sink(void)
{
	int ends[4];

	make_ends(AF_UNIX, ends);
	sink = ends[2];
	drain = ends[3];
	half();
}

/* The first chunk is read by the one and written by the other, whose rows begin anew. */
static void forked(void)
{
	int status;

	another_site();
	feed(SIZE);
	get(buf, SIZE);
	if (fork() == 0) {
		put_otherwise();
		drained(SIZE);
		for (int i = 1; i < HALF; i++)
			pass(SIZE);
		exit(0);
	}
	if (wait(&status) < 0 || status != 0)
		errx(1, "the child failed");
}

/* The child has its sites to name anew, however often they were passed before. */
static void forked_soon(void)
{
	int status;

	if (fork() == 0) {
		half();
		exit(0);
	}
	if (wait(&status) < 0 || status != 0)
		errx(1, "the child failed");
}

static void *writer(void *argument)
{
	(void)argument;
	for (int i = 0; i < HALF; i++) {
		pthread_barrier_wait(&turn);
		put(buf, SIZE);
		drained(SIZE);
		pthread_barrier_wait(&turn);
	}
	return NULL;
}

static void another_thread(void)
{
	pthread_t thread;

	pthread_barrier_init(&turn, NULL, 2);
	if (pthread_create(&thread, NULL, writer, NULL) != 0)
		errx(1, "pthread_create");
	for (int i = 0; i < HALF; i++) {
		feed(SIZE);
		get(buf, SIZE);
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
	}
	pthread_join(thread, NULL);
}

static ONE_SITE void read_whole(size_t n)
{
	if (read(source, buf, WHOLE) != (ssize_t)n)
		err(1, "read");
}

/* First what is queued is half of what is asked for, then all of it. */
static void short_then_full(void)
{
	for (int i = 0; i < 2 * MANY; i++) {
		size_t n = i < MANY ? WHOLE / 2 : WHOLE;

		feed(n);
		read_whole(n);
		put(buf, n);
		drained(n);
	}
}

/* ---- from a file ---- */

static int file;

static void pass_file(size_t n, int chunks, bool look)
{
	volatile char there;

	for (int i = 0; i < chunks; i++) {
		if (lseek(file, 0, SEEK_SET) != 0 || read(file, buf, n) != (ssize_t)n)
			err(1, "read");
		if (look)
			there = buf[n / 2];
		put(buf, n);
		drained(n);
	}
	(void)there;
}

static void larger(void)
{
	for (int i = 0; i < 2; i++)
		pass_file(i ? WHOLE : TINY, MANY, false);
}

static void looked(void)
{
	pass_file(WHOLE, MANY, true);
}

static void looked_then_smaller(void)
{
	for (int i = 0; i < 40; i++)
		pass_file(i < 20 ? WHOLE : TINY, 1, true);
}

/* Each goes to another sink than the one before. */
static void looked_by_turns(void)
{
	int second = dup(sink), first = sink;

	for (int i = 0; i < MANY; i++) {
		sink = i % 2 ? second : first;
		pass_file(WHOLE, 1, true);
	}
}

static void on_the_stack(void)
{
	char there[WHOLE];

	for (int i = 0; i < MANY; i++) {
		if (lseek(file, 0, SEEK_SET) != 0 || read(file, there, WHOLE) != WHOLE)
			err(1, "read");
		put(there, WHOLE);
		drained(WHOLE);
	}
}

/* ---- pieces of a mapping, which are too small ---- */

static char *map_file(void *at, int prot)
{
	char *p = mmap(at, 2 * WHOLE, prot, MAP_PRIVATE | (at ? MAP_FIXED : 0), file, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

static void put_pieces(const char *map, size_t n)
{
	for (int i = 0; i < HALF; i++) {
		put(map + SIZE * (i % 2), n);
		drained(n);
	}
}

static void pieces(void)
{
	const char *map = map_file(NULL, PROT_READ);

	put_pieces(map, SIZE);
	for (int i = 0; i < HALF; i++) {
		if (send(sink, map, SIZE, 0) != SIZE)
			err(1, "send");
		drained(SIZE);
	}
}

static void pieces_another_sink(void)
{
	const char *map = map_file(NULL, PROT_READ);
	int ends[4];

	put_pieces(map, SIZE);
	make_ends(AF_UNIX, ends);
	if (dup2(ends[2], sink) < 0)
		err(1, "dup2");
	drain = ends[3];
	put_pieces(map, SIZE);
}

static void pieces_second_sink(void)
{
	const char *map = map_file(NULL, PROT_READ);
	int ends[4];

	put_pieces(map, SIZE);
	make_ends(AF_UNIX, ends);
	sink = ends[2];
	drain = ends[3];
	put_pieces(map, SIZE);
}

/* The same memory, the same file, but now it may be written to. */
static void pieces_writable(void)
{
	char *map = map_file(NULL, PROT_READ);

	put_pieces(map, SIZE);
	put_pieces(map_file(map, PROT_READ | PROT_WRITE), SIZE);
}

/* The same memory is nobody's file any more. */
static void pieces_gone(void)
{
	char *map = map_file(NULL, PROT_READ);

	put_pieces(map, SIZE);
	if (mmap(map, 2 * WHOLE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != map)
		err(1, "mmap");
	put_pieces(map, SIZE);
}

static void pieces_forked(void)
{
	const char *map = map_file(NULL, PROT_READ);
	int status;

	put_pieces(map, SIZE);
	if (fork() == 0) {
		put_pieces(map, SIZE);
		exit(0);
	}
	if (wait(&status) < 0 || status != 0)
		errx(1, "the child failed");
}

/* The second half of a piece lies behind the mapping's end. */
static void pieces_over_the_end(void)
{
	char *map = mmap(NULL, 4 * WHOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	put_pieces(map_file(map, PROT_READ), SIZE);
	for (int i = 0; i < HALF; i++) {
		put(map + 2 * WHOLE - SIZE / 2, SIZE);
		drained(SIZE);
	}
}

/* Memory that was written from before the file was mapped over it, and what reaches into that. */
static void pieces_come(void)
{
	char *room = mmap(NULL, 4 * WHOLE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map = room + WHOLE;

	map_file(NULL, PROT_READ);
	put_pieces(map, SIZE);
	map_file(map, PROT_READ);
	put_pieces(map, SIZE);
	for (int i = 0; i < HALF; i++) {
		put(room, SIZE);
		put(map - SIZE / 2, SIZE);
		drained(2 * SIZE);
	}
}

/* Larger ones at the same site go by reference, and smaller ones do not because of them. */
static void pieces_larger(void)
{
	const char *map = map_file(NULL, PROT_READ);

	for (int i = 0; i < 2; i++) {
		put_pieces(map, SIZE);
		put_pieces(map, WHOLE);
	}
}

/* ---- a connection that goes from thread to thread, as that of a kept-alive client ---- */

static void *answer(void *map)
{
	char head[16] = "header of chunk", got[sizeof(head) + WHOLE];
	struct iovec answer[2] = { { head, sizeof(head) }, { map, WHOLE } };

	if (writev(sink, answer, 2) != sizeof(got))
		err(1, "writev");
	await(drain, sizeof(got));
	if (read(drain, got, sizeof(got)) != sizeof(got) || memcmp(got, head, sizeof(head)) != 0 ||
	    memcmp(got + sizeof(head), map, WHOLE) != 0)
		errx(1, "other bytes came");
	return NULL;
}

static void handed_on(void)
{
	char *map = map_file(NULL, PROT_READ);
	pthread_t t;

	for (int i = 0; i < HALF; i++)
		if (pthread_create(&t, NULL, answer, map) != 0 || pthread_join(t, NULL) != 0)
			errx(1, "thread");
}

/* ---- a peer that takes its time, and a socket with little room: each call waits ---- */

static void *drains_slowly(void *arg)
{
	static char gone[WHOLE];

	do
		usleep(70000);
	while (recv(drain, gone, sizeof(gone), MSG_WAITALL) > 0);
	return arg;
}

static void slow_peer(void)
{
	int little = SIZE;
	pthread_t t;

	setsockopt(sink, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	setsockopt(drain, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	if (pthread_create(&t, NULL, drains_slowly, NULL) != 0)
		errx(1, "thread");
	for (int i = 0; i < SLOW; i++)
		if (pread(file, buf, WHOLE, 0) != WHOLE || send(sink, buf, WHOLE, MSG_NOSIGNAL) != WHOLE)
			err(1, "send");
	shutdown(sink, SHUT_WR);
	pthread_join(t, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "whole", half }, { "lengths", lengths }, { "another-site", another_site }, { "parts", parts },
	{ "behind-a-header", behind_a_header }, { "in-front", in_front },
	{ "two-buffers", two_buffers }, { "another-source", another_source },
	{ "own-buffers", own_buffers }, { "own-buffers-another-sink", own_buffers_another_sink },
	{ "unwritten", unwritten }, { "twice", twice },
	{ "another-sink", another_sink }, { "second-sink", second_sink },
	{ "another-reader", another_reader }, { "longer", longer },
	{ "forked", forked }, { "forked-soon", forked_soon }, { "another-thread", another_thread },
	{ "larger", larger }, { "looked", looked }, { "looked-then-smaller", looked_then_smaller },
	{ "looked-by-turns", looked_by_turns }, { "on-the-stack", on_the_stack },
	{ "short-then-full", short_then_full }, { "handed-on", handed_on }, { "slow-peer", slow_peer },
	{ "pieces", pieces }, { "pieces-another-sink", pieces_another_sink },
	{ "pieces-second-sink", pieces_second_sink },
	{ "pieces-writable", pieces_writable }, { "pieces-gone", pieces_gone },
	{ "pieces-forked", pieces_forked }, { "pieces-larger", pieces_larger },
	{ "pieces-over-the-end", pieces_over_the_end }, { "pieces-come", pieces_come },
};

int main(int argc, char **argv)
{
	int ends[4];

	if (argc > 1 && strcmp(argv[1], "-m") == 0) {
		file = open("/proc/self/exe", O_RDONLY);
		map_file(NULL, PROT_READ);
		close(file);
		argv++;
		argc--;
	}
	make_ends(AF_INET, ends);
	feeder = ends[0];
	source = ends[1];
	sink = ends[2];
	drain = ends[3];
	if (argc == 3)
		file = open(argv[2], O_RDONLY);
	else
		half();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (argc >= 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	errx(2, "small [-m] CASE [FILE]");
}
