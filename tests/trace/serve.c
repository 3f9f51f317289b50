/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the server that tests/trace/run watches under strace: one client at a time.
 *
 *   serve LISTENER CHUNK COUNT FILE...
 *
 * Accepts COUNT connections (negative: a process is forked first; with an f behind it: each is served by
 * a child) on the inherited descriptor LISTENER, and gives to each the next FILE, in pieces of CHUNK
 * bytes, up to a read that finds its end. It handles no signal. The call getppid() stands before each accept: it cuts the trace into
 * requests.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void serve(int sock, const char *path, char *buf, size_t chunk)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		err(1, "%s", path);
	while ((n = read(fd, buf, chunk)) > 0)
		for (ssize_t m, at = 0; at < n; at += m) {
			m = write(sock, buf + at, (size_t)(n - at));
			if (m < 0)
				err(1, "write");
		}
	if (n < 0)
		err(1, "read");
	close(fd);
}

static void serve_in_child(int sock, const char *path, char *buf, size_t chunk)
{
	if (fork() == 0) {
		serve(sock, path, buf, chunk);
		exit(0);
	}
	wait(NULL);
}

int main(int argc, char **argv)
{
	int listener = atoi(argv[1]), count = atoi(argv[3]), sock;
	bool forks = strchr(argv[3], 'f');
	size_t chunk = (size_t)atol(argv[2]);
	char *buf = malloc(chunk);

	if (count < 0) {
		if (fork() == 0)
			_exit(0);
		count = -count;
	}
	for (int i = 0; i < count; i++) {
		(void)getppid();
		sock = accept(listener, NULL, NULL);
		if (sock < 0)
			err(1, "accept");
		(forks ? serve_in_child : serve)(sock, argv[4 + i % (argc - 4)], buf, chunk);
		close(sock);
	}
	return 0;
}
