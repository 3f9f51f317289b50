/* SPDX-License-Identifier: MIT */
/*
 * next.c - symbols.c against dlsym(RTLD_NEXT): for every row of the table of hooks, and for
 * names that are hard: several versions, functions that choose their implementation, data,
 * names that another object has or nobody. With a preload between us and libc too. And
 * resolve.c: what is found at the start, and what when it is first called.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter.h"
#include "hook.h"
#include "symbols.h"

#define HOOK(ret, name, params, args, class) #name,
#define HOOK_OPEN(ret, name, params, args, open) #name,
static const char *const rows[] = {
#include "hooks.def"
};
#undef HOOK
#undef HOOK_OPEN

static const char *const hard[] = {
	"memcpy", "strlen", "time", "gettimeofday",          /* choose themselves */
	"realpath", "regexec", "posix_spawn", "memcpy@GLIBC_2.2.5", "pthread_cond_wait",
	"glob", "fmemopen", "nftw", "sched_setaffinity", "timer_create", /* versions */
	"environ", "stdout", "errno", "__libc_single_threaded", /* no functions */
	"__tls_get_addr", "_dl_find_object", "_rtld_global",    /* the loader's */
	"GLIBC_2.2.5",                                          /* absolute */
	"__errno_location", "_exit", "main", "no_such_name_anywhere", "",
};

bool filter_is_sanitized(void)
{
	return false;
}

static int passed, failed;

static void check(bool ok, const char *name, const char *what)
{
	ok ? passed++ : failed++;
	if (!ok)
		printf("FAILED: %s %s\n", name, what);
}

static bool next_of(const struct symbols *s, const char *name, void **found)
{
	return symbols_next(s, name, symbols_hash(name, strlen(name)), found);
}

/* True if an answer was given. */
static bool compare(const struct symbols *s, const char *name)
{
	void *found;

	if (!next_of(s, name, &found))
		return false;
	check(found == dlsym(RTLD_NEXT, name), name, "is not what dlsym finds");
	return true;
}

static void compare_all(const struct symbols *s)
{
	unsigned answers = 0, count = sizeof(rows) / sizeof(rows[0]);

	for (unsigned i = 0; i < count; i++)
		answers += compare(s, rows[i]);
	/* else nothing is won, and nothing was tested */
	check(answers * 100 > count * 95, "of the rows", "fewer than 95 % were answered");
	for (unsigned i = 0; i < sizeof(hard) / sizeof(hard[0]); i++)
		compare(s, hard[i]);
}

static void compare_beside(const struct symbols *s)
{
	Dl_info size, other;
	void *found;

	if (!symbols_next_beside(s, "malloc_usable_size", "free", &found))
		return;
	check(dladdr(dlsym(RTLD_NEXT, "malloc_usable_size"), &size) &&
	      dladdr(dlsym(RTLD_NEXT, "free"), &other), "free", "is not to be found");
	check(found == (size.dli_fbase == other.dli_fbase ? dlsym(RTLD_NEXT, "malloc_usable_size")
							  : NULL),
	      "malloc_usable_size", "is not that of free's object");
}

/* Without which the loader's own calls would not come through, or of which REAL_LIVE takes for granted that they are there. */
static bool is_first(const char *name, const char *class)
{
	static const char *const live[] = { "read", "write", "recv", "send" };

	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (strcmp(name, live[i]) == 0)
			return true;
	return strcmp(class, "memory") == 0;
}

/*
 * All others are found one by one: to look for all of them is half of what a start costs.
 */
static void check_found_late(void)
{
	void *found = NULL;
	unsigned early = 0;

	hook_resolve();
#define HOOK(ret, name, params, args, class)                                                       \
	if (is_first(#name, #class))                                                               \
		check(real_##name != NULL, #name, "is not found at start");                        \
	else                                                                                       \
		early += real_##name != NULL;
#define HOOK_OPEN(ret, name, params, args, open) early += real_##name != NULL;
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
	check(early <= 3, "hooks that most programs never call", "are found at start");
	check(real_time && real_gettimeofday, "time", "is left to dlsym at any time");
	errno = EXFULL;
#define HOOK(ret, name, params, args, class)                                                       \
	if (!is_first(#name, #class))                                                              \
		check(REAL(name) && (!dlsym(RTLD_NEXT, #name) ||                                   \
				     (void *)real_##name == dlsym(RTLD_NEXT, #name)), #name,       \
		      "is not found late");
#define HOOK_OPEN(ret, name, params, args, open)                                                   \
	check(REAL(name) && (!dlsym(RTLD_NEXT, #name) ||                                           \
			     (void *)real_##name == dlsym(RTLD_NEXT, #name)), #name, "is not found late");
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN
	check(errno == EXFULL, "errno", "is not kept");
	hook_find(&found, "no_such_name_anywhere");
	check(found && ((long (*)(void))found)() == -1 && errno == ENOSYS, "no such name",
	      "fails otherwise");
}

/* What LD_PRELOAD brought has a read and a free of its own, and no malloc_usable_size. */
static void check_preloaded(const struct symbols *s)
{
	void *found, *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	check(next_of(s, "read", &found) && found != dlsym(libc, "read"), "read",
	      "is not the preload's");
	check(next_of(s, "write", &found) && found == dlsym(libc, "write"), "write",
	      "is not libc's");
	check(symbols_next_beside(s, "malloc_usable_size", "free", &found) && !found, "free",
	      "was found beside libc's malloc_usable_size");
	check(symbols_next_beside(s, "calloc", "write", &found) && found == dlsym(libc, "calloc"),
	      "calloc", "was not found beside write");
}

static bool make_preload(const char *dir, char *path, size_t size)
{
	char command[600];

	snprintf(path, size, "%s/preload.so", dir);
	snprintf(command, sizeof(command),
		 "printf '%%s\\n' 'void __libc_free(void *); long read(int f, void *b, long n)' "
		 "'{ return -1; } void free(void *p) { __libc_free(p); }' >%s/p.c && "
		 "${CC:-cc} -w -shared -fPIC -o %s %s/p.c 2>/dev/null", dir, path, dir);
	return system(command) == 0;
}

static int run_preloaded(const char *self)
{
	char dir[] = "/tmp/shunt-next-XXXXXX", path[64], command[700];
	int status;

	if (!mkdtemp(dir))
		return 1;
	if (make_preload(dir, path, sizeof(path))) {
		snprintf(command, sizeof(command), "LD_PRELOAD=%s '%s' preloaded", path, self);
		fflush(stdout);
		check(system(command) == 0, "a preload", "is not seen as it is");
	} else {
		printf("no compiler: not tried with a preload\n");
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	status = system(command);
	return status;
}

int main(int argc, char **argv)
{
	static struct symbols s;
	bool preloaded = argc > 1;

	check(symbols_begin(&s), "libc", "was not found");
	compare_all(&s);
	compare_beside(&s);
	check_found_late();
	if (preloaded)
		check_preloaded(&s);
	else if (run_preloaded(argv[0]) != 0)
		return 99;
	setenv("LD_AUDIT", "/nonexistent", 1);
	check(!symbols_begin(&s), "an auditor", "was not heeded");
	if (!preloaded)
		printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
