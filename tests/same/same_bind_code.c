/* SPDX-License-Identifier: MIT */
/*
 * same_bind_code.c - a module that same_bind loads: it writes by libc's function, called, called
 * by its address, and by a table of addresses. Built to be bound at once, and when first called.
 */
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct same_start {
	ssize_t (*fill)(void *);
	void *rig, *p;
	int fd;
	ssize_t result;
};

/* The program has left word of what is to be done while the module is still being loaded. */
__attribute__((constructor)) static void starts(void)
{
	const char *word = getenv("SAME_START");
	struct same_start *s = word ? (struct same_start *)strtoul(word, NULL, 16) : NULL;
	ssize_t n = s ? s->fill(s->rig) : 0;
	struct iovec iov = { s ? s->p : NULL, (size_t)n };

	if (s)
		s->result = writev(s->fd, &iov, 1);
}

typedef ssize_t write_function(int, const void *, size_t);

write_function *module_table[2] = { write, 0 };

ssize_t module_write(int how, int fd, const void *p, size_t n);

ssize_t module_write(int how, int fd, const void *p, size_t n)
{
	write_function *volatile by_address = write;

	struct iovec iov = { (void *)p, n };

	if (how == 0) /* of nothing else is the address taken: it is bound by its first call */
		return writev(fd, &iov, 1);
	return how == 1 ? by_address(fd, p, n) : module_table[0](fd, p, n);
}
