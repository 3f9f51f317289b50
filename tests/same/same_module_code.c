/* SPDX-License-Identifier: MIT */
/* same_module_code.c - a module: a static buffer, and calls of its own. */
#include <unistd.h>

extern char module_buffer[];
char module_buffer[1 << 20];

ssize_t module_read(int fd, void *p, size_t n);
ssize_t module_write(int fd, const void *p, size_t n);

/* No tail calls: the sites are here. */
ssize_t module_read(int fd, void *p, size_t n)
{
	ssize_t got = read(fd, p, n);

	__asm__ volatile("" : "+r"(got));
	return got;
}

ssize_t module_write(int fd, const void *p, size_t n)
{
	ssize_t put = write(fd, p, n);

	__asm__ volatile("" : "+r"(put));
	return put;
}
