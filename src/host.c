/* SPDX-License-Identifier: MIT */
/* host.c - limits of the process; see host.h. */
#include <sys/mman.h>

#include "host.h"
#include "prim.h"
#include "thread.h"

/*
 * Memory that is never touched, as much as is protected: it counts as data in its place.
 * Changed by the only thread of the process alone, with a landing locked.
 */
static uintptr_t room;
static size_t room_size;

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

static bool is_limited(int resource)
{
	struct rlimit limit;

	return prim_prlimit(resource, NULL, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
}

static bool keep_room(size_t n)
{
	void *p;

	if (!thread_single() || is_limited(RLIMIT_AS))
		return false;
	p = room_size ? prim_mremap((void *)room, room_size, room_size + n, MREMAP_MAYMOVE, NULL)
		      : prim_mmap(NULL, n, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (prim_mmap_failed(p))
		return false;
	room = (uintptr_t)p;
	room_size += n;
	return true;
}

bool host_protect(size_t n)
{
	static _Atomic signed char overcommit; /* 0 not asked, 1 fine, -1 strict */

	if (unlikely(overcommit == 0))
		overcommit = strict_overcommit() ? -1 : 1;
	return overcommit > 0 && (likely(!is_limited(RLIMIT_DATA)) || keep_room(n));
}

void host_open(size_t n)
{
	if (likely(room_size == 0))
		return;
	if (n > room_size) /* some were protected before there was a limit */
		n = room_size;
	room_size -= n;
	prim_munmap((void *)(room + room_size), n);
}

bool host_keeps_room(void)
{
	return room_size > 0;
}
