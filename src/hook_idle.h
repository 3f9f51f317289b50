/* SPDX-License-Identifier: MIT */
/*
 * hook_idle.h - the short way through a hook.
 *
 * A hook that only opens has two halves: HOOK_IDLE(name) ? real_name(...) : the
 * other half, a cold function with the same arguments. Then the first is a few
 * instructions and a jump, and saves no register for the sake of the second.
 */
#ifndef SHUNT_HOOK_IDLE_H
#define SHUNT_HOOK_IDLE_H

#include "hook.h"
#include "landing.h"

/* Nothing is armed, and the real function is known. */
#define HOOK_IDLE(name) likely(!landing_any() && real_##name != NULL)

/*
 * Can [p, p + n), once its landings are open, be read at all? Two calls of the kernel's; keeps
 * errno.
 */
bool hook_readable(const void *p, size_t n);

/*
 * Opens what lies in [p, p + n), which may go past the end of all addresses. Keeps errno. P is a
 * number: a compiler that is given the pointer believes that it may be read here.
 */
void hook_open_bytes(uintptr_t p, size_t n);

/* The same for a struct msgbuf: a long, then N bytes of text. */
void hook_open_message(const void *p, size_t n);

/* Opens what lies in [p, p + n); can it be read then? If not, the kernel is to say so. Keeps errno. */
bool hook_open_readable(const void *p, size_t n);

/*
 * Opens what the path or word S reaches, if it lies in a landing and can be read at
 * all: a bad pointer stays the kernel's to refuse. Keeps errno.
 */
void hook_open_string(const char *s);

#endif
