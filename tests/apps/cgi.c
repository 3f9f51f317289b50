/* SPDX-License-Identifier: MIT */
/*
 * cgi.c - a server that runs a program for each request and passes its output on, as it
 * is or, with -x chunked, in HTTP chunks (a writev of a head, the bytes and an end).
 */
#include "app.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *buf;

/* The program: it has the file and writes it in pieces of an odd size. */
static void program(int file, int out)
{
	static char part[300000];
	ssize_t n;

	while ((n = read(file, part, sizeof(part))) > 0)
		for (ssize_t done = 0, m; done < n; done += m)
			if ((m = write(out, part + done, (size_t)(n - done))) <= 0)
				_exit(1);
	_exit(0);
}

/* All of the pieces; writev may stop in the middle. */
static bool write_chunk(int sock, size_t n)
{
	char head[20];
	struct iovec iov[3] = { { head, (size_t)sprintf(head, "%zx\r\n", n) }, { buf, n }, { "\r\n", 2 } };
	struct iovec *p = iov, *end = iov + 3;

	while (p < end) {
		ssize_t m = writev(sock, p, (int)(end - p));

		if (m < 0)
			return false;
		for (; p < end && (size_t)m >= p->iov_len; p++)
			m -= (ssize_t)p->iov_len;
		if (p < end) {
			p->iov_base = (char *)p->iov_base + m;
			p->iov_len -= (size_t)m;
		}
	}
	return true;
}

static void pass_on(int from, int sock)
{
	bool chunked = app.variant != NULL && strcmp(app.variant, "chunked") == 0;
	ssize_t n;

	usleep(20000); /* the program is ahead, as a rule */
	while ((n = app_note("read", read(from, buf, app.size), -1)) > 0)
		if (chunked ? !write_chunk(sock, (size_t)n) : app_writen(sock, buf, (size_t)n, -1) < 0)
			break;
}

static void serve(int sock)
{
	int ends[2], file = app_request(sock);
	pid_t child;

	if (!buf)
		buf = app_buffer(app.size);
	if (file < 0 || pipe(ends) != 0)
		return;
	child = fork();
	if (child == 0) {
		close(ends[0]);
		program(file, ends[1]);
	}
	close(ends[1]);
	close(file);
	pass_on(ends[0], sock);
	close(ends[0]);
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
