/* SPDX-License-Identifier: MIT */
/*
 * pool_link.c - the buffer comes from a pool that keeps its list in the first
 * 16 bytes of what is free: after each chunk the buffer is given back and taken again.
 */
#include "app.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct link {
	void *next;
	size_t size;
};

static char *pool;

static void give_back(char *buf)
{
	struct link link = { pool, app.size };

	memcpy(buf, &link, sizeof(link));
	pool = buf;
}

static char *take(void)
{
	struct link link;
	char *buf = pool;

	if (buf == NULL)
		return app_buffer(app.size);
	memcpy(&link, buf, sizeof(link));
	pool = link.next;
	return link.size == app.size ? buf : NULL;
}

static void serve(int sock)
{
	int fd = app_request(sock);
	char *buf = take();
	ssize_t n = 1;

	while (fd >= 0 && buf != NULL && n > 0) {
		n = app_note("read", read(fd, buf, app.size), fd);
		if (n > 0 && app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
		give_back(buf);
		buf = take();
	}
	if (buf != NULL)
		give_back(buf);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
