/* SPDX-License-Identifier: MIT */
/*
 * same_socket.c - sinks of every kind, and sinks that are full, slow, or gone.
 *
 * How much a full socket takes is not the same from run to run, so these cases
 * say whether a call was whole, short or failed, and what must hold at the end.
 */
#include "same.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <sys/uio.h>

enum { BIG = 1 << 20 };

static volatile sig_atomic_t seen;
static sigjmp_buf back;
static long long accepted; /* bytes that the calls said were taken, after the loop */

static void note(int signal)
{
	seen = signal;
}

static void jump(int signal)
{
	seen = signal;
	siglongjmp(back, 1);
}

/* Whole, short or failed, but not how short. */
static ssize_t say_kind(const char *call, ssize_t n, size_t wanted)
{
	char line[80];
	int saved = errno;

	snprintf(line, sizeof(line), "%s %s", call,
		 n < 0 ? "failed" : (size_t)n == wanted ? "whole" : n == 0 ? "nothing" : "short");
	errno = saved;
	same_say(line, n < 0 ? -1 : 0);
	if (n > 0)
		accepted += n;
	return n;
}

/* The peer has exactly the bytes that were taken, and they are those of the file from its start. */
static void say_agreement(struct same_rig *r, long long before)
{
	static char a[65536], b[65536];
	int data = open("../data", O_RDONLY), received;
	long long total = 0;
	ssize_t n;

	r->source = -1;
	same_finish(r);
	received = open("received", O_RDONLY);
	while ((n = read(received, a, sizeof(a))) > 0) {
		if (read(data, b, (size_t)n) != n || memcmp(a, b, (size_t)n) != 0) {
			same_say("outcome: other bytes than the file's", total);
			return;
		}
		total += n;
	}
	same_say("outcome: received what was taken", total == before + accepted);
}

static void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static long long sent_before(struct same_rig *r)
{
	return lseek(r->source, 0, SEEK_CUR) - (long long)r->got;
}

/* ---- full sockets ---- */

static void full_nonblocking(struct same_rig *r)
{
	long long before = sent_before(r);
	size_t done = 0;
	ssize_t n;

	nonblocking(r->sink);
	same_drain(r, 'p');
	for (;;) {
		n = write(r->sink, r->buf + done, r->got - done);
		if (n < 0)
			break;
		accepted += n;
		done += (size_t)n;
		if (done == r->got) {
			r->got = (size_t)same_get(r->source, r->buf, r->size);
			done = 0;
		}
	}
	same_say("outcome: full", n);
	same_say("outcome: full again", write(r->sink, r->buf + done, r->got - done));
	same_say("outcome: poll", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 0));
	same_drain(r, 'g');
	same_say("outcome: poll", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 5000));
	say_agreement(r, before);
}

/* An edge must come after each EAGAIN, or the loop sleeps for ever. */
static void edge_triggered(struct same_rig *r)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(0), lost = 0;
	long long before = sent_before(r);
	size_t done = 0;
	ssize_t n;

	nonblocking(r->sink);
	epoll_ctl(ep, EPOLL_CTL_ADD, r->sink, &ev);
	while (r->got > 0 && lost == 0) {
		n = write(r->sink, r->buf + done, r->got - done);
		done += n > 0 ? (size_t)n : 0;
		accepted += n > 0 ? n : 0;
		if (done < r->got) { /* as nginx has it: less than all means not ready */
			lost = epoll_wait(ep, &ev, 1, 5000) != 1;
			continue;
		}
		n = same_get(r->source, r->buf, r->size);
		r->got = n > 0 ? (size_t)n : 0;
		done = 0;
	}
	same_say("outcome: edges lost", lost);
	close(ep);
	say_agreement(r, before);
}

static void dontwait_when_full(struct same_rig *r)
{
	long long before = sent_before(r);
	ssize_t n;

	same_drain(r, 'p');
	do {
		n = send(r->sink, r->buf, r->got, MSG_DONTWAIT);
		if (n > 0)
			accepted += n;
		if (n == (ssize_t)r->got)
			r->got = (size_t)same_get(r->source, r->buf, r->size);
	} while (n == (ssize_t)r->size);
	same_say("outcome: short or full", n < 0 ? -(n == -1 && errno != EAGAIN) : 0);
	same_drain(r, 'g');
	say_agreement(r, before);
}

static void more_to_come(struct same_rig *r)
{
	for (int i = 0; i < 10; i++) {
		same_say("send", send(r->sink, r->buf, r->got, MSG_MORE));
		same_read(r);
	}
	same_say("send", send(r->sink, r->buf, r->got, 0));
}

static void corked(struct same_rig *r)
{
	int on = 1, off = 0;

	for (int i = 0; i < 6; i++) {
		setsockopt(r->sink, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
		same_say("head", write(r->sink, "head", 4));
		same_write(r);
		setsockopt(r->sink, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
		same_read(r);
	}
}

/* ---- calls that are interrupted ---- */

static void start_alarm(int ms, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };
	struct itimerval t = { .it_value = { ms / 1000, (ms % 1000) * 1000 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void alarm_in_write(struct same_rig *r)
{
	long long before = sent_before(r);
	int whole = 0;
	ssize_t n = 1;

	same_drain(r, 'p');
	/* short until the socket takes nothing more, which may be after the first or the second */
	for (int i = 0; i < 6 && n > 0; i++) {
		start_alarm(300, note, 0);
		n = write(r->sink, r->buf + accepted, r->got - (size_t)accepted);
		whole += n == (ssize_t)(r->got - (size_t)accepted);
		accepted += n > 0 ? n : 0;
	}
	same_say("whole", whole);
	same_say("write", n);
	same_say("seen", seen);
	same_drain(r, 'g');
	say_agreement(r, before);
}

static void alarm_with_restart(struct same_rig *r)
{
	long long before = sent_before(r);

	same_drain(r, 'p');
	start_alarm(150, note, SA_RESTART);
	same_drain(r, 'G');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
	same_say("seen", seen);
	say_agreement(r, before);
}

static void jump_out_of_write(struct same_rig *r)
{
	same_drain(r, 'p');
	if (sigsetjmp(back, 1) == 0) {
		start_alarm(300, jump, 0);
		say_kind("write", write(r->sink, r->buf, r->got), r->got);
	}
	same_say("seen", seen);
	same_say_memory("buffer", r->buf, r->size);
	same_drain(r, 'g');
	/* the memory and the descriptors go on as ever */
	r->got = 0;
	same_loop(r, 4);
	same_read(r);
	same_say_memory("buffer", r->buf, r->size);
	r->got = 0;
}

static void time_out(struct same_rig *r)
{
	struct timeval t = { 0, 300000 };
	long long before = sent_before(r);

	setsockopt(r->sink, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	same_drain(r, 'p');
	if (say_kind("write", write(r->sink, r->buf, r->got), r->got) > 0)
		say_kind("write", write(r->sink, r->buf + accepted, r->got - (size_t)accepted),
			 r->got);
	same_drain(r, 'g');
	say_agreement(r, before);
}

/* The time-out is one for the whole call, however the peer trickles. */
static void time_out_slow_peer(struct same_rig *r)
{
	struct timeval t = { 0, 200000 };
	struct timespec a, b;
	ssize_t n;

	setsockopt(r->sink, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	same_drain(r, 's');
	clock_gettime(CLOCK_MONOTONIC, &a);
	n = write(r->sink, r->buf, r->got);
	clock_gettime(CLOCK_MONOTONIC, &b);
	say_kind("write", n, r->got);
	same_say("took about the time-out",
		 (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 600);
	same_drain(r, 'g');
}

/* ---- peers that go ---- */

static void errors_after(struct same_rig *r)
{
	char c;
	int error = 0;
	socklen_t n = sizeof(error);

	same_say("write", write(r->sink, r->buf, r->got));
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("read", read(r->sink, &c, 1));
	same_say("SO_ERROR", getsockopt(r->sink, SOL_SOCKET, SO_ERROR, &error, &n));
	same_say("error", error);
	same_say_memory("buffer", r->buf, r->size);
}

static void reset_before_write(struct same_rig *r)
{
	signal(SIGPIPE, note);
	same_drain(r, 'r');
	usleep(50000);
	errors_after(r);
	same_say("seen", seen);
}

static void reset_seen_by_poll(struct same_rig *r)
{
	struct pollfd p = { r->sink, POLLIN | POLLOUT, 0 };

	signal(SIGPIPE, note);
	same_drain(r, 'r');
	usleep(50000);
	same_say("poll", poll(&p, 1, 0));
	same_say("events", p.revents);
	errors_after(r);
	same_say("poll", poll(&p, 1, 0));
	same_say("events", p.revents);
}

static void reset_in_write(struct same_rig *r)
{
	char c;

	signal(SIGPIPE, note);
	same_drain(r, 'p');
	same_drain(r, 'R');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
	same_say("seen", seen);
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
	same_say("read", read(r->sink, &c, 1));
}

static void reset_in_write_then_read(struct same_rig *r)
{
	struct pollfd p = { r->sink, POLLIN | POLLOUT, 0 };
	char c;

	signal(SIGPIPE, SIG_IGN);
	same_drain(r, 'p');
	same_drain(r, 'R');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
	same_say("poll", poll(&p, 1, 0));
	same_say("events", p.revents);
	same_say("read", read(r->sink, &c, 1));
	same_say("read", read(r->sink, &c, 1));
}

static void reset_nonblocking(struct same_rig *r)
{
	struct pollfd p = { r->sink, POLLOUT, 0 };

	signal(SIGPIPE, note);
	nonblocking(r->sink);
	same_drain(r, 'p');
	while (write(r->sink, r->buf, r->got) > 0)
		;
	same_drain(r, 'r');
	usleep(50000);
	same_say("poll", poll(&p, 1, 1000));
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
}

static void shut_down(struct same_rig *r)
{
	signal(SIGPIPE, note);
	same_say("shutdown", shutdown(r->sink, SHUT_WR));
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
	same_say_memory("buffer", r->buf, r->size);
}

/* ---- other sinks ---- */

/* The file's chunks go to FD as well, eight of them, and BACK is what is read from there. */
static void loop_to(struct same_rig *r, int fd, int from, size_t n)
{
	static char chunk[SAME_CHUNK];

	for (int i = 0; i < 10; i++) {
		same_say("write", write(fd, r->buf, n));
		if (from >= 0) {
			size_t have = 0;
			ssize_t m = 1;

			for (; have < n && m > 0; have += (size_t)m)
				m = read(from, chunk + have, n - have);
			same_say_memory("back", chunk, have);
		}
		same_read(r);
	}
	same_write(r);
}

static void to_datagrams(struct same_rig *r)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0)
		loop_to(r, pair[0], pair[1], 60000);
}

static void to_packets(struct same_rig *r)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0)
		loop_to(r, pair[0], pair[1], 60000);
}

/*
 * At a number that accept() gave, on a listener that is known, are packets now: each write is one.
 */
static void to_packets_after_accept(struct same_rig *r)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), sock = -1, pair[2];
	socklen_t n = sizeof(a);

	same_say("listen", bind(listener, (struct sockaddr *)&a, n) + listen(listener, 3));
	getsockname(listener, (struct sockaddr *)&a, &n);
	for (int i = 0; i < 3; i++) {
		int peer = socket(AF_INET, SOCK_STREAM, 0);

		same_say("connect", connect(peer, (struct sockaddr *)&a, n));
		if (i)
			close(sock);
		sock = accept(listener, NULL, NULL);
		same_say("accept", sock < 0);
		same_say("write", write(sock, r->buf, r->size));
		same_say("received", recv(peer, r->area, 1, MSG_WAITALL));
		close(peer);
		same_read(r);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return;
	same_say("dup2", dup2(pair[0], sock) == sock);
	loop_to(r, sock, pair[1], r->size);
}

static void to_stream_pair(struct same_rig *r)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		loop_to(r, pair[0], pair[1], 60000);
}

static void to_pipe(struct same_rig *r)
{
	int pair[2];

	if (pipe(pair) == 0)
		loop_to(r, pair[1], pair[0], 60000);
}

static void to_file(struct same_rig *r)
{
	loop_to(r, open("out", O_WRONLY | O_CREAT, 0644), -1, SAME_CHUNK);
	same_say_file("out");
}

static void to_appended_file(struct same_rig *r)
{
	loop_to(r, open("out", O_WRONLY | O_CREAT | O_APPEND, 0644), -1, SAME_CHUNK);
	same_say_file("out");
}

static void to_null(struct same_rig *r)
{
	loop_to(r, open("/dev/null", O_WRONLY), -1, SAME_CHUNK);
}

static void to_unconnected(struct same_rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, note);
	same_say("write", write(fd, r->buf, r->got));
	same_say("seen", seen);
	same_say("listen", listen(fd, 1));
	same_say("write", write(fd, r->buf, r->got));
	same_write(r);
}

/* ---- threads ---- */

struct hand_over {
	struct same_rig *rig;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t full; /* bytes that are ready */
	bool end;
};

static void *reading_thread(void *arg)
{
	struct hand_over *h = arg;
	ssize_t n = 1;

	while (n > 0) {
		pthread_mutex_lock(&h->lock);
		while (h->full > 0)
			pthread_cond_wait(&h->changed, &h->lock);
		n = same_get(h->rig->source, h->rig->buf, h->rig->size);
		h->full = n > 0 ? (size_t)n : 0;
		h->end = n <= 0;
		pthread_cond_signal(&h->changed);
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

static void threads(struct same_rig *r, bool look)
{
	struct hand_over h = { r, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, r->got, false };
	pthread_t reader;
	bool end = false;

	pthread_create(&reader, NULL, reading_thread, &h);
	while (!end) {
		pthread_mutex_lock(&h.lock);
		while (h.full == 0 && !h.end)
			pthread_cond_wait(&h.changed, &h.lock);
		if (look && h.full > 0)
			same_say_memory("chunk", r->buf, h.full);
		r->got = h.full;
		same_write(r);
		h.full = 0;
		end = h.end;
		pthread_cond_signal(&h.changed);
		pthread_mutex_unlock(&h.lock);
	}
	pthread_join(reader, NULL);
}

static void other_thread_writes(struct same_rig *r)
{
	threads(r, false);
}

static void other_thread_looks(struct same_rig *r)
{
	threads(r, true);
}

static void *hashing_thread(void *arg)
{
	struct same_rig *r = arg;

	return (void *)(uintptr_t)same_hash(r->buf, r->size);
}

/* Four threads look at the same time: all see the whole truth. */
static void many_look(struct same_rig *r)
{
	pthread_t t[4];
	void *hash[4];

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			pthread_create(&t[i], NULL, hashing_thread, r);
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], &hash[i]);
		same_say_memory("buffer", r->buf, r->size);
		same_say("the same", hash[0] == hash[1] && hash[1] == hash[2] && hash[2] == hash[3] &&
					     (uintptr_t)hash[0] == same_hash(r->buf, r->size));
		same_write(r);
		same_loop(r, 4);
		same_read(r);
	}
}

static void cleanup(void *arg)
{
	*(int *)arg = 1;
}

static int cleaned;

static void *blocked_thread(void *arg)
{
	struct same_rig *r = arg;

	pthread_cleanup_push(cleanup, &cleaned);
	for (;;)
		if (write(r->sink, r->buf, r->got) < 0)
			break;
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled_in_write(struct same_rig *r)
{
	pthread_t t;
	void *result;

	same_drain(r, 'p');
	pthread_create(&t, NULL, blocked_thread, r);
	usleep(300000);
	same_say("cancel", pthread_cancel(t));
	same_say("join", pthread_join(t, &result));
	same_say("cancelled", result == PTHREAD_CANCELED);
	same_say("cleaned up", cleaned);
	same_say_memory("buffer", r->buf, r->size);
	same_drain(r, 'g');
	same_loop(r, 1);
}

/* ---- SIGPIPE where the program forbids it ---- */

static int pending_pipe(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGPIPE);
}

static void nobody_there(struct same_rig *r)
{
	nonblocking(r->sink);
	same_drain(r, 'c');
	usleep(50000);
}

static void no_signal_nonblocking(struct same_rig *r)
{
	nobody_there(r);
	for (int i = 0; i < 3; i++) /* SIGPIPE would end the process */
		same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	signal(SIGPIPE, note);
	same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL | MSG_DONTWAIT));
	same_say("seen", seen);
	same_say("send", send(r->sink, r->buf, r->got, 0));
	same_say("seen", seen);
}

/*
 * ---- a peer that goes in the middle of a call ----
 *
 * What the file has behind its first pages has to come from the disk, and the peer goes meanwhile.
 */

static void only_one(int signal)
{
	(void)signal;
	seen++;
}

/* The other end of what *END becomes: it takes a few bytes and goes. */
static pid_t short_lived_peer(int listener, struct sockaddr_in *where, int *end)
{
	char some[1000];
	socklen_t n = sizeof(*where);
	int pair[2], large = 4 * BIG;
	pid_t child;

	if (listener < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		if (listener < 0)
			close(pair[0]);
		else if (connect(pair[1] = socket(AF_INET, SOCK_STREAM, 0), (void *)where, n) != 0)
			_exit(1);
		_exit(recv(pair[1], some, sizeof(some), 0) < 0);
	}
	if (listener < 0)
		close(pair[1]);
	*end = listener < 0 ? pair[0] : accept(listener, NULL, NULL);
	setsockopt(*end, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	return child;
}

/* What is sent until the first error: of those calls that sent something, did one raise SIGPIPE? */
static void send_to_the_end(int fd, const char *p, int flags, int *raised, int *pipes_first)
{
	ssize_t n;

	do {
		struct pollfd poll_out = { fd, POLLOUT, 0 };

		seen = 0;
		n = send(fd, p, BIG, flags);
		*raised += n > 0 && seen;
		if (n < 0 && errno == EAGAIN)
			n = poll(&poll_out, 1, 1000);
	} while (n > 0);
	*pipes_first += errno == EPIPE;
}

static void goes_midway(struct same_rig *r, bool tcp, bool blocks, int flags)
{
	struct sockaddr_in where = { .sin_family = AF_INET };
	socklen_t n = sizeof(where);
	int listener = tcp ? socket(AF_INET, SOCK_STREAM, 0) : -1, file, raised = 0, pipes_first = 0;
	char *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	same_copy_file("../data", "cold");
	file = open("cold", O_RDONLY);
	fsync(file);
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (tcp && (bind(listener, (void *)&where, n) != 0 || listen(listener, 1) != 0 ||
		    getsockname(listener, (void *)&where, &n) != 0))
		return;
	same_write(r);
	for (int i = 0; i < 60; i++) {
		int end;
		pid_t child = short_lived_peer(listener, &where, &end);

		if (!blocks)
			nonblocking(end);
		lseek(file, 0, SEEK_SET);
		same_get(file, p, BIG);
		posix_fadvise(file, 65536, 0, POSIX_FADV_DONTNEED);
		send_to_the_end(end, p, flags, &raised, &pipes_first);
		close(end);
		waitpid(child, NULL, 0);
	}
	same_say("outcome: calls that sent and raised SIGPIPE", raised);
	if (tcp)
		same_say("outcome: first told of by EPIPE", pipes_first);
}

/* SIGPIPE would end the process. */
static void no_signal_midway(struct same_rig *r)
{
	goes_midway(r, false, false, MSG_NOSIGNAL);
}

static void no_signal_midway_tcp(struct same_rig *r)
{
	goes_midway(r, true, false, MSG_NOSIGNAL);
}

/* On a socket that blocks. */
static void no_signal_midway_blocking(struct same_rig *r)
{
	goes_midway(r, false, true, MSG_NOSIGNAL);
}

static void no_signal_midway_blocking_tcp(struct same_rig *r)
{
	goes_midway(r, true, true, MSG_NOSIGNAL);
}

static void reset_midway(struct same_rig *r)
{
	signal(SIGPIPE, only_one);
	goes_midway(r, true, false, 0);
}

static void reset_midway_ignored(struct same_rig *r)
{
	signal(SIGPIPE, SIG_IGN);
	goes_midway(r, true, false, 0);
}

/* One that is pending is the program's, and stays. */
static void no_signal_pending(struct same_rig *r)
{
	sigset_t set;

	nobody_there(r);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	same_say("pending", pending_pipe());
	raise(SIGPIPE);
	same_say("pending", pending_pipe());
	for (int i = 0; i < 3; i++)
		same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	same_say("pending", pending_pipe());
	same_say("sigwait", sigwaitinfo(&set, NULL));
	same_say("pending", pending_pipe());
}

/* A handler that jumps out of a blocked send finds SIGPIPE as it was. */
static void no_signal_jump(struct same_rig *r)
{
	sigset_t set;

	same_drain(r, 'p');
	if (sigsetjmp(back, 0) == 0) {
		start_alarm(300, jump, SA_NODEFER);
		for (;;)
			send(r->sink, r->buf, r->got, MSG_NOSIGNAL);
	}
	sigprocmask(SIG_BLOCK, NULL, &set);
	same_say("SIGPIPE blocked", sigismember(&set, SIGPIPE));
	same_drain(r, 'g');
}

static void dontwait_on_blocking(struct same_rig *r)
{
	ssize_t n = 1;

	signal(SIGPIPE, SIG_IGN);
	same_drain(r, 'p');
	start_alarm(2000, note, 0);
	while (n > 0)
		n = send(r->sink, r->buf, r->got, MSG_DONTWAIT);
	same_say("outcome: full", n);
	same_say("outcome: alarm", seen);
	same_drain(r, 'g');
}

/*
 * ---- an error that came in the middle of a blocked write, seen by the next call of each kind ----
 */

static void reset_meanwhile(struct same_rig *r)
{
	signal(SIGPIPE, note);
	same_drain(r, 'p');
	same_drain(r, 'R');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
}

/* The window was closed for so long that it was asked about, and not every time was it answered. */
static void reset_after_probes(struct same_rig *r)
{
	char c;

	signal(SIGPIPE, note);
	same_drain(r, 'p');
	same_drain(r, 'T');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
	same_say("recv", recv(r->sink, &c, 1, 0));
	same_say("seen", seen);
}

/* Of a peer that had said that it sends no more: that is no ECONNRESET. */
static void reset_after_end(struct same_rig *r)
{
	char c;

	signal(SIGPIPE, SIG_IGN);
	same_drain(r, 'p');
	same_drain(r, 'f');
	same_drain(r, 'R');
	say_kind("write", write(r->sink, r->buf, r->got), r->got);
	same_say("recv", recv(r->sink, &c, 1, 0));
	same_say("send", send(r->sink, &c, 1, 0));
	same_say("send", send(r->sink, &c, 1, 0));
}

static void reset_then_recv(struct same_rig *r)
{
	char c;

	reset_meanwhile(r);
	same_say("recv", recv(r->sink, &c, 1, 0));
	same_say("recv", recv(r->sink, &c, 1, 0));
	same_say("send", send(r->sink, r->buf, r->got, 0));
	same_say("seen", seen);
}

static void reset_then_recvmsg(struct same_rig *r)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	reset_meanwhile(r);
	same_say("recvmsg", recvmsg(r->sink, &msg, 0));
	same_say("readv", readv(r->sink, &iov, 1));
}

static void reset_then_messages(struct same_rig *r)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	reset_meanwhile(r);
	same_say("recvmmsg", recvmmsg(r->sink, &msg, 1, 0, NULL));
	same_say("readv", readv(r->sink, &iov, 1));
}

static void reset_then_send_messages(struct same_rig *r)
{
	struct iovec iov = { "x", 1 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	reset_meanwhile(r);
	same_say("sendmmsg", sendmmsg(r->sink, &msg, 1, 0));
	same_say("seen", seen);
	same_say("sendmmsg", sendmmsg(r->sink, &msg, 1, 0));
	same_say("seen", seen);
}

static void reset_then_option(struct same_rig *r)
{
	int error = 0;
	socklen_t n = sizeof(error);

	reset_meanwhile(r);
	for (int i = 0; i < 2; i++) {
		same_say("SO_ERROR", getsockopt(r->sink, SOL_SOCKET, SO_ERROR, &error, &n));
		same_say("error", error);
	}
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
}

static void reset_then_small_write(struct same_rig *r)
{
	reset_meanwhile(r);
	same_say("write", write(r->sink, "x", 1));
	same_say("seen", seen);
	same_say("write", write(r->sink, "x", 1));
	same_say("seen", seen);
}

#define OUR_SINK UINT64_C(0xfedcba9876543210)

/* Among others, of which one is at its end without an error. */
static int epoll_of_many(struct same_rig *r)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.u64 = OUR_SINK };
	int ep = epoll_create1(0), ended[2], pair[2];

	epoll_ctl(ep, EPOLL_CTL_ADD, r->sink, &ev);
	ev.data.u64 = 9;
	if (pipe(ended) != 0 || close(ended[1]) != 0)
		return -1;
	epoll_ctl(ep, EPOLL_CTL_ADD, ended[0], &ev);
	for (ev.data.u64 = 10; ev.data.u64 < 40; ev.data.u64++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
			epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev);
	return ep;
}

static void say_of(const struct epoll_event *ev, int n, uint64_t data)
{
	for (int i = 0; i < n; i++)
		if (ev[i].data.u64 == data) {
			same_say("error", (ev[i].events & EPOLLERR) != 0);
			same_say("hung up", (ev[i].events & EPOLLHUP) != 0);
		}
}

static void say_events(const struct epoll_event *ev, int n)
{
	say_of(ev, n, OUR_SINK);
	say_of(ev, n, 9);
}

static void reset_then_epoll(struct same_rig *r)
{
	struct epoll_event ev[64];
	int ep = epoll_of_many(r);

	reset_meanwhile(r);
	say_events(ev, (int)same_say("epoll_wait", epoll_wait(ep, ev, 64, 0)));
	say_events(ev, (int)same_say("epoll_pwait", epoll_pwait(ep, ev, 64, 0, NULL)));
	say_events(ev, (int)same_say("epoll_pwait2",
				     epoll_pwait2(ep, ev, 64, &(struct timespec){ 0, 0 }, NULL)));
	same_say("write", write(r->sink, "x", 1));
}

static void reset_then_ppoll(struct same_rig *r)
{
	struct pollfd p = { r->sink, POLLIN | POLLOUT, 0 };

	reset_meanwhile(r);
	same_say("ppoll", ppoll(&p, 1, &(struct timespec){ 0, 0 }, NULL));
	same_say("error", (p.revents & POLLERR) != 0);
	same_say("write", write(r->sink, "x", 1));
}

/* The number means another socket then, which owes nothing. */
static void reset_then_other(struct same_rig *r)
{
	int pair[2], fd = r->sink;
	char c;

	reset_meanwhile(r);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	same_say("dup2", dup2(pair[0], fd) == fd);
	same_say("write", write(fd, "x", 1));
	same_say("read", read(pair[1], &c, 1));
}

/* ---- a header and a chunk, as much as the socket takes ---- */

enum { HEAD = 3000, STREAM = 24 << 20 };

/* What of the two pieces was taken goes to the end of a copy of the stream. */
static size_t note_taken(char *stream, size_t at, const struct iovec *iov, const char *truth, size_t n)
{
	size_t head = n < iov[0].iov_len ? n : iov[0].iov_len;

	memcpy(stream + at, iov[0].iov_base, head);
	memcpy(stream + at + head, truth, n - head);
	return at + n;
}

static void full_with_header(struct same_rig *r)
{
	static char head[HEAD], truth[SAME_CHUNK];
	char *stream = malloc(STREAM), *is = malloc(STREAM);
	int data = open("../data", O_RDONLY), received;
	size_t at;
	ssize_t n, have = 0, m;

	same_write(r);
	at = (size_t)lseek(r->source, 0, SEEK_CUR);
	n = pread(data, stream, at, 0);
	nonblocking(r->sink);
	for (int round = 0; round < 60; round++) {
		struct iovec iov[2] = { { head, HEAD }, { r->buf, r->size } };

		memset(head, 'A' + round % 26, HEAD);
		n = pread(data, truth, r->size, lseek(r->source, 0, SEEK_CUR));
		if (same_get(r->source, r->buf, r->size) != n)
			return;
		n = writev(r->sink, iov, 2);
		if (n > 0)
			at = note_taken(stream, at, iov, truth, (size_t)n);
		if (n < (ssize_t)(HEAD + r->size))
			poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 1000);
	}
	r->source = -1;
	same_finish(r);
	received = open("received", O_RDONLY);
	while ((m = read(received, is + have, STREAM - (size_t)have)) > 0)
		have += m;
	same_say("outcome: received what was taken", have == (ssize_t)at);
	same_say("outcome: other bytes", memcmp(is, stream, at) != 0);
}

/* ---- how it goes over the wire ---- */

static int segments_sent(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n);
	return (int)info.tcpi_data_segs_out;
}

/* A header and a small chunk are one packet, not two. */
static void header_goes_along(struct same_rig *r)
{
	struct iovec iov[2] = { { (char *)"header", 6 }, { r->buf, 12000 } };
	int before, on = 1;

	setsockopt(r->sink, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int i = 0; i < 4; i++) {
		same_drain(r, 'g'); /* all has arrived */
		before = segments_sent(r->sink);
		same_say("writev", writev(r->sink, iov, 2));
		same_drain(r, 'g');
		same_say("segments", segments_sent(r->sink) - before);
		same_write(r);
		same_read(r);
	}
}

static const struct same_case cases[] = {
	{ "full_nonblocking", full_nonblocking, SAME_OUTCOME, 0 },
	{ "full_nonblocking_big", full_nonblocking, SAME_OUTCOME, 1 << 20 },
	{ "full_nonblocking_unix", full_nonblocking, SAME_OUTCOME | SAME_UNIX, 0 },
	{ "edge_triggered", edge_triggered, SAME_OUTCOME, 0 },
	{ "edge_triggered_big", edge_triggered, SAME_OUTCOME, 1 << 20 },
	{ "edge_triggered_unix", edge_triggered, SAME_OUTCOME | SAME_UNIX, 0 },
	{ "dontwait_when_full", dontwait_when_full, SAME_OUTCOME, 0 },
	{ "more_to_come", more_to_come, 0, 0 },
	{ "corked", corked, 0, 0 },
	{ "alarm_in_write", alarm_in_write, SAME_LOOSE, BIG },
	{ "alarm_in_write_unix", alarm_in_write, SAME_UNIX | SAME_LOOSE, BIG },
	{ "alarm_with_restart", alarm_with_restart, SAME_LOOSE, BIG },
	{ "jump_out_of_write", jump_out_of_write, SAME_LOOSE, BIG },
	{ "time_out", time_out, SAME_LOOSE, BIG },
	{ "time_out_slow_peer", time_out_slow_peer, SAME_LOOSE, BIG },
	{ "reset_before_write", reset_before_write, 0, 0 },
	{ "reset_seen_by_poll", reset_seen_by_poll, 0, 0 },
	{ "reset_in_write", reset_in_write, SAME_LOOSE, BIG },
	{ "reset_in_write_then_read", reset_in_write_then_read, SAME_LOOSE, BIG },
	{ "reset_nonblocking", reset_nonblocking, SAME_LOOSE, 0 },
	{ "shut_down", shut_down, 0, 0 },
	{ "to_datagrams", to_datagrams, 0, 0 },
	{ "to_packets", to_packets, 0, 0 },
	{ "to_packets_after_accept", to_packets_after_accept, 0, 131072 },
	{ "to_stream_pair", to_stream_pair, 0, 0 },
	{ "to_pipe", to_pipe, 0, 0 },
	{ "to_file", to_file, 0, 0 },
	{ "to_appended_file", to_appended_file, 0, 0 },
	{ "to_null", to_null, 0, 0 },
	{ "to_unconnected", to_unconnected, 0, 0 },
	{ "other_thread_writes", other_thread_writes, 0, 0 },
	{ "other_thread_looks", other_thread_looks, SAME_LAZY, 0 },
	{ "many_look", many_look, SAME_LAZY, 0 },
	{ "cancelled_in_write", cancelled_in_write, SAME_LOOSE, BIG },
	{ "no_signal_nonblocking", no_signal_nonblocking, 0, 0 },
	{ "no_signal_nonblocking_unix", no_signal_nonblocking, SAME_UNIX, 0 },
	{ "no_signal_midway", no_signal_midway, SAME_OUTCOME, 0 },
	{ "no_signal_midway_tcp", no_signal_midway_tcp, SAME_OUTCOME, 0 },
	{ "no_signal_midway_blocking", no_signal_midway_blocking, SAME_OUTCOME, 0 },
	{ "no_signal_midway_blocking_tcp", no_signal_midway_blocking_tcp, SAME_OUTCOME, 0 },
	{ "reset_midway", reset_midway, SAME_OUTCOME, 0 },
	{ "reset_midway_ignored", reset_midway_ignored, SAME_OUTCOME, 0 },
	{ "no_signal_pending", no_signal_pending, SAME_UNIX, 0 },
	{ "no_signal_jump", no_signal_jump, SAME_LOOSE, 0 },
	{ "dontwait_on_blocking", dontwait_on_blocking, SAME_OUTCOME, 0 },
	{ "reset_after_probes", reset_after_probes, SAME_LOOSE, BIG },
	{ "reset_after_end", reset_after_end, SAME_LOOSE, BIG },
	{ "reset_then_recv", reset_then_recv, SAME_LOOSE, BIG },
	{ "reset_then_recvmsg", reset_then_recvmsg, SAME_LOOSE, BIG },
	{ "reset_then_messages", reset_then_messages, SAME_LOOSE, BIG },
	{ "reset_then_send_messages", reset_then_send_messages, SAME_LOOSE, BIG },
	{ "reset_then_option", reset_then_option, SAME_LOOSE, BIG },
	{ "reset_then_small_write", reset_then_small_write, SAME_LOOSE, BIG },
	{ "reset_then_epoll", reset_then_epoll, SAME_LOOSE, BIG },
	{ "reset_then_ppoll", reset_then_ppoll, SAME_LOOSE, BIG },
	{ "reset_then_other", reset_then_other, SAME_LOOSE, BIG },
	{ "full_with_header", full_with_header, SAME_OUTCOME, 0 },
	{ "full_with_header_unix", full_with_header, SAME_OUTCOME | SAME_UNIX, 0 },
	{ "header_goes_along", header_goes_along, 0, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
