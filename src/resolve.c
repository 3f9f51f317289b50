/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - the real functions behind the hooks.
 *
 * All are found at once, before anything of the program's runs as a rule; hooks
 * that are called even earlier (by another preload's constructor, by the allocator
 * inside dlsym) come here first. What libc lacks fails with ENOSYS.
 */
#include <dlfcn.h>
#include <errno.h>

#include "hook.h"
#include "symbols.h"

#define HOOK(ret, name, params, args, class) ret(*real_##name) params;
#define HOOK_OPEN(ret, name, params, args, open) ret(*real_##name) params;
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN

static const struct {
	const char *name;
	void **real;
} rows[] = {
#define HOOK(ret, name, params, args, class) { #name, (void **)&real_##name },
#define HOOK_OPEN(ret, name, params, args, open) { #name, (void **)&real_##name },
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
};

static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

static void *next(const struct symbols *symbols, bool usable, const char *name)
{
	void *found;

	return usable && symbols_next(symbols, name, &found) ? found : dlsym(RTLD_NEXT, name);
}

void hook_resolve(void)
{
	static __thread bool within;
	struct symbols symbols;
	int saved = errno;
	bool usable;

	/* dlsym of a name that is not there allocates: the hooks of the allocator cope with NULL */
	if (within)
		return;
	within = true;
	usable = symbols_begin(&symbols);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		void *found = *rows[i].real;

		if (!found)
			found = next(&symbols, usable, rows[i].name);
		*rows[i].real = found ? found : (void *)missing;
	}
	within = false;
	errno = saved;
}
