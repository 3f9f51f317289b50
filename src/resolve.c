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

static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

size_t (*hook_usable_size)(void *p);

/* By dlsym and dladdr: the latter reads every symbol of libc, which takes 25 us. */
static void *ask_usable_size(void)
{
	void *size = dlsym(RTLD_NEXT, "malloc_usable_size");
	Dl_info of_size, of_free;

	if (size && dladdr(size, &of_size) && dladdr((void *)real_free, &of_free) &&
	    of_size.dli_fbase == of_free.dli_fbase)
		return size;
	return NULL;
}

struct resolving {
	struct symbols symbols;
	bool usable;
};

static COLD void resolve(const struct resolving *r, void **real, const char *name)
{
	void *found;

	if (*real)
		return;
	if (!r->usable || !symbols_next(&r->symbols, name, &found))
		found = dlsym(RTLD_NEXT, name);
	*real = found ? found : (void *)missing;
}

/* As code, since a table of pointers to names would have to be relocated at each start. */
static void resolve_all(const struct resolving *r)
{
#define HOOK(ret, name, params, args, class) resolve(r, (void **)&real_##name, #name);
#define HOOK_OPEN(ret, name, params, args, open) resolve(r, (void **)&real_##name, #name);
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
}

static void resolve_usable_size(const struct resolving *r)
{
	void *found;

	if (!r->usable ||
	    !symbols_next_beside(&r->symbols, "malloc_usable_size", "free", &found))
		found = ask_usable_size();
	hook_usable_size = (size_t (*)(void *))found;
}

void hook_resolve(void)
{
	static __thread bool within;
	struct resolving r;
	int saved = errno;

	/* dlsym of a name that is not there allocates: the hooks of the allocator cope with NULL */
	if (within)
		return;
	within = true;
	r.usable = symbols_begin(&r.symbols);
	resolve_all(&r);
	resolve_usable_size(&r);
	within = false;
	errno = saved;
}
