/* SPDX-License-Identifier: MIT */
/* content.c - see content.h. */
#include "content.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const size_t content_length[CONTENT_FILES] = { (4 << 20) + 123, 1 << 20, (2 << 20) + 4095, 700001 };
const unsigned char *content[CONTENT_FILES];

void content_die(const char *what)
{
	perror(what);
	exit(2);
}

uint64_t content_random(uint64_t *state)
{
	uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void write_file(const char *directory, int f)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/f%d", directory, f);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, content[f], content_length[f]) != (ssize_t)content_length[f])
		content_die(path);
	close(fd);
}

void content_make(const char *directory)
{
	for (int f = 0; f < CONTENT_FILES; f++) {
		unsigned char *p = malloc(content_length[f] + 8);
		uint64_t state = (uint64_t)f + 1;

		if (!p)
			content_die("memory");
		for (size_t i = 0; i < content_length[f]; i += 8) {
			uint64_t bits = content_random(&state);

			memcpy(p + i, &bits, 8);
		}
		content[f] = p;
		if (directory)
			write_file(directory, f);
	}
}
