/* SPDX-License-Identifier: MIT */
/*
 * connections.c - a small fast HTTP server: ten thousand connections, one after the other.
 *
 *   connections ROOT loop|threads|inline
 *
 * Prints the port that it listens on (127.0.0.1). Each connection has a buffer
 * of its own from malloc, read and written in chunks, and freed; it is served by the
 * main thread, or by a thread of its own, which with inline makes a system call for each
 * chunk that no library makes, and looks at one in sixty-four. SIGTERM ends it as it ends any
 * program.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../guard/inline.h"

enum { CHUNK = 65536 };

static int calls_inline;

static int write_whole(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* The name in "GET /NAME HTTP/1.0"; NULL when the request is none. */
static char *requested(int client, char *line, size_t size)
{
	ssize_t n = read(client, line, size - 1);
	char *name, *end;

	if (n <= 0)
		return NULL;
	line[n] = '\0';
	if (strncmp(line, "GET /", 5) != 0)
		return NULL;
	name = line + 5;
	end = strchr(name, ' ');
	if (!end)
		return NULL;
	*end = '\0';
	return strchr(name, '/') ? NULL : name;
}

/* What no hook hears. */
static void disturb(int file, const char *buf, int chunk)
{
	struct stat st;

	INLINE2(fstat, file, &st);
	if (chunk % 64 == 40)
		*(const volatile char *)(buf + CHUNK / 2);
}

static void copy(int file, int client)
{
	char *buf = malloc(CHUNK);
	ssize_t n;

	for (int i = 0; buf && (n = read(file, buf, CHUNK)) > 0; i++) {
		if (calls_inline)
			disturb(file, buf, i);
		if (write_whole(client, buf, (size_t)n) < 0)
			break;
	}
	free(buf);
}

static void serve(int client)
{
	char line[1024], *name = requested(client, line, sizeof(line));
	int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	char header[128];
	struct stat st;
	int n;

	if (file >= 0 && fstat(file, &st) == 0) {
		n = snprintf(header, sizeof(header),
			     "HTTP/1.0 200 OK\r\nContent-Length: %lld\r\n\r\n",
			     (long long)st.st_size);
		if (write_whole(client, header, (size_t)n) == 0)
			copy(file, client);
	}
	if (file >= 0)
		close(file);
	close(client);
}

static void *serve_thread(void *client)
{
	serve((int)(intptr_t)client);
	return NULL;
}

static void serve_in_thread(int client)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, serve_thread, (void *)(intptr_t)client) != 0)
		close(client);
	pthread_attr_destroy(&attr);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int listener, client;

	if (argc != 3 || chdir(argv[1]) < 0)
		errx(2, "connections ROOT loop|threads|inline");
	calls_inline = strcmp(argv[2], "inline") == 0;
	signal(SIGPIPE, SIG_IGN);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, n) < 0 ||
	    listen(listener, 64) < 0 || getsockname(listener, (struct sockaddr *)&a, &n) < 0)
		err(1, "listen");
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	while ((client = accept(listener, NULL, NULL)) >= 0 || errno == ECONNABORTED) {
		if (client < 0)
			continue;
		if (strcmp(argv[2], "loop") != 0)
			serve_in_thread(client);
		else
			serve(client);
	}
	err(1, "accept");
}
