/* SPDX-License-Identifier: MIT */
/* app.c - arguments, listening, buffers and transcript of the sample servers. */
#include "app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct app app = {
	.root = ".", .size = 65536, .connections = 1, .transcript = 2, .offsets = true, .noisy = true,
};

__thread int app_connection;

static void usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [-r DIR] [-u PATH] [-b heap|static|mmap|stack|shared]\n"
		"       [-a natural|page|odd] [-s SIZE] [-n CONNECTIONS] [-w MS] [-x VARIANT]\n"
		"       [-t TRANSCRIPT] [-q]\n",
		name);
	exit(2);
}

static int choose(const char *name, const char *word, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	usage(name);
	return -1;
}

static int open_transcript(const char *path)
{
	int low = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 500);

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	close(low);
	return fd;
}

static void set_option(char **argv, int c, char *value)
{
	static const char *const memories[] = { "heap", "static", "mmap", "stack", "shared", NULL };
	static const char *const aligns[] = { "natural", "page", "odd", NULL };

	switch (c) {
	case 'r': app.root = value; break;
	case 'u': app.unix_path = value; break;
	case 'b': app.memory = (enum app_memory)choose(argv[0], value, memories); break;
	case 'a': app.align = (enum app_align)choose(argv[0], value, aligns); break;
	case 's': app.size = strtoul(value, NULL, 0); break;
	case 'n': app.connections = atoi(value); break;
	case 'w': app.delay_ms = atoi(value); break;
	case 'x': app.variant = value; break;
	case 't': app.transcript = open_transcript(value); break;
	case 'q': app.noisy = app.offsets = false; break;
	default: usage(argv[0]);
	}
}

void app_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "r:u:b:a:s:n:w:x:t:q")) != -1)
		set_option(argv, c, optarg);
	if (optind != argc || app.size == 0)
		usage(argv[0]);
	signal(SIGPIPE, SIG_IGN);
}

static int listen_unix(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", app.unix_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		return -1;
	return fd;
}

static int listen_tcp(int *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) != 0)
		return -1;
	*port = ntohs(sin.sin_port);
	return fd;
}

int app_listen(void)
{
	int port = 0;
	int fd = app.unix_path != NULL ? listen_unix() : listen_tcp(&port);

	if (fd < 0 || listen(fd, 512) != 0) {
		perror("listen");
		exit(1);
	}
	if (app.unix_path != NULL)
		dprintf(1, "ready unix\n");
	else
		dprintf(1, "ready %d\n", port);
	return fd;
}

int app_accept(int listener)
{
	static int accepted;
	int fd;

	do
		fd = accept(listener, NULL, NULL);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		perror("accept");
		exit(1);
	}
	app_connection = ++accepted;
	return fd;
}

void app_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int app_open(char *line)
{
	int fd;
	char path[4096];
	char *end = strpbrk(line, "\r\n");

	if (end == NULL || strncmp(line, "GET ", 4) != 0 || strstr(line, "..") != NULL)
		return -1;
	*end = '\0';
	snprintf(path, sizeof(path), "%s/%s", app.root, line + 4);
	fd = open(path, O_RDONLY);
	app_note("open", fd < 0 ? -1 : 0, -1);
	return fd;
}

int app_request(int sock)
{
	char line[1024];
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(line) - 1) {
		n = read(sock, line + have, sizeof(line) - 1 - have);
		if (n <= 0)
			return -1;
		have += (size_t)n;
		line[have] = '\0';
		if (strchr(line, '\n') != NULL)
			return app_open(line);
	}
	return -1;
}

ssize_t app_note(const char *call, ssize_t ret, int fd)
{
	int saved = errno;
	char line[160];
	int n;

	if (!app.noisy)
		return ret;
	n = snprintf(line, sizeof(line), "%d %s = %zd", app_connection, call, ret);
	if (ret < 0)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s", strerrorname_np(saved));
	if (fd >= 0 && app.offsets)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " @%lld",
			      (long long)lseek(fd, 0, SEEK_CUR));
	line[n++] = '\n';
	if (write(app.transcript, line, (size_t)n) != n)
		_exit(3);
	errno = saved;
	return ret;
}

int app_writen(int sock, const char *p, size_t n, int fd)
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

int app_one_by_one(int argc, char **argv, void (*serve)(int sock))
{
	int listener, sock;

	app_options(argc, argv);
	listener = app_listen();
	for (int i = 0; i < app.connections; i++) {
		sock = app_accept(listener);
		serve(sock);
		close(sock);
	}
	return 0;
}

char *app_shift(char *p)
{
	uintptr_t a = (uintptr_t)p;

	if (app.align == APP_NATURAL)
		return p;
	a = (a + 4095) & ~(uintptr_t)4095;
	return (char *)(app.align == APP_PAGE ? a : a + 1233);
}

/* Handed out in pieces and never given back, as a server with static buffers does. */
static char *from_static(size_t n)
{
	static char pool[32 << 20];
	static size_t used;

	if (n > sizeof(pool) - used) {
		fprintf(stderr, "no static memory left\n");
		exit(1);
	}
	used += n;
	return pool + used - n;
}

char *app_buffer(size_t n)
{
	int flags = (app.memory == APP_SHARED ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS;
	char *p;

	n += APP_SLACK;
	if (app.memory == APP_STATIC)
		return app_shift(from_static(n));
	if (app.memory == APP_MMAP || app.memory == APP_SHARED)
		p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, -1, 0);
	else
		p = malloc(n);
	if (p == NULL || p == MAP_FAILED) {
		perror("buffer");
		exit(1);
	}
	return app_shift(p);
}
