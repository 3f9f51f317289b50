/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - the real functions behind the hooks.
 *
 * Those that serve memory, and the four that REAL_LIVE names, are found at once, before
 * anything of the program's runs as a rule; hooks that are called even earlier (by
 * another preload's constructor, by the allocator inside dlsym) come here first. Of the others,
 * some 250, a program calls a dozen: each is found when it is
 * first called, in tables that are read without a lock and do not change, since objects that
 * were there at the start stay. What libc lacks fails with ENOSYS.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
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
bool hook_socket_calls;

/* By dlsym and dladdr: the latter reads every symbol of libc, which takes 25 us. */
static void *ask_usable_size(void)
{
	void *size = hook_dlsym()(RTLD_NEXT, "malloc_usable_size");
	Dl_info of_size, of_free;

	if (size && dladdr(size, &of_size) && dladdr((void *)real_free, &of_free) &&
	    of_size.dli_fbase == of_free.dli_fbase)
		return size;
	return NULL;
}

/* The first that libc had on the machine: it has it still. */
#if defined(__x86_64__)
static const char first_version[] = "GLIBC_2.2.5";
#else
static const char first_version[] = "GLIBC_2.17";
#endif

/* To its first version libc's dlsym alone answers. */
COLD void *(*hook_dlsym(void))(void *, const char *)
{
	static void *(*_Atomic real)(void *, const char *);

	if (unlikely(!real))
		real = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", first_version);
	return real;
}

static struct hook_needs *_Atomic needs;
static _Atomic unsigned fulfilled; /* of them */

static LARGE_TABLE struct symbols symbols;
static bool usable; /* symbols tells; else only dlsym does */
static _Atomic bool resolved;
static __thread bool within;

static COLD void resolve(void **real, const char *name, uint32_t hash)
{
	void *found;

	if (*real)
		return;
	if (!usable || !symbols_next(&symbols, name, hash, &found)) {
		found = NULL;
		if (usable && symbols_next_is_old(&symbols, name, hash))
			found = dlvsym(RTLD_NEXT, name, first_version);
		if (!found)
			found = hook_dlsym()(RTLD_NEXT, name);
	}
	*real = found ? found : (void *)missing;
}

/* As code, since a table of pointers to names would have to be relocated at each start. */
#define RESOLVE(name) resolve((void **)&real_##name, #name, symbols_hash(#name, sizeof(#name) - 1));
#define IS_FIRST(class) (__builtin_strcmp(#class, "memory") == 0)
static COLD void resolve_first(void)
{
#define HOOK(ret, name, params, args, class)                                                      \
	if (IS_FIRST(class))                                                                      \
		RESOLVE(name)
#define HOOK_OPEN(ret, name, params, args, open)
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
	RESOLVE(read)
	RESOLVE(write)
	RESOLVE(recv)
	RESOLVE(send)
	/* those that choose their own implementation: dlsym is not to be called later */
	RESOLVE(time)
	RESOLVE(gettimeofday)
	RESOLVE(__gettimeofday)
}

static COLD void resolve_others(void)
{
#define HOOK(ret, name, params, args, class)                                                      \
	if (!IS_FIRST(class))                                                                     \
		RESOLVE(name)
#define HOOK_OPEN(ret, name, params, args, open) RESOLVE(name)
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
}

static COLD void resolve_usable_size(void)
{
	void *found;

	if (!usable || !symbols_next_beside(&symbols, "malloc_usable_size", "free", &found))
		found = ask_usable_size();
	hook_usable_size = (size_t (*)(void *))found;
}

/* GNU_GET_LIBC_VERSION is libc's alone. */
static COLD bool is_of_libc(const char *name)
{
	void *found;

	return symbols_next_beside(&symbols, "gnu_get_libc_version", name, &found) && found;
}

static COLD void resolve_all(void)
{
	real_free = NULL; /* a page that is written first comes once */
	usable = !filter_is_sanitized() && symbols_begin(&symbols);
	resolve_first();
	/* dlsym later would take the loader's lock, in handlers too, and the program's dlerror */
	if (!usable || !symbols_tell_all(&symbols))
		resolve_others();
	resolve_usable_size();
	hook_socket_calls = usable && is_of_libc("read") && is_of_libc("write") &&
			    is_of_libc("recv") && is_of_libc("send");
	atomic_store_explicit(&resolved, true, memory_order_release);
}

/*
 * A sanitizer's runtime starts with the first call into it, and calls hooks then. Not from
 * inside of dlsym, where they have no real function yet: an allocation starts it before. Where it is the
 * runtime that calls us, half started, clang 19's ThreadSanitizer cannot allocate yet; its init
 * returns at once then.
 */
static COLD void start_sanitizer(void)
{
	static void *volatile kept;
	static _Atomic bool begun;

	if (atomic_exchange(&begun, true))
		return;
	if (__tsan_init)
		__tsan_init();
	else
		kept = malloc(1);
	(void)kept; /* it is kept, or the call would be left out */
}

COLD void hook_resolve(void)
{
	int saved = errno;
	bool already = true;

	/*
	 * dlsym of a name that is not there allocates: the hooks of the allocator cope with NULL. As
	 * an exchange, since a page that is written first comes once.
	 */
	if (within || atomic_compare_exchange_strong(&resolved, &already, true))
		return;
	if (filter_is_sanitized())
		start_sanitizer();
	within = true;
	resolve_all();
	within = false;
	errno = saved;
}

static void note_need(uint32_t hash)
{
	struct hook_needs *n = atomic_load(&needs);
	unsigned i;

	if (!n || relaxed(n->count) >= HOOK_NEEDS)
		return;
	i = atomic_fetch_add(&n->count, 1);
	if (i < HOOK_NEEDS)
		set_relaxed(n->hash[i], hash);
}

COLD void hook_find(void **real, const char *name)
{
	uint32_t hash = symbols_hash(name, strlen(name));
	int saved = errno;

	hook_resolve();
	/* within hook_resolve; later nothing stands in the way, also not of a handler in here */
	if (atomic_load_explicit(&resolved, memory_order_acquire)) {
		resolve(real, name, hash);
		note_need(hash);
	}
	errno = saved;
}

/* ---- for children ---- */

void hook_share(struct hook_needs *memory)
{
	atomic_store(&needs, memory);
}

static COLD void resolve_hash(uint32_t hash)
{
#define IF_HASH(name)                                                                             \
	if (symbols_hash(#name, sizeof(#name) - 1) == hash)                                       \
		RESOLVE(name)
#define HOOK(ret, name, params, args, class) IF_HASH(name)
#define HOOK_OPEN(ret, name, params, args, open) IF_HASH(name)
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
}

FORKS void hook_before_fork(void)
{
	struct hook_needs *n = atomic_load(&needs);
	unsigned i = relaxed(fulfilled);
	int saved = errno;

	for (; n && i < HOOK_NEEDS && i < relaxed(n->count) && relaxed(n->hash[i]); i++)
		resolve_hash(relaxed(n->hash[i]));
	if (i != relaxed(fulfilled))
		set_relaxed(fulfilled, i);
	errno = saved;
}

void *hook_own(const char *name)
{
	return symbols_own(name);
}

void *hook_behind(const char *name)
{
	void *found;

	hook_resolve();
	if (!usable || !symbols_next(&symbols, name, symbols_hash(name, strlen(name)), &found))
		found = hook_dlsym()(RTLD_NEXT, name);
	return found;
}
