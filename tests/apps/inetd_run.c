/* SPDX-License-Identifier: MIT */
/*
 * inetd_run.c - the super server in small: the program named by -x is started
 * for each connection, with the socket as its standard input and output.
 */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(int sock, char **argv)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", app_connection);
	setenv("CONNECTION", number, 1);
	dup2(sock, 0);
	dup2(sock, 1);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	argv[0] = (char *)app.variant;
	execv(app.variant, argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	int listener, sock, status, bad = 0;

	app_options(argc, argv);
	if (app.variant == NULL)
		return 2;
	listener = app_listen();
	for (int i = 0; i < app.connections; i++) {
		sock = app_accept(listener);
		if (fork() == 0)
			start(sock, argv);
		close(sock);
	}
	while (wait(&status) > 0)
		bad |= status;
	return bad != 0;
}
