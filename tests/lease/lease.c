/* SPDX-License-Identifier: MIT */
/*
 * lease.c - a loop that sends a file, and another process that opens the file for writing
 * when a chunk is read and not written.
 *
 *     lease CASE FILE: FILE may be "fd:N".
 *
 * Prints what the peer received, and whether the writer had to wait for long. Plain and under
 * shunt that is the same: the chunk is what the file was when it was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../guard/inline.h"

enum { CHUNK = 65536, LITTLE_MS = 700, OVERWRITTEN = 1 << 20, SMALL = 2000 };
enum { IDLE, OPEN_AND_WRITE, CHANGE_CHUNK, TRUNCATE, OPEN_ONLY, QUIT };

static struct shared {
	atomic_int go, done;       /* what the writer is to do; it is done */
	atomic_int blocked;        /* it waits for a lease, says the kernel */
	atomic_int late;           /* it comes in the middle of the wait, not before it */
	atomic_int hold, quiet;    /* the receiver reads nothing; says nothing */
	atomic_int slow, leaves;   /* it reads a page a millisecond; it closes, after a while */
	atomic_int resumes;        /* it is held no longer when the writer is done ... */
	atomic_int holds_on;       /* ... but a second and a half later */
	atomic_llong at;           /* of the chunk that CHANGE_CHUNK changes, in the file */
	atomic_int waited;         /* milliseconds that the writer's open took */
	atomic_llong taken;        /* bytes that the receiver has read */
	sem_t ready;
} *shared;

static const char *path;
static int source, sink, control[2];
static pid_t writer, receiver, self;
static char *truth;
static size_t size;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int)(t.tv_sec % 100000 * 1000 + t.tv_nsec / 1000000);
}

static void say_waited(const char *who, int ms)
{
	if (ms < LITTLE_MS)
		printf("%s waited little\n", who);
	else
		printf("%s waited %d ms\n", who, ms);
	fflush(stdout);
}

/* ---- the writer ---- */

static void overwrite(int fd)
{
	static char other[CHUNK];

	memset(other, 'x', sizeof(other));
	for (off_t at = 0; at < OVERWRITTEN; at += CHUNK)
		if (pwrite(fd, other, CHUNK, at) != CHUNK)
			die("pwrite");
}

/* What was passed on by reference already would change, too: the end of the chunk was not. */
static void change_end(int fd)
{
	static char other[4096];

	memset(other, 'x', sizeof(other));
	if (pwrite(fd, other, sizeof(other), shared->at + CHUNK - 4096) != 4096)
		die("pwrite");
}

static void write_file(int what)
{
	int begun, fd = -1;

	if (shared->late)
		usleep(200000);
	begun = milliseconds();
	if (what == TRUNCATE && truncate(path, OVERWRITTEN / 2) != 0)
		die("truncate");
	if (what != TRUNCATE && (fd = open(path, O_WRONLY)) < 0)
		die("open for writing");
	shared->waited = milliseconds() - begun;
	if (what == OPEN_AND_WRITE)
		overwrite(fd);
	if (what == CHANGE_CHUNK)
		change_end(fd);
	if (fd >= 0)
		close(fd);
}

/*
 * Is a lease of this file broken? By /proc/locks, as in "1: LEASE  BREAKING  READ  4711 fe:01:123 0
 * EOF".
 */
static int is_broken(void)
{
	char line[256], inode[32];
	FILE *f = fopen("/proc/locks", "r");
	struct stat st;
	int found = 0;

	if (!f || stat(path, &st) != 0)
		die("/proc/locks");
	snprintf(inode, sizeof(inode), ":%ju ", (uintmax_t)st.st_ino);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, "BREAKING") && strstr(line, inode);
	fclose(f);
	return found;
}

static void be_writer(void)
{
	pid_t child = 0;

	while (shared->go == IDLE)
		usleep(1000);
	if (shared->go != QUIT)
		child = fork();
	if (shared->go != QUIT && child == 0) {
		write_file(shared->go);
		exit(0);
	}
	while (child && waitpid(child, NULL, WNOHANG) == 0)
		shared->blocked |= is_broken();
	shared->done = 1;
	sem_post(&shared->ready);
	if (shared->holds_on)
		usleep(1500000);
	if (shared->resumes)
		shared->hold = 0;
	if (write(control[1], "d", 1) != 1)
		die("control");
	kill(self, SIGUSR1);
	exit(0);
}

/* What is on its way may arrive as the writer makes it: it is to be there first. */
static void delivered(void)
{
	int queued = 1;

	while (ioctl(sink, SIOCOUTQ, &queued) == 0 && queued > 0)
		;
}

/*
 * Returns when the writer waits, or is done: without any call, so that nobody looks whether it
 * waits.
 */
static void tell_writer(int what)
{
	shared->go = what;
	while (what != QUIT && !shared->late && !shared->blocked && !shared->done)
		;
}

/* ---- the receiver ---- */

static void stay(void)
{
	if (shared->slow)
		usleep(1000);
	while (shared->hold) {
		usleep(1000);
		if (!shared->leaves)
			continue;
		usleep(300000);
		exit(0); /* with bytes unread: a reset */
	}
}

static void be_receiver(int fd)
{
	static char part[CHUNK];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	long long total = 0;
	ssize_t n;

	stay();
	while ((n = read(fd, part, shared->slow ? 4096 : sizeof(part))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			h = (h ^ (unsigned char)part[i]) * UINT64_C(0x100000001b3);
		total += n;
		shared->taken = total;
		stay();
	}
	if (!shared->quiet)
		printf("received %lld %016llx\n", total, (unsigned long long)h);
	exit(0);
}

/* ---- the loop ---- */

static void send_all(const char *p, ssize_t n)
{
	for (ssize_t m; n > 0; p += m, n -= m) {
		m = write(sink, p, (size_t)n);
		if (m < 0)
			die("write");
	}
}

/* The one call that reads: what is learned hangs on it. */
static ssize_t __attribute__((noinline)) get(char *p)
{
	ssize_t got = read(source, p, CHUNK);

	__asm__ volatile("" : "+r"(got));
	if (got < 0)
		die("read");
	return got;
}

/* A mapping of its own, which no other becomes one with. */
static char *page_buffer(void)
{
	char *p = mmap(NULL, CHUNK + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + 4096, CHUNK, PROT_READ | PROT_WRITE) != 0)
		die("mmap");
	return p + 4096;
}

static void loop(char *p, int count)
{
	ssize_t n;

	for (int i = 0; i != count && (n = get(p)) > 0; i++)
		send_all(p, n);
}

static void finish_writer(void)
{
	if (shared->go == IDLE)
		tell_writer(QUIT);
	waitpid(writer, NULL, 0);
	if (shared->go != QUIT)
		say_waited("writer", shared->waited);
}

/* The writer comes, and is through before anything else is done. */
static void let_write(void)
{
	tell_writer(OPEN_AND_WRITE);
	while (!shared->done)
		;
	finish_writer();
}

/*
 * Some chunks, then one that is read and not written while a writer comes, and WAIT until it is
 * done.
 */
static void served(void (*wait)(void), int what)
{
	char *p = page_buffer();
	ssize_t n;

	loop(p, 5);
	delivered();
	n = get(p);
	tell_writer(what);
	wait();
	if (!shared->done)
		die("the wait was over too soon");
	send_all(p, n);
	if (what != TRUNCATE)
		loop(p, -1);
	finish_writer();
}

/* ---- ways to wait ---- */

static void by_poll(void)
{
	struct pollfd p = { .fd = control[0], .events = POLLIN };

	poll(&p, 1, -1);
}

static void by_long_poll(void)
{
	struct pollfd p = { .fd = control[0], .events = POLLIN };

	if (poll(&p, 1, 60000) != 1)
		die("poll");
}

/* None of them is long enough for a settling. */
static void by_short_polls(void)
{
	struct pollfd p = { .fd = control[0], .events = POLLIN };

	while (poll(&p, 1, 10) == 0)
		;
}

static void by_ppoll(void)
{
	struct pollfd p = { .fd = control[0], .events = POLLIN };
	struct timespec t = { 60, 999999999 };
	sigset_t none;

	sigemptyset(&none);
	if (ppoll(&p, 1, &t, &none) != 1)
		die("ppoll");
}

static void by_select(void)
{
	struct timeval t = { 60, 10 };
	int begun = milliseconds();
	fd_set in;

	FD_ZERO(&in);
	FD_SET(control[0], &in);
	if (select(control[0] + 1, &in, NULL, NULL, &t) != 1 || !FD_ISSET(control[0], &in))
		die("select");
	/* Linux tells what is left */
	if (t.tv_usec < 0 || t.tv_usec > 999999 ||
	    t.tv_sec * 1000 + t.tv_usec / 1000 < 60000 - (milliseconds() - begun) - 20)
		printf("left of the timeout: %ld.%06ld\n", (long)t.tv_sec, (long)t.tv_usec);
}

static void by_pselect(void)
{
	fd_set in;

	FD_ZERO(&in);
	FD_SET(control[0], &in);
	pselect(control[0] + 1, &in, NULL, NULL, NULL, NULL);
}

static void by_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, control[0], &e);
	if (epoll_wait(fd, &e, 1, -1) != 1)
		die("epoll_wait");
	close(fd);
}

static void by_recv(void)
{
	char c;

	if (recv(control[0], &c, 1, 0) != 1)
		die("recv");
}

static void by_sem(void)
{
	sem_wait(&shared->ready);
}

static void by_sem_timed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 60;
	if (sem_timedwait(&shared->ready, &t) != 0)
		die("sem_timedwait");
}

static void by_usleep(void)
{
	while (!shared->done)
		usleep(100000);
}

static void by_nanosleep(void)
{
	struct timespec t = { 0, 300000000 };

	while (!shared->done)
		nanosleep(&t, NULL);
}

static void by_waitpid(void)
{
	if (waitpid(writer, NULL, 0) != writer)
		die("waitpid");
}

static void nothing(int signal)
{
	(void)signal;
}

static void by_sigsuspend(void)
{
	sigset_t usr1, none;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, nothing);
	while (!shared->done)
		sigsuspend(&none);
}

static void by_short_selects(void)
{
	struct timeval t = { 0, 10000 };
	fd_set in;

	do {
		FD_ZERO(&in);
		FD_SET(control[0], &in);
	} while (select(control[0] + 1, &in, NULL, NULL, &t) == 0 && (t.tv_usec = 10000));
}

/* Not a wait: it reads, but writes nothing. */
static void by_reading(void)
{
	char *p = page_buffer();
	int before = source;

	source = open("other", O_RDONLY);
	while (!shared->done)
		if (get(p) < CHUNK)
			lseek(source, 0, SEEK_SET);
	close(source);
	source = before;
}

/* Not a wait: it serves another file from another buffer. */
static void by_serving(void)
{
	char *p = page_buffer();
	int before = source, null = open("/dev/null", O_WRONLY), to = sink;
	ssize_t n;

	source = open("other", O_RDONLY);
	sink = null;
	while (!shared->done) {
		n = get(p);
		if (n < CHUNK)
			lseek(source, 0, SEEK_SET);
		if (n > 0)
			send_all(p, n);
	}
	close(source);
	close(null);
	source = before;
	sink = to;
}

#define WAIT(how)                                                                                  \
	static void wait_##how(void)                                                               \
	{                                                                                          \
		served(by_##how, OPEN_AND_WRITE);                                                  \
	}                                                                                          \
	static void late_##how(void)                                                               \
	{                                                                                          \
		shared->late = 1;                                                                  \
		served(by_##how, OPEN_AND_WRITE);                                                  \
	}
WAIT(poll)
WAIT(long_poll)
WAIT(short_polls)
WAIT(ppoll)
WAIT(select)
WAIT(pselect)
WAIT(epoll)
WAIT(recv)
WAIT(sem)
WAIT(sem_timed)
WAIT(usleep)
WAIT(nanosleep)
WAIT(waitpid)
WAIT(sigsuspend)
WAIT(serving)
WAIT(reading)
WAIT(short_selects)

static void truncated(void)
{
	served(by_poll, TRUNCATE);
}

/* ---- others ---- */

static void plain(void)
{
	loop(page_buffer(), -1);
	finish_writer();
}

/* A loop that never waits, and a peer that is as fast: the file is sent again and again. */
static void steady(void)
{
	char *p = page_buffer();

	shared->quiet = 1; /* how much that is varies */
	loop(p, 10);
	tell_writer(OPEN_ONLY);
	for (int i = 0; !shared->done || i % 20; i++) {
		if (lseek(source, 0, SEEK_CUR) > (off_t)size - CHUNK)
			lseek(source, 0, SEEK_SET);
		loop(p, 1);
	}
	finish_writer();
}

/*
 * Nothing wakes it: the chunk was written and the file closed before it was busy with something
 * else.
 */
static void closed(void)
{
	char *p = page_buffer();
	uint64_t h = 1;

	loop(p, 10);
	delivered();
	close(source);
	tell_writer(OPEN_AND_WRITE);
	while (!shared->done)
		h = h * 3 + 1;
	*(volatile uint64_t *)&h = h;
	finish_writer();
}

static atomic_int heard;

static void hear(int signal)
{
	if (signal)
		heard++;
}

/* The program hears no signal of a lease, whichever it handles, and is killed by none. */
static void signals(void)
{
	served(by_poll, OPEN_AND_WRITE);
	printf("in all: %d\n", heard);
}

static void signals_handled(void)
{
	signal(SIGURG, hear);
	signal(SIGWINCH, hear);
	signal(SIGIO, hear);
	signals();
}

/* The handlers come when the lease is held. */
static void signals_handled_later(void)
{
	char *p = page_buffer();

	loop(p, 5);
	delivered();
	get(p);
	for (int s = 1; s < SIGRTMIN; s++)
		if (s != SIGSEGV && s != SIGBUS && s != SIGUSR1 && s != SIGCHLD && s != SIGPIPE)
			signal(s, hear);
	tell_writer(OPEN_ONLY);
	by_poll();
	printf("heard: %d\n", heard);
	fflush(stdout);
	finish_writer();
}

/* A handler for each that could be used: then nothing is leased. */
static void signals_all_handled(void)
{
	signal(SIGCONT, hear);
	signal(SIGCHLD, nothing);
	signals_handled();
}

static int time_of(int begun, const char *what, bool good)
{
	printf("%s: %s\n", what, good ? "done" : strerrorname_np(errno));
	say_waited("it", milliseconds() - begun);
	return 0;
}

/* The program itself opens the file for writing: it must not wait for its own lease. */
static void own_writes(void)
{
	char *p = page_buffer(), command[200];
	FILE *f;
	int fd, begun;

	loop(p, 5);
	delivered();
	get(p);
	begun = milliseconds();
	fd = open(path, O_RDWR);
	time_of(begun, "open", fd >= 0);
	close(fd);
	sleep(2); /* until it is asked again */
	loop(p, 3);
	get(p);
	begun = milliseconds();
	f = fopen(path, "r+");
	time_of(begun, "fopen", f != NULL);
	fclose(f);
	sleep(2);
	loop(p, 3);
	get(p);
	begun = milliseconds();
	snprintf(command, sizeof(command), "exec 3>>'%s'", path);
	time_of(begun, "system", system(command) == 0);
	sleep(2);
	loop(p, 3);
	get(p);
	begun = milliseconds();
	time_of(begun, "truncate", truncate(path, (off_t)size) == 0);
	lseek(source, 0, SEEK_SET);
	plain();
}

/* A handler of the program's, in the middle of a send that does not end. */
static void write_in_handler(int signal)
{
	int begun = milliseconds(), fd = open(path, O_RDWR);

	(void)signal;
	shared->waited = milliseconds() - begun;
	close(fd);
	shared->hold = 0;
}

static void own_in_handler(void)
{
	char *p = page_buffer();

	signal(SIGALRM, write_in_handler);
	loop(p, 1);
	shared->hold = 1;
	alarm(1);
	while (shared->hold)
		loop(p, 1);
	say_waited("it", shared->waited);
	loop(p, -1);
	finish_writer();
}

/* By an instruction of its own, which only the guard hears. */
static void own_inline(void)
{
	char *p = page_buffer();
	int begun;

	loop(p, 5);
	delivered();
	get(p);
	begun = milliseconds();
	time_of(begun, "open", INLINE4(openat, AT_FDCWD, path, O_RDWR, 0) >= 0);
	plain();
}

/* Leases of the program's own, on its own descriptor. */
static void own_leases(void)
{
	char *p = page_buffer();

	loop(p, 5);
	get(p);
	printf("before %d\n", fcntl(source, F_GETLEASE));
	printf("owner %d\n", fcntl(source, F_GETOWN));
	printf("F_SETLEASE F_WRLCK %d\n", fcntl(source, F_SETLEASE, F_WRLCK));
	printf("F_GETLEASE %d\n", fcntl(source, F_GETLEASE));
	loop(p, 5);
	printf("F_GETLEASE %d\n", fcntl(source, F_GETLEASE));
	printf("F_UNLCK %d\n", fcntl(source, F_SETLEASE, F_UNLCK));
	fflush(stdout);
	plain();
}

/* Is there a lock on the file in the eyes of another process? */
static void say_locked(const char *when)
{
	fflush(stdout);
	if (fork() == 0) {
		struct flock l = { .l_type = F_WRLCK };
		int fd = open(path, O_RDWR);

		if (fcntl(fd, F_GETLK, &l) != 0)
			die("F_GETLK");
		printf("%s: %s", when, l.l_type == F_UNLCK ? "free" : "locked");
		printf(", %s\n", flock(fd, LOCK_EX | LOCK_NB) ? "flocked" : "not flocked");
		exit(0);
	}
	wait(NULL);
}

static void own_locks(void)
{
	struct flock l = { .l_type = F_RDLCK };
	char *p = page_buffer();

	loop(p, 5);
	get(p);
	printf("F_SETLK %d\n", fcntl(source, F_SETLK, &l));
	loop(p, 5);
	say_locked("posix");
	l.l_type = F_UNLCK;
	printf("F_SETLK %d\n", fcntl(source, F_SETLK, &l));
	say_locked("unlocked");
	printf("flock %d\n", flock(source, LOCK_SH));
	loop(p, 5);
	say_locked("flock");
	fflush(stdout);
	plain();
}

/*
 * Locked before anything is read, as FTP servers do it; the number is not the only one of the file.
 */
static void locked_before(void)
{
	struct flock l = { .l_type = F_RDLCK };

	printf("F_SETLK %d\n", fcntl(source, F_SETLK, &l));
	loop(page_buffer(), 10);
	say_locked("posix");
	plain();
}

/*
 * Parent and child each land something of their own: the writer waits for both, and both have what
 * was.
 */
static void forked(void)
{
	char *p = page_buffer();
	off_t at;
	ssize_t n;
	pid_t child;

	loop(p, 5);
	delivered();
	get(p);
	child = fork();
	if (child == 0) {
		at = lseek(source, 0, SEEK_CUR);
		n = get(p);
		shared->hold = 1;
		by_short_polls();
		exit(memcmp(p, truth + at, (size_t)n) != 0);
	}
	while (!shared->hold)
		usleep(1000);
	at = lseek(source, 0, SEEK_CUR);
	n = get(p);
	tell_writer(OPEN_AND_WRITE);
	by_short_polls();
	printf("parent: %s\n", memcmp(p, truth + at, (size_t)n) ? "wrong" : "right");
	shared->hold = 0;
	waitpid(child, (int *)&at, 0);
	printf("child: %s\n", (int)at ? "wrong" : "right");
	finish_writer();
}

/*
 * A child that is killed with something landed leaves nothing behind that a writer would wait for.
 */
static void killed_child(void)
{
	char *p = page_buffer();
	pid_t child;

	loop(p, 5);
	delivered();
	child = fork();
	if (child == 0) {
		get(p);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
	let_write();
}

/* The child becomes another program, which has nothing to do with the file. */
static void executed(void)
{
	char *p = page_buffer();
	pid_t child;

	loop(p, 5);
	delivered();
	child = fork();
	if (child == 0) {
		get(p);
		shared->hold = 1;
		execl("/bin/sleep", "sleep", "3", (char *)NULL);
	}
	while (!shared->hold)
		;
	shared->hold = 0;
	while (shared->taken < 5 * CHUNK)
		; /* what is on its way would be changed by the writer */
	let_write();
	waitpid(child, NULL, 0);
}

/* One thread has a chunk and waits in a way that is not heard; another runs. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool read_it, over;

static void *holding(void *p)
{
	off_t at;
	ssize_t n;

	loop(p, 5);
	delivered();
	pthread_mutex_lock(&lock);
	at = lseek(source, 0, SEEK_CUR);
	n = get(p);
	read_it = true;
	pthread_cond_broadcast(&moved);
	while (!over)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
	printf("chunk: %s\n", memcmp(p, truth + at, (size_t)n) ? "wrong" : "right");
	return NULL;
}

static void other_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, holding, page_buffer()) != 0)
		die("pthread_create");
	pthread_mutex_lock(&lock);
	while (!read_it)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
	tell_writer(OPEN_AND_WRITE);
	by_short_polls();
	pthread_mutex_lock(&lock);
	over = true;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
	pthread_join(t, NULL);
	fflush(stdout);
	finish_writer();
}

/* ---- a peer that stalls ---- */

static void set_room(int n)
{
	setsockopt(sink, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

/* A chunk never fits: part of it is on its way when its write blocks. */
static void set_small(void)
{
	set_room(8192);
}

/* The loop is known, and the peer takes nothing any more, until the writer is done. */
static char *stall(void)
{
	char *p = page_buffer();

	loop(p, 5);
	delivered();
	shared->hold = 1;
	return p;
}

static void say_sent(ssize_t n, ssize_t asked)
{
	if (n < 0)
		printf("sent: %s\n", strerrorname_np(errno));
	else
		printf("sent: %s\n", n == asked ? "all" : "a part");
	fflush(stdout);
}

/*
 * A chunk is written to a peer that takes nothing; while that blocks a writer comes, changes the
 * last page of the chunk, and the peer goes on.
 */
static void write_stalled(char *p)
{
	ssize_t n;

	shared->at = lseek(source, 0, SEEK_CUR);
	n = get(p);
	shared->late = shared->resumes = 1;
	tell_writer(CHANGE_CHUNK);
	say_sent(write(sink, p, (size_t)n), n);
	if (!shared->done)
		die("the write did not block");
}

static void stalled(void)
{
	set_small();
	write_stalled(stall());
	loop(page_buffer(), -1);
	finish_writer();
}

static void stalled_handlers(void)
{
	signal(SIGUSR2, nothing);
	stalled();
}

/* Nothing fits when the chunk comes. */
/*
 * Full, and it stays so: TCP acknowledges what has arrived, which makes room, up to 200 ms later
 * (TCP_DELACK_MAX).
 */
static void fill_socket(void)
{
	static char other[1000];

	memset(other, 'o', sizeof(other));
	for (int ms = 0; ms < 300; ms += 10) {
		while (send(sink, other, sizeof(other), MSG_DONTWAIT) > 0)
			ms = 0;
		while (send(sink, other, 1, MSG_DONTWAIT) > 0)
			ms = 0;
		usleep(10000);
	}
	shared->quiet = 1; /* how many those are varies */
}

static void stalled_full(void)
{
	char *p;

	set_small();
	p = stall();
	fill_socket();
	write_stalled(p);
	loop(p, -1);
	finish_writer();
}

static void stalled_full_handlers(void)
{
	signal(SIGUSR2, nothing);
	stalled_full();
}

/* A header, and two chunks of the file that do not lie in a row there, in one call. */
static void stalled_pieces(void)
{
	char *p, *q = page_buffer(), head[1000];
	struct iovec iov[3] = { { head, sizeof(head) } };

	memset(head, 'h', sizeof(head));
	set_small();
	p = stall();
	iov[1] = (struct iovec){ p, (size_t)get(p) };
	shared->at = lseek(source, 2 * CHUNK, SEEK_CUR);
	iov[2] = (struct iovec){ q, (size_t)get(q) };
	shared->late = shared->resumes = 1;
	tell_writer(CHANGE_CHUNK);
	say_sent(writev(sink, iov, 3), sizeof(head) + iov[1].iov_len + iov[2].iov_len);
	loop(p, -1);
	finish_writer();
}

static void *sending(void *p)
{
	loop(p, 5);
	delivered();
	shared->hold = 1;
	write_stalled(p);
	loop(p, -1);
	return NULL;
}

/* One thread is in a send that does not end; another passes by, or does not. */
static void by_thread(void (*meanwhile)(void))
{
	pthread_t t;

	set_small();
	if (pthread_create(&t, NULL, sending, page_buffer()) != 0)
		die("pthread_create");
	if (meanwhile)
		meanwhile();
	pthread_join(t, NULL);
	finish_writer();
}

static void sending_thread(void)
{
	by_thread(by_short_polls);
}

static void busy(void)
{
	while (!shared->done)
		;
}

static void sending_alone(void)
{
	by_thread(busy);
}

/* The send is left by cancellation, and nobody waits for its lease then. */
static void stalled_cancelled(void)
{
	pthread_t t;

	set_small();
	if (pthread_create(&t, NULL, sending, page_buffer()) != 0)
		die("pthread_create");
	while (!shared->late)
		usleep(1000);
	usleep(100000);
	pthread_cancel(t);
	pthread_join(t, NULL);
	printf("joined: %s\n", shared->done ? "late" : "early");
	fflush(stdout);
	shared->quiet = 1;
	by_poll();
	finish_writer();
	shared->hold = 0;
}

/* A handler ends the call with what went, even with SA_RESTART; before anything went, as it says. */
static void interrupted(int flags, void (*first)(void), bool longer)
{
	struct sigaction act = { .sa_handler = hear, .sa_flags = flags };
	char *p;
	ssize_t n;

	set_small();
	sigaction(SIGALRM, &act, NULL);
	p = stall();
	if (first)
		first();
	n = get(p);
	if (longer) {
		shared->late = shared->resumes = 1;
		tell_writer(OPEN_ONLY);
	}
	alarm(1);
	say_sent(write(sink, p, (size_t)n), n);
	printf("heard: %d\n", heard);
	fflush(stdout);
	shared->quiet = 1;
	shared->hold = 0;
	finish_writer();
}

static void stalled_alarm(void)
{
	interrupted(0, NULL, false);
}

static void stalled_alarm_restart(void)
{
	interrupted(SA_RESTART, NULL, false);
}

static void stalled_full_alarm(void)
{
	interrupted(0, fill_socket, false);
}

/* The writer has come and gone, and the rest goes from memory. */
static void hold_on(void)
{
	shared->holds_on = 1;
}

static void stalled_late_alarm(void)
{
	interrupted(SA_RESTART, hold_on, true);
}

static jmp_buf back;

static void leave(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* Out of the wait; the mask is the program's again, and the lease goes. */
static void stalled_longjmp(void)
{
	sigset_t now;
	char *p;
	ssize_t n;

	signal(SIGALRM, leave);
	set_small();
	p = stall();
	n = get(p);
	alarm(1);
	if (sigsetjmp(back, 1) == 0)
		say_sent(write(sink, p, (size_t)n), n);
	sigprocmask(SIG_BLOCK, NULL, &now);
	for (int i = 1; i < 32; i++)
		if (sigismember(&now, i))
			printf("blocked: %d\n", i);
	fflush(stdout);
	shared->quiet = 1;
	tell_writer(OPEN_ONLY);
	by_poll();
	shared->hold = 0;
	finish_writer();
}

/* The peer goes away in the middle of a chunk: a part, then the error, each as it is. */
static void peer_leaves(int flags)
{
	char *p;
	ssize_t n;

	signal(SIGPIPE, hear);
	set_small();
	p = stall();
	n = get(p);
	shared->leaves = 1;
	say_sent(send(sink, p, (size_t)n, flags), n);
	printf("SIGPIPE: %d\n", heard);
	for (int i = 0; i < 3; i++)
		say_sent(send(sink, p, 1, flags), 1);
	printf("SIGPIPE: %d\n", heard);
	fflush(stdout);
	finish_writer();
}

static void stalled_peer_leaves(void)
{
	peer_leaves(0);
}

static void stalled_peer_leaves_quietly(void)
{
	peer_leaves(MSG_NOSIGNAL);
}

/* It reads, but no more than a page a millisecond. */
static void slow_peer(void)
{
	shared->slow = 1;
	set_small();
	plain();
}

/* Some of the next chunk fits when one is through. */
static void slow_peer_handlers(void)
{
	signal(SIGUSR2, nothing);
	shared->slow = 1;
	set_room(CHUNK);
	plain();
}

/* Who writes is who reads, afterwards: what fits plainly must not block for ever. */
static void own_peer(void)
{
	static char got[CHUNK];
	char *p = page_buffer();
	int pair[2], room = 34000, before = sink; /* which the kernel doubles */
	ssize_t n;

	loop(p, 5);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) != 0)
		die("socketpair");
	sink = pair[0];
	n = get(p);
	send_all(p, n);
	for (ssize_t at = 0, m; at < n; at += m)
		if ((m = read(pair[1], got + at, (size_t)(n - at))) <= 0)
			die("read");
	printf("received by itself: %s\n", memcmp(got, truth + 5 * CHUNK, (size_t)n) ? "wrong" : "right");
	fflush(stdout);
	sink = before;
	plain();
}

/* The peer reads nothing: a chunk is on its way when the writer comes. */
static void in_flight(void)
{
	char *p = page_buffer();

	shared->hold = 1;
	loop(p, 2); /* the first is taken, perhaps */
	get(p);
	tell_writer(OPEN_ONLY);
	by_poll();
	finish_writer();
	shared->hold = 0;
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(name) { #name, name }
#define BOTH(how) CASE(wait_##how), CASE(late_##how)
	BOTH(poll), BOTH(long_poll), BOTH(short_polls), BOTH(ppoll), BOTH(select), BOTH(pselect),
	BOTH(epoll), BOTH(recv), BOTH(sem), BOTH(sem_timed), BOTH(usleep), BOTH(nanosleep),
	BOTH(waitpid), BOTH(sigsuspend), BOTH(serving), BOTH(reading), BOTH(short_selects),
	CASE(truncated),
	CASE(plain), CASE(steady), CASE(closed), CASE(signals), CASE(signals_handled),
	CASE(signals_all_handled), CASE(own_writes), CASE(own_in_handler), CASE(own_leases),
	CASE(own_locks), CASE(locked_before), CASE(forked), CASE(killed_child), CASE(executed),
	CASE(other_thread), CASE(in_flight), CASE(signals_handled_later), CASE(sending_thread),
	CASE(own_inline),
	CASE(stalled), CASE(stalled_handlers), CASE(stalled_full), CASE(stalled_full_handlers),
	CASE(stalled_pieces), CASE(sending_alone), CASE(stalled_cancelled), CASE(stalled_alarm),
	CASE(stalled_alarm_restart), CASE(stalled_full_alarm), CASE(stalled_late_alarm),
	CASE(stalled_longjmp), CASE(stalled_peer_leaves), CASE(stalled_peer_leaves_quietly),
	CASE(slow_peer), CASE(slow_peer_handlers), CASE(own_peer),
#undef CASE
};

static int open_source(void)
{
	int fd = strncmp(path, "fd:", 3) == 0 ? atoi(path + 3) : open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		die(path);
	size = (size_t)st.st_size;
	truth = malloc(size);
	/* in pieces that are too small to land */
	for (size_t at = 0, n; at < size; at += n) {
		n = size - at < SMALL ? size - at : SMALL;
		if (pread(fd, truth + at, n, (off_t)at) != (ssize_t)n)
			die("pread");
	}
	return fd;
}

/* As socketpair, by TCP over the loopback. */
static int tcp_pair(int pair[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
	socklen_t n = sizeof(at);

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&at, n) || listen(listener, 1) ||
	    getsockname(listener, (void *)&at, &n) || connect(pair[0], (void *)&at, n))
		return -1;
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	return pair[1] < 0 ? -1 : 0;
}

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		run();
	return pid;
}

static int received[2];

static void run_receiver(void)
{
	close(received[0]);
	close(control[1]);
	be_receiver(received[1]);
}

static void run_writer(void)
{
	close(received[0]);
	close(received[1]);
	be_writer();
}

int main(int argc, char **argv)
{
	bool tcp = argc == 3 && strncmp(argv[1], "tcp_", 4) == 0;

	if (argc != 3)
		return 2;
	path = argv[2];
	argv[1] += tcp ? 4 : 0;
	self = getpid();
	signal(SIGUSR1, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(&shared->ready, 1, 0);
	if ((tcp ? tcp_pair(received) : socketpair(AF_UNIX, SOCK_STREAM, 0, received)) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0)
		die("socketpair");
	receiver = start(run_receiver);
	writer = start(run_writer);
	close(received[1]);
	sink = received[0];
	source = open_source();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			cases[i].run();
	close(sink);
	waitpid(receiver, NULL, 0);
	return 0;
}
