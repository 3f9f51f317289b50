/* SPDX-License-Identifier: MIT */
/*
 * ahead.h - the few bytes behind a chunk, which are the head of the next.
 *
 * The partial pages at a buffer's ends are read really. Where a file is read in
 * order into buffers of like alignment, the tail of one chunk and the head of the
 * next are one page of the file: they are read by one call, and the head waits here,
 * for some milliseconds at the most, for the read that asks for it.
 */
#ifndef SHUNT_AHEAD_H
#define SHUNT_AHEAD_H

#include "shunt.h"

/*
 * Reads N bytes (less than a page) of source INDEX, open as FD, at OFFSET into TO, and what
 * fills the page up behind them into this thread's store. False if there are not N, or on an error.
 */
bool ahead_read_tail(int index, int fd, void *to, size_t n, off_t offset);

/* Are the N bytes of source INDEX at OFFSET in store? Then they are copied to TO. The file must be known to be unchanged. */
bool ahead_take(int index, void *to, size_t n, off_t offset);

#endif
