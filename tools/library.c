/* SPDX-License-Identifier: MIT */
/* library.c - where libshunt.so is. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/*
 * The build tree has tools/shunt, and src/libshunt.la beside src/.libs. Both are
 * asked for, so that an installed command never takes a library from a
 * directory that happens to have the name.
 */
static bool in_build_tree(char *buf, size_t size)
{
	char self[PATH_MAX], probe[PATH_MAX + 32], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash && slash - self > 6 && strncmp(slash - 6, "/.libs", 6) == 0)
		slash -= 6;
	if (!slash || slash - self < 6 || strncmp(slash - 6, "/tools", 6) != 0)
		return false;
	slash[-6] = '\0';
	snprintf(probe, sizeof(probe), "%s/src/libshunt.la", self);
	if (access(probe, F_OK) != 0)
		return false;
	return snprintf(buf, size, "%s/src/.libs/libshunt.so", self) < (int)size;
}

int library_find(char *buf, size_t size)
{
	const char *asked = secure_getenv("SHUNT_LIB");
	char real[PATH_MAX];

	if (asked && asked[0])
		snprintf(buf, size, "%s", asked);
	else if (!in_build_tree(buf, size))
		snprintf(buf, size, "%s", SHUNT_LIBDIR "/libshunt.so");
	if (access(buf, R_OK) != 0)
		return -errno;
	/* the program may change its directory, and an element without a slash is searched for */
	if (buf[0] != '/') {
		if (!realpath(buf, real))
			return -errno;
		if (snprintf(buf, size, "%s", real) >= (int)size)
			return -ENAMETOOLONG;
	}
	return 0;
}
