/* SPDX-License-Identifier: MIT */
/* pread_server.c - keeps the offset itself; the descriptor's does not move. */
#include "app.h"

#include <unistd.h>

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);
	off_t offset = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("pread", pread(fd, buf, app.size, offset), fd)) > 0) {
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
		offset += n;
	}
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
