/* SPDX-License-Identifier: MIT */
/*
 * killed.c - servers that are killed (SIGKILL) at any moment: what has their peer got by then?
 *
 * killed DIRECTORY COUNT SEED: starts itself COUNT times as a server, with the environment as it is
 * but PRELOAD in place of LD_PRELOAD. A server writes into a shared mapping what each write of it
 * was about to hand over, and what it returned. When it is dead, its peer has the bytes of the
 * files in their order: just as many as the writes returned, and of a write that had not yet
 * returned any part. That is what a server without shunt leaves behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "content.h"

enum { FD_LOG = 20, FD_SINK = 21, LARGEST = 128 * 1024, HEAD = 40 };

/*
 * DONE: bytes that writes have returned; UNDER_WAY: those of the one that has not, 0 if there is
 * none.
 */
struct account {
	_Atomic uint64_t done, under_way, writes;
};

static const char head_text[HEAD] = "the head of a file, forty bytes of it\r\n";

/* ---- the server ---- */

static void put(struct account *a, const struct iovec *iov, int count)
{
	size_t n = 0;
	ssize_t r;

	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	a->under_way = n;
	r = count == 1 ? write(FD_SINK, iov->iov_base, iov->iov_len) : writev(FD_SINK, iov, count);
	if (r != (ssize_t)n)
		_exit(9); /* it blocks, and no signal is handled: it is all or the end */
	a->done += n;
	a->under_way = 0;
	a->writes++;
}

/* One file, its head in front of the first chunk. */
static void serve_file(struct account *a, const char *path, char *buf, size_t chunk, unsigned looks)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	volatile char seen;
	bool first = true;
	ssize_t n;

	while ((n = read(fd, buf, chunk)) > 0) {
		struct iovec iov[2] = { { (void *)head_text, HEAD }, { buf, (size_t)n } };

		if (looks && a->writes % looks == 0)
			seen = buf[n / 2];
		put(a, first ? iov : iov + 1, first ? 2 : 1);
		first = false;
	}
	(void)seen;
	close(fd);
}

static int serve(uint64_t seed)
{
	struct account *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED, FD_LOG, 0);
	size_t chunk = (size_t)4096 << (seed / 8 % 6), at = seed & 1 ? 0 : 16;
	char *buf = malloc(LARGEST + 4096);

	buf = (char *)(((uintptr_t)buf + 4095) & ~(uintptr_t)4095) + at;
	if (a == MAP_FAILED)
		return 6;
	for (unsigned f = 0;; f++) {
		char path[] = "f0";

		path[1] = (char)('0' + f % CONTENT_FILES);
		serve_file(a, path, buf, chunk - at, seed & 2 ? 17 : 0);
	}
}

/* ---- its peer, which kills it ---- */

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

static pid_t start(const char *self, int log, int sink, uint64_t seed)
{
	const char *preload = getenv("PRELOAD");
	char number[32];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(number, sizeof(number), "%llu", (unsigned long long)seed);
	if (dup2(log, FD_LOG) < 0 || dup2(sink, FD_SINK) < 0 || (preload && setenv("LD_PRELOAD", preload, 1)))
		_exit(7);
	execl(self, self, "-", number, NULL);
	_exit(7);
}

static void wrong(const char *what, uint64_t seed, uint64_t got, const struct account *a)
{
	printf("FAILED: server %llu: %s: %llu bytes came, its writes returned %llu, %llu under way\n",
	       (unsigned long long)seed, what, (unsigned long long)got, (unsigned long long)a->done,
	       (unsigned long long)a->under_way);
	exit(1);
}

/* Where in the row of heads and files the peer is. */
struct place {
	int file;
	size_t at; /* of HEAD and the file */
};

static bool check(struct place *p, const unsigned char *buf, size_t n)
{
	while (n > 0) {
		size_t in_file = p->at < HEAD ? 0 : p->at - HEAD;
		size_t left = p->at < HEAD ? HEAD - p->at : content_length[p->file] - in_file;
		const void *wanted = p->at < HEAD ? (const void *)(head_text + p->at)
						  : content[p->file] + in_file;

		left = left < n ? left : n;
		if (memcmp(buf, wanted, left))
			return false;
		p->at += left;
		buf += left;
		n -= left;
		if (p->at == HEAD + content_length[p->file])
			*p = (struct place){ (p->file + 1) % CONTENT_FILES, 0 };
	}
	return true;
}

/* Reads on, until SERVER has been killed and everything that it sent is here. */
static uint64_t receive(int fd, uint64_t seed, const struct account *a)
{
	static unsigned char buf[256 * 1024];
	struct place place = { 0, 0 };
	uint64_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (!check(&place, buf, (size_t)n))
			wrong("other bytes", seed, got, a);
		got += (size_t)n;
	}
	if (n < 0)
		wrong(strerror(errno), seed, got, a);
	return got;
}

static uint64_t kill_one(const char *self, struct account *a, int log, uint64_t seed)
{
	uint64_t random = seed, got;
	struct timespec pause = { .tv_nsec = (long)(content_random(&random) % 24000000) };
	int ends[2], status;
	pid_t server, killer;

	*a = (struct account){ 0 };
	if (seed & 4 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 : (tcp_pair(ends), 0))
		content_die("sockets");
	server = start(self, log, ends[0], seed);
	killer = fork();
	if (killer == 0) {
		nanosleep(&pause, NULL);
		_exit(kill(server, SIGKILL));
	}
	close(ends[0]);
	got = receive(ends[1], seed, a);
	close(ends[1]);
	if (waitpid(killer, &status, 0) != killer || status || waitpid(server, &status, 0) != server)
		content_die("waitpid");
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		wrong("it ended before it was killed", seed, got, a);
	/* the last two stores of a write that has returned: either may be missing */
	if (got < a->done || got > a->done + a->under_way)
		wrong("another number of bytes", seed, got, a);
	return got;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, first, idle = 0;
	struct account *a;
	char self[4096] = "";
	int log, count;

	if (argc == 3 && strcmp(argv[1], "-") == 0)
		return serve(strtoull(argv[2], NULL, 10));
	if (argc != 4 || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || chdir(argv[1]) < 0)
		return 2;
	content_make(NULL);
	log = memfd_create("account", MFD_CLOEXEC);
	if (log < 0 || ftruncate(log, sizeof(*a)) < 0)
		content_die("memfd");
	a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED, log, 0);
	count = atoi(argv[2]);
	first = strtoull(argv[3], NULL, 10);
	for (int i = 0; i < count; i++) {
		uint64_t got = kill_one(self, a, log, first + (uint64_t)i);

		sum += got;
		idle += got == 0;
	}
	printf("%d killed, %llu of them before the first byte, %.1f MiB came\n", count,
	       (unsigned long long)idle, (double)sum / 1048576);
	return 0;
}
