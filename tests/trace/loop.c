/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the loop that tests/trace/run watches under strace.
 *
 *   loop FILE CHUNK OFFSET BUFFER SINK LOOK REPEAT [SOURCE]
 *
 * Reads FILE in pieces of CHUNK bytes into a BUFFER (heap, static, mmap) that
 * starts OFFSET bytes after the start of a page, or (turns) into two in turn of which the other one
 * starts in the middle of a page, and writes them to a SINK
 * (tcp, unix), whose other end a child reads (tcp, unix) or a thread of this
 * process (tcp-thread). With LOOK = look it adds up the bytes before it writes
 * them. All of it REPEAT times.
 *
 * With a BUFFER of mapped or private the file is mapped instead (shared or private), and
 * written from there; with windows each chunk is mapped for itself, and written
 * behind a header of four bytes that are the file's too.
 *
 * With a SOURCE (tcp, unix, pipe) the file comes through that, from a child; before each
 * chunk the loop waits until all of it is there, so that every read is full.
 *
 * The call getppid() stands before each read: it cuts the trace into chunks. What lies between
 * getuid() and the next getppid() is the loop's waiting.
 * The reader prints the sum of what it got, so that the bytes are checked as well.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MOST = 1 << 20 };

static char memory[MOST + 2 * PAGE] __attribute__((aligned(PAGE)));
static volatile uint64_t looked;
static size_t to_come; /* from a SOURCE, in all */
static char *other;    /* the buffer of the next chunk, where two take turns */

/* FNV-1a over 64-bit words would depend on the cuts; over bytes it does not. */
static uint64_t sum(uint64_t h, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void tcp_pair(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || pair[0] < 0 || bind(listener, (struct sockaddr *)&a, n) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&a, &n) < 0 ||
	    connect(pair[0], (struct sockaddr *)&a, n) < 0)
		err(1, "tcp");
	pair[1] = accept(listener, NULL, NULL);
	if (pair[1] < 0)
		err(1, "accept");
	close(listener);
}

static void *drain(void *argument)
{
	static unsigned char buf[100000];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	int fd = *(int *)argument;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		h = sum(h, buf, (size_t)n);
	dprintf(STDOUT_FILENO, "received %016llx\n", (unsigned long long)h);
	return NULL;
}

static char *buffer(const char *kind, size_t chunk, size_t offset)
{
	void *p = memory;

	if (strcmp(kind, "turns") == 0) {
		other = buffer("mmap", chunk, PAGE / 2);
		kind = "mmap";
	}
	if (strcmp(kind, "heap") == 0 && posix_memalign(&p, PAGE, chunk + 2 * PAGE) != 0)
		errx(1, "no memory");
	if (strcmp(kind, "mmap") == 0)
		p = mmap(NULL, chunk + 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, chunk + 2 * PAGE);
	return (char *)p + offset;
}

/* Waits until CHUNK bytes are there to be read, or all that are still to come. */
static void await(int source, size_t chunk)
{
	size_t wanted = to_come < chunk ? to_come : chunk;
	int n = 0;

	if (to_come == 0)
		return;
	getuid();
	while (ioctl(source, FIONREAD, &n) == 0 && (size_t)n < wanted)
		sched_yield();
	to_come -= wanted;
}

static void serve(int file, int sink, char *buf, size_t chunk, int look)
{
	ssize_t n;

	while (await(file, chunk), getppid(), (n = read(file, buf, chunk)) > 0) {
		if (look)
			looked = sum(looked, (unsigned char *)buf, (size_t)n);
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(sink, buf + done, (size_t)(n - done));
			if (w < 0)
				err(1, "write");
		}
		if (other) {
			char *now = other;

			other = buf;
			buf = now;
		}
	}
	if (n < 0)
		err(1, "read");
}

static void write_all(int sink, const char *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t w = write(sink, p + done, n - done);

		if (w < 0)
			err(1, "write");
		done += (size_t)w;
	}
}

static void serve_mapping(int file, int sink, size_t chunk, int flags)
{
	size_t size = (size_t)lseek(file, 0, SEEK_END), n;
	char *p = mmap(NULL, size, PROT_READ, flags, file, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	for (size_t at = 0; getppid(), at < size; at += n) {
		n = size - at < chunk ? size - at : chunk;
		write_all(sink, p + at, n);
	}
	munmap(p, size);
}

/* The bytes of the header are the first of the chunk: so all that is sent is the file. */
static void serve_windows(int file, int sink, size_t chunk)
{
	size_t size = (size_t)lseek(file, 0, SEEK_END), n;
	struct iovec iov[2];
	char header[4];

	for (size_t at = 0; getppid(), at < size; at += n) {
		char *p = mmap(NULL, chunk, PROT_READ, MAP_SHARED, file, (off_t)at);

		n = size - at < chunk ? size - at : chunk;
		if (p == MAP_FAILED)
			err(1, "mmap");
		memcpy(header, p, sizeof(header));
		iov[0] = (struct iovec){ header, sizeof(header) };
		iov[1] = (struct iovec){ p + sizeof(header), n - sizeof(header) };
		if (writev(sink, iov, 2) != (ssize_t)n)
			err(1, "writev");
		munmap(p, chunk);
	}
}

/* False if KIND is none of a mapping. */
static int serve_mapped(const char *kind, int file, int sink, size_t chunk)
{
	if (strcmp(kind, "windows") == 0)
		serve_windows(file, sink, chunk);
	else if (strcmp(kind, "mapped") == 0 || strcmp(kind, "private") == 0)
		serve_mapping(file, sink, chunk, kind[0] == 'm' ? MAP_SHARED : MAP_PRIVATE);
	else
		return 0;
	return 1;
}

static void source_pair(const char *kind, int pair[2])
{
	int room = 4 * MOST;

	if (strcmp(kind, "tcp") == 0)
		tcp_pair(pair);
	else if (strcmp(kind, "unix") == 0 ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair))
		err(1, "%s", kind);
	for (int i = 0; i < 2 && strcmp(kind, "pipe") != 0; i++) {
		/* more than a user may ask for, where that is allowed */
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) != 0 ||
		    setsockopt(pair[i], SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
			setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	}
	if (strcmp(kind, "pipe") == 0)
		fcntl(pair[1], F_SETPIPE_SZ, MOST);
}

/*
 * What comes out is the FILE, REPEAT times. *FEEDER gets what the child waits for before it ends.
 */
static int open_source(const char *kind, int file, int repeat, int *feeder)
{
	static char part[MOST];
	int pair[2], end[2];
	ssize_t n;

	source_pair(kind, pair);
	if (pipe(end) != 0)
		err(1, "pipe");
	to_come = (size_t)lseek(file, 0, SEEK_END) * (size_t)repeat;
	if (fork() == 0) {
		close(pair[0]);
		close(end[1]);
		for (; repeat > 0 && lseek(file, 0, SEEK_SET) == 0; repeat--)
			while ((n = read(file, part, sizeof(part))) > 0)
				if (write(pair[1], part, (size_t)n) != n)
					_exit(1);
		close(pair[1]);
		/* under strace the SIGCHLD of an end would interrupt a write of the loop's */
		_exit(read(end[0], part, 1) != 0);
	}
	close(pair[1]);
	close(end[0]);
	*feeder = end[1];
	return pair[0];
}

static void serve_stream(char **argv, int file, int sink, char *buf, size_t chunk)
{
	int feeder, source = open_source(argv[8], file, atoi(argv[7]), &feeder);

	serve(source, sink, buf, chunk, strcmp(argv[6], "look") == 0);
	close(feeder);
	wait(NULL);
	shutdown(sink, SHUT_WR);
}

static void serve_repeatedly(char **argv, int sink)
{
	size_t chunk = strtoul(argv[2], NULL, 10), offset = strtoul(argv[3], NULL, 10);
	int file = open(argv[1], O_RDONLY);
	char *buf;

	if (file < 0 || chunk == 0 || chunk > MOST || offset >= PAGE)
		err(1, "%s", argv[1]);
	buf = buffer(argv[4], chunk, offset);
	if (argv[8]) {
		serve_stream(argv, file, sink, buf, chunk);
		return;
	}
	for (int i = atoi(argv[7]); i > 0; i--) {
		if (!serve_mapped(argv[4], file, sink, chunk))
			serve(file, sink, buf, chunk, strcmp(argv[6], "look") == 0);
		if (lseek(file, 0, SEEK_SET) < 0)
			err(1, "lseek");
	}
	shutdown(sink, SHUT_WR);
}

int main(int argc, char **argv)
{
	int pair[2], threaded, status = 0;
	pthread_t thread;
	pid_t child;

	if (argc != 8 && argc != 9)
		errx(2, "loop FILE CHUNK OFFSET BUFFER SINK LOOK REPEAT [SOURCE]");
	threaded = strcmp(argv[5], "tcp-thread") == 0;
	if (strcmp(argv[5], "unix") != 0)
		tcp_pair(pair);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		err(1, "socketpair");
	if (threaded) {
		if (pthread_create(&thread, NULL, drain, &pair[0]) != 0)
			errx(1, "pthread_create");
		serve_repeatedly(argv, pair[1]);
		pthread_join(thread, NULL);
		return 0;
	}
	child = fork();
	if (child == 0) {
		close(pair[1]);
		drain(&pair[0]);
		return 0;
	}
	close(pair[0]);
	serve_repeatedly(argv, pair[1]);
	close(pair[1]);
	waitpid(child, &status, 0);
	return status != 0;
}
