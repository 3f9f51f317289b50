/* SPDX-License-Identifier: MIT */
/*
 * double.h - stands for landing.c in the tests of the hooks: one landing, whose
 * pages are opened but not filled, and a record of what was asked for.
 *
 * The hooks are linked into the test program itself, so its own calls meet them.
 */
#ifndef SHUNT_TEST_DOUBLE_H
#define SHUNT_TEST_DOUBLE_H

#include "hook.h"
#include "landing.h"

struct asked {
	bool opened, voided, tainted, all, chroot;
	bool forgot, writable, taken; /* of mappings */
	uintptr_t map_lo, map_hi;     /* of the last of these */
	uintptr_t made, given;
	int written;       /* the descriptor */
	uintptr_t lo, hi; /* of the last open, void or taint */
};

extern struct asked asked;
extern bool double_resolving; /* hook_resolve finds nothing, as inside dlsym */

/* Protects the whole pages [lo, lo + n), and forgets what was asked so far. */
void double_arm(void *lo, size_t n);

/* Opens them, whatever the hooks did. */
void double_disarm(void);

/* ---- a plain runner ---- */
void check(bool ok, const char *what, ...) __attribute__((format(printf, 2, 3)));
int check_summary(void);

#endif
