/* SPDX-License-Identifier: MIT */
/*
 * bind.c - see bind.h. Takes the loader's locks and may allocate: never from a signal handler of
 * ours.
 */
#include <string.h>

#include "bind.h"
#include "guard.h"
#include "hook.h"

/* Libc's memory under other names, which are no rows. */
static bool goes_round(const char *name)
{
	return strncmp(name, "__libc_free", 11) == 0 || strncmp(name, "__libc_realloc", 14) == 0;
}

/*
 * The hook, where FOUND is what it stands for; else FOUND, and if there is a hook it is gone round.
 */
static void *hook_or(void *found, const char *name)
{
	void *own = hook_own(name);

	if (own && own != found && found == hook_behind(name))
		return own;
	if ((own && own != found) || goes_round(name))
		guard_misses();
	return found;
}

void *bind_symbol(void *handle, const char *name)
{
	void *found = hook_dlsym()(handle, name);

	return found ? hook_or(found, name) : NULL;
}

void bind_next(const char *name)
{
	if (hook_own(name) || goes_round(name))
		guard_misses();
}
