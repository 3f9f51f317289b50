/* SPDX-License-Identifier: MIT */
/* peer.c - the far ends of a route: takes, or gives, as fast as it can, on another processor. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bench.h"

enum { BLOCK = 1 << 20 };

/*
 * MSG_TRUNC: TCP throws the bytes away in the kernel, so that the receiver is
 * never the slower one. A UNIX socket copies them all the same.
 */
int drain_main(char **word)
{
	int fd = (int)number(word[0]);
	char *block = malloc(BLOCK);
	ssize_t n;

	while ((n = recv(fd, block, BLOCK, MSG_TRUNC)) > 0)
		;
	return n < 0 && errno != ECONNRESET;
}

int feed_main(char **word)
{
	int fd = (int)number(word[0]);
	char *block = malloc(BLOCK);

	if (!block)
		err(1, "feed");
	memset(block, 7, BLOCK);
	while (write(fd, block, BLOCK) > 0)
		;
	return 0;
}
