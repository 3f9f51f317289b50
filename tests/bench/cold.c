/* SPDX-License-Identifier: MIT */
/*
 * cold.c - which call waits for the disk, when a file is not in the page cache.
 *
 *   cold HOW CHUNK BYTES
 *
 * The file is dropped from the page cache, and then sent to TCP through a socket that
 * does not block, as an event loop does it; each read and each write is timed. HOW is loop
 * (one thread reads and writes) or threads (a second one reads, as the thread pools of servers do
 * it so that the loop never waits for the disk). The answer: the share of the file still in the
 * cache at the start, in per cent; then for reads and for writes, in ns: median, 99th percentile,
 * largest, sum; then the counts.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"

enum { TIMES = 65536 };

struct times {
	uint64_t ns[TIMES];
	size_t count;
};

static struct {
	size_t chunk, bytes;
	char *buf;
	ssize_t got;
	sem_t ask, answer; /* between the loop and the thread that reads */
	struct times reads, writes;
} cold;

static void times_add(struct times *t, uint64_t begun)
{
	if (t->count < TIMES)
		t->ns[t->count++] = now_ns() - begun;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void times_print(char *text, size_t n, struct times *t)
{
	size_t used = strlen(text);
	uint64_t sum = 0;

	qsort(t->ns, t->count, sizeof(*t->ns), compare);
	for (size_t i = 0; i < t->count; i++)
		sum += t->ns[i];
	snprintf(text + used, n - used, " %zu %zu %zu %zu", (size_t)t->ns[t->count / 2],
		 (size_t)t->ns[t->count * 99 / 100], (size_t)t->ns[t->count ? t->count - 1 : 0],
		 (size_t)sum);
}

/* Drops the file from the cache; returns how much of it is there all the same, in per cent. */
static double dropped(void)
{
	static unsigned char in[1 << 16];
	struct stat st;
	size_t pages, left = 0;
	void *p;

	if (fstat(ends.file, &st) < 0 || (p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
						   ends.file, 0)) == MAP_FAILED)
		err(1, "%s", ends.path);
	posix_fadvise(ends.file, 0, 0, POSIX_FADV_DONTNEED);
	pages = ((size_t)st.st_size + PAGE - 1) / PAGE;
	if (pages > sizeof(in))
		pages = sizeof(in);
	if (mincore(p, pages * PAGE, in) < 0)
		err(1, "mincore");
	for (size_t i = 0; i < pages; i++)
		left += in[i] & 1;
	munmap(p, (size_t)st.st_size);
	return 100.0 * (double)left / (double)pages;
}

static void read_chunk(void)
{
	uint64_t begun = now_ns();

	cold.got = read(ends.file, cold.buf, cold.chunk);
	times_add(&cold.reads, begun);
}

static void *reader(void *unused)
{
	(void)unused;
	do {
		while (sem_wait(&cold.ask) < 0)
			;
		read_chunk();
		sem_post(&cold.answer);
	} while (cold.got > 0);
	return NULL;
}

static void write_chunk(void)
{
	struct pollfd p = { .fd = ends.tcp_out, .events = POLLOUT };
	ssize_t done = 0;

	while (done < cold.got) {
		uint64_t begun = now_ns();
		ssize_t w = write(ends.tcp_out, cold.buf + done, (size_t)(cold.got - done));

		times_add(&cold.writes, begun);
		if (w > 0)
			done += w;
		else if (errno == EAGAIN)
			poll(&p, 1, 1000);
		else
			err(1, "write");
	}
}

static void serve(bool threads)
{
	for (size_t done = 0; done < cold.bytes; done += (size_t)cold.got) {
		if (threads) {
			sem_post(&cold.ask);
			while (sem_wait(&cold.answer) < 0)
				;
		} else {
			read_chunk();
		}
		if (cold.got <= 0)
			break;
		write_chunk();
	}
}

/* The thread sees the end of the file and ends: so the position is moved there. */
static void reader_stop(pthread_t thread)
{
	if (lseek(ends.file, 0, SEEK_END) < 0)
		err(1, "lseek");
	sem_post(&cold.ask);
	pthread_join(thread, NULL);
}

void cold_job(char **word, char *text, size_t n)
{
	bool threads = strcmp(word[0], "threads") == 0;
	int flags = fcntl(ends.tcp_out, F_GETFL);
	pthread_t thread;
	struct counts c;
	double left;

	cold.chunk = number(word[1]);
	cold.bytes = number(word[2]);
	cold.reads.count = cold.writes.count = 0;
	cold.buf = buffer_new(cold.chunk, false);
	sem_init(&cold.ask, 0, 0);
	sem_init(&cold.answer, 0, 0);
	fcntl(ends.tcp_out, F_SETFL, flags | O_NONBLOCK);
	left = dropped();
	if (lseek(ends.file, 0, SEEK_SET) < 0)
		err(1, "lseek");
	if (threads && (errno = pthread_create(&thread, NULL, reader, NULL)) != 0)
		err(1, "thread");
	c = counters_now();
	serve(threads);
	c = counters_since(&c);
	if (threads)
		reader_stop(thread);
	fcntl(ends.tcp_out, F_SETFL, flags);
	buffer_free(cold.buf, false);
	snprintf(text, n, "%.1f", left);
	times_print(text, n, &cold.reads);
	times_print(text, n, &cold.writes);
	counts_print(text, n, &c);
}
