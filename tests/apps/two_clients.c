/* SPDX-License-Identifier: MIT */
/*
 * two_clients.c - every chunk goes to two clients, as a relay of streams does.
 * The first to come says what is sent.
 */
#include "app.h"

#include <unistd.h>

static void serve(int first, int second)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(first);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0) {
		if (app_writen(first, buf, (size_t)n, fd) != 0)
			break;
		if (app_writen(second, buf, (size_t)n, fd) != 0)
			break;
	}
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	int listener, first, second;

	app_options(argc, argv);
	listener = app_listen();
	for (int i = 0; i < app.connections; i += 2) {
		first = app_accept(listener);
		second = app_accept(listener);
		serve(first, second);
		close(first);
		close(second);
	}
	return 0;
}
