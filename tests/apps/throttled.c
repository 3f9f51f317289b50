/* SPDX-License-Identifier: MIT */
/*
 * throttled.c - a limit on the rate: sleeps (-w MS) after each chunk, or with
 * -x before between the read and the write.
 */
#include "app.h"

#include <string.h>
#include <unistd.h>

static void serve(int sock)
{
	bool before = app.variant != NULL && strcmp(app.variant, "before") == 0;
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0) {
		if (before)
			usleep((useconds_t)app.delay_ms * 1000);
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
		if (!before)
			usleep((useconds_t)app.delay_ms * 1000);
	}
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
