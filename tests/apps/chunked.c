/* SPDX-License-Identifier: MIT */
/*
 * chunked.c - the chunked encoding of HTTP/1.1: length, data and CRLF go out in
 * one writev, and "0 CRLF CRLF" ends it.
 */
#include "app.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int send_all(int sock, struct iovec *iov, int count, int fd)
{
	ssize_t m;

	while (count > 0) {
		m = app_note("writev", writev(sock, iov, count), fd);
		if (m < 0)
			return -1;
		for (; count > 0 && (size_t)m >= iov->iov_len; iov++, count--)
			m -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + m;
			iov->iov_len -= (size_t)m;
		}
	}
	return 0;
}

static int send_chunk(int sock, char *buf, size_t n, int fd)
{
	char head[32];
	struct iovec iov[3] = { { head, 0 }, { buf, n }, { (char *)"\r\n", 2 } };

	iov[0].iov_len = (size_t)snprintf(head, sizeof(head), "%zx\r\n", n);
	return send_all(sock, iov, 3, fd);
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (send_chunk(sock, buf, (size_t)n, fd) != 0)
			break;
	app_writen(sock, "0\r\n\r\n", 5, fd);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
