/* SPDX-License-Identifier: MIT */
/*
 * table.c - the rows of hooks.def against libc: every symbol is there, none is
 * listed twice. With --list it prints the names, for exports.sh.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HOOK(ret, name, params, args, class) #name,
#define HOOK_OPEN(ret, name, params, args, open) #name,
static const char *const names[] = {
#include "hooks.def"
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* What an older libc, or that of aarch64 (__send), may lack; a row of it does no harm there. */
static const char *const optional[] = {
	"__send", "arc4random_buf", "close_range", "closefrom", "epoll_pwait2", "execveat", "fsconfig",
	"fsopen", "fspick", "mount_setattr", "move_mount", "open_tree", "pidfd_send_signal",
	"process_madvise", "pthread_attr_setsigmask_np", "timespec_getres",
};

static bool may_lack(const char *name)
{
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (!strcmp(optional[i], name))
			return true;
	return false;
}

static int failed, passed;

static void check(bool ok, const char *name, const char *what)
{
	ok ? passed++ : failed++;
	if (!ok)
		printf("FAILED: %s %s\n", name, what);
}

int main(int argc, char **argv)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW);

	for (int i = 0; i < NAMES; i++) {
		bool twice = false;

		if (argc > 1 && !strcmp(argv[1], "--list")) {
			printf("%s\n", names[i]);
			continue;
		}
		for (int j = 0; j < i; j++)
			twice = twice || !strcmp(names[i], names[j]);
		check(!twice, names[i], "is listed twice");
		check(dlsym(libc, names[i]) || may_lack(names[i]), names[i], "is not in libc");
	}
	if (argc > 1)
		return 0;
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
