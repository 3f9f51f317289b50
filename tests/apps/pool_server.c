/* SPDX-License-Identifier: MIT */
/*
 * pool_server.c - a pool of threads reads the disk, the main thread alone talks
 * to the clients. A job goes to the pool and comes back through a pipe.
 */
#include "app.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4 };

struct job {
	int sock, fd, number;
	off_t offset;
	char *buf;
	ssize_t got;
	struct job *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *queue;
static int done_pipe[2];

static void submit(struct job *j)
{
	pthread_mutex_lock(&lock);
	j->next = queue;
	queue = j;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

static void *reader(void *arg)
{
	struct job *j;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (queue == NULL)
			pthread_cond_wait(&more, &lock);
		j = queue;
		queue = j->next;
		pthread_mutex_unlock(&lock);
		app_connection = j->number;
		j->got = app_note("pread", pread(j->fd, j->buf, app.size, j->offset), j->fd);
		if (write(done_pipe[1], &j, sizeof(j)) != (ssize_t)sizeof(j))
			return arg;
	}
}

/* Returns false at the end of the file or of the client. */
static bool write_chunk(struct job *j)
{
	ssize_t m, done;

	if (j->got <= 0)
		return false;
	for (done = 0; done < j->got; done += m) {
		m = app_note("write", write(j->sock, j->buf + done, (size_t)(j->got - done)), j->fd);
		if (m < 0)
			return false;
	}
	j->offset += j->got;
	return true;
}

static void begin(int sock)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		exit(1);
	j->sock = sock;
	j->number = app_connection;
	j->buf = app_buffer(app.size);
	j->fd = app_request(sock);
	submit(j);
}

static void finish(struct job *j)
{
	app_note("close", close(j->fd), -1);
	close(j->sock);
	free(j);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	struct job *j;
	int listener, open_now = 0;

	app_options(argc, argv);
	if (pipe(done_pipe) != 0)
		return 1;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, reader, NULL) != 0)
			return 1;
	listener = app_listen();
	for (int i = 0; i < app.connections; i++, open_now++)
		begin(app_accept(listener));
	while (open_now > 0 && read(done_pipe[0], &j, sizeof(j)) == (ssize_t)sizeof(j)) {
		app_connection = j->number;
		if (write_chunk(j)) {
			submit(j);
		} else {
			finish(j);
			open_now--;
		}
	}
	return 0;
}
