/* SPDX-License-Identifier: MIT */
/*
 * same_stream.c - relays: what is read comes from a socket or a pipe, and is gone when
 * it was read.
 *
 * The program feeds itself, over a TCP connection or a pipe of its own, with bytes that follow
 * from their place in the stream, and waits until they are there: so how much a read finds
 * is the same in every run.
 */
#include "same.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { ROUNDS = 8, ROOM = 1 << 20 };

static int feeder; /* what is written here comes out of r->source */
static uint64_t place;
static volatile sig_atomic_t seen;

static unsigned char byte_at(uint64_t at)
{
	return (unsigned char)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56 ^ at >> 12);
}

static int there(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? -1 : n;
}

/* The next N bytes of the stream, written in pieces, and no less wait to be read. */
static void feed_in_pieces(struct same_rig *r, size_t n, size_t piece)
{
	static char part[ROOM];
	int before = there(r->source);

	for (size_t i = 0; i < n; i++)
		part[i] = (char)byte_at(place++);
	for (size_t done = 0; done < n;) {
		ssize_t m = write(feeder, part + done, n - done < piece ? n - done : piece);

		if (m < 0)
			_exit(90);
		done += (size_t)m;
	}
	while (there(r->source) < before + (int)n)
		sched_yield();
}

static void feed(struct same_rig *r, size_t n)
{
	feed_in_pieces(r, n, ROOM);
}

static void connect_feeder(struct same_rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0), room = 4 * ROOM;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	feeder = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(feeder, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&sin, &n) != 0 ||
	    connect(feeder, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		_exit(91);
	close(r->source);
	r->source = accept(listener, NULL, NULL);
	close(listener);
}

static void get(struct same_rig *r, size_t n)
{
	feed(r, n);
	same_read(r);
}

/* A connection, some rounds until its chunks land, and one chunk that waits in the buffer. */
static void start(struct same_rig *r)
{
	if (!feeder)
		connect_feeder(r);
	for (int i = 0; i < ROUNDS; i++) {
		feed(r, r->size);
		same_loop(r, 1);
	}
	get(r, r->size);
}

static void go_on(struct same_rig *r)
{
	for (int i = 0; i < 3; i++) {
		get(r, r->size);
		same_write(r);
	}
}

static void say_write(struct same_rig *r, size_t from, size_t n)
{
	same_say("write", write(r->sink, r->buf + from, n));
}

static void say_recv(struct same_rig *r, const char *what, size_t n, int flags)
{
	same_say(what, recv(r->source, r->buf, n, flags));
	same_say_buffer(r);
}

static void nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- looks ---- */

static void whole(struct same_rig *r)
{
	start(r);
	same_write(r);
	go_on(r);
	same_say_buffer(r);
}

static void look_before(struct same_rig *r)
{
	start(r);
	same_say_buffer(r);
	same_write(r);
	go_on(r);
}

static void look_after(struct same_rig *r)
{
	start(r);
	same_write(r);
	same_say_buffer(r);
	go_on(r);
	same_say_buffer(r);
}

static void look_in_the_middle(struct same_rig *r)
{
	start(r);
	say_write(r, 0, 20000);
	same_say_memory("part", r->buf + 30000, 100);
	say_write(r, 20000, r->size - 20000);
	same_say_buffer(r);
	go_on(r);
}

static void look_near_the_ends(struct same_rig *r)
{
	static const size_t at[] = { 0, 100, 4095, 4096, 9000, 60000, 65000, 65535 };

	start(r);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		same_say("byte", (unsigned char)r->buf[at[i]]);
		same_write(r);
		for (int j = 0; j < 5; j++)
			go_on(r);
		get(r, r->size);
	}
	same_say_buffer(r);
}

static void changed_before(struct same_rig *r)
{
	static const size_t at[] = { 0, 5000, 30000, 65535 };

	start(r);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		r->buf[at[i]] ^= 1;
		same_write(r);
		for (int j = 0; j < 8; j++)
			go_on(r);
		get(r, r->size);
	}
	same_say_buffer(r);
}

/* The ends of a chunk become those of one before: what was noted of that one is not true. */
static void ends_of_before(struct same_rig *r)
{
	static char head[2 * ROUNDS][4096], tail[2 * ROUNDS][4096];
	size_t in_head = -(uintptr_t)r->buf % 4096, in_tail = (uintptr_t)(r->buf + r->size) % 4096;

	connect_feeder(r);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		get(r, r->size);
		memcpy(head[i], r->buf, in_head);
		memcpy(tail[i], r->buf + r->size - in_tail, in_tail);
		same_write(r);
	}
	for (int i = 0; i < 2 * ROUNDS; i++) {
		get(r, r->size);
		memcpy(r->buf, head[i], in_head);
		memcpy(r->buf + r->size - in_tail, tail[i], in_tail);
		same_write(r);
	}
	go_on(r);
}

static void changed_after(struct same_rig *r)
{
	start(r);
	same_write(r);
	memset(r->buf + 7000, 'x', 3000);
	say_write(r, 0, r->size);
	same_say_buffer(r);
	go_on(r);
}

static void copied_away(struct same_rig *r)
{
	char *copy = malloc(r->size);

	start(r);
	memcpy(copy, r->buf, r->size);
	same_say("write", write(r->sink, copy, r->size));
	same_say_memory("copy", copy, r->size);
	go_on(r);
}

static void handler_looks(int signal)
{
	seen = signal;
}

static struct same_rig *for_handler;

static void look_in_handler(int signal)
{
	handler_looks(signal);
	same_say_memory("in the handler", for_handler->buf, for_handler->size);
}

static void looked_at_by_signal(struct same_rig *r)
{
	for_handler = r;
	signal(SIGUSR1, look_in_handler);
	start(r);
	raise(SIGUSR1);
	same_write(r);
	go_on(r);
	raise(SIGUSR1);
}

/* ---- orders of writing ---- */

static void twice(struct same_rig *r)
{
	start(r);
	say_write(r, 0, r->size);
	say_write(r, 0, r->size);
	go_on(r);
	same_say_buffer(r);
}

static void two_sinks(struct same_rig *r)
{
	int other = same_second_sink();

	start(r);
	for (int i = 0; i < 6; i++) {
		say_write(r, 0, r->size);
		same_say("other", write(other, r->buf, r->size));
		get(r, r->size);
	}
	close(other);
}

static void pieces(struct same_rig *r)
{
	static const size_t n[] = { 1, 99, 5000, 1, 20000, 4096, 30000 };
	size_t at = 0;

	start(r);
	for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++) {
		say_write(r, at, n[i]);
		at += n[i];
	}
	say_write(r, at, r->size - at);
	go_on(r);
	same_say_buffer(r);
}

static void out_of_order(struct same_rig *r)
{
	start(r);
	say_write(r, 40000, 20000);
	say_write(r, 0, 40000);
	say_write(r, 60000, r->size - 60000);
	go_on(r);
	same_say_buffer(r);
}

static void with_gaps(struct same_rig *r)
{
	start(r);
	say_write(r, 10000, 10000);
	say_write(r, 30000, 1);
	say_write(r, 50000, r->size - 50000);
	same_say_buffer(r);
	go_on(r);
}

static void dropped(struct same_rig *r)
{
	start(r);
	get(r, r->size);
	get(r, r->size);
	same_write(r);
	get(r, r->size);
	same_say_buffer(r);
	go_on(r);
}

static void in_vectors(struct same_rig *r)
{
	struct iovec iov[5] = { { (char *)"head", 4 }, { r->buf, 30000 }, { NULL, 0 },
				{ r->buf + 30000, r->size - 30000 }, { (char *)"tail", 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 5 };

	start(r);
	same_say("writev", writev(r->sink, iov, 5));
	get(r, r->size);
	same_say("sendmsg", sendmsg(r->sink, &msg, 0));
	get(r, r->size);
	iov[3] = (struct iovec){ r->buf + 10000, 100 };
	same_say("writev", writev(r->sink, iov, 5));
	go_on(r);
}

static void more_to_come(struct same_rig *r)
{
	start(r);
	for (int i = 0; i < 5; i++) {
		same_say("send", send(r->sink, r->buf, r->got, i < 4 ? MSG_MORE : 0));
		get(r, r->size);
	}
	same_write(r);
}

static void to_other_kinds(struct same_rig *r)
{
	int pair[2], ends[2], file = open("out", O_RDWR | O_CREAT, 0600);
	char *copy = malloc(r->size);

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0 || pipe(ends) != 0)
		_exit(92);
	start(r);
	same_say("file", write(file, r->buf, r->size));
	go_on(r);
	get(r, r->size);
	same_say("datagram", send(pair[0], r->buf, 60000, 0));
	same_say("recv", recv(pair[1], copy, r->size, 0));
	same_say_memory("datagram", copy, 60000);
	go_on(r);
	get(r, r->size);
	same_say("pipe", write(ends[1], r->buf, r->size)); /* as much as it holds, without waiting */
	same_say("read", read(ends[0], copy, r->size));
	same_say_memory("pipe", copy, r->size);
	go_on(r);
	same_say_file("out");
}

/* ---- amounts ---- */

static void short_chunks(struct same_rig *r)
{
	static const size_t n[] = { 60000, 40000, 65536, 20000, 5000, 65536, 100, 1, 65536, 4096, 61440 };

	start(r);
	same_write(r);
	for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++) {
		get(r, n[i]);
		same_write(r);
	}
	same_say_buffer(r);
	go_on(r);
	same_say_buffer(r);
}

static void short_then_look(struct same_rig *r)
{
	static const size_t n[] = { 60000, 40001, 20000, 5000, 100, 1 };

	for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++) {
		start(r);
		same_write(r);
		get(r, n[i]);
		same_say_buffer(r);
		same_write(r);
		for (int j = 0; j < 4; j++)
			go_on(r);
	}
}

/* Each is shorter than the one before: what a look finds is made of all of them. */
static void shorter_and_shorter(struct same_rig *r)
{
	start(r);
	for (int i = 1; i < 12; i++) {
		same_write(r);
		get(r, r->size - (size_t)i * 1500);
	}
	same_say_buffer(r);
	same_write(r);
	go_on(r);
}

static void fragments(struct same_rig *r)
{
	int on = 1;

	setsockopt(feeder, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	start(r);
	same_write(r);
	for (int i = 0; i < 4; i++) {
		feed_in_pieces(r, r->size, 128);
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
	go_on(r);
}

static void more_than_the_buffer(struct same_rig *r)
{
	start(r);
	feed(r, 3 * r->size + 777);
	for (int i = 0; i < 4; i++) {
		same_write(r);
		same_read(r);
	}
	same_say("left", there(r->source));
	same_write(r);
	go_on(r);
}

/* As a ring buffer has it: the start is read into while the end waits. */
static void ring(struct same_rig *r)
{
	static const size_t cut[] = { 30000, 50000, 64000, 5000, 100 };

	start(r);
	for (size_t i = 0; i < sizeof(cut) / sizeof(*cut); i++) {
		say_write(r, 0, cut[i]);
		feed(r, cut[i]);
		same_say("read", same_get(r->source, r->buf, cut[i]));
		say_write(r, cut[i], r->size - cut[i]);
		say_write(r, 0, cut[i]);
		go_on(r);
		get(r, r->size);
	}
	same_say_buffer(r);
}

static void ring_then_look(struct same_rig *r)
{
	start(r);
	for (int i = 0; i < 4; i++) {
		say_write(r, 0, 40000);
		feed(r, 40000);
		same_say("read", same_get(r->source, r->buf, i & 1 ? 40000 : 20000));
		if (i & 2)
			say_write(r, 40000, 5000);
		same_say_buffer(r);
		say_write(r, 40000, r->size - 40000);
		say_write(r, 0, 20000);
		if (!(i & 1))
			same_read(r);
		for (int j = 0; j < 30; j++)
			go_on(r);
		get(r, r->size);
	}
}

/* What is read into overlaps what waits to be written. */
static void ring_overrun(struct same_rig *r)
{
	start(r);
	say_write(r, 0, 20000);
	feed(r, 40000);
	same_say("read", same_get(r->source, r->buf, 40000));
	say_write(r, 20000, r->size - 20000);
	say_write(r, 0, 40000);
	go_on(r);
}

static void other_offsets(struct same_rig *r)
{
	start(r);
	same_write(r);
	for (size_t at = 0; at < 40000; at += 7777) {
		feed(r, r->size - at);
		same_say("read", same_get(r->source, r->buf + at, r->size - at));
		say_write(r, 0, r->size);
		same_say_buffer(r);
	}
	go_on(r);
}

static void two_buffers(struct same_rig *r)
{
	char *other = malloc(r->size + 100) + 33, *first = r->buf;

	start(r);
	for (int i = 0; i < 8; i++) {
		r->buf = i & 1 ? first : other;
		get(r, r->size);
		r->buf = i & 1 ? other : first;
		same_write(r);
		r->got = r->size;
	}
	r->buf = first;
	same_say_buffer(r);
	same_say_memory("other", other, r->size);
}

static void file_and_stream(struct same_rig *r)
{
	int file = open("../data", O_RDONLY), stream;

	start(r);
	stream = r->source;
	for (int i = 0; i < 12; i++) {
		same_write(r);
		if (i % 3 == 2) {
			r->got = (size_t)same_say("file", same_get(file, r->buf, r->size));
		} else {
			r->source = stream;
			get(r, i % 3 ? r->size : r->size - 9000);
		}
	}
	same_say_buffer(r);
}

/* ---- ends, errors, and nothing there ---- */

static void end_of_stream(struct same_rig *r)
{
	start(r);
	feed(r, 50000);
	shutdown(feeder, SHUT_WR);
	same_write(r);
	for (int i = 0; i < 3; i++) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
	same_say("poll", poll(&(struct pollfd){ r->source, POLLIN | POLLRDHUP, 0 }, 1, 0));
}

static void end_nonblocking(struct same_rig *r)
{
	start(r);
	nonblocking(r->source);
	same_read(r);
	same_read(r);
	go_on(r);
	shutdown(feeder, SHUT_WR);
	while (poll(&(struct pollfd){ r->source, POLLRDHUP, 0 }, 1, 0) == 0)
		;
	same_read(r);
	same_read(r);
	same_say_buffer(r);
}

static void reset_by_feeder(struct same_rig *r)
{
	struct linger l = { 1, 0 };

	start(r);
	same_write(r);
	feed(r, r->size + 1000);
	setsockopt(feeder, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(feeder);
	while (!(poll(&(struct pollfd){ r->source, 0, 0 }, 1, 0)))
		;
	for (int i = 0; i < 4; i++) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
}

/*
 * The connection is reset behind a chunk that does not fill the buffer: such chunks lie in a log
 * until that is full, and the one that it has no room for is read really.
 */
static void reset_behind_short_chunks(struct same_rig *r)
{
	struct linger l = { 1, 0 };
	size_t n = r->size - 12000;

	start(r);
	same_write(r);
	for (int i = 0; i < 5; i++) {
		get(r, n);
		same_write(r);
	}
	feed(r, n);
	setsockopt(feeder, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(feeder);
	while (!(poll(&(struct pollfd){ r->source, 0, 0 }, 1, 0)))
		;
	for (int i = 0; i < 3; i++)
		same_read(r);
	same_say_buffer(r);
}

static void nothing_there(struct same_rig *r)
{
	struct timeval t = { 0, 50000 };

	start(r);
	same_write(r);
	setsockopt(r->source, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	same_read(r); /* times out */
	go_on(r);
	nonblocking(r->source);
	for (int i = 0; i < 3; i++)
		same_say("read", same_get(r->source, r->buf, r->size));
	same_say("recv", recv(r->source, r->buf, r->size, 0));
	go_on(r);
	same_say("left", there(r->source));
	same_say("poll", poll(&(struct pollfd){ r->source, POLLIN, 0 }, 1, 0));
	same_say_buffer(r);
}

static void note(int signal)
{
	seen = signal;
}

static void interrupted(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = note };
	struct itimerval t = { .it_value = { 0, 50000 } };

	start(r);
	same_write(r);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	same_read(r);
	same_say("seen", seen);
	go_on(r);
	same_say_buffer(r);
}

static void polls_between(struct same_rig *r)
{
	struct pollfd p = { r->source, POLLIN, 0 };

	start(r);
	p.fd = r->source;
	for (int i = 0; i < 4; i++) {
		same_say("left", there(r->source));
		same_say("poll", poll(&p, 1, 0));
		same_write(r);
		feed(r, 2 * r->size);
		same_say("left", there(r->source));
		same_read(r);
		same_say("left", there(r->source));
		same_say("poll", poll(&p, 1, 0));
		same_write(r);
		same_read(r);
	}
}

/* An edge must come for what arrives after the read. */
static void edges(struct same_rig *r)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);

	start(r);
	nonblocking(r->source);
	epoll_ctl(ep, EPOLL_CTL_ADD, r->source, &ev);
	for (int i = 0; i < 6; i++) {
		same_write(r);
		same_say("no edge", epoll_wait(ep, &ev, 1, 0));
		feed(r, i & 1 ? r->size : r->size + 5000);
		same_say("edge", epoll_wait(ep, &ev, 1, 5000));
		same_read(r);
		same_say("no edge", epoll_wait(ep, &ev, 1, 0));
		if (!(i & 1)) {
			same_write(r);
			same_read(r);
		}
	}
	close(ep);
}

/* ---- calls that splice cannot be ---- */

static void flags_of_recv(struct same_rig *r)
{
	start(r);
	feed(r, r->size);
	say_recv(r, "peek", 1000, MSG_PEEK);
	say_recv(r, "peek", r->size, MSG_PEEK);
	say_recv(r, "all", 30000, MSG_WAITALL);
	say_recv(r, "trunc", 1000, MSG_TRUNC);
	say_recv(r, "dontwait", r->size, MSG_DONTWAIT);
	say_recv(r, "dontwait", r->size, MSG_DONTWAIT);
	go_on(r);
}

static void by_message(struct same_rig *r)
{
	struct iovec iov[2] = { { r->buf, 20000 }, { r->buf + 30000, 20000 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	start(r);
	feed(r, 80000);
	same_say("recvmsg", recvmsg(r->source, &msg, 0));
	same_say_buffer(r);
	same_say("readv", readv(r->source, iov, 2));
	same_say_buffer(r);
	go_on(r);
}

static void *feed_later(void *rig)
{
	struct same_rig *r = rig;

	static char part[25000];

	usleep(50000);
	for (size_t i = 0; i < sizeof(part); i++)
		part[i] = (char)byte_at(place++);
	same_say("later", write(feeder, part, sizeof(part)));
	return r;
}

/* The read waits for as much. */
static void low_water_mark(struct same_rig *r)
{
	struct timeval t = { 5, 0 };
	pthread_t later;
	int n = 30000;

	start(r);
	same_write(r);
	setsockopt(r->source, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
	setsockopt(r->source, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	feed(r, 10000);
	pthread_create(&later, NULL, feed_later, r);
	same_say("at least", same_get(r->source, r->buf, r->size) >= n);
	pthread_join(later, NULL);
	same_say("left", there(r->source));
	go_on(r);
	n = 1;
	setsockopt(r->source, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n));
	go_on(r);
}

/* The mark is where a read stops, and the byte at it is not in the stream. */
static void urgent(struct same_rig *r)
{
	char c;

	start(r);
	same_write(r);
	for (int i = 0; i < 3; i++) {
		feed(r, 50000);
		same_say("urgent", send(feeder, "!", 1, MSG_OOB));
		while (poll(&(struct pollfd){ r->source, POLLPRI, 0 }, 1, 0) == 0)
			;
		same_say("write", write(feeder, "0123456789", 10));
		usleep(20000);
		same_read(r);
		same_write(r);
		same_say("at mark", ioctl(r->source, SIOCATMARK, &(int){ 0 }));
		same_read(r);
		same_write(r);
		if (i)
			same_say("oob", recv(r->source, &c, 1, MSG_OOB));
		go_on(r);
	}
	same_say_buffer(r);
}

static void urgent_inline(struct same_rig *r)
{
	int on = 1;

	start(r);
	same_write(r);
	setsockopt(r->source, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	feed(r, 50000);
	same_say("urgent", send(feeder, "!", 1, MSG_OOB));
	while (poll(&(struct pollfd){ r->source, POLLPRI, 0 }, 1, 0) == 0)
		;
	for (int i = 0; i < 2; i++) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
}

/* ---- other sources ---- */

static void open_pair(struct same_rig *r, int type)
{
	int pair[2], room = 4 * ROOM;

	if (socketpair(AF_UNIX, type, 0, pair) != 0)
		_exit(93);
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) != 0)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	close(r->source);
	feeder = pair[0];
	r->source = pair[1];
}

static void from_pair(struct same_rig *r, int type)
{
	open_pair(r, type);
	start(r);
	same_write(r);
	go_on(r);
	get(r, 30000);
	same_say_buffer(r);
}

static void from_unix(struct same_rig *r)
{
	from_pair(r, SOCK_STREAM);
}

static void looks_unix(struct same_rig *r)
{
	open_pair(r, SOCK_STREAM);
	look_in_the_middle(r);
	same_write(r);
	look_near_the_ends(r);
}

/* The next N bytes of the stream in one message, with a descriptor if DESCRIPTOR. */
static void feed_message(size_t n, bool descriptor)
{
	static char part[ROOM];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { part, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	for (size_t i = 0; i < n; i++)
		part[i] = (char)byte_at(place++);
	if (descriptor) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &feeder, sizeof(int));
	}
	if (sendmsg(feeder, &m, 0) != (ssize_t)n)
		_exit(94);
}

/* Everything that is there, read by reads as they come. */
static void pass_on(struct same_rig *r)
{
	while (there(r->source) > 0) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
}

/* Where a read ends at a message with descriptors, or of somebody else. */
static void unix_messages(struct same_rig *r)
{
	int on = 1;

	open_pair(r, SOCK_STREAM);
	start(r);
	same_write(r);
	for (int i = 0; i < 4; i++) {
		feed_message(20000, i & 1);
		feed_message(30000, i & 2);
		feed_message(40000, false);
		pass_on(r);
		go_on(r);
	}
	same_say("pass credentials", setsockopt(r->source, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	for (int i = 0; i < 3; i++) {
		feed_message(30000, false);
		if (fork() == 0) {
			feed_message(30000, false);
			_exit(0);
		}
		wait(NULL);
		place += 30000;
		feed_message(40000, false);
		pass_on(r);
		go_on(r);
	}
}

/* More messages than a pipe has room for: the read returns all of the bytes that are there. */
static void unix_small_messages(struct same_rig *r)
{
	open_pair(r, SOCK_STREAM);
	start(r);
	same_write(r);
	for (int i = 0; i < 4; i++) {
		feed_in_pieces(r, r->size, 200);
		same_read(r);
		same_say("left", there(r->source));
		same_say_buffer(r);
		same_write(r);
		go_on(r);
	}
}

static void unix_urgent(struct same_rig *r)
{
	char c;

	open_pair(r, SOCK_STREAM);
	nonblocking(r->source);
	start(r);
	same_write(r);
	for (int i = 0; i < 3; i++) {
		feed(r, 20000);
		same_say("urgent", send(feeder, "!", 1, MSG_OOB));
		same_say("write", write(feeder, "0123456789", 10));
		feed(r, 60000);
		same_read(r);
		same_write(r);
		if (i)
			same_say("oob", recv(r->source, &c, 1, MSG_OOB));
		for (int j = 0; j < 4; j++) {
			same_read(r);
			same_write(r);
		}
		same_say_buffer(r);
		while (read(r->source, r->buf, r->size) > 0)
			;
		go_on(r);
	}
}

/* splice leaves the offset of the program's own looks where it is, read takes it back. */
static void peek_offset(struct same_rig *r)
{
	int at = 0;
	socklen_t n = sizeof(at);
	char part[1000];

	start(r);
	same_write(r);
	same_say("peek off", setsockopt(r->source, SOL_SOCKET, SO_PEEK_OFF, &at, sizeof(at)));
	for (int i = 0; i < 3; i++) {
		feed(r, r->size + 5000);
		same_say("peek", recv(r->source, part, sizeof(part), MSG_PEEK));
		same_say_memory("peeked", part, sizeof(part));
		same_read(r);
		same_write(r);
		getsockopt(r->source, SOL_SOCKET, SO_PEEK_OFF, &at, &n);
		same_say("offset", at);
		same_say("peek", recv(r->source, part, sizeof(part), MSG_PEEK));
		same_say_memory("peeked", part, sizeof(part));
		same_read(r);
		same_write(r);
	}
}

static void unix_ends(struct same_rig *r)
{
	open_pair(r, SOCK_STREAM);
	nonblocking(r->source);
	whole(r);
	same_read(r);
	get(r, r->size);
	same_say_memory("part", r->buf + 30000, 100);
	same_write(r);
	go_on(r);
	get(r, r->size);
	shutdown(feeder, SHUT_WR);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
}

static void from_packets(struct same_rig *r)
{
	from_pair(r, SOCK_SEQPACKET);
}

static void pipe_source(struct same_rig *r, int flags)
{
	int ends[2];

	if (pipe2(ends, flags) != 0)
		_exit(93);
	close(r->source);
	feeder = ends[1];
	r->source = ends[0];
}

static void from_pipe(struct same_rig *r)
{
	pipe_source(r, 0);
	whole(r);
	for (int i = 0; i < 5; i++) {
		get(r, r->size - (size_t)i * 10000);
		same_write(r);
	}
	same_say_buffer(r);
	get(r, 40000);
	close(feeder);
	same_write(r);
	same_read(r);
	same_read(r);
}

static void from_large_pipe(struct same_rig *r)
{
	pipe_source(r, 0);
	fcntl(feeder, F_SETPIPE_SZ, ROOM);
	start(r);
	for (int i = 0; i < 4; i++) {
		same_write(r);
		feed_in_pieces(r, r->size, 200);
		same_read(r);
		same_say_buffer(r);
	}
	same_say("left", there(r->source));
	same_write(r);
	go_on(r);
}

static void from_packet_pipe(struct same_rig *r)
{
	pipe_source(r, 0);
	start(r);
	same_write(r);
	pipe_source(r, O_DIRECT);
	for (int i = 0; i < 6; i++) {
		feed(r, r->size);
		while (there(r->source) > 0) {
			same_read(r);
			same_write(r);
		}
	}
}

/* ---- the process, its descriptors and its memory ---- */

static void forked(struct same_rig *r)
{
	pid_t child;

	start(r);
	child = fork();
	if (child == 0) {
		same_say_memory("child", r->buf, r->size);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	same_write(r);
	go_on(r);
	get(r, r->size);
	say_write(r, 0, 10000);
	child = fork();
	if (child == 0) {
		say_write(r, 10000, r->size - 10000);
		for (int i = 0; i < ROUNDS; i++) {
			feed(r, r->size);
			same_loop(r, 1);
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
	go_on(r);
	same_say_buffer(r);
}

static void spawned(struct same_rig *r)
{
	start(r);
	same_say("system", system("true"));
	same_write(r);
	go_on(r);
	get(r, r->size);
	if (vfork() == 0)
		_exit(r->buf[1000] == 0);
	same_write(r);
	go_on(r);
}

static void closed_before_write(struct same_rig *r)
{
	start(r);
	close(r->source);
	r->source = -1;
	same_write(r);
	same_say_buffer(r);
}

static void number_means_another(struct same_rig *r)
{
	int old = r->source, ends[2];

	start(r);
	old = r->source;
	same_say("pipe", pipe(ends));
	same_say("dup2", dup2(ends[0], old) == old);
	same_write(r);
	same_say("write", write(ends[1], "abc", 3));
	same_read(r);
	same_write(r);
	same_say_buffer(r);
}

/*
 * The numbers that the program gets are those that it always got, and closing all leaves ours
 * alone.
 */
static void descriptors(struct same_rig *r)
{
	int fd;

	start(r);
	fd = dup(0);
	same_say("next number", fd);
	close(fd);
	for (fd = 300; fd < 2000; fd++)
		if (close(fd) == 0)
			same_say("was open", fd);
	closefrom(300);
	same_write(r);
	go_on(r);
	same_say_buffer(r);
}

static void slept_over(struct same_rig *r)
{
	start(r);
	say_write(r, 0, 10000);
	same_say("poll", poll(NULL, 0, 1300));
	say_write(r, 10000, r->size - 10000);
	go_on(r);
	get(r, r->size);
	sleep(1);
	same_write(r);
	same_say_buffer(r);
}

static void memory_goes(struct same_rig *r)
{
	char *mine = mmap(NULL, 2 * r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *old = r->buf;

	start(r);
	same_write(r);
	r->buf = mine + 100;
	go_on(r);
	get(r, r->size);
	same_say("advise", madvise(mine + 8192, 16384, MADV_DONTNEED));
	same_write(r);
	go_on(r);
	get(r, r->size);
	same_say("protect", mprotect(mine, 2 * r->size, PROT_READ));
	same_write(r);
	feed(r, 100);
	same_say("read", same_get(r->source, r->buf, 100));
	same_say("protect", mprotect(mine, 2 * r->size, PROT_READ | PROT_WRITE));
	go_on(r);
	get(r, r->size);
	same_say("unmap", munmap(mine, 2 * r->size));
	r->buf = old;
	go_on(r);
	same_say_buffer(r);
}

static void freed_each_time(struct same_rig *r)
{
	char *old = r->buf;

	start(r);
	same_write(r);
	for (int i = 0; i < 12; i++) {
		r->buf = malloc(r->size);
		get(r, r->size);
		same_write(r);
		free(r->buf);
	}
	r->buf = malloc(r->size);
	memset(r->buf, 'y', r->size);
	same_say_memory("new", r->buf, r->size);
	r->buf = old;
	go_on(r);
}

/* ---- threads ---- */

static void *looker(void *rig)
{
	struct same_rig *r = rig;

	return (void *)(uintptr_t)same_hash(r->buf, r->size);
}

static void *writer(void *rig)
{
	same_write(rig);
	return NULL;
}

static void *stay(void *never)
{
	pthread_barrier_wait(never);
	return NULL;
}

static void in_thread(void *(*what)(void *), struct same_rig *r)
{
	pthread_t t;
	void *result;

	pthread_create(&t, NULL, what, r);
	pthread_join(t, &result);
	if (result)
		same_say("thread", (ssize_t)((uintptr_t)result >> 2));
}

static void threads(struct same_rig *r)
{
	pthread_t stays;
	static pthread_barrier_t never; /* who waits there outlives this function */

	pthread_barrier_init(&never, NULL, 2);
	pthread_create(&stays, NULL, stay, &never);
	start(r);
	in_thread(looker, r);
	same_write(r);
	for (int i = 0; i < 8; i++)
		go_on(r);
	get(r, r->size);
	in_thread(writer, r);
	for (int i = 0; i < 8; i++)
		go_on(r);
	get(r, 40000);
	in_thread(looker, r);
	say_write(r, 0, 10000);
	same_say_buffer(r);
	same_write(r);
	go_on(r);
}

/* Several look at once: nobody sees a page half filled. */
static void many_look(struct same_rig *r)
{
	pthread_t t[4];
	void *result;

	for (int round = 0; round < 20; round++) {
		start(r);
		for (int i = 0; i < 4; i++)
			pthread_create(&t[i], NULL, looker, r);
		for (int i = 0; i < 4; i++) {
			pthread_join(t[i], &result);
			same_say("hash", (ssize_t)((uintptr_t)result >> 2));
		}
		same_write(r);
	}
}

/* ---- sinks that are full or gone ---- */

static void full_sink(struct same_rig *r)
{
	uint64_t taken = 0;
	ssize_t n;

	start(r);
	nonblocking(r->sink);
	same_drain(r, 'p');
	do {
		for (size_t done = 0; done < r->got; done += (size_t)n) {
			n = write(r->sink, r->buf + done, r->got - done);
			if (n < 0)
				break;
			taken += (uint64_t)n;
		}
		if (n >= 0) {
			feed(r, r->size);
			r->got = (size_t)same_get(r->source, r->buf, r->size);
		}
	} while (n >= 0);
	same_say("outcome: full", n);
	same_say("outcome: poll", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 0));
	same_drain(r, 'g');
	same_say("outcome: poll", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 5000));
	close(r->sink);
	r->sink = -1;
	close(r->control);
	waitpid(r->drain, NULL, 0);
	r->drain = 0;
	n = 0;
	for (uint64_t at = 0; at < taken + ROUNDS * r->size; at++) {
		static char part[65536];
		static int fd = -1;
		static ssize_t have, used;

		if (fd < 0)
			fd = open("received", O_RDONLY);
		if (used == have) {
			have = read(fd, part, sizeof(part));
			used = 0;
		}
		if (have <= 0 || (unsigned char)part[used++] != byte_at(at)) {
			same_say("outcome: wrong at", (ssize_t)at);
			return;
		}
	}
	same_say("outcome: received what was taken", 0);
}

static void sink_gone(struct same_rig *r)
{
	signal(SIGPIPE, note);
	start(r);
	same_drain(r, 'r');
	usleep(50000);
	say_write(r, 0, r->size);
	say_write(r, 0, r->size);
	same_say("seen", seen);
	seen = 0;
	same_say("send", send(r->sink, r->buf, r->size, MSG_NOSIGNAL));
	same_say("seen", seen);
	same_say_buffer(r);
}

static sigjmp_buf back;

static void jump(int signal)
{
	seen = signal;
	siglongjmp(back, 1);
}

/* A handler leaves a blocked write: then the buffer is written from its start, elsewhere. */
static void jump_out_of_write(struct same_rig *r)
{
	int other = same_second_sink();
	struct itimerval t = { .it_value = { 0, 200000 } };

	signal(SIGALRM, jump);
	start(r);
	same_drain(r, 'p');
	setitimer(ITIMER_REAL, &t, NULL);
	if (sigsetjmp(back, 1) == 0)
		for (;;) {
			if (write(r->sink, r->buf, r->size) < 0)
				break;
			feed(r, r->size);
			same_get(r->source, r->buf, r->size);
		}
	same_say("outcome: seen", seen);
	/* whatever came of the last write, the buffer is one chunk */
	for (size_t i = 1; i < r->size; i++)
		if ((unsigned char)r->buf[i] != byte_at(place - r->size + i)) {
			same_say("outcome: wrong at", (ssize_t)i);
			break;
		}
	same_say("outcome: other", write(other, r->buf, r->size));
	same_drain(r, 'g');
	close(r->sink);
	r->sink = other;
	for (int i = 0; i < 70; i++) {
		feed(r, r->size);
		same_get(r->source, r->buf, r->size);
		if (write(r->sink, r->buf, r->size) != (ssize_t)r->size)
			same_say("outcome: write", -1);
	}
}

static const struct same_case cases[] = {
	{ "whole", whole, SAME_BARE, 0 },
	{ "whole_page", whole, SAME_BARE | SAME_PAGE, 0 },
	{ "whole_unix", whole, SAME_BARE | SAME_UNIX, 0 },
	{ "whole_large", whole, SAME_BARE, 200000 },
	{ "whole_small", whole, SAME_BARE, 9000 },
	{ "look_before", look_before, SAME_BARE | SAME_LAZY, 0 },
	{ "look_after", look_after, SAME_BARE | SAME_LAZY, 0 },
	{ "look_after_page", look_after, SAME_BARE | SAME_LAZY | SAME_PAGE, 0 },
	{ "look_in_the_middle", look_in_the_middle, SAME_BARE | SAME_LAZY, 0 },
	{ "look_near_the_ends", look_near_the_ends, SAME_BARE | SAME_LAZY, 0 },
	{ "look_near_the_ends_page", look_near_the_ends, SAME_BARE | SAME_LAZY | SAME_PAGE, 0 },
	{ "changed_before", changed_before, SAME_BARE | SAME_LAZY, 0 },
	{ "changed_before_page", changed_before, SAME_BARE | SAME_LAZY | SAME_PAGE, 0 },
	{ "ends_of_before", ends_of_before, SAME_BARE, 0 },
	{ "changed_after", changed_after, SAME_BARE | SAME_LAZY, 0 },
	{ "copied_away", copied_away, SAME_BARE | SAME_LAZY, 0 },
	{ "looked_at_by_signal", looked_at_by_signal, SAME_BARE | SAME_LAZY, 0 },
	{ "twice", twice, SAME_BARE | SAME_LAZY, 0 },
	{ "two_sinks", two_sinks, SAME_BARE | SAME_LAZY, 0 },
	{ "pieces", pieces, SAME_BARE, 0 },
	{ "pieces_page", pieces, SAME_BARE | SAME_PAGE, 0 },
	{ "out_of_order", out_of_order, SAME_BARE | SAME_LAZY, 0 },
	{ "with_gaps", with_gaps, SAME_BARE | SAME_LAZY, 0 },
	{ "dropped", dropped, SAME_BARE, 0 },
	{ "in_vectors", in_vectors, SAME_BARE, 0 },
	{ "in_vectors_page", in_vectors, SAME_BARE | SAME_PAGE, 0 },
	{ "more_to_come", more_to_come, SAME_BARE, 0 },
	{ "to_other_kinds", to_other_kinds, SAME_BARE, 0 },
	{ "short_chunks", short_chunks, SAME_BARE, 0 },
	{ "short_chunks_page", short_chunks, SAME_BARE | SAME_PAGE, 0 },
	{ "short_then_look", short_then_look, SAME_BARE | SAME_LAZY, 0 },
	{ "short_then_look_page", short_then_look, SAME_BARE | SAME_LAZY | SAME_PAGE, 0 },
	{ "shorter_and_shorter", shorter_and_shorter, SAME_BARE | SAME_LAZY, 0 },
	{ "fragments", fragments, SAME_BARE, 0 },
	{ "more_than_the_buffer", more_than_the_buffer, SAME_BARE, 0 },
	{ "ring", ring, SAME_BARE, 0 },
	{ "ring_page", ring, SAME_BARE | SAME_PAGE, 0 },
	{ "ring_then_look", ring_then_look, SAME_BARE | SAME_LAZY, 0 },
	{ "ring_overrun", ring_overrun, SAME_BARE | SAME_LAZY, 0 },
	{ "other_offsets", other_offsets, SAME_BARE | SAME_LAZY, 0 },
	{ "two_buffers", two_buffers, SAME_BARE, 0 },
	{ "file_and_stream", file_and_stream, SAME_BARE, 0 },
	{ "file_and_stream_page", file_and_stream, SAME_BARE | SAME_PAGE, 0 },
	{ "end_of_stream", end_of_stream, SAME_BARE, 0 },
	{ "end_nonblocking", end_nonblocking, SAME_BARE, 0 },
	{ "reset_by_feeder", reset_by_feeder, SAME_BARE, 0 },
	{ "reset_behind_short_chunks", reset_behind_short_chunks, SAME_BARE, 0 },
	{ "nothing_there", nothing_there, SAME_BARE, 0 },
	{ "interrupted", interrupted, SAME_BARE, 0 },
	{ "polls_between", polls_between, SAME_BARE, 0 },
	{ "edges", edges, SAME_BARE, 0 },
	{ "flags_of_recv", flags_of_recv, SAME_BARE, 0 },
	{ "by_message", by_message, SAME_BARE, 0 },
	{ "low_water_mark", low_water_mark, SAME_BARE, 0 },
	{ "urgent", urgent, SAME_BARE, 0 },
	{ "urgent_inline", urgent_inline, SAME_BARE, 0 },
	{ "from_unix", from_unix, SAME_BARE | SAME_PLAIN, 0 },
	{ "unix_unix", from_unix, SAME_BARE | SAME_UNIX, 0 },
	{ "unix_unix_page", from_unix, SAME_BARE | SAME_UNIX | SAME_PAGE, 0 },
	{ "unix_looks", looks_unix, SAME_BARE | SAME_UNIX, 0 },
	{ "unix_messages", unix_messages, SAME_BARE | SAME_UNIX, 0 },
	{ "unix_small_messages", unix_small_messages, SAME_BARE | SAME_UNIX, 0 },
	{ "unix_urgent", unix_urgent, SAME_BARE | SAME_UNIX, 0 },
	{ "unix_ends", unix_ends, SAME_BARE | SAME_UNIX, 0 },
	{ "peek_offset", peek_offset, SAME_BARE, 0 },
	{ "from_packets", from_packets, SAME_BARE | SAME_PLAIN, 0 },
	{ "from_pipe", from_pipe, SAME_BARE, 0 },
	{ "from_pipe_page", from_pipe, SAME_BARE | SAME_PAGE, 0 },
	{ "from_large_pipe", from_large_pipe, SAME_BARE, 0 },
	{ "from_packet_pipe", from_packet_pipe, SAME_BARE, 9000 },
	{ "forked", forked, SAME_BARE, 0 },
	{ "spawned", spawned, SAME_BARE, 0 },
	{ "closed_before_write", closed_before_write, SAME_BARE | SAME_LAZY, 0 },
	{ "number_means_another", number_means_another, SAME_BARE, 0 },
	{ "descriptors", descriptors, SAME_BARE, 0 },
	{ "slept_over", slept_over, SAME_BARE | SAME_LAZY, 0 },
	{ "memory_goes", memory_goes, SAME_BARE, 0 },
	{ "freed_each_time", freed_each_time, SAME_BARE, 0 },
	{ "threads", threads, SAME_BARE | SAME_LAZY, 0 },
	{ "many_look", many_look, SAME_BARE | SAME_LAZY, 0 },
	{ "full_sink", full_sink, SAME_BARE | SAME_OUTCOME, 0 },
	{ "full_sink_unix", full_sink, SAME_BARE | SAME_OUTCOME | SAME_UNIX, 0 },
	{ "sink_gone", sink_gone, SAME_BARE | SAME_LOOSE, 0 },
	{ "jump_out_of_write", jump_out_of_write, SAME_BARE | SAME_OUTCOME, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
