/* SPDX-License-Identifier: MIT */
/* whole_file.c - small files: one read, close, one write. A new buffer for each file. */
#include "app.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void serve(int sock)
{
	struct stat st;
	char *buf;
	ssize_t n;
	int fd = app_request(sock);

	if (fd < 0 || fstat(fd, &st) != 0)
		return;
	buf = malloc((size_t)st.st_size);
	n = buf == NULL ? -1 : app_note("read", read(fd, buf, (size_t)st.st_size), fd);
	app_note("close", close(fd), -1);
	if (n > 0)
		app_writen(sock, buf, (size_t)n, -1);
	free(buf);
}

int main(int argc, char **argv)
{
	return app_one_by_one(argc, argv, serve);
}
