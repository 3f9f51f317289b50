/* SPDX-License-Identifier: MIT */
/*
 * walker.c - in libunwind's place, for attacks walks: says so if two threads are in it at once, which
 * libunwind does not bear (its pipe is one for all threads, and has no lock).
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

enum { LONG_US = 20000 };

static atomic_int walkers;

int unw_init_local(unw_cursor_t *cursor, unw_context_t *context)
{
	(void)cursor;
	(void)context;
	return 0;
}

int unw_step(unw_cursor_t *cursor)
{
	(void)cursor;
	if (atomic_fetch_add(&walkers, 1) > 0)
		fputs("two threads walk at once\n", stderr);
	usleep(LONG_US);
	atomic_fetch_sub(&walkers, 1);
	if (getenv("SEEN"))
		fputs("a walk\n", stderr);
	return 0;
}

int unw_get_reg(unw_cursor_t *cursor, unw_regnum_t number, unw_word_t *value)
{
	(void)cursor;
	(void)number;
	(void)value;
	return -1;
}
