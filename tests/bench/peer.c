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

void wake_for(int fd, size_t bytes)
{
	int low = (int)(bytes < WAKE ? bytes : WAKE), domain = 0;
	socklen_t n = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_INET)
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
}

/*
 * On loopback it is the sender who wakes a sleeping receiver, and is charged for it; how often
 * that happens is chance, and was a quarter of all that was measured. So TCP wakes
 * for half a MiB at a time: with a network between the two, nobody would be woken by the sender.
 *
 * MSG_TRUNC: TCP throws the bytes away in the kernel, so that the receiver is
 * never the slower one. A UNIX socket copies them all the same.
 */
int drain_main(char **word)
{
	int fd = (int)number(word[0]);
	char *block = malloc(BLOCK);
	ssize_t n;

	wake_for(fd, WAKE);
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
