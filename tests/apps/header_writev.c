/* SPDX-License-Identifier: MIT */
/*
 * header_writev.c - a header of HTTP and the first chunk in one writev, the rest
 * by write. The file has a length, so the client knows where the header ends.
 */
#include "app.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Writes both, whatever part the kernel takes at a time. */
static int write_both(int sock, char *head, size_t head_n, char *body, size_t n, int fd)
{
	struct iovec iov[2] = { { head, head_n }, { body, n } };
	ssize_t m = app_note("writev", writev(sock, iov, 2), fd);

	if (m < 0)
		return -1;
	if ((size_t)m >= head_n)
		return app_writen(sock, body + (m - (ssize_t)head_n), n - ((size_t)m - head_n), fd);
	if (app_writen(sock, head + m, head_n - (size_t)m, fd) != 0)
		return -1;
	return app_writen(sock, body, n, fd);
}

static void copy(int sock, int fd, off_t size)
{
	char *buf = APP_BUFFER(app.size);
	char head[256];
	ssize_t n = app_note("read", read(fd, buf, app.size), fd);
	int head_n = snprintf(head, sizeof(head),
			      "HTTP/1.0 200 OK\r\nServer: old\r\nContent-Length: %lld\r\n\r\n",
			      (long long)size);

	if (n < 0 || write_both(sock, head, (size_t)head_n, buf, (size_t)n, fd) != 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			return;
}

static void serve(int sock)
{
	struct stat st;
	int fd = app_request(sock);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		copy(sock, fd, st.st_size);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
