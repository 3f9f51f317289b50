/* SPDX-License-Identifier: MIT */
/*
 * loop.c - what a chunk costs: the loop that servers contain, by hand, and at its best.
 *
 *   loop WAY ROUTE CHUNK ODD BYTES LOOK WARM
 *
 * WAY is read (read and write; under shunt as well), hand (the same chunks by sendfile or
 * splice, as a port of the program would do it), limit (all of it in one call, or as much a
 * call as a pipe can hold) or floor (of a file that is read: hand, and what else a landed chunk has to ask
 * the kernel: shunt, if its own code were for nothing). ROUTE is SOURCE-SINK of file, mapped, tcp, unix, pipe and tcp, unix.
 * LOOK is what the program does to a chunk on the way; WARM chunks go first, and are not
 * counted. The answer: bytes, chunks, and the counts.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "bench.h"

enum { WINDOW = 4 << 20, PIPE_MAX = 1 << 20, NTH = 8 };
enum look { LOOK_NONE, LOOK_FIRST, LOOK_RANDOM, LOOK_ALL, LOOK_CHANGE, LOOK_NTH, LOOKS };

enum way { READ, HAND, LIMIT, FLOOR, WAYS };

static const char *const way_names[WAYS] = { "read", "hand", "limit", "floor" };
static const char *const look_names[LOOKS] = { "none", "first", "random", "all", "change", "nth" };

struct loop {
	int in, out;     /* the descriptors of the route */
	bool file;       /* the source begins again at its end; else it never ends */
	bool mapped;     /* it is mapped, in windows, and not read */
	bool direct;     /* no pipe is needed between the two */
	size_t chunk;
	bool odd;
	enum look look;
	size_t bytes, chunks; /* done so far */
};

static volatile uint64_t looked;

char *buffer_new(size_t size, bool odd)
{
	void *p;

	if (posix_memalign(&p, PAGE, size + 2 * PAGE) != 0)
		errx(1, "no memory");
	memset(p, 1, size + 2 * PAGE);
	return (char *)p + (odd ? ODD : 0);
}

void buffer_free(char *buf, bool odd)
{
	free(buf - (odd ? ODD : 0));
}

/* Counts N bytes that went; 0 of a file is its end, and it is begun again. */
static bool went(struct loop *l, ssize_t n)
{
	if (n > 0) {
		l->bytes += (size_t)n;
		return true;
	}
	if (n < 0)
		err(1, "loop");
	if (!l->file)
		errx(1, "the source has ended");
	if (lseek(l->in, 0, SEEK_SET) < 0)
		err(1, "lseek");
	return false;
}

static void write_whole(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0)
			err(1, "write");
		p += w;
		n -= (size_t)w;
	}
}

static size_t somewhere(size_t n)
{
	static uint32_t x = 1;

	x = x * 1664525 + 1013904223;
	return (x >> 8) % n;
}

static void look_all(const char *buf, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (unsigned char)buf[i];
	looked += sum;
}

static void look(const struct loop *l, char *buf, size_t n)
{
	if (l->look == LOOK_FIRST)
		looked += (unsigned char)buf[0];
	else if (l->look == LOOK_RANDOM)
		looked += (unsigned char)buf[somewhere(n)];
	else if (l->look == LOOK_ALL)
		look_all(buf, n);
	else if (l->look == LOOK_CHANGE)
		buf[somewhere(n)] ^= 1;
	else if (l->look == LOOK_NTH && l->chunks % NTH == 0)
		look_all(buf, n);
}

static __attribute__((noinline)) void loop_read(struct loop *l, char *buf, size_t bytes)
{
	while (l->bytes < bytes) {
		ssize_t n = read(l->in, buf, l->chunk);

		if (!went(l, n))
			continue;
		if (l->look)
			look(l, buf, (size_t)n);
		write_whole(l->out, buf, (size_t)n);
		l->chunks++;
	}
}

/* As apache does it: a window is mapped, written, and unmapped. */
static __attribute__((noinline)) void loop_mapped(struct loop *l, size_t bytes)
{
	off_t at = 0;
	struct stat st;

	if (fstat(l->in, &st) < 0)
		err(1, "fstat");
	while (l->bytes < bytes) {
		size_t size = (size_t)(st.st_size - at) < WINDOW ? (size_t)(st.st_size - at) : WINDOW;
		char *p = mmap(NULL, size, PROT_READ, MAP_SHARED, l->in, at);

		if (p == MAP_FAILED)
			err(1, "mmap");
		for (size_t i = 0; i < size; i += l->chunk, l->chunks++)
			write_whole(l->out, p + i, size - i < l->chunk ? size - i : l->chunk);
		munmap(p, size);
		l->bytes += size;
		at = at + (off_t)size < st.st_size ? at + (off_t)size : 0;
	}
}

static __attribute__((noinline)) void loop_sendfile(struct loop *l, size_t bytes)
{
	while (l->bytes < bytes)
		if (went(l, sendfile(l->out, l->in, NULL, l->chunk)))
			l->chunks++;
}

/*
 * What of a chunk lies in pages that others have a share in is read: its own end, and the
 * beginning of the next one, which follows it in the file.
 */
static void read_edges(const struct loop *l, int source, char *buf, off_t at)
{
	size_t tail = ((uintptr_t)buf + l->chunk) % PAGE, head = PAGE - (uintptr_t)buf % PAGE;
	struct iovec edges[] = { { buf + l->chunk - tail, tail }, { buf, head } };

	if (preadv(source, edges, 2, at + (off_t)(l->chunk - tail)) < 0)
		err(1, "preadv");
}

static __attribute__((noinline)) void loop_floor(struct loop *l, char *buf, size_t bytes)
{
	int source = dup(l->in);
	struct stat st;

	while (l->bytes < bytes) {
		off_t at = lseek(l->in, (off_t)l->chunk, SEEK_CUR) - (off_t)l->chunk;

		if (at < 0 || fstat(l->in, &st) < 0)
			err(1, "lseek, fstat");
		if (l->odd && at < st.st_size)
			read_edges(l, source, buf, at);
		if (went(l, at < st.st_size ? sendfile(l->out, source, &at, l->chunk) : 0))
			l->chunks++;
	}
	close(source);
}

static __attribute__((noinline)) void loop_splice(struct loop *l, const int *pipe, size_t bytes)
{
	int into = l->direct ? l->out : pipe[1];

	while (l->bytes < bytes) {
		ssize_t n = splice(l->in, NULL, into, NULL, l->chunk, SPLICE_F_MOVE);

		went(l, n);
		for (ssize_t w; !l->direct && n > 0; n -= w) {
			w = splice(pipe[0], NULL, l->out, NULL, (size_t)n, SPLICE_F_MOVE);
			if (w <= 0)
				err(1, "splice");
		}
		l->chunks++;
	}
}

static void by_splice(struct loop *l, size_t bytes)
{
	size_t room = l->chunk < PIPE_MAX ? l->chunk : PIPE_MAX;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		err(1, "pipe");
	if (room > 65536)
		fcntl(pair[1], F_SETPIPE_SZ, (int)room); /* a limit of the system: then 64 KiB */
	loop_splice(l, pair, bytes);
	close(pair[0]);
	close(pair[1]);
}

static void pass(struct loop *l, enum way way, char *buf, size_t bytes)
{
	l->bytes = l->chunks = 0;
	if (way == FLOOR)
		loop_floor(l, buf, bytes);
	else if (way != READ && l->file)
		loop_sendfile(l, bytes);
	else if (way != READ)
		by_splice(l, bytes);
	else if (l->mapped)
		loop_mapped(l, bytes);
	else
		loop_read(l, buf, bytes);
}

void loop_arm(char *buf, size_t chunk, int chunks)
{
	struct loop l = { .in = ends.file, .out = ends.tcp_out, .file = true, .chunk = chunk };

	loop_read(&l, buf, chunk * (size_t)chunks);
}

static void route_set(struct loop *l, const char *route)
{
	const char *dash = strchr(route, '-');
	size_t n = dash ? (size_t)(dash - route) : 0;

	l->mapped = n == 6 && strncmp(route, "mapped", n) == 0;
	l->file = l->mapped || (n == 4 && strncmp(route, "file", n) == 0);
	l->direct = n == 4 && strncmp(route, "pipe", n) == 0;
	if (l->file)
		l->in = ends.file;
	else
		l->in = l->direct ? ends.pipe_in : *route == 't' ? ends.tcp_in : ends.unix_in;
	l->out = dash && strcmp(dash, "-tcp") == 0 ? ends.tcp_out : ends.unix_out;
	if (l->in < 0 || l->out < 0)
		errx(2, "no such route: %s", route);
}

/* The index of NAME, which is a WHAT, in the N NAMES. */
static int named(const char *what, const char *name, const char *const names[], int n)
{
	for (int i = 0; i < n; i++)
		if (name && strcmp(name, names[i]) == 0)
			return i;
	errx(2, "no such %s: %s", what, name ? name : "(nothing)");
}

void loop_job(char **word, char *text, size_t n)
{
	struct loop l = { .chunk = number(word[2]), .odd = number(word[3]) };
	size_t bytes = number(word[4]), warm = l.chunk * number(word[6]);
	enum way way = (enum way)named("way", word[0], way_names, WAYS);
	struct counts c;
	char *buf = NULL;

	route_set(&l, word[1]);
	l.look = (enum look)named("look", word[5], look_names, LOOKS);
	if (way == FLOOR && (!l.file || l.mapped))
		errx(2, "floor is of a file that is read");
	if (way == LIMIT)
		l.chunk = l.file ? bytes : PIPE_MAX;
	if (way == FLOOR || (way == READ && !l.mapped))
		buf = buffer_new(l.chunk, l.odd);
	if (warm > 0)
		pass(&l, way, buf, warm < bytes ? warm : bytes);
	c = counters_now();
	pass(&l, way, buf, bytes);
	c = counters_since(&c);
	if (buf)
		buffer_free(buf, l.odd);
	snprintf(text, n, "%zu %zu", l.bytes, l.chunks);
	counts_print(text, n, &c);
}
