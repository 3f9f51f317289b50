/* SPDX-License-Identifier: MIT */
/* host.c - limits of the process; see host.h. */
#include "host.h"
#include "prim.h"

/* vm.overcommit_memory is 2; without /proc it is taken for the default. */
static bool strict_overcommit(void)
{
	int fd = prim_openat(AT_FDCWD, "/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC, 0);
	char c = '0';

	if (fd < 0)
		return false;
	prim_read(fd, &c, 1);
	prim_close(fd);
	return c == '2';
}

bool host_allows(void)
{
	static _Atomic signed char overcommit; /* 0 not asked, 1 fine, -1 strict */
	struct rlimit data;

	if (unlikely(overcommit == 0))
		overcommit = strict_overcommit() ? -1 : 1;
	return overcommit > 0 && prim_prlimit(RLIMIT_DATA, NULL, &data) == 0 &&
	       data.rlim_cur == RLIM_INFINITY;
}
