/* SPDX-License-Identifier: MIT */
/* thread_server.c - a thread for each connection. */
#include "app.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct client {
	int sock, number;
	pthread_t thread;
};

static void copy(int sock, int fd, char *buf)
{
	ssize_t n, m, done;

	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		for (done = 0; done < n; done += m) {
			m = app_note("write", write(sock, buf + done, (size_t)(n - done)), fd);
			if (m < 0)
				return;
		}
}

static void *serve(void *arg)
{
	struct client *c = arg;
	char *heap = app.memory == APP_HEAP ? malloc(app.size + APP_SLACK) : NULL;
	char *buf = heap != NULL ? app_shift(heap) : APP_BUFFER(app.size);
	int fd;

	app_connection = c->number;
	fd = app_request(c->sock);
	if (fd >= 0) {
		copy(c->sock, fd, buf);
		app_note("close", close(fd), -1);
	}
	close(c->sock);
	free(heap);
	return NULL;
}

int main(int argc, char **argv)
{
	struct client *clients;
	int listener;

	app_options(argc, argv);
	clients = calloc((size_t)app.connections, sizeof(*clients));
	listener = app_listen();
	for (int i = 0; i < app.connections; i++) {
		clients[i].sock = app_accept(listener);
		clients[i].number = app_connection;
		if (pthread_create(&clients[i].thread, NULL, serve, &clients[i]) != 0)
			return 1;
	}
	for (int i = 0; i < app.connections; i++)
		pthread_join(clients[i].thread, NULL);
	free(clients);
	return 0;
}
