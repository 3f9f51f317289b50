/* SPDX-License-Identifier: MIT */
/* libc_version.h - which glibc has the program? Not the one that we were built with. */
#ifndef SHUNT_LIBC_VERSION_H
#define SHUNT_LIBC_VERSION_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* Is it 2.MINOR, or newer? Keeps errno; signal safe. */
static inline bool libc_is(int minor)
{
	const char *v = gnu_get_libc_version ? gnu_get_libc_version() : "";

	return strncmp(v, "2.", 2) == 0 && atoi(v + 2) >= minor;
}

#endif
