/* SPDX-License-Identifier: MIT */
/* fork_server.c - accept, fork, and the child copies the file: the oldest server there is. */
#include "app.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_all(int sock, const char *p, size_t n, int fd)
{
	ssize_t m;

	while (n > 0) {
		m = app_note("write", write(sock, p, n), fd);
		if (m < 0)
			return -1;
		p += m;
		n -= (size_t)m;
	}
	return 0;
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (write_all(sock, buf, (size_t)n, fd) != 0)
			break;
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	int listener, sock, status, bad = 0;

	app_options(argc, argv);
	listener = app_listen();
	for (int i = 0; i < app.connections; i++) {
		sock = app_accept(listener);
		if (fork() == 0) {
			close(listener);
			serve(sock);
			exit(0);
		}
		close(sock);
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad != 0;
}
