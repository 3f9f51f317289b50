/* SPDX-License-Identifier: MIT */
/*
 * checksum.c - sums what it sends and says so at the end: before each write, or
 * with -x after it. The sum of BSD's sum(1), eight hexadecimal digits.
 */
#include "app.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint32_t sum_of(uint32_t sum, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum >> 1 | sum << 31) + (unsigned char)p[i];
	return sum;
}

static void serve(int sock)
{
	bool after = app.variant != NULL && strcmp(app.variant, "after") == 0;
	char *buf = APP_BUFFER(app.size);
	char text[16];
	int fd = app_request(sock);
	uint32_t sum = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0) {
		if (!after)
			sum = sum_of(sum, buf, (size_t)n);
		if (app_writen(sock, buf, (size_t)n, fd) != 0)
			break;
		if (after)
			sum = sum_of(sum, buf, (size_t)n);
	}
	snprintf(text, sizeof(text), "%08x", (unsigned)sum);
	app_writen(sock, text, 8, fd);
	app_note("close", close(fd), -1);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
