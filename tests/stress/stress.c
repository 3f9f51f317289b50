/* SPDX-License-Identifier: MIT */
/*
 * stress.c - 64 threads that read, look, change, write, free and fork at random, under a storm of
 * timer signals whose handler looks into the buffers too.
 *
 * stress DIRECTORY SECONDS SEED [THREADS]. All that is read is compared with what the files hold,
 * here and by who receives it, another process: each chunk goes with a head that says what it is.
 * The first thing that is wrong ends it. What is written to standard output differs from run to
 * run.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "content.h"

enum { THREADS = 64, LARGEST = 192 * 1024, ROOM = 4096, MAGIC = 0x5374726f };

/* What goes before each chunk. The byte at CHANGED, from the chunk's beginning, is VALUE. */
struct head {
	uint32_t magic, file, offset, n, changed, value;
};

/* A thread, its buffer, and what the buffer holds. */
struct worker {
	pthread_t thread;
	pthread_rwlock_t lock;  /* a handler looks at its own thread's buffer without it */
	uint64_t random, chunks, forks;
	int index, sink, fd[CONTENT_FILES];
	unsigned char *block, *buf;
	struct head is;
	_Atomic bool known;     /* IS is what buf holds */
	int seldom;             /* one chunk of so many is looked at */
};

static struct worker workers[THREADS];
static int threads = THREADS;
static const char *directory;
static _Atomic bool over;
static _Atomic uint64_t storms, looks_by_handler;
static __thread struct worker *self;

static void wrong(const char *what, const struct head *h, size_t at)
{
	char line[200];
	int n = snprintf(line, sizeof(line), "WRONG: %s: file %u, %u bytes from %u, at %zu; %d in %d\n",
			 what, h->file, h->n, h->offset, at, self ? self->index : -1, (int)getpid());

	if (write(2, line, (size_t)n) < 0)
		_exit(4);
	_exit(3);
}

static unsigned char expected(const struct head *h, size_t i)
{
	return i == h->changed ? (unsigned char)h->value : content[h->file][h->offset + i];
}

/* ---- the receiver ---- */

struct stream {
	int fd;
	size_t have; /* of the head, then of the chunk */
	struct head head;
};

static void check_piece(const struct stream *s, const unsigned char *p, size_t at, size_t n)
{
	const struct head *h = &s->head;

	if (h->changed - at >= n) {
		if (memcmp(p, content[h->file] + h->offset + at, n) == 0)
			return;
	}
	for (size_t i = 0; i < n; i++)
		if (p[i] != expected(h, at + i))
			wrong("received", h, at + i);
}

static void check_head(const struct head *h)
{
	if (h->magic != MAGIC || h->file >= CONTENT_FILES || h->n > LARGEST ||
	    h->offset + (size_t)h->n > content_length[h->file])
		wrong("received no head", h, 0);
}

static void take(struct stream *s, const unsigned char *p, size_t n)
{
	while (n > 0) {
		size_t in_head = sizeof(s->head), left;

		left = s->have < in_head ? in_head - s->have : in_head + s->head.n - s->have;
		left = left < n ? left : n;
		if (s->have < in_head)
			memcpy((char *)&s->head + s->have, p, left);
		else
			check_piece(s, p, s->have - in_head, left);
		s->have += left;
		if (s->have == in_head)
			check_head(&s->head);
		if (s->have >= in_head && s->have == in_head + s->head.n)
			s->have = 0;
		p += left;
		n -= left;
	}
}

static void receive(struct stream *streams)
{
	static unsigned char buf[256 * 1024];
	static struct pollfd polls[THREADS];
	int left = threads;
	uint64_t bytes = 0;

	for (int i = 0; i < threads; i++)
		polls[i] = (struct pollfd){ .fd = streams[i].fd, .events = POLLIN };
	while (left > 0 && poll(polls, (nfds_t)threads, -1) > 0)
		for (int i = 0; i < threads; i++) {
			ssize_t n = polls[i].revents ? read(polls[i].fd, buf, sizeof(buf)) : -2;

			if (n == -1)
				content_die("the receiver");
			if (n == 0) {
				polls[i].fd = -1;
				left--;
			}
			if (n > 0)
				take(&streams[i], buf, (size_t)n);
			bytes += n > 0 ? (uint64_t)n : 0;
		}
	for (int i = 0; i < threads; i++)
		if (streams[i].have)
			wrong("a chunk that does not end", &streams[i].head, streams[i].have);
	printf("%.1f MiB received\n", (double)bytes / 1048576);
	fflush(stdout);
	_exit(0);
}

/* ---- the threads ---- */

static unsigned below(struct worker *w, unsigned n)
{
	return (unsigned)(content_random(&w->random) % n);
}

static void look(const struct worker *w, size_t at, size_t n, const char *how)
{
	const volatile unsigned char *p = w->buf;

	for (size_t i = at; i < at + n && i < w->is.n; i++)
		if (p[i] != expected(&w->is, i))
			wrong(how, &w->is, i);
}

/* Looks at its own thread's buffer, wherever that was interrupted. */
static void storm(int signal)
{
	struct worker *w = self;
	uint64_t n = atomic_fetch_add(&storms, 1);
	int saved = errno;

	(void)signal;
	if (w && n % (unsigned)w->seldom % 64 == 0 && atomic_load(&w->known)) {
		look(w, (n * 4099) % w->is.n, 3, "seen by a handler");
		atomic_fetch_add(&looks_by_handler, 1);
	}
	errno = saved;
}

/*
 * Where a program looks is learned by the place that reads: those who look often and those who
 * seldom do have each their own. Neither is inlined, nor folded into the other.
 */
#define READERS(name)                                                                              \
	static __attribute__((noinline)) ssize_t read_##name(int fd, void *p, size_t n)           \
	{                                                                                         \
		ssize_t r = read(fd, p, n);                                                       \
												  \
		__asm__ volatile("# " #name);                                                     \
		return r;                                                                         \
	}                                                                                         \
	static __attribute__((noinline)) ssize_t pread_##name(int fd, void *p, size_t n, off_t o) \
	{                                                                                         \
		ssize_t r = pread(fd, p, n, o);                                                   \
												  \
		__asm__ volatile("# " #name);                                                     \
		return r;                                                                         \
	}
READERS(often)
READERS(seldom)

static void get(struct worker *w)
{
	bool often = w->seldom == 1;
	int f = (int)below(w, CONTENT_FILES);
	size_t n = 4096u << below(w, 6), offset;
	ssize_t r;

	n += below(w, 4) ? 0 : below(w, 3000);
	if (n > LARGEST)
		n = LARGEST;
	offset = below(w, (unsigned)content_length[f]);
	if (below(w, 3) == 0) {
		r = (often ? pread_often : pread_seldom)(w->fd[f], w->buf, n, (off_t)offset);
	} else {
		if (below(w, 8) == 0 && lseek(w->fd[f], (off_t)offset, SEEK_SET) < 0)
			content_die("lseek");
		offset = (size_t)lseek(w->fd[f], 0, SEEK_CUR);
		r = (often ? read_often : read_seldom)(w->fd[f], w->buf, n);
		if (r == 0 && lseek(w->fd[f], 0, SEEK_SET) < 0)
			content_die("lseek");
	}
	if (r < 0)
		content_die("read");
	w->is = (struct head){ MAGIC, (uint32_t)f, (uint32_t)offset, (uint32_t)r, ~0u, 0 };
	if (r != (ssize_t)(n < content_length[f] - offset ? n : content_length[f] - offset))
		wrong("a short read", &w->is, n);
	atomic_store(&w->known, r > 0);
}

/* All of it, however often it takes. */
static void put(struct worker *w)
{
	struct iovec iov[2] = { { &w->is, sizeof(w->is) }, { w->buf, w->is.n } };
	struct iovec *at = iov;

	while (at < iov + 2) {
		int count = (int)(iov + 2 - at);
		ssize_t n = count == 2 ? writev(w->sink, at, 2) : write(w->sink, at->iov_base, at->iov_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			content_die("write");
		for (; at < iov + 2 && (size_t)n >= at->iov_len; at++)
			n -= (ssize_t)at->iov_len;
		if (at < iov + 2) {
			at->iov_base = (char *)at->iov_base + n;
			at->iov_len -= (size_t)n;
		}
	}
	w->chunks++;
}

static void change(struct worker *w)
{
	uint32_t at = below(w, w->is.n), value = below(w, 256);

	atomic_store(&w->known, false);
	w->buf[at] = (unsigned char)value;
	if (w->is.changed < w->is.n && w->is.changed != at)
		w->buf[w->is.changed] = content[w->is.file][w->is.offset + w->is.changed];
	w->is.changed = at;
	w->is.value = value;
	atomic_store(&w->known, true);
}

static void new_buffer(struct worker *w)
{
	static const unsigned odd[] = { 0, 16, 1000 };

	atomic_store(&w->known, false);
	pthread_rwlock_wrlock(&w->lock);
	free(w->block);
	w->block = malloc(LARGEST + ROOM);
	if (!w->block)
		content_die("memory");
	w->buf = w->block + odd[below(w, 3)];
	w->is.n = 0;
	pthread_rwlock_unlock(&w->lock);
}

/* The bytes move with the block. */
static void grow_buffer(struct worker *w)
{
	size_t at = (size_t)(w->buf - w->block);
	bool known = w->known;

	atomic_store(&w->known, false);
	pthread_rwlock_wrlock(&w->lock);
	w->block = realloc(w->block, LARGEST + ROOM + 65536 * below(w, 4));
	if (!w->block)
		content_die("memory");
	w->buf = w->block + at;
	pthread_rwlock_unlock(&w->lock);
	atomic_store(&w->known, known);
}

/* Another thread's buffer. */
static void look_across(struct worker *w)
{
	struct worker *o = &workers[below(w, (unsigned)threads)];

	if (pthread_rwlock_tryrdlock(&o->lock) != 0)
		return;
	if (o->is.n)
		look(o, below(w, o->is.n), 100, "seen by another thread");
	pthread_rwlock_unlock(&o->lock);
}

static void fork_child(struct worker *w)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		content_die("fork");
	if (pid == 0) {
		look(w, 0, w->is.n, "seen by a child");
		for (int i = 0; i < 4; i++) {
			get(w);
			look(w, 0, w->is.n, "read by a child");
		}
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			content_die("waitpid");
	if (status)
		wrong("a child", &w->is, (size_t)status);
	w->forks++;
}

/* Its own files: no other moves their offsets but its children, which end before it goes on. */
static void open_files(struct worker *w)
{
	char path[300];

	for (int f = 0; f < CONTENT_FILES; f++) {
		if (w->fd[f] > 0)
			close(w->fd[f]);
		snprintf(path, sizeof(path), "%s/f%d", directory, f);
		w->fd[f] = open(path, O_RDONLY | O_CLOEXEC);
		if (w->fd[f] < 0)
			content_die(path);
	}
}

static void step(struct worker *w)
{
	pthread_rwlock_wrlock(&w->lock);
	atomic_store(&w->known, false);
	w->is.n = 0;
	get(w);
	if (w->is.n && below(w, (unsigned)w->seldom) == 0)
		look(w, below(w, w->is.n), 1 + below(w, 9000), "seen");
	if (w->is.n && below(w, (unsigned)w->seldom) == 0)
		change(w);
	pthread_rwlock_unlock(&w->lock);
	if (w->is.n)
		put(w);
	switch (below(w, 256)) {
	case 0: fork_child(w); break;
	case 1: open_files(w); break;
	case 2: case 3: case 4: new_buffer(w); break;
	case 5: grow_buffer(w); break;
	case 6: look(w, 0, w->is.n, "seen after it was written"); break;
	case 7: case 8: case 9: look_across(w); break;
	default: break;
	}
	/* a few threads do little else: several at a time come to the same pages */
	for (int i = 0; w->index % 8 == 7 && i < 16; i++)
		look_across(w);
}

static void *work(void *argument)
{
	struct worker *w = argument;

	self = w;
	while (!over)
		step(w);
	atomic_store(&w->known, false);
	shutdown(w->sink, SHUT_WR);
	return NULL;
}

/* ---- main ---- */

static void tcp_pair(int ends[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(l, (struct sockaddr *)&a, n) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &n) < 0 ||
	    connect(ends[0], (struct sockaddr *)&a, n) < 0 || (ends[1] = accept(l, NULL, NULL)) < 0)
		content_die("tcp");
	close(l);
}

static pid_t start_receiver(void)
{
	struct stream streams[THREADS] = { 0 };
	pid_t pid;

	for (int i = 0; i < threads; i++) {
		int ends[2];

		if (i % 2)
			tcp_pair(ends);
		else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
			content_die("socketpair");
		workers[i].sink = ends[0];
		streams[i].fd = ends[1];
	}
	pid = fork();
	for (int i = 0; i < threads; i++)
		close(pid ? streams[i].fd : workers[i].sink);
	if (pid == 0)
		receive(streams);
	return pid;
}

static void start_workers(uint64_t seed)
{
	for (int i = 0; i < threads; i++) {
		struct worker *w = &workers[i];

		w->index = i;
		w->random = seed * 1000 + (uint64_t)i;
		w->seldom = 1 + (i % 4) * 300;
		pthread_rwlock_init(&w->lock, NULL);
		new_buffer(w);
		open_files(w);
	}
	for (int i = 0; i < threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			content_die("pthread_create");
}

static void sleep_storming(long seconds, uint64_t random)
{
	time_t end = time(NULL) + seconds;

	while (time(NULL) < end) {
		struct itimerval t = { .it_interval.tv_usec = 50 + (long)(content_random(&random) % 150) };

		t.it_value = t.it_interval;
		setitimer(ITIMER_REAL, &t, NULL);
		for (int i = 0; i < 20; i++)
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

int main(int argc, char **argv)
{
	struct sigaction a = { .sa_handler = storm, .sa_flags = SA_RESTART };
	uint64_t chunks = 0, forks = 0;
	int status = -1;
	sigset_t alarms;
	pid_t receiver;

	if (argc < 4)
		return 2;
	directory = argv[1];
	if (argc > 4)
		threads = atoi(argv[4]);
	if (threads < 1 || threads > THREADS)
		return 2;
	content_make(NULL);
	receiver = start_receiver();
	sigaction(SIGALRM, &a, NULL);
	start_workers(strtoull(argv[3], NULL, 10));
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* the storm is for the others */
	sleep_storming(atol(argv[2]), 1);
	over = true;
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		chunks += workers[i].chunks;
		forks += workers[i].forks;
	}
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	while (waitpid(receiver, &status, 0) < 0 && errno == EINTR)
		;
	printf("%llu chunks, %llu forks, %llu signals, %llu of them looked\n", (unsigned long long)chunks,
	       (unsigned long long)forks, (unsigned long long)storms, (unsigned long long)looks_by_handler);
	return status ? 1 : 0;
}
