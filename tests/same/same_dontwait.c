/* SPDX-License-Identifier: MIT */
/*
 * same_dontwait.c - MSG_DONTWAIT on a socket that blocks.
 *
 * Here the loops send with it themselves: what is rewritten is rewritten in spite of it. How much a
 * socket takes is not the same from run to run, so only what must hold is said.
 */
#include "same.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { BIG = 1 << 20, ROUNDS = 24, LONG_MS = 1000 };

static volatile sig_atomic_t seen;

static void note(int signal)
{
	seen = signal;
}

/* All of [p, p + n), with waits for room in between. False: an error. */
static bool send_all(int fd, char *p, size_t n, int flags)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	ssize_t r;

	for (size_t done = 0; done < n; done += (size_t)r) {
		r = send(fd, p + done, n - done, MSG_DONTWAIT | flags);
		if (r < 0 && errno == EAGAIN) {
			poll(&room, 1, 10000);
			r = 0;
		}
		if (r < 0) {
			same_say("send", r);
			return false;
		}
	}
	return true;
}

/* ROUNDS chunks; the last of them is in the buffer, and sent. */
static void send_rounds(struct same_rig *r, int rounds, int flags)
{
	int i = 0;

	while (i < rounds && same_get(r->source, r->buf, r->size) == (ssize_t)r->size &&
	       send_all(r->sink, r->buf, r->size, flags))
		i++;
	same_say("rounds", i);
}

static void send_loop(struct same_rig *r, int flags)
{
	send_rounds(r, ROUNDS, flags);
}

static void loop(struct same_rig *r)
{
	send_loop(r, 0);
	same_say_buffer(r);
}

/* As Samba sends: SIGPIPE is the default, and must not come. */
static void loop_without_signal(struct same_rig *r)
{
	send_loop(r, MSG_NOSIGNAL);
	same_drain(r, 'c');
	usleep(50000);
	for (int i = 0; i < 3; i++) {
		same_get(r->source, r->buf, r->size);
		if (i == 0) /* the first may still be taken: the reset has to come */
			send(r->sink, r->buf, 1, MSG_NOSIGNAL);
		usleep(50000);
		errno = 0;
		same_say("send", send(r->sink, r->buf, r->size, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
	}
}

static void slow_peer(struct same_rig *r)
{
	send_loop(r, 0);
	send_rounds(r, same_slow_down(r), 0);
	same_say_buffer(r);
}

/* A header in memory and the chunk, in one message. */
static void with_header(struct same_rig *r)
{
	char header[100];
	struct iovec v[2] = { { header, sizeof(header) }, { r->buf, r->size } };
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = 2 };
	ssize_t n = 0;

	memset(header, 'h', sizeof(header));
	for (int i = 0; i < ROUNDS && same_get(r->source, r->buf, r->size) > 0; i++) {
		n = sendmsg(r->sink, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			n = 0;
		if ((size_t)n < sizeof(header)) {
			send_all(r->sink, header + n, sizeof(header) - (size_t)n, 0);
			n = sizeof(header);
		}
		send_all(r->sink, r->buf + n - sizeof(header), r->size + sizeof(header) - (size_t)n, 0);
	}
	same_say_buffer(r);
}

/* An edge must come after each short count and each EAGAIN, or the loop sleeps for ever. */
static void edges(struct same_rig *r)
{
	struct epoll_event ev = { .events = EPOLLOUT | EPOLLET };
	int ep = epoll_create1(0), lost = 0, fulls = 0;

	send_loop(r, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, r->sink, &ev);
	for (int rounds = same_slow_down(r); rounds > 0 && lost == 0; rounds--) {
		same_get(r->source, r->buf, r->size);
		for (size_t done = 0; done < r->size && lost == 0;) {
			ssize_t n = send(r->sink, r->buf + done, r->size - done, MSG_DONTWAIT);

			done += n > 0 ? (size_t)n : 0;
			if (done < r->size) {
				lost = epoll_wait(ep, &ev, 1, 10000) != 1;
				fulls++;
			}
		}
	}
	same_say("edges lost", lost);
	same_say("it was full", fulls > 0);
	close(ep);
}

/* ---- a socket that is full ---- */

/* How long did the longest call take? */
static void fill_up(struct same_rig *r)
{
	long long longest = 0, begin;
	ssize_t n;

	do {
		if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
			lseek(r->source, 0, SEEK_SET);
		begin = same_ms();
		n = send(r->sink, r->buf, r->size, MSG_DONTWAIT);
		if (same_ms() - begin > longest)
			longest = same_ms() - begin;
	} while (n > 0);
	same_say("outcome: full", n);
	same_say("outcome: at once", longest < LONG_MS);
	same_say("outcome: full again", send(r->sink, r->buf, r->size, MSG_DONTWAIT));
}

/* What was not taken is what the file has, when it is looked at. */
static void full(struct same_rig *r)
{
	char *again = malloc(r->size);
	off_t end;

	send_loop(r, 0);
	same_drain(r, 'p');
	alarm(20); /* ends a call that waits */
	fill_up(r);
	alarm(0);
	end = lseek(r->source, 0, SEEK_CUR);
	same_say("outcome: no room", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 0));
	lseek(r->source, end - (off_t)r->size, SEEK_SET);
	same_say("outcome: read", read(r->source, again, r->size) == (ssize_t)r->size);
	same_say("outcome: as the file", memcmp(again, r->buf, r->size));
	free(again);
	same_drain(r, 'g');
	same_say("outcome: room", poll(&(struct pollfd){ r->sink, POLLOUT, 0 }, 1, 10000));
}

/* A limit on what is not sent yet: poll tells of it, and so must the call. */
static void full_of_unsent(struct same_rig *r)
{
	int low = 32768, large = 8 * BIG;

	setsockopt(r->sink, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	setsockopt(r->sink, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof(low));
	full(r);
}

/* ---- signals ---- */

/* The kernel's sendfile ends early for a signal; such a send never does. */
static void storm(struct same_rig *r)
{
	struct sigaction action = { .sa_handler = note };
	struct itimerval often = { { 0, 150 }, { 0, 150 } }, never = { 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 40; i++) {
		ssize_t n = 0, m;

		while (n < (ssize_t)r->size &&
		       (m = pread(r->source, r->buf + n, r->size - (size_t)n, n)) > 0)
			n += m;
		if (!send_all(r->sink, r->buf, r->size, 0))
			break;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	same_say("alarms", seen == SIGALRM);
}

/* SIGPIPE comes with EPIPE, and with nothing else; the mask is as it was. */
static void nobody_there(struct same_rig *r)
{
	sigset_t before = { 0 }, after = { 0 };

	send_loop(r, 0);
	same_drain(r, 'R'); /* in a while: in the middle of it, perhaps */
	signal(SIGPIPE, note);
	sigprocmask(SIG_BLOCK, NULL, &before);
	for (ssize_t n = 0; n >= 0 && seen == 0;) {
		struct pollfd room = { r->sink, POLLOUT, 0 };

		if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
			lseek(r->source, 0, SEEK_SET);
		n = send(r->sink, r->buf, r->size, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			n = poll(&room, 1, 10000) < 0 ? -1 : 0;
		if (n < 0)
			same_say("outcome: first error is a reset", errno == ECONNRESET);
	}
	same_say("outcome: signal", seen);
	same_say("outcome: send", send(r->sink, r->buf, r->size, MSG_DONTWAIT));
	same_say("outcome: signal", seen);
	seen = 0;
	same_say("outcome: send", send(r->sink, r->buf, r->size, MSG_DONTWAIT | MSG_NOSIGNAL));
	same_say("outcome: no signal", seen);
	sigprocmask(SIG_BLOCK, NULL, &after);
	same_say("outcome: same mask", memcmp(&before, &after, sizeof(before)));
}

/* ---- a connection that is not there yet ---- */

struct connecting {
	struct same_full full;
	int fd;
};

static void *connects(void *arg)
{
	struct connecting *c = arg;

	connect(c->fd, (struct sockaddr *)&c->full.where, sizeof(c->full.where));
	return NULL;
}

/* A blocking send would wait for it, room or not. */
static void not_connected_yet(struct same_rig *r)
{
	struct connecting c = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
	int large = BIG;
	long long begin;
	pthread_t t;

	same_full_open(&c.full);
	setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	send_loop(r, 0);
	pthread_create(&t, NULL, connects, &c);
	usleep(100000);
	same_get(r->source, r->buf, r->size);
	alarm(20);
	begin = same_ms();
	same_say("send", send(c.fd, r->buf, r->size, MSG_DONTWAIT));
	same_say("at once", same_ms() - begin < LONG_MS);
	alarm(0);
	shutdown(c.fd, SHUT_RDWR);
	same_full_close(&c.full);
	pthread_join(t, NULL);
}

/* ---- a mapping ---- */

static void mapped(struct same_rig *r)
{
	for (int i = 0; i < 10; i++) {
		char *p = mmap(NULL, BIG, PROT_READ, MAP_PRIVATE, r->source, i * (off_t)BIG);

		if (i == 8)
			same_slow_down(r);
		if (p == MAP_FAILED || !send_all(r->sink, p, BIG, 0))
			break;
		munmap(p, BIG);
	}
}

static const struct same_case cases[] = {
	{ "loop", loop, SAME_BARE, 0 },
	{ "loop_big", loop, SAME_BARE, BIG },
	{ "loop_unix", loop, SAME_BARE | SAME_UNIX, 0 },
	{ "loop_big_unix", loop, SAME_BARE | SAME_UNIX, BIG },
	{ "loop_without_signal", loop_without_signal, SAME_BARE, 0 },
	{ "loop_without_signal_unix", loop_without_signal, SAME_BARE | SAME_UNIX, 0 },
	{ "slow_peer", slow_peer, SAME_BARE, 0 },
	{ "slow_peer_big", slow_peer, SAME_BARE, BIG },
	{ "slow_peer_unix", slow_peer, SAME_BARE | SAME_UNIX, 0 },
	{ "with_header", with_header, SAME_BARE, 0 },
	{ "with_header_big", with_header, SAME_BARE, BIG },
	{ "with_header_unix", with_header, SAME_BARE | SAME_UNIX, 0 },
	{ "edges", edges, SAME_BARE, 0 },
	{ "edges_big", edges, SAME_BARE, BIG },
	{ "edges_unix", edges, SAME_BARE | SAME_UNIX, 0 },
	{ "full", full, SAME_BARE | SAME_LOOSE | SAME_OUTCOME, 0 },
	{ "full_big", full, SAME_BARE | SAME_LOOSE | SAME_OUTCOME, BIG },
	{ "full_unix", full, SAME_BARE | SAME_LOOSE | SAME_OUTCOME | SAME_UNIX, 0 },
	{ "full_of_unsent", full_of_unsent, SAME_BARE | SAME_LOOSE | SAME_OUTCOME, 0 },
	{ "storm", storm, SAME_BARE, BIG / 4 },
	{ "storm_unix", storm, SAME_BARE | SAME_UNIX, BIG / 4 },
	{ "nobody_there", nobody_there, SAME_BARE | SAME_LOOSE | SAME_OUTCOME, 0 },
	{ "nobody_there_unix", nobody_there, SAME_BARE | SAME_LOOSE | SAME_OUTCOME | SAME_UNIX, 0 },
	{ "not_connected_yet", not_connected_yet, SAME_BARE, 0 },
	{ "mapped", mapped, SAME_BARE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
