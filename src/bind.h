/* SPDX-License-Identifier: MIT */
/*
 * bind.h - libc's functions that are found past the hooks, by dlsym on libc's own handle, as
 * foreign function interfaces do.
 *
 * Nothing would open what such a call reaches, and the guard leaves libc's text alone. So dlsym
 * gives the hook, where nothing but the hook would be gone round: where libc's function is also
 * what the hook goes on to. Modules that bind past us are relink.h's.
 */
#ifndef SHUNT_BIND_H
#define SHUNT_BIND_H

#include "shunt.h"

/*
 * What dlsym is for the program, with a handle of an object. Sets what dlerror says, as that does.
 */
void *bind_symbol(void *handle, const char *name);

/* The program asks for the next definition of NAME behind a caller that may lie behind us. */
void bind_next(const char *name);

#endif
