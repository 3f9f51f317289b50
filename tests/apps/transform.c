/* SPDX-License-Identifier: MIT */
/*
 * transform.c - changes what it sends. -x xor: in place, every byte; -x crlf:
 * LF becomes CR LF in a second buffer; -x stamp: one byte of each chunk, in place.
 */
#include "app.h"

#include <string.h>
#include <unistd.h>

static size_t to_crlf(char *out, const char *in, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\n')
			out[k++] = '\r';
		out[k++] = in[i];
	}
	return k;
}

static int send_changed(int sock, char *buf, char *second, size_t n, int fd)
{
	const char *how = app.variant != NULL ? app.variant : "xor";

	if (strcmp(how, "crlf") == 0)
		return app_writen(sock, second, to_crlf(second, buf, n), fd);
	if (strcmp(how, "stamp") == 0)
		buf[n / 2] = (char)~buf[n / 2];
	else
		for (size_t i = 0; i < n; i++)
			buf[i] = (char)(buf[i] ^ 0x5a);
	return app_writen(sock, buf, n, fd);
}

static void serve(int sock)
{
	char *buf = APP_BUFFER(app.size);
	char *second = APP_BUFFER(app.size * 2);
	int fd = app_request(sock);
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		if (send_changed(sock, buf, second, (size_t)n, fd) != 0)
			break;
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
