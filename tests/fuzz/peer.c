/* SPDX-License-Identifier: MIT */
/*
 * peer.c - the other end of every sink and feed; see fuzz.h. It runs in the driver, without
 * shunt, and keeps all that it receives. What a program asks (program.h) it does between
 * two looks at its sockets, and answers in the shared memory.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOW_PART = 8000, SLOW_US = 100, PART = 262144, LAST_MS = 3000,
       SOON_MS = 6 };

struct peer {
	struct shared *shared;
	int bell, end[SINKS], feed[FEEDS];
	long reset_at[SINKS]; /* ms, 0: not */
	bool slow[SINKS], stalled[SINKS], ended[SINKS];
	uint64_t fed[FEEDS];
	uint32_t answered;
	struct bytes received[SINKS];
};

static struct peer peer;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Both ends stand above the numbers that the program uses. */
static int high(int fd)
{
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	if (ret < 0)
		die("dup");
	close(fd);
	return ret;
}

static int listener(struct sockaddr_in *address)
{
	static int fd = -1;
	socklen_t n = sizeof(*address);

	if (fd < 0) {
		struct sockaddr_in any = { .sin_family = AF_INET };

		any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = high(socket(AF_INET, SOCK_STREAM, 0));
		if (bind(fd, (void *)&any, sizeof(any)) < 0 || listen(fd, 16) < 0)
			die("listen");
	}
	getsockname(fd, (void *)address, &n);
	return fd;
}

/* ENDS[0] is ours, ENDS[1] the program's. */
static void connect_tcp(int ends[2])
{
	struct sockaddr_in address;
	int listening = listener(&address);

	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (ends[1] < 0 || connect(ends[1], (void *)&address, sizeof(address)) < 0)
		die("connect");
	ends[0] = accept(listening, NULL, NULL);
	if (ends[0] < 0)
		die("accept");
}

static void make_ends(int kind, int ends[2])
{
	if (kind == SINK_TCP)
		connect_tcp(ends);
	else if (kind == SINK_UNIX ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
		die("ends");
	ends[0] = high(ends[0]);
	ends[1] = high(ends[1]);
}

static void make_sink(const struct sink_plan *plan, int *ours, int *theirs)
{
	int ends[2];

	make_ends(plan->kind, ends);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	if (plan->nonblocking)
		fcntl(ends[1], F_SETFL, fcntl(ends[1], F_GETFL) | O_NONBLOCK);
	if (plan->room && plan->kind == SINK_PIPE)
		fcntl(ends[1], F_SETPIPE_SZ, plan->room);
	else if (plan->room)
		setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &plan->room, sizeof(int));
	*ours = ends[0];
	*theirs = ends[1];
}

struct peer *peer_open(const struct program *p, struct shared *shared, int bell,
		       int theirs[SINKS + FEEDS])
{
	int ends[2];

	peer = (struct peer){ .shared = shared, .bell = bell };
	for (int k = 0; k < SINKS; k++)
		make_sink(&p->sink[k], &peer.end[k], &theirs[k]);
	for (int j = 0; j < FEEDS; j++) {
		make_ends(j == 0 ? SINK_TCP : SINK_UNIX, ends);
		peer.feed[j] = ends[0];
		theirs[SINKS + j] = ends[1];
	}
	return &peer;
}

/* So that no connection is left in TIME_WAIT. */
static void close_hard(int *fd)
{
	struct linger hard = { 1, 0 };

	if (*fd < 0)
		return;
	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(*fd);
	*fd = -1;
}

/* False: there was nothing. */
static bool drain(struct peer *p, int k)
{
	static unsigned char part[PART];
	ssize_t n = read(p->end[k], part, p->slow[k] ? SLOW_PART : PART);

	/* a sender with little room would wait 40 ms for the acknowledgement */
	setsockopt(p->end[k], IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
	if (n > 0) {
		bytes_add(&p->received[k], part, (size_t)n);
		atomic_fetch_add(&p->shared->received[k], (uint64_t)n);
		if (p->slow[k])
			nanosleep(&(struct timespec){ 0, SLOW_US * 1000 }, NULL);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		p->ended[k] = true; /* a close now would be seen as a reset */
	}
	return n > 0;
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void feed(struct peer *p, int j, long n)
{
	static unsigned char bytes[30000];

	file_bytes(j, 7, p->fed[j], bytes, (size_t)n);
	p->fed[j] += (uint64_t)n;
	while (n > 0) {
		ssize_t sent = send(p->feed[j], bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0)
			break;
		n -= sent;
		memmove(bytes, bytes + sent, (size_t)n);
	}
}

static long obey(struct peer *p, const struct shared *s)
{
	switch (s->command) {
	case PEER_RESET:
		while (p->end[s->x] >= 0 && drain(p, (int)s->x))
			continue;
		close_hard(&p->end[s->x]);
		return 0;
	case PEER_RESET_SOON:
		p->stalled[s->x] = true;
		p->reset_at[s->x] = now() + SOON_MS;
		return 0;
	case PEER_SLOW:
		p->slow[s->x] = s->y;
		return 0;
	case PEER_STALL:
		p->stalled[s->x] = s->y;
		return 0;
	case PEER_FEED:
		feed(p, (int)s->x, (long)s->y);
		return (long)s->y;
	case PEER_CHANGE:
		files_change((int)(unsigned)s->x & 7, (long)s->y, (long)s->z);
		return 0;
	case PEER_LOCKED:
		return files_locked((int)s->x);
	default:
		return -1;
	}
}

static void answer(struct peer *p)
{
	struct shared *s = p->shared;
	uint32_t asked = atomic_load(&s->asked);
	uint64_t rings;

	if (read(p->bell, &rings, sizeof(rings)) < 0 || asked == p->answered)
		return;
	p->answered = asked;
	s->answer = obey(p, s);
	atomic_store(&s->answered, asked);
}

/* Resets what is to be reset by now. Returns how long a poll may wait. */
static int reset_due(struct peer *p)
{
	int wait = 1000;

	for (int k = 0; k < SINKS; k++) {
		if (!p->reset_at[k])
			continue;
		wait = 1;
		if (now() >= p->reset_at[k]) {
			close_hard(&p->end[k]);
			p->reset_at[k] = 0;
		}
	}
	return wait;
}

bool peer_serve(struct peer *p, int alive, long limit)
{
	long until = now() + limit;

	while (now() < until) {
		struct pollfd set[SINKS + 2] = { { p->bell, POLLIN, 0 }, { alive, POLLIN, 0 } };

		for (int k = 0; k < SINKS; k++)
			set[k + 2] = (struct pollfd){
				p->stalled[k] || p->ended[k] ? -1 : p->end[k], POLLIN, 0
			};
		if (poll(set, SINKS + 2, reset_due(p)) <= 0)
			continue;
		if (set[0].revents)
			answer(p);
		for (int k = 0; k < SINKS; k++)
			if (set[k + 2].revents && p->end[k] >= 0 && !p->ended[k])
				drain(p, k);
		if (set[1].revents & POLLHUP)
			return true;
	}
	return false;
}

void peer_close(struct peer *p, struct result *r)
{
	for (int k = 0; k < SINKS; k++) {
		struct pollfd one = { p->end[k], POLLIN, 0 };

		/* what the program's socket still holds comes after its end */
		while (one.fd >= 0 && !p->ended[k] && poll(&one, 1, LAST_MS) > 0)
			drain(p, k);
		close_hard(&p->end[k]);
		r->received[k] = p->received[k];
	}
	for (int j = 0; j < FEEDS; j++)
		close_hard(&p->feed[j]);
}
