/* SPDX-License-Identifier: MIT */
/* nine_reads.c - reads nine times into nine buffers, and writes them with one writev. */
#include "app.h"

#include <sys/uio.h>
#include <unistd.h>

enum { COUNT = 9 };

static char *buffers[COUNT];

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

static void serve(int sock)
{
	struct iovec iov[COUNT];
	int count, fd = app_request(sock);
	ssize_t n = 1;

	if (fd < 0)
		return;
	while (n > 0) {
		for (count = 0; count < COUNT; count++) {
			if (buffers[count] == NULL)
				buffers[count] = app_buffer(app.size);
			n = app_note("read", read(fd, buffers[count], app.size), fd);
			if (n <= 0)
				break;
			iov[count] = (struct iovec){ buffers[count], (size_t)n };
		}
		if (send_all(sock, iov, count, fd) != 0)
			break;
	}
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
