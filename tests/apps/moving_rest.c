/* SPDX-License-Identifier: MIT */
/*
 * moving_rest.c - a non-blocking socket; what a short write left over is moved
 * to the front of the buffer, and the rest of the buffer is read full again.
 */
#include "app.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void wait_for(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLOUT };

	poll(&p, 1, -1);
}

static void copy(int sock, int fd, char *buf)
{
	size_t have = 0;
	ssize_t n;

	for (;;) {
		n = app_note("read", read(fd, buf + have, app.size - have), fd);
		if (n > 0)
			have += (size_t)n;
		if (have == 0)
			return;
		n = app_note("write", write(sock, buf, have), fd);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n < 0) {
			wait_for(sock);
			continue;
		}
		have -= (size_t)n;
		memmove(buf, buf + n, have);
	}
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);

	if (fd < 0)
		return;
	app_nonblocking(sock);
	copy(sock, fd, buf);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
