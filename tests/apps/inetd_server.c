/* SPDX-License-Identifier: MIT */
/* inetd_server.c - started by inetd_run: the client is descriptor 0 and 1. */
#include "app.h"

#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *number = getenv("CONNECTION");
	char *buf;
	ssize_t n, m, done;
	int fd;

	app_options(argc, argv);
	app_connection = number != NULL ? atoi(number) : 0;
	buf = APP_BUFFER(app.size);
	fd = app_request(0);
	if (fd < 0)
		return 1;
	while ((n = app_note("read", read(fd, buf, app.size), fd)) > 0)
		for (done = 0; done < n; done += m) {
			m = app_note("write", write(1, buf + done, (size_t)(n - done)), fd);
			if (m < 0)
				return 1;
		}
	return app_note("close", close(fd), -1) != 0;
}
