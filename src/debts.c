/* SPDX-License-Identifier: MIT */
/*
 * debts.c - errors that are owed, in poll and epoll; see debts.h.
 *
 * An event of epoll bears the program's word, not the descriptor's number. Which
 * number it is of, /proc/self/fdinfo tells: a line "tfd: N events: X data: X" for each.
 */
#include <string.h>

#include "debts.h"
#include "fd.h"
#include "format.h"
#include "prim.h"

int debts_in_poll(struct pollfd *fds, nfds_t n, int ret)
{
	for (nfds_t i = 0; ret > 0 && i < n; i++) {
		struct fd_entry *e = fd_peek(fds[i].fd);

		if (e && e->owed && (fds[i].revents & POLLHUP))
			fds[i].revents |= POLLERR;
	}
	return ret;
}

/* The number behind KEY in LINE, in base 10 or 16; 0 if there is none. */
static uint64_t number_after(const char *line, const char *key, unsigned base)
{
	const char *s = strstr(line, key);
	uint64_t value = 0;

	if (!s)
		return 0;
	for (s += strlen(key); *s == ' '; s++)
		;
	for (;; s++) {
		unsigned digit = (unsigned)(*s >= 'a' ? *s - 'a' + 10 : *s - '0');

		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

static int open_info(int epoll)
{
	char path[40];
	struct format f = format_into(path, sizeof(path));

	format_text(&f, "/proc/self/fdinfo/");
	format_u64(&f, (unsigned)epoll);
	format_char(&f, 0);
	return prim_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

/* One descriptor that EPOLL watches under the word DATA. */
struct watched {
	uint64_t data;
	int fd, count;
};

static void take_line(const char *line, struct watched *w)
{
	if (strncmp(line, "tfd:", 4) != 0 || number_after(line, "data:", 16) != w->data)
		return;
	w->fd = (int)number_after(line, "tfd:", 10);
	w->count++;
}

static void find_watched(int epoll, struct watched *w)
{
	char text[1024];
	size_t have = 0;
	ssize_t n;
	int fd = open_info(epoll);

	while (fd >= 0 && (n = prim_read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		char *line = text, *end;

		have += (size_t)n;
		text[have] = 0;
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			*end = 0;
			take_line(line, w);
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
	}
	if (fd >= 0)
		prim_close(fd);
}

int debts_in_epoll(int epoll, struct epoll_event *events, int ret)
{
	for (int i = 0; i < ret; i++) {
		struct watched w = { .data = events[i].data.u64 };
		struct fd_entry *e;

		if ((events[i].events & (EPOLLHUP | EPOLLERR)) != EPOLLHUP)
			continue;
		find_watched(epoll, &w);
		/* of several under one word the program itself cannot tell which it is */
		e = w.count == 1 ? fd_peek(w.fd) : NULL;
		if (e && e->owed)
			events[i].events |= EPOLLERR;
	}
	return ret;
}
