/* SPDX-License-Identifier: MIT */
/*
 * filter.h - a filter of system calls that was there before us, and sanitizers.
 *
 * A filter that refuses a call is dealt with where the call is made. One that kills for it, as
 * systemd's SystemCallFilter does, cannot be asked; so before the first call that a program
 * need not make itself, every such call is tried in a child.
 */
#ifndef SHUNT_FILTER_H
#define SHUNT_FILTER_H

#include "shunt.h"

/* Is there a filter, and may all that shunt calls be called? */
enum { FILTER_KILLS = -1, FILTER_NOT_ASKED, FILTER_NONE, FILTER_ALLOWS };
extern _Atomic signed char filter_answer __attribute__((visibility("hidden")));

/*
 * Asks, which takes some microseconds where there is no filter and a fork where there is one.
 * If something would kill, shunt stands aside for good. Keeps errno; signal safe.
 */
bool filter_ask(void);

/* The signals that had handlers when filter_ask was called, as bits; false: it is not known. */
bool filter_caught(uint64_t *signals);

/*
 * There is a filter that may kill for a call that the program does not make: none is made any
 * more, in signals, threads, forks and ends neither.
 */
static inline bool filter_silences(void)
{
	return unlikely(atomic_load_explicit(&filter_answer, memory_order_relaxed) < 0);
}

static inline bool filter_allows(void)
{
	signed char answer = atomic_load_explicit(&filter_answer, memory_order_relaxed);

	return likely(answer > 0) || (answer == 0 && filter_ask());
}

/* Once filter_allows was asked: is there no filter at all, so that no call is refused by one? */
static inline bool filter_is_none(void)
{
	return atomic_load_explicit(&filter_answer, memory_order_relaxed) == FILTER_NONE;
}

/*
 * A server that only listens has no reason to ask, and each of its children has. ASKED is zero in memory
 * that the family shares: who asks says so there, and before its next fork the parent asks, too.
 * What stands in it is believed no further than that. Keep errno; signal safe.
 */
void filter_share(_Atomic bool *asked);
void filter_before_fork(void);

/*
 * Is the program built with a sanitizer that has a word to say of memory? What such a runtime
 * knows of the memory comes from its own read and write; and it stops all threads to search it.
 */
bool filter_is_sanitized(void);

/* ThreadSanitizer's runtime, if there is one: it starts, or returns at once where it is starting. */
void __tsan_init(void) __attribute__((weak));

#endif
