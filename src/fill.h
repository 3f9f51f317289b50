/* SPDX-License-Identifier: MIT */
/* fill.h - bytes of a file into protected pages, so that no other thread sees them half filled. */
#ifndef SHUNT_FILL_H
#define SHUNT_FILL_H

#include "shunt.h"

/*
 * Puts the bytes of FD from OFFSET into the protected pages [lo, hi) and opens
 * them. What lies beyond the end of the file is zeros. False if the file could
 * not be read or the pages not be opened: they stay as they were. Keeps errno,
 * safe in a signal handler. Called with the landing locked, so that one thread fills.
 */
bool fill_pages(uintptr_t lo, uintptr_t hi, int fd, off_t offset);

/* Pages were moved in elsewhere (stream.c), which counts as well. */
void fill_moved(void);

/* Were any pages? Some of the program's mappings are several since then: remap.h. */
bool fill_has_moved(void);

/* May pages be filled at all? False when too many were moved in for the process's map count. */
bool fill_possible(void);

#endif
