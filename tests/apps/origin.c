/* SPDX-License-Identifier: MIT */
/* origin.c - the child that the sample relays get their bytes from; see origin.h. */
#include "origin.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

static struct sockaddr_in address;

static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

/* One request; in a child of its own, so that a slow reader keeps nobody waiting. */
static void serve(int sock)
{
	int file = app_request(sock);
	struct stat st;
	off_t at = 0;

	if (file >= 0 && fstat(file, &st) == 0)
		while (at < st.st_size && sendfile(sock, file, &at, (size_t)(st.st_size - at)) > 0)
			;
	_exit(0);
}

static void run(int listener, int parent)
{
	struct pollfd fds[2] = { { listener, POLLIN, 0 }, { parent, POLLIN, 0 } };
	int sock;

	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (poll(fds, 2, -1) < 0 || fds[1].revents)
			_exit(0);
		sock = accept(listener, NULL, NULL);
		if (sock < 0)
			_exit(1);
		if (fork() == 0)
			serve(sock);
		close(sock);
	}
}

void origin_start(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2];
	socklen_t n = sizeof(address);
	bool noisy = app.noisy;

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, n) != 0 ||
	    listen(listener, 512) != 0 || getsockname(listener, (struct sockaddr *)&address, &n) != 0)
		give_up("origin");
	if (pipe(ends) != 0)
		give_up("pipe");
	app.noisy = false;
	switch (fork()) {
	case -1:
		give_up("fork");
		break;
	case 0:
		close(ends[1]);
		run(listener, ends[0]);
	}
	app.noisy = noisy;
	close(listener);
	close(ends[0]);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

int origin_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		give_up("connect");
	return fd;
}
