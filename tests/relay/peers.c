/* SPDX-License-Identifier: MIT */
/*
 * peers.c - the two ends of many connections through a relay, in one process: both do
 * at random what peers do (plan.h), and both check what comes.
 *
 *	peers [-n COUNT] [-a AT-ONCE] [-s SEED] [-c NUMBER] [-k] [-w MS] [-i] [-f MS] PORT RELAY
 *
 * The relay's port is RELAY, and it connects to PORT. What a plain relay could have delivered:
 *
 *   - what arrives is a prefix of what was sent;
 *   - it is all of it, with its end, in both directions, where neither broke off;
 *   - where one of them did, the other one sees an end or an error.
 *
 * -c: this connection only. -k: the relay of some clients crashes (crash.h). -w: how long
 * nothing may happen on a connection. -i: all connections at once, well-behaved; in the middle,
 * when all are idle, it says so and waits for a line. -f: all at once, the servers send as much as
 * goes through, and after MS the least, the median and the most that a client got is written.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "plan.h"

enum { LARGEST = 400000, EVENTS = 64, FAILURES = 10, IDLE_BYTES = 300000 };

struct peer {
	int fd, side;
	struct link *link;           /* NULL: the server does not know yet which one it is */
	struct plan plan;
	uint64_t sent, received;
	uint64_t random;
	uint64_t pause_until, rest_until, touched; /* ms */
	unsigned char head[PLAN_HEAD];
	bool sent_end, got_end, broken;
	uint32_t watched;
	struct peer *next, **before; /* of those that are open */
};

/* A connection; what is left of its peers when they are gone. */
struct link {
	bool crashes;
	struct side {
		bool seen, closed, sent_end, got_end, broken;
		enum ending ending;
		uint64_t sent, received, total;
	} side[2];
};

static struct {
	uint32_t count, at_once, only;
	uint64_t seed;
	bool crashes, idle;
	unsigned wait_ms, fair_ms;
} options = { .count = 200, .at_once = 24, .only = UINT32_MAX, .seed = 1, .wait_ms = 30000 };

static struct link *links;
static struct peer *open_peers;
static uint32_t started, open_clients;
static int epoll, listener, failures, relay_port;
static uint64_t now;
static bool second_half;
static unsigned char buffer[LARGEST], wanted[LARGEST];

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t number_of(const struct link *l)
{
	return (uint32_t)(l - links);
}

static void fail(const struct link *l, int side, const char *what)
{
	uint32_t number = l ? number_of(l) : UINT32_MAX;

	printf("FAILED seed %llu connection %d, %s: %s\n", (unsigned long long)options.seed,
	       l ? (int)number : -1, side == CLIENT ? "client" : "server", what);
	for (int i = 0; l && i < 2; i++)
		printf("    %s: %ssent %llu%s of %llu, received %llu%s%s\n",
		       i == CLIENT ? "client" : "server", l->side[i].closed ? "closed, " : "",
		       (unsigned long long)l->side[i].sent, l->side[i].sent_end ? " and the end" : "",
		       (unsigned long long)l->side[i].total,
		       (unsigned long long)l->side[i].received,
		       l->side[i].got_end ? " and the end" : "", l->side[i].broken ? ", broken" : "");
	fflush(stdout);
	if (++failures >= FAILURES)
		exit(1);
}

/* ---- peers ---- */

static void note(struct peer *p)
{
	struct side *s;

	if (!p->link)
		return;
	s = &p->link->side[p->side];
	s->seen = true;
	s->sent = p->sent;
	s->received = p->received;
	s->total = p->plan.total;
	s->sent_end = p->sent_end;
	s->got_end = p->got_end;
	s->broken = p->broken;
	s->ending = p->plan.ending;
}

static void well_behaved(struct plan *p)
{
	bool fair = options.fair_ms != 0;

	*p = (struct plan){ .total = fair ? UINT64_MAX / 4 : IDLE_BYTES, .end_at = UINT64_MAX,
			    .pause_at = UINT64_MAX, .rest_at = UINT64_MAX, .piece = 200000,
			    .gulp = LARGEST, .ending = fair ? RESET : WHOLE };
}

static void make_plan(struct peer *p)
{
	uint32_t number = number_of(p->link);

	plan_make(&p->plan, options.seed, number, p->side);
	if (options.idle || options.fair_ms)
		well_behaved(&p->plan);
	p->random = options.seed + number * 2 + (unsigned)p->side;
	if (p->plan.room)
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &p->plan.room, sizeof(p->plan.room));
}

static uint64_t may_send(const struct peer *p)
{
	if (options.fair_ms && p->side == CLIENT)
		return PLAN_HEAD;
	return options.idle && !second_half ? p->plan.total / 2 : p->plan.total;
}

static uint32_t wishes(const struct peer *p)
{
	uint32_t e = 0;

	if (!p->got_end && now >= p->pause_until)
		e |= EPOLLIN;
	if (p->link && now >= p->rest_until && !p->sent_end &&
	    (p->sent < may_send(p) || p->sent == p->plan.total))
		e |= EPOLLOUT;
	return e;
}

static void watch(struct peer *p, int operation)
{
	struct epoll_event e = { .events = wishes(p), .data.ptr = p };

	if (operation == EPOLL_CTL_MOD && e.events == p->watched)
		return;
	p->watched = e.events;
	if (epoll_ctl(epoll, operation, p->fd, &e) != 0)
		err(1, "epoll_ctl");
}

static struct peer *add(int fd, int side, struct link *l)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		err(1, "peer");
	p->fd = fd;
	p->side = side;
	p->link = l;
	p->touched = now;
	if (l)
		make_plan(p);
	p->next = open_peers;
	p->before = &open_peers;
	if (p->next)
		p->next->before = &p->next;
	open_peers = p;
	open_clients += side == CLIENT;
	note(p);
	watch(p, EPOLL_CTL_ADD);
	return p;
}

static void drop(struct peer *p, bool reset)
{
	struct linger linger = { 1, 0 };

	note(p);
	if (p->link)
		p->link->side[p->side].closed = true;
	if (reset)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(p->fd);
	*p->before = p->next;
	if (p->next)
		p->next->before = p->before;
	open_clients -= p->side == CLIENT;
	free(p);
}

/* ---- what comes ---- */

/* The server learns which connection this is. */
static void read_head(struct peer *p)
{
	ssize_t n = recv(p->fd, p->head + p->received, PLAN_HEAD - p->received, 0);
	uint32_t number, magic;

	if (n <= 0) {
		p->got_end = n == 0;
		p->broken = n < 0 && errno != EAGAIN;
		return;
	}
	p->received += (uint64_t)n;
	if (p->received < PLAN_HEAD)
		return;
	memcpy(&number, p->head, 4);
	memcpy(&magic, p->head + 4, 4);
	if (magic != PLAN_MAGIC || number >= started || links[number].side[SERVER].seen) {
		fail(NULL, SERVER, "the head is none that was sent");
		p->broken = true;
		return;
	}
	p->link = &links[number];
	make_plan(p);
}

static void check_bytes(struct peer *p, size_t n)
{
	uint32_t number = number_of(p->link);
	size_t i = 0;

	plan_bytes(wanted, p->received, n, options.seed, number, !p->side);
	if (memcmp(buffer, wanted, n) == 0)
		return;
	while (buffer[i] == wanted[i])
		i++;
	note(p);
	printf("byte %llu is another than was sent, of %zu at %llu\n",
	       (unsigned long long)(p->received + i), n, (unsigned long long)p->received);
	fail(p->link, p->side, "a wrong byte");
}

static void take_in(struct peer *p)
{
	size_t most = 1 + plan_next(&p->random) % p->plan.gulp;
	uint64_t before = p->received;
	ssize_t n = recv(p->fd, buffer, most < LARGEST ? most : LARGEST, 0);

	if (n > 0) {
		check_bytes(p, (size_t)n);
		p->received += (uint64_t)n;
		p->touched = now;
		if (before < p->plan.pause_at && p->received >= p->plan.pause_at)
			p->pause_until = now + p->plan.pause_ms;
	}
	p->got_end = n == 0;
	p->broken |= n < 0 && errno != EAGAIN;
}

static void put_out(struct peer *p)
{
	uint64_t left = may_send(p) - p->sent, before = p->sent;
	size_t n = 1 + plan_next(&p->random) % p->plan.piece;
	ssize_t w;

	n = n < left ? n : left;
	n = n < LARGEST ? n : LARGEST;
	if (n > 0) {
		plan_bytes(buffer, p->sent, n, options.seed, number_of(p->link), p->side);
		w = send(p->fd, buffer, n, MSG_NOSIGNAL);
		p->broken |= w < 0 && errno != EAGAIN;
		p->sent += w > 0 ? (uint64_t)w : 0;
		p->touched = w > 0 ? now : p->touched;
		if (before < p->plan.rest_at && p->sent >= p->plan.rest_at)
			p->rest_until = now + p->plan.rest_ms;
	}
	if (p->sent == p->plan.total && p->plan.ending == WHOLE) {
		shutdown(p->fd, SHUT_WR);
		p->sent_end = true;
		p->touched = now;
	}
}

static bool breaks_off(const struct peer *p)
{
	return p->link && p->plan.ending != WHOLE &&
	       (p->sent + p->received >= p->plan.end_at || p->sent == p->plan.total);
}

static void turn(struct peer *p, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP))
		p->pause_until = p->rest_until = 0;
	if (!p->link)
		read_head(p);
	else if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !p->got_end && !breaks_off(p))
		take_in(p);
	if (p->link && (events & EPOLLOUT) && !p->broken && !p->sent_end && !breaks_off(p))
		put_out(p);
	note(p);
	if (breaks_off(p)) {
		p->broken = true;
		drop(p, p->plan.ending == RESET);
	} else if (p->broken || (p->got_end && (p->sent_end || !p->link))) {
		drop(p, false);
	} else {
		watch(p, EPOLL_CTL_MOD);
	}
}

/* ---- connections ---- */

static int listen_at(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(fd, 2048) != 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		err(1, "listen");
	return fd;
}

static void begin(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)relay_port) };
	socklen_t n = sizeof(sin);
	struct link *l = &links[started++];
	int fd;

	if (options.only != UINT32_MAX && number_of(l) != options.only)
		return;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) != 0)
		err(1, "connect to the relay");
	l->crashes = options.crashes && crash_after(ntohs(sin.sin_port)) >= 0;
	add(fd, CLIENT, l);
}

static void take(void)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
		add(fd, SERVER, NULL);
}

/* Peers that waited for their time, and those for which it is over. */
static void look_at_clock(void)
{
	static uint64_t last;
	struct peer *p, *next;

	now = clock_ms();
	if (now == last)
		return;
	last = now;
	for (p = open_peers; p; p = next) {
		next = p->next;
		if (now > p->touched + options.wait_ms) {
			note(p);
			fail(p->link, p->side, "nothing happens any more");
			drop(p, true);
		} else {
			watch(p, EPOLL_CTL_MOD);
		}
	}
}

/* ---- idle, fair ---- */

static bool all_idle(void)
{
	for (uint32_t i = 0; i < options.count; i++)
		for (int side = 0; side < 2; side++)
			if (links[i].side[side].received < IDLE_BYTES / 2)
				return false;
	return true;
}

static void be_idle(void)
{
	char line[16];

	printf("idle\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	second_half = true;
	now = clock_ms();
	for (struct peer *p = open_peers; p; p = p->next)
		p->touched = now;
}

static int smaller(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void say_progress(void)
{
	uint64_t *got = calloc(options.count, sizeof(*got));

	for (uint32_t i = 0; got && i < options.count; i++)
		got[i] = links[i].side[CLIENT].received;
	if (!got)
		err(1, "calloc");
	qsort(got, options.count, sizeof(*got), smaller);
	printf("progress %llu %llu %llu\n", (unsigned long long)got[0],
	       (unsigned long long)got[options.count / 2],
	       (unsigned long long)got[options.count - 1]);
	free(got);
	for (struct peer *p = open_peers, *next; p; p = next) {
		next = p->next;
		p->broken = true;
		drop(p, true);
	}
}

/* ---- the whole ---- */

static void run(void)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	uint64_t end;

	epoll = epoll_create1(0);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
		err(1, "epoll");
	now = clock_ms();
	end = options.fair_ms ? now + options.fair_ms : UINT64_MAX;
	while (started < options.count || open_peers) {
		int n;

		while (started < options.count && open_clients < options.at_once)
			begin();
		look_at_clock();
		n = epoll_wait(epoll, events, EVENTS, 2);
		for (int i = 0; i < n; i++)
			if (!events[i].data.ptr)
				take();
			else
				turn(events[i].data.ptr, events[i].events);
		if (options.idle && !second_half && started == options.count && all_idle())
			be_idle();
		if (now >= end)
			return;
	}
}

static void check_link(struct link *l, unsigned *whole)
{
	if (!l->side[CLIENT].seen)
		return;
	for (int i = 0; i < 2; i++)
		if (l->side[i].received > l->side[!i].sent)
			fail(l, i, "more came than was sent");
	if (options.fair_ms || l->crashes)
		return;
	if (l->side[CLIENT].ending != WHOLE || (l->side[SERVER].seen && l->side[SERVER].ending != WHOLE))
		return;
	for (int i = 0; i < 2; i++)
		if (!l->side[i].seen || l->side[i].broken || !l->side[i].got_end ||
		    l->side[i].received != l->side[!i].sent || l->side[i].sent != l->side[i].total) {
			fail(l, i, "it did not come whole, with its end");
			return;
		}
	++*whole;
}

static void read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:a:s:c:kw:if:")) != -1) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'n': options.count = (uint32_t)value; break;
		case 'a': options.at_once = (uint32_t)value; break;
		case 's': options.seed = value; break;
		case 'c': options.only = (uint32_t)value; break;
		case 'k': options.crashes = true; break;
		case 'w': options.wait_ms = (unsigned)value; break;
		case 'i': options.idle = true; break;
		case 'f': options.fair_ms = (unsigned)value; break;
		default: exit(2);
		}
	}
	if (options.idle || options.fair_ms)
		options.at_once = options.count;
	if (options.only != UINT32_MAX)
		options.count = options.only + 1;
}

int main(int argc, char **argv)
{
	struct rlimit r;
	uint64_t bytes = 0;
	unsigned whole = 0, begun = 0;

	read_options(argc, argv);
	if (argc != optind + 2)
		return 2;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max < 16384 ? r.rlim_max : 16384;
	setrlimit(RLIMIT_NOFILE, &r);
	links = calloc(options.count, sizeof(*links));
	if (!links)
		err(1, "calloc");
	listener = listen_at((uint16_t)atoi(argv[optind]));
	relay_port = atoi(argv[optind + 1]);
	run();
	if (options.fair_ms)
		say_progress();
	for (uint32_t i = 0; i < options.count; i++) {
		check_link(&links[i], &whole);
		begun += links[i].side[CLIENT].seen;
		bytes += links[i].side[CLIENT].received + links[i].side[SERVER].received;
	}
	printf("%u connections, %u whole, %llu bytes, %d failed\n", begun, whole,
	       (unsigned long long)bytes, failures);
	return failures != 0;
}
