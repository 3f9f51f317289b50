/* SPDX-License-Identifier: MIT */
/*
 * sendmsg_null.c - sendmsg of five pieces, of which one is a NULL of length 0
 * and two are frames of the protocol, as file servers do. Each chunk is
 * preceded by "[" and its length as eight digits, and followed by "]".
 */
#include "app.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int send_frame(int sock, char *buf, size_t n, int fd)
{
	char head[24];
	struct iovec iov[5] = { { (char *)"[", 1 }, { head, 8 }, { NULL, 0 }, { buf, n },
				{ (char *)"]", 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 5 };
	ssize_t m, skip;

	snprintf(head, sizeof(head), "%08zu", n);
	m = app_note("sendmsg", sendmsg(sock, &msg, MSG_NOSIGNAL), fd);
	if (m < 9)
		return -1;
	skip = m - 9;
	if ((size_t)skip > n)
		return 0;
	return app_writen(sock, buf + skip, n - (size_t)skip, fd) != 0 ||
	       app_writen(sock, "]", 1, fd) != 0;
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	int fd = app_request(sock);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (send_frame(sock, buf, (size_t)n, fd) != 0)
			break;
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
