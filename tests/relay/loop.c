/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the relays that never block: select, and epoll, level or edge triggered. The
 * edge-triggered one believes, as epoll(7) allows, that a read of less than it asked for has
 * drained the socket, and a write of less than it has filled it.
 */
#include "relay.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1024, EVENTS = 64 };

struct side {
	int fd;
	bool can_read, can_write;
	bool hung, ended;   /* the end of its stream may have come; was read */
	char *buf;          /* what was read from it */
	size_t length, done;
	uint32_t watched;   /* level: what epoll was told last */
};

struct link {
	struct side side[2];
	bool used;
};

static struct link links[MOST];
static int epoll, top;
static bool edge;

static void nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		err(1, "fcntl");
}

static void tell_epoll(struct link *l, int i, int operation, uint32_t wanted)
{
	struct epoll_event e = { .events = wanted };

	e.data.u64 = (uint64_t)(l - links) * 2 + (unsigned)i;
	if (epoll_ctl(epoll, operation, l->side[i].fd, &e) != 0)
		err(1, "epoll_ctl");
	l->side[i].watched = wanted;
}

static bool may_read(const struct side *s)
{
	return s->done == s->length && !s->ended;
}

static uint32_t wishes(const struct link *l, int i)
{
	const struct side *s = &l->side[i], *other = &l->side[!i];

	return (may_read(s) ? EPOLLIN : 0u) | (other->done < other->length ? EPOLLOUT : 0u);
}

static void add(struct link *l, int i, int fd)
{
	struct side *s = &l->side[i];

	nonblocking(fd);
	*s = (struct side){ .fd = fd, .buf = s->buf ? s->buf : relay_buffer() };
	if (epoll)
		tell_epoll(l, i, EPOLL_CTL_ADD,
			   edge ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN);
}

static void take(void)
{
	int client = accept(relay.listener, NULL, NULL), server, i = 0;

	if (client < 0)
		return;
	server = relay_connect();
	while (i < MOST && links[i].used)
		i++;
	if (server < 0 || i == MOST) {
		close(server);
		close(client);
		return;
	}
	links[i].used = true;
	top = i >= top ? i + 1 : top;
	add(&links[i], 0, client);
	add(&links[i], 1, server);
}

static void drop(struct link *l)
{
	close(l->side[0].fd);
	close(l->side[1].fd);
	l->used = false;
}

/* Moves what can be moved from S to OTHER; false when one of them is broken. */
static bool pump(struct side *s, struct side *other)
{
	ssize_t n;

	for (;;) {
		while (s->done < s->length && other->can_write) {
			n = send(other->fd, s->buf + s->done, s->length - s->done, 0);
			if (n < 0 && errno != EAGAIN)
				return false;
			other->can_write = n == (ssize_t)(s->length - s->done);
			s->done += n > 0 ? (size_t)n : 0;
		}
		if (!may_read(s) || !s->can_read)
			return true;
		n = recv(s->fd, s->buf, relay.size, 0);
		if (n < 0 && errno != EAGAIN)
			return false;
		s->can_read = n == (ssize_t)relay.size || (n > 0 && s->hung);
		s->ended = n == 0;
		s->length = n > 0 ? (size_t)n : 0;
		s->done = 0;
		if (s->ended)
			shutdown(other->fd, SHUT_WR);
	}
}

static void turn(struct link *l)
{
	struct side *a = &l->side[0], *b = &l->side[1];

	if (!pump(a, b) || !pump(b, a) || (a->ended && b->ended)) {
		drop(l);
		return;
	}
	for (int i = 0; i < 2 && !edge && epoll; i++) {
		l->side[i].can_read = l->side[i].can_write = false;
		if (wishes(l, i) != l->side[i].watched)
			tell_epoll(l, i, EPOLL_CTL_MOD, wishes(l, i));
	}
}

static void run_epoll(void)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN, .data.u64 = UINT64_MAX };

	nonblocking(relay.listener);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, relay.listener, &e) != 0)
		err(1, "epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);
		bool taken = false;

		for (int i = 0; i < n; i++) {
			struct link *l = &links[events[i].data.u64 / 2];
			struct side *s = &l->side[events[i].data.u64 & 1];

			/*
			 * only when all are through: a new one may get the place of one that is
			 * dropped
			 */
			taken |= events[i].data.u64 == UINT64_MAX;
			if (events[i].data.u64 == UINT64_MAX || !l->used)
				continue;
			s->hung |= (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
			s->can_read |= (events[i].events & EPOLLIN) != 0 || s->hung;
			s->can_write |= (events[i].events & (EPOLLOUT | EPOLLERR)) != 0;
			turn(l);
		}
		if (taken)
			take();
	}
}

void relay_level(void)
{
	run_epoll();
}

void relay_edge(void)
{
	edge = true;
	run_epoll();
}

static void set_wishes(const struct link *l, fd_set *in, fd_set *out, int *most)
{
	for (int i = 0; i < 2; i++) {
		int fd = l->side[i].fd;

		if (fd >= FD_SETSIZE)
			errx(1, "too many for select");
		if (wishes(l, i) & EPOLLIN)
			FD_SET(fd, in);
		if (wishes(l, i) & EPOLLOUT)
			FD_SET(fd, out);
		*most = fd > *most ? fd : *most;
	}
}

void relay_select(void)
{
	nonblocking(relay.listener);
	for (;;) {
		fd_set in, out;
		int most = relay.listener;

		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(relay.listener, &in);
		for (int i = 0; i < top; i++)
			if (links[i].used)
				set_wishes(&links[i], &in, &out, &most);
		if (select(most + 1, &in, &out, NULL, NULL) <= 0)
			err(1, "select");
		for (int i = 0; i < top; i++) {
			struct link *l = &links[i];

			if (!l->used)
				continue;
			for (int j = 0; j < 2; j++) {
				l->side[j].can_read = FD_ISSET(l->side[j].fd, &in);
				l->side[j].can_write = FD_ISSET(l->side[j].fd, &out);
			}
			turn(l);
		}
		if (FD_ISSET(relay.listener, &in))
			take();
	}
}
