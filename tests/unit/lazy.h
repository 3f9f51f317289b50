/* SPDX-License-Identifier: MIT */
/*
 * lazy.h - what the unit tests of landings and segments share: a file, memory to read it
 * into, and doubles for the parts of the library that would bring in the rest of it.
 */
#ifndef SHUNT_TEST_LAZY_H
#define SHUNT_TEST_LAZY_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "landing.h"
#include "shunt.h"
#include "site.h"

/* FOREIGN: the exit code after a fault that was no landing's */
enum { PAGE = 4096, FILE_SIZE = 4 << 20, FOREIGN = 99 };

#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what)) {                                                                    \
			dprintf(2, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #what, errno);   \
			_exit(1);                                                                 \
		}                                                                                 \
	} while (0)

extern struct site *lazy_site;  /* where lazy_land reads */
extern int lazy_fd;             /* the file: FILE_SIZE bytes, each of them lazy_byte(offset) */
extern bool lazy_threads;       /* do other threads exist? */
extern uint64_t lazy_clock;     /* what the CPU clock shows; it moves when a test moves it */
extern _Atomic unsigned lazy_filled;    /* chunks that were told to be plain memory again */

/*
 * Runs BODY in a child (the tables are the process's) and returns its exit code, or
 * -signal if one ended it.
 */
int lazy_run(void (*body)(void));

/* What the file has at OFFSET; never 0. */
unsigned char lazy_byte(off_t offset);

/* Does [p, p + n) hold what the file has from OFFSET on? Looks into it as any program does. */
bool lazy_holds(const void *p, size_t n, off_t offset);

/* N bytes (whole pages) of new anonymous memory with a page on either side that is not there. */
char *lazy_memory(size_t n);

/* Reads N bytes of the file at OFFSET into BUF lazily; the landing, or NULL: see lazy_why. */
struct landing *lazy_land(void *buf, size_t n, off_t offset);
extern enum verdict lazy_why;

/* Is the page of P protected, in the kernel's eyes? */
bool lazy_protected(const void *p);

#define LAZY_TEST(body)                                                                           \
	static void test_##body(void **state)                                                     \
	{                                                                                         \
		(void)state;                                                                      \
		assert_int_equal(lazy_run(body), 0);                                              \
	}

#endif
