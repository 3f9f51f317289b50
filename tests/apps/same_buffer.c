/* SPDX-License-Identifier: MIT */
/* same_buffer.c - the request is received into the very buffer that then holds the file. */
#include "app.h"

#include <sys/socket.h>
#include <unistd.h>

static char *buf;

static void serve(int sock)
{
	ssize_t n;
	int fd;

	if (buf == NULL)
		buf = app_buffer(app.size);
	n = app_note("recv", recv(sock, buf, app.size - 1, 0), -1);
	if (n <= 0)
		return;
	buf[n] = '\0';
	fd = app_open(buf);
	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
