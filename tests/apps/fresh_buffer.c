/* SPDX-License-Identifier: MIT */
/* fresh_buffer.c - mallocs a buffer for each chunk (4 MiB by default) and frees it. */
#include "app.h"

#include <stdlib.h>
#include <unistd.h>

static int one_chunk(int sock, int fd)
{
	char *buf = malloc(app.size);
	ssize_t n;

	if (buf == NULL)
		return 0;
	n = app_note("read", read(fd, buf, app.size), fd);
	if (n > 0 && app_writen(sock, buf, (size_t)n, fd) != 0)
		n = -1;
	free(buf);
	return n > 0;
}

static void serve(int sock)
{
	int fd = app_request(sock);

	if (fd < 0)
		return;
	while (one_chunk(sock, fd))
		;
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	app.size = 4 << 20;
	return app_one_by_one(argc, argv, serve);
}
