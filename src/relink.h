/* SPDX-License-Identifier: MIT */
/*
 * relink.h - libraries that were opened with RTLD_DEEPBIND, as PHP opens its extensions.
 *
 * They look for functions in what they were linked with before they look in the program, and so
 * find libc's read and write, not ours. What they call is set right in their tables of addresses.
 */
#ifndef SHUNT_RELINK_H
#define SHUNT_RELINK_H

#include "shunt.h"

/* How many objects there were, and had gone, before the library was opened. */
struct relink_mark {
	size_t count;
	unsigned long long gone;
};

void relink_begin(struct relink_mark *mark);

/*
 * After it was opened: every address in an object's tables that is a real function becomes its
 * hook's. False if an address in what came with it is looked up at its first call only: such a
 * call would go by. Not signal safe.
 */
bool relink_all(const struct relink_mark *mark);

#endif
