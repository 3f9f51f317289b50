/* SPDX-License-Identifier: MIT */
/* send_module_code.c - a preloaded library that has a send of its own, behind shunt's. */
#include <stddef.h>
#include <sys/socket.h>

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return sendto(fd, buf, n, flags, NULL, 0);
}
