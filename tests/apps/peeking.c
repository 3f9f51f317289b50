/* SPDX-License-Identifier: MIT */
/*
 * peeking.c - looks at the first byte of each chunk, as a relay that wants to
 * know the kind of a packet does, and counts the odd ones: a last line says how many.
 */
#include "app.h"

#include <stdio.h>
#include <unistd.h>

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	char text[16];
	int fd = app_request(sock), odd = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0) {
		odd += buf[0] & 1;
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
	}
	n = snprintf(text, sizeof(text), "%d\n", odd);
	app_writen(sock, text, (size_t)n, fd);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
