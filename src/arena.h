/* SPDX-License-Identifier: MIT */
/*
 * arena.h - memory for the tables: no malloc in a hook.
 *
 * Blocks of powers of two, cut from pages that are never given back, with a list
 * of free ones for each size. Safe in a signal handler (the lock blocks signals).
 */
#ifndef SHUNT_ARENA_H
#define SHUNT_ARENA_H

#include <stddef.h>

/* SIZE bytes of zeros, or NULL. */
void *arena_alloc(size_t size);

/* P of SIZE bytes, as allocated, is free again. */
void arena_free(void *p, size_t size);

/* In the child of a fork: the lock may have been held. */
void arena_forked(void);

#endif
