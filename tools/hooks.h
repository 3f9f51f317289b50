/* SPDX-License-Identifier: MIT */
/* hooks.h - which of the names that libshunt.so exports a libc has and a program asks for. */
#ifndef SHUNT_HOOKS_H
#define SHUNT_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

struct hooks {
	size_t count;	 /* names that the library exports */
	size_t in_libc;	 /* of these, names that the libc has: they will be found behind us */
	size_t called;	 /* of these, names that the program itself is linked to */
	char moves[256]; /* of these, the calls that move data: "read, write"; "" if none */
	bool native;	 /* the library is of this machine */
};

/* Any path may be NULL: its count stays 0. Returns false when LIBRARY cannot be read. */
bool hooks_count(struct hooks *h, const char *library, const char *libc, const char *program);

#endif
