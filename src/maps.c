/* SPDX-License-Identifier: MIT */
/* maps.c - questions about the address space; see maps.h. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fd.h"
#include "lock.h"
#include "maps.h"
#include "prim.h"
#include "thread.h"

/* linux/fs.h of kernel 6.11; older headers lack it */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define QUERY_REQUEST _IOWR('f', 17, struct procmap_query)
enum { AREA_READ = 1, AREA_WRITE = 2, AREA_EXEC = 4, AREA_SHARED = 8 };

struct area {
	uintptr_t lo, hi;
	unsigned flags;   /* AREA_* */
	bool file;        /* backed by a file, or a huge page */
	char name[16];    /* "[stack]", "" and the like; cut */
};

enum { FD_NONE = -1, FD_FAILED = -2 };

static _Atomic int maps_fd = FD_NONE;
static _Atomic signed char has_query; /* 0 not known, 1 yes, -1 no */
static struct lock text_lock;

enum { TAINTS = 64 };
static struct {
	_Atomic uintptr_t lo, hi;
} taints[TAINTS];
static _Atomic int taint_count;

static int maps_open(void)
{
	int fd = atomic_load(&maps_fd), old = fd;

	if (fd != FD_NONE)
		return fd;
	fd = prim_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		fd = prim_move_high(fd);
	if (fd < 0)
		fd = FD_FAILED;
	if (!atomic_compare_exchange_strong(&maps_fd, &old, fd)) {
		if (fd >= 0)
			prim_close(fd);
		return old;
	}
	if (fd >= 0)
		fd_mark_ours(fd);
	return fd;
}

static bool query_kernel(int fd, uintptr_t address, struct area *a)
{
	struct procmap_query q = { .size = sizeof(q), .query_addr = address };
	char name[256];

	q.vma_name_addr = (uintptr_t)name;
	q.vma_name_size = sizeof(name);
	name[0] = 0;
	if (prim_ioctl(fd, QUERY_REQUEST, &q) < 0)
		return false;
	a->lo = q.vma_start;
	a->hi = q.vma_end;
	a->flags = (unsigned)q.vma_flags & 15;
	a->file = q.inode != 0 || q.vma_page_size != shunt_page;
	for (size_t i = 0; i < sizeof(a->name); i++)
		a->name[i] = q.vma_name_size ? name[i] : 0;
	a->name[sizeof(a->name) - 1] = 0;
	return true;
}

/* One line of the text, "lo-hi rwxp offset dev inode   name"; returns where the next begins, NULL if cut. */
static const char *parse_line(const char *s, const char *end, struct area *a)
{
	uint64_t value[2] = { 0, 0 };
	const char *line_end = s;
	unsigned field = 0, length = 0;
	bool inode = false;

	while (line_end < end && *line_end != '\n')
		line_end++;
	if (line_end == end)
		return NULL;
	for (int i = 0; i < 2; i++, s++)
		for (; s < line_end && *s != '-' && *s != ' '; s++)
			value[i] = value[i] << 4 | (uint64_t)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	a->lo = value[0];
	a->hi = value[1];
	a->flags = (s[0] == 'r' ? AREA_READ : 0) | (s[1] == 'w' ? AREA_WRITE : 0) |
		   (s[2] == 'x' ? AREA_EXEC : 0) | (s[3] == 's' ? AREA_SHARED : 0);
	for (; s < line_end && field < 4; s++) {
		if (*s == ' ')
			field++;
		else if (field == 3 && *s != '0')
			inode = true;
	}
	while (s < line_end && *s == ' ')
		s++;
	while (s < line_end && length < sizeof(a->name) - 1)
		a->name[length++] = *s++;
	a->name[length] = 0;
	a->file = inode;
	return line_end + 1;
}

/* Kernels before 6.11: some 50 us, only ever when pages are newly armed. */
static COLD bool query_text(int fd, uintptr_t address, struct area *a)
{
	static LARGE_TABLE char text[8192];
	struct lock_held held;
	bool found = false;
	off_t at = 0;

	lock_take(&text_lock, &held);
	for (;;) {
		ssize_t n = prim_pread(fd, text, sizeof(text), at);
		const char *s = text, *next;

		if (n <= 0)
			break;
		while ((next = parse_line(s, text + n, a)) && !(found = address < a->hi))
			s = next;
		if (found || s == text)
			break;
		at += s - text;
	}
	lock_drop(&text_lock, &held);
	return found && address >= a->lo;
}

static bool area_at(uintptr_t address, struct area *a)
{
	int fd = maps_open();

	if (fd < 0)
		return false;
	if (atomic_load_explicit(&has_query, memory_order_relaxed) >= 0) {
		if (query_kernel(fd, address, a)) {
			atomic_store_explicit(&has_query, 1, memory_order_relaxed);
			return true;
		}
		if (atomic_load_explicit(&has_query, memory_order_relaxed) > 0)
			return false;
		atomic_store(&has_query, -1);
	}
	return query_text(fd, address, a);
}

bool maps_has_query(void)
{
	struct area a;

	area_at((uintptr_t)&maps_fd, &a);
	return atomic_load(&has_query) > 0;
}

static bool tainted(uintptr_t lo, uintptr_t hi)
{
	int n = atomic_load(&taint_count);

	if (n > TAINTS)
		return true;
	for (int i = 0; i < n; i++)
		if (lo < atomic_load(&taints[i].hi) && hi > atomic_load(&taints[i].lo))
			return true;
	return false;
}

void maps_taint(const void *p, size_t n)
{
	uintptr_t lo = (uintptr_t)p, hi = n > UINTPTR_MAX - lo ? UINTPTR_MAX : lo + n;
	int count = atomic_load(&taint_count);

	for (int i = 0; i < count && i < TAINTS; i++)
		if (lo >= atomic_load(&taints[i].lo) && hi <= atomic_load(&taints[i].hi))
			return;
	count = atomic_fetch_add(&taint_count, 1);
	if (count < TAINTS) {
		atomic_store(&taints[count].lo, lo);
		atomic_store(&taints[count].hi, hi);
	} else {
		atomic_store(&taint_count, TAINTS + 1);
	}
}

static bool is_stack(const struct area *a, uintptr_t lo, uintptr_t hi)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	if (a->name[0] == '[' && a->name[1] == 's' && a->name[2] == 't')
		return true;
	/*
	 * A coroutine's stack is anonymous memory like any other, but we run on it. A thread's
	 * own is known; what lies beside it, in one mapping, is not the stack.
	 */
	if (here >= a->lo && here < a->hi && !thread_on_known_stack(here))
		return true;
	return thread_stack_overlaps(lo, hi);
}

static bool is_plain(const struct area *a)
{
	return !a->file && !(a->flags & AREA_SHARED) &&
	       (a->flags & (AREA_READ | AREA_WRITE | AREA_EXEC)) == (AREA_READ | AREA_WRITE);
}

/* A heap is often several mappings in a row, in the child of a fork above all. */
enum verdict maps_can_land(uintptr_t lo, uintptr_t hi)
{
	struct area a;

	if (tainted(lo, hi))
		return VERDICT_SHARED_MEMORY;
	for (uintptr_t at = lo; at < hi; at = a.hi) {
		if (!area_at(at, &a))
			return at == lo ? VERDICT_HOST_LIMITS : VERDICT_SHARED_MEMORY;
		if (is_stack(&a, lo, hi))
			return VERDICT_STACK;
		if (a.lo > at || !is_plain(&a))
			return VERDICT_SHARED_MEMORY;
	}
	return VERDICT_REWRITTEN;
}

/*
 * Without PROCMAP_QUERY the truth is asserted instead: protecting what is
 * protected changes nothing and costs 93 ns.
 */
bool maps_still_armed(uintptr_t lo, uintptr_t hi)
{
	struct procmap_query q; /* not zeroed: the kernel goes by .size */
	int fd = relaxed(maps_fd);

	q.size = offsetof(struct procmap_query, dev_major);
	q.query_flags = 0;
	if (unlikely(atomic_load_explicit(&has_query, memory_order_relaxed) <= 0))
		return prim_mprotect((void *)lo, hi - lo, 0) == 0;
	for (uintptr_t at = lo; at < hi; at = q.vma_end) {
		int ret;

		q.query_addr = at;
		ret = fd < 0 ? -EBADF : prim_ioctl(fd, QUERY_REQUEST, &q);
		if (ret < 0 && ret != -ENOENT)
			return prim_mprotect((void *)lo, hi - lo, 0) == 0;
		if (ret < 0 || q.vma_start > at || (q.vma_flags & 15) != 0 || q.inode != 0)
			return false;
	}
	return true;
}

void maps_evade(int fd)
{
	int high;

	if (atomic_load(&maps_fd) != fd)
		return;
	high = prim_dup_high(fd);
	atomic_store(&maps_fd, high < 0 ? FD_FAILED : high);
	if (high >= 0)
		fd_mark_ours(high);
	fd_unmark_ours(fd);
}

void maps_open_armed(uintptr_t lo, uintptr_t hi)
{
	struct area a;

	for (uintptr_t at = lo; at < hi; at = a.hi) {
		/* a hole has no area: it is crossed page by page, which is rare and short */
		if (!area_at(at, &a) || a.lo > at) {
			a.hi = at + shunt_page;
			continue;
		}
		if (a.flags == 0 && !a.file)
			prim_mprotect((void *)at, (a.hi < hi ? a.hi : hi) - at, PROT_READ | PROT_WRITE);
	}
}

bool maps_allows(uintptr_t address, bool write)
{
	struct area a;

	return area_at(address, &a) && (a.flags & AREA_READ) &&
	       (!write || (a.flags & AREA_WRITE));
}

void maps_before_chroot(void)
{
	maps_open();
}

void maps_forked(void)
{
	int fd = atomic_load(&maps_fd);

	lock_reset(&text_lock);
	if (fd == FD_NONE)
		return;
	atomic_store(&maps_fd, FD_NONE);
	if (fd >= 0) {
		fd_unmark_ours(fd);
		prim_close(fd);
	}
}
