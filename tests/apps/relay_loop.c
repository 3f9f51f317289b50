/* SPDX-License-Identifier: MIT */
/*
 * relay_loop.c - a relay of many connections in one process, both directions at once,
 * with non-blocking sockets: "select", "level" and "edge" (epoll). The edge-triggered
 * one believes, as epoll(7) allows, that a read of less than it asked for has drained
 * the socket, and a write of less than it has filled it.
 */
#include "app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin.h"

enum { MOST = 512, EVENTS = 64 };

struct side {
	int fd;
	bool can_read, can_write;
	bool hung, ended;                /* the end of its stream has come; was read */
	char *buf;                       /* what was read from it */
	size_t length, done;
};

struct link {
	struct side side[2];
	int number;
	bool used;
};

static struct link links[MOST];
static int epoll, finished, top;
static bool edge, with_select;

static void watch_events(struct link *l, int i, int operation)
{
	struct side *s = &l->side[i], *other = &l->side[!i];
	struct epoll_event e = { .data.u64 = (uint64_t)(l - links) * 2 + (unsigned)i };

	if (edge)
		e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	else
		e.events = (s->done == s->length && !s->ended ? EPOLLIN : 0u) |
			   (other->done < other->length ? EPOLLOUT : 0u);
	if (epoll_ctl(epoll, operation, s->fd, &e) != 0)
		exit(6);
}

static void add(struct link *l, int i, int fd)
{
	struct side *s = &l->side[i];

	app_nonblocking(fd);
	if (s->buf == NULL)
		s->buf = app_buffer(app.size);
	s->fd = fd;
	s->can_read = s->can_write = s->hung = s->ended = false;
	s->length = s->done = 0;
}

static void take(int listener)
{
	int client = app_accept(listener), server = origin_connect(), i = 0;

	while (links[i].used)
		i++;
	links[i].used = true;
	links[i].number = app_connection;
	top = i >= top ? i + 1 : top;
	add(&links[i], 0, client);
	add(&links[i], 1, server);
	for (int j = 0; j < 2 && !with_select; j++)
		watch_events(&links[i], j, EPOLL_CTL_ADD);
}

static void drop(struct link *l)
{
	close(l->side[0].fd);
	close(l->side[1].fd);
	l->used = false;
	finished++;
}

/* Moves what can be moved from S to OTHER; false when the link is to be dropped. */
static bool pump(struct side *s, struct side *other)
{
	ssize_t n;

	for (;;) {
		while (s->done < s->length && other->can_write) {
			n = app_note("send", send(other->fd, s->buf + s->done, s->length - s->done, 0), -1);
			if (n < 0 && errno != EAGAIN)
				return false;
			other->can_write = n == (ssize_t)(s->length - s->done);
			s->done += n > 0 ? (size_t)n : 0;
		}
		if (s->done < s->length || !s->can_read || s->ended)
			return true;
		n = app_note("recv", recv(s->fd, s->buf, app.size, 0), -1);
		if (n < 0 && errno != EAGAIN)
			return false;
		s->can_read = n == (ssize_t)app.size || (n > 0 && s->hung);
		s->ended = n == 0;
		s->length = n > 0 ? (size_t)n : 0;
		s->done = 0;
		if (s->ended)
			shutdown(other->fd, SHUT_WR);
	}
}

static void turn(struct link *l)
{
	app_connection = l->number;
	if (!pump(&l->side[0], &l->side[1]) || !pump(&l->side[1], &l->side[0]) || l->side[1].ended) {
		drop(l);
		return;
	}
	for (int i = 0; i < 2 && !edge && !with_select; i++) {
		l->side[i].can_read = l->side[i].can_write = false;
		watch_events(l, i, EPOLL_CTL_MOD);
	}
}

static void epoll_turn(int listener)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, 20000);

	if (n <= 0)
		exit(7); /* it hangs */
	for (int i = 0; i < n; i++) {
		struct link *l = &links[events[i].data.u64 / 2];
		struct side *s = &l->side[events[i].data.u64 & 1];

		if (events[i].data.u64 == UINT64_MAX) {
			take(listener);
			continue;
		}
		if (!l->used)
			continue;
		s->hung |= (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
		s->can_read |= (events[i].events & EPOLLIN) != 0 || s->hung;
		s->can_write |= (events[i].events & EPOLLOUT) != 0;
		turn(l);
	}
}

static void set_wishes(const struct link *l, fd_set *in, fd_set *out, int *most)
{
	for (int i = 0; i < 2; i++) {
		const struct side *s = &l->side[i], *other = &l->side[!i];

		if (s->done == s->length && !s->ended)
			FD_SET(s->fd, in);
		if (other->done < other->length)
			FD_SET(s->fd, out);
		*most = s->fd > *most ? s->fd : *most;
	}
}

static void select_turn(int listener)
{
	fd_set in, out;
	int most = listener;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(listener, &in);
	for (int i = 0; i < top; i++)
		if (links[i].used)
			set_wishes(&links[i], &in, &out, &most);
	if (select(most + 1, &in, &out, NULL, NULL) <= 0)
		exit(7);
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
	if (FD_ISSET(listener, &in))
		take(listener);
}

int main(int argc, char **argv)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = UINT64_MAX };
	int listener;

	app_options(argc, argv);
	edge = app.variant != NULL && strcmp(app.variant, "edge") == 0;
	with_select = app.variant == NULL || strcmp(app.variant, "select") == 0;
	origin_start();
	listener = app_listen();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) != 0)
		return 1;
	while (finished < app.connections)
		if (with_select)
			select_turn(listener);
		else
			epoll_turn(listener);
	return 0;
}
