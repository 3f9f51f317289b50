/* SPDX-License-Identifier: MIT */
/*
 * recut.c - reads what the disk library gives (8000 bytes by default, -s) and
 * writes what the protocol likes: blocks of 8192 bytes, whose ends lie in the
 * middle of what was read.
 */
#include "app.h"

#include <string.h>
#include <unistd.h>

enum { BLOCK = 8192 };

/* Moves what is left to the front of the buffer. Returns how much it is, or -1. */
static ssize_t write_blocks(int sock, char *buf, size_t have, int fd)
{
	size_t done = 0;

	for (; have - done >= BLOCK; done += BLOCK)
		if (app_writen(sock, buf + done, BLOCK, fd) != 0)
			return -1;
	memmove(buf, buf + done, have - done);
	return (ssize_t)(have - done);
}

/* The buffer takes eight reads before it is written. */
static ssize_t gather(int fd, char *buf, size_t have)
{
	ssize_t n;

	for (int i = 0; i < 8; i++) {
		n = app_note("read", read(fd, buf + have, app.size), fd);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size * 8 + BLOCK);
	int fd = app_request(sock);
	ssize_t have = 0, got;

	if (fd < 0)
		return;
	for (;;) {
		got = gather(fd, buf, (size_t)have);
		if (got == have)
			break;
		have = write_blocks(sock, buf, (size_t)got, fd);
		if (have < 0)
			break;
	}
	if (have > 0)
		app_writen(sock, buf, (size_t)have, fd);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
