/* SPDX-License-Identifier: MIT */
/*
 * mapped.c - servers that map the file and write the mapping. -x says how:
 *
 *   whole    all of it at once, as small daemons do; the default
 *   close    the same, the descriptor closed right after mmap
 *   private  the same, with MAP_PRIVATE
 *   stamp    a private mapping in which the server fills in a word here and there
 *   windows  -s bytes at a time, mapped, written behind a header of their own, unmapped
 *   spanning the same with two windows, and writes that end in one and begin in the other
 */
#include "app.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is(const char *variant)
{
	return app.variant != NULL && strcmp(app.variant, variant) == 0;
}

/* Writes all pieces, whatever part the kernel takes at a time. */
static int write_pieces(int sock, struct iovec *iov, int count)
{
	while (count > 0) {
		ssize_t n = app_note("writev", writev(sock, iov, count), -1);

		if (n < 0)
			return -1;
		for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
			n -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

static char *map(int fd, size_t n, off_t at, int prot, int flags)
{
	char *p = mmap(NULL, n, prot, flags, fd, at);

	return p == MAP_FAILED ? NULL : p;
}

static void whole(int sock, int fd, size_t size)
{
	bool stamped = is("stamp");
	int flags = stamped || is("private") ? MAP_PRIVATE : MAP_SHARED;
	char *p = map(fd, size, 0, stamped ? PROT_READ | PROT_WRITE : PROT_READ, flags);

	if (p == NULL)
		return;
	if (is("close"))
		close(fd);
	for (size_t i = 0; stamped && i + 4 <= size; i += 10000)
		memcpy(p + i, "2024", 4);
	app_writen(sock, p, size, -1);
	munmap(p, size);
}

static void windows(int sock, int fd, size_t size)
{
	char head[64];

	for (size_t at = 0; at < size; at += app.size) {
		size_t n = size - at < app.size ? size - at : app.size;
		char *p = map(fd, n, (off_t)at, PROT_READ, MAP_SHARED);
		int head_n = snprintf(head, sizeof(head), "%zx\r\n", n);
		struct iovec iov[3] = { { head, (size_t)head_n }, { p, n }, { "\r\n", 2 } };

		if (p == NULL || write_pieces(sock, iov, 3) != 0)
			break;
		munmap(p, n);
	}
}

/* The last 1000 bytes of a window go with the next one. */
static void spanning(int sock, int fd, size_t size)
{
	enum { REST = 1000 };
	char *p = NULL, *next;
	size_t n = 0, next_n;

	for (size_t at = 0; at < size; at += next_n, p = next, n = next_n) {
		struct iovec iov[2];

		next_n = size - at < app.size ? size - at : app.size;
		next = map(fd, next_n, (off_t)at, PROT_READ, MAP_SHARED);
		if (next == NULL)
			return;
		iov[0] = (struct iovec){ p + n - (p ? REST : 0), p ? REST : 0 };
		iov[1] = (struct iovec){ next, at + next_n < size ? next_n - REST : next_n };
		if (write_pieces(sock, iov, 2) != 0)
			return;
		if (p != NULL)
			munmap(p, n);
	}
	if (p != NULL)
		munmap(p, n);
}

static void serve(int sock)
{
	struct stat st;
	int fd = app_request(sock);

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		if (is("windows"))
			windows(sock, fd, (size_t)st.st_size);
		else if (is("spanning"))
			spanning(sock, fd, (size_t)st.st_size);
		else
			whole(sock, fd, (size_t)st.st_size);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
