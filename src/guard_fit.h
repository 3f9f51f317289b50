/* SPDX-License-Identifier: MIT */
/* guard_fit.h - are libc and the kernel fit for the guard? For guard.c alone. */
#ifndef SHUNT_GUARD_FIT_H
#define SHUNT_GUARD_FIT_H

#include "shunt.h"

/* What guard_is_fit found: libc's text, and a "syscall; ret" in it. */
extern uintptr_t guard_text, guard_text_end;
extern const void *guard_gate;

/* Some system calls, none of which changes anything. Signal safe. */
bool guard_is_fit(void);

#endif
