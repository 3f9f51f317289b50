/* SPDX-License-Identifier: MIT */
/* shunt.h - what every file of the library shares: states, attributes, arithmetic. */
#ifndef SHUNT_H
#define SHUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXPORT __attribute__((visibility("default")))
#define HIDDEN __attribute__((visibility("hidden"))) /* of what hooks ask: reached directly, not by a table */
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#if __has_attribute(access) && __GNUC__ >= 11 /* which know none */
#define NO_ACCESS __attribute__((access(none, 1))) /* the pointer is taken as a number */
#else
#define NO_ACCESS
#endif
#define COLD __attribute__((cold, noinline))
#define OFTEN __attribute__((hot)) /* what each chunk runs lies side by side: few pages, few lines */
#define APART __attribute__((noinline)) /* so that the short way through its caller stays short */

/* Hints, counts, and records that a lock or a sequence number orders: plain moves, no fence. */
#define relaxed(object) atomic_load_explicit(&(object), memory_order_relaxed)
#define set_relaxed(object, value) atomic_store_explicit(&(object), (value), memory_order_relaxed)

/*
 * A large table: it lies behind the variables that every process touches, which then take a
 * few pages. Each page costs at a start, and in the parent and in the child of a fork.
 */
#define LARGE_TABLE __attribute__((section(".bss.large")))

/*
 * What every read and write asks, and what seldom changes: side by side, since behind a system
 * call that has copied a chunk each line of the cache has to be fetched again.
 */
#define HOT __attribute__((section(".bss.hot.rest")))
#define HOT_FIRST __attribute__((section(".bss.hot"), aligned(64)))

/*
 * What a fork changes, in the parent or the child, and who does it: in the page of those, and in one
 * piece of code. A server that forks for each connection pays for each page that is copied, and for
 * each stretch of code that a child has to map anew.
 */
#define FORK_WRITES __attribute__((section(".bss.hot.tail")))
#define FORKS __attribute__((section(".text.hot.fork")))

/*
 * The life of the library in its process. LOADING: libc's functions are not all
 * found yet, every hook passes through. LIVE: at work. ASIDE: everything was
 * filled and opened, every hook passes through for good (mode:off, skip:, seccomp).
 */
enum shunt_state { SHUNT_LOADING, SHUNT_LIVE, SHUNT_ASIDE };

extern HIDDEN _Atomic unsigned char shunt_state;

static inline bool shunt_live(void)
{
	return likely(atomic_load_explicit(&shunt_state, memory_order_relaxed) == SHUNT_LIVE);
}

/* Fills and opens everything and stands aside for good. Keeps errno. */
void shunt_stand_aside(void);

extern size_t shunt_page; /* the page size, a power of two */

static inline uintptr_t page_down(uintptr_t a)
{
	return a & ~(shunt_page - 1);
}

static inline uintptr_t page_up(uintptr_t a)
{
	return (a + shunt_page - 1) & ~(shunt_page - 1);
}

#endif
