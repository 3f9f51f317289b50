/* SPDX-License-Identifier: MIT */
/*
 * fill.c - filling protected pages; see fill.h.
 *
 * Alone in the process, we open the pages and read into them. With other
 * threads about, the bytes are read into new pages, which then take the place of
 * the protected ones in one step (mremap): nobody sees a page half filled. Those
 * pages are a mapping of their own for good, so that is done a bounded number of times.
 * A process that has all the mappings it may have, or all the memory, gets no new pages: then
 * they are filled while they are protected, by way of /proc/self/mem, and opened.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fill.h"
#include "prim.h"
#include "thread.h"

/* of the 65530 mappings that a process may have by default */
enum { MOVES = 16384 };
static _Atomic int moves;

bool fill_possible(void)
{
	return atomic_load_explicit(&moves, memory_order_relaxed) < MOVES;
}

bool fill_has_moved(void)
{
	return atomic_load_explicit(&moves, memory_order_relaxed) > 0;
}

void fill_moved(void)
{
	atomic_fetch_add(&moves, 1);
}

/* Reads all of [lo, hi), with zeros beyond the end of the file. */
static bool read_whole(uintptr_t lo, uintptr_t hi, int fd, off_t offset)
{
	while (lo < hi) {
		ssize_t n = prim_pread(fd, (void *)lo, hi - lo, offset);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0) {
			memset((void *)lo, 0, hi - lo);
			return true;
		}
		lo += (size_t)n;
		offset += n;
	}
	return true;
}

static bool fill_in_place(uintptr_t lo, uintptr_t hi, int fd, off_t offset)
{
	if (prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE) < 0)
		return false;
	if (read_whole(lo, hi, fd, offset))
		return true;
	prim_mprotect((void *)lo, hi - lo, PROT_NONE);
	return false;
}

static bool fill_by_move(uintptr_t lo, uintptr_t hi, int fd, off_t offset)
{
	void *staging = prim_mmap(NULL, hi - lo, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prim_mmap_failed(staging))
		return false;
	if (read_whole((uintptr_t)staging, (uintptr_t)staging + (hi - lo), fd, offset) &&
	    !prim_mmap_failed(prim_mremap(staging, hi - lo, hi - lo, MREMAP_MAYMOVE | MREMAP_FIXED,
					  (void *)lo))) {
		fill_moved();
		return true;
	}
	prim_munmap(staging, hi - lo);
	return false;
}

/* Writes all of P, which nobody may touch, and that is protected still. */
static bool write_whole(int mem, const char *p, size_t n, uintptr_t to)
{
	while (n > 0) {
		ssize_t r = PRIM4(SYS_pwrite64, mem, p, n, to);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return false;
		p += r;
		n -= (size_t)r;
		to += (size_t)r;
	}
	return true;
}

/* A page at a time, by way of the stack. The kernel writes there as for a debugger. */
static bool fill_beneath(uintptr_t lo, uintptr_t hi, int fd, off_t offset)
{
	char piece[2048];
	int mem = prim_openat(AT_FDCWD, "/proc/self/mem", O_WRONLY | O_CLOEXEC, 0);
	uintptr_t at = lo;

	if (mem < 0)
		return false;
	for (; at < hi; at += sizeof(piece))
		if (!read_whole((uintptr_t)piece, (uintptr_t)piece + sizeof(piece), fd,
				offset + (off_t)(at - lo)) ||
		    !write_whole(mem, piece, sizeof(piece), at))
			break;
	prim_close(mem);
	return at >= hi && prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE) == 0;
}

bool fill_pages(uintptr_t lo, uintptr_t hi, int fd, off_t offset)
{
	if (thread_single() && fill_in_place(lo, hi, fd, offset))
		return true;
	return fill_by_move(lo, hi, fd, offset) || fill_beneath(lo, hi, fd, offset);
}
