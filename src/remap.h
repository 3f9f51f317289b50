/* SPDX-License-Identifier: MIT */
/*
 * remap.h - mremap of memory into which pages were moved.
 *
 * Beside other threads a buffer is filled by pages that take the place of the protected ones
 * (fill.c). They are a mapping of their own for good, whatever lies beside them, and the kernel
 * lengthens or moves one mapping at a time (since 6.17 it moves several, where the length stays):
 * the program's own mremap of a mapping that it made in one would be refused with EFAULT.
 */
#ifndef SHUNT_REMAP_H
#define SHUNT_REMAP_H

#include "shunt.h"

/*
 * mremap(p, old_n, n, flags, to) of anonymous memory that is several mappings: done, as the
 * kernel would do it were they one. *RESULT: the address or a negative errno. False: it is the
 * kernel's to do. What is landed there is open. Any thread, in signal handlers; keeps errno.
 */
bool remap_pieces(uintptr_t p, size_t old_n, size_t n, int flags, uintptr_t to, long *result);

#endif
