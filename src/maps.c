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

/* linux/fs.h of kernel 6.7 */
struct pagemap_region {
	uint64_t start, end, categories;
};
struct pagemap_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN_REQUEST _IOWR('f', 16, struct pagemap_scan)
enum { PAGE_OF_FILE = 4, PAGE_PRESENT = 8, PAGE_SWAPPED = 16, ENTRIES = 512 };

struct area {
	uintptr_t lo, hi;
	unsigned flags;   /* AREA_* */
	bool file;        /* backed by a file, or a huge page */
	uint64_t device, inode, offset; /* device: major << 32 | minor */
	char name[16];    /* "[stack]", "" and the like; cut */
};

enum { FD_NONE = -1, FD_FAILED = -2 };

static _Atomic int maps_fd = FD_NONE, pagemap_fd = FD_NONE;
static _Atomic signed char has_query; /* 0 not known, 1 yes, -1 no */
static struct lock text_lock;

enum { TAINTS = 64 };
static LARGE_TABLE struct {
	_Atomic uintptr_t lo, hi;
} taints[TAINTS];
static _Atomic int taint_count;

static int open_once(_Atomic int *place, const char *path)
{
	int fd = atomic_load(place), old = fd;

	if (fd != FD_NONE)
		return fd;
	fd = prim_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		fd = prim_move_high(fd);
	if (fd < 0)
		fd = FD_FAILED;
	if (!atomic_compare_exchange_strong(place, &old, fd)) {
		if (fd >= 0)
			prim_close(fd);
		return old;
	}
	if (fd >= 0)
		fd_mark_ours(fd);
	return fd;
}

static void forget(_Atomic int *place)
{
	int fd = atomic_exchange(place, FD_NONE);

	if (fd < 0)
		return;
	fd_unmark_ours(fd);
	prim_close(fd);
}

static int maps_open(void)
{
	return open_once(&maps_fd, "/proc/self/maps");
}

/* The name takes longer than the rest: who does not need it says so. */
static bool query_kernel(int fd, uintptr_t address, struct area *a, bool named)
{
	struct procmap_query q = { .size = sizeof(q), .query_addr = address };
	char name[256];

	q.vma_name_addr = named ? (uintptr_t)name : 0;
	q.vma_name_size = named ? sizeof(name) : 0;
	name[0] = 0;
	if (prim_ioctl(fd, QUERY_REQUEST, &q) < 0)
		return false;
	a->lo = q.vma_start;
	a->hi = q.vma_end;
	a->flags = (unsigned)q.vma_flags & 15;
	a->file = q.inode != 0 || q.vma_page_size != shunt_page;
	a->device = (uint64_t)q.dev_major << 32 | q.dev_minor;
	a->inode = q.inode;
	a->offset = q.vma_offset;
	for (size_t i = 0; i < sizeof(a->name); i++)
		a->name[i] = q.vma_name_size ? name[i] : 0;
	a->name[sizeof(a->name) - 1] = 0;
	return true;
}

/* A number of BASE 10 or 16 at *S, and the one character that ends it. */
static uint64_t parse_number(const char **s, const char *end, unsigned base)
{
	uint64_t value = 0;

	for (; *s < end && **s != '-' && **s != ' ' && **s != ':'; (*s)++)
		value = value * base + (uint64_t)(**s <= '9' ? **s - '0' : **s - 'a' + 10);
	*s += *s < end;
	return value;
}

/*
 * One line of the text, "lo-hi rwxp offset dev inode   name"; returns where the next begins, NULL
 * if cut.
 */
static const char *parse_line(const char *s, const char *end, struct area *a)
{
	const char *line_end = s;
	unsigned length = 0;

	while (line_end < end && *line_end != '\n')
		line_end++;
	if (line_end == end)
		return NULL;
	a->lo = parse_number(&s, line_end, 16);
	a->hi = parse_number(&s, line_end, 16);
	a->flags = (s[0] == 'r' ? AREA_READ : 0) | (s[1] == 'w' ? AREA_WRITE : 0) |
		   (s[2] == 'x' ? AREA_EXEC : 0) | (s[3] == 's' ? AREA_SHARED : 0);
	s += 5;
	a->offset = parse_number(&s, line_end, 16);
	a->device = parse_number(&s, line_end, 16) << 32;
	a->device |= parse_number(&s, line_end, 16);
	a->inode = parse_number(&s, line_end, 10);
	while (s < line_end && *s == ' ')
		s++;
	while (s < line_end && length < sizeof(a->name) - 1)
		a->name[length++] = *s++;
	a->name[length] = 0;
	a->file = a->inode != 0;
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

static bool look_at(uintptr_t address, struct area *a, bool named)
{
	int fd = maps_open();

	if (fd < 0)
		return false;
	if (atomic_load_explicit(&has_query, memory_order_relaxed) >= 0) {
		if (query_kernel(fd, address, a, named)) {
			atomic_store_explicit(&has_query, 1, memory_order_relaxed);
			return true;
		}
		if (atomic_load_explicit(&has_query, memory_order_relaxed) > 0)
			return false;
		atomic_store(&has_query, -1);
	}
	return query_text(fd, address, a);
}

static bool area_at(uintptr_t address, struct area *a)
{
	return look_at(address, a, true);
}

bool maps_has_query(void)
{
	struct area a;

	if (unlikely(atomic_load_explicit(&has_query, memory_order_relaxed) == 0))
		area_at((uintptr_t)&maps_fd, &a);
	return atomic_load_explicit(&has_query, memory_order_relaxed) > 0;
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

enum maps_answer maps_seen_armed(uintptr_t lo, uintptr_t hi)
{
	struct procmap_query q; /* not zeroed: the kernel goes by .size */
	int fd = relaxed(maps_fd);

	q.size = offsetof(struct procmap_query, dev_major);
	q.query_flags = 0;
	if (unlikely(atomic_load_explicit(&has_query, memory_order_relaxed) <= 0))
		return MAPS_UNKNOWN;
	for (uintptr_t at = lo; at < hi; at = q.vma_end) {
		int ret;

		q.query_addr = at;
		ret = fd < 0 ? -EBADF : prim_ioctl(fd, QUERY_REQUEST, &q);
		if (ret < 0 && ret != -ENOENT)
			return MAPS_UNKNOWN;
		if (ret < 0 || q.vma_start > at || (q.vma_flags & 15) != 0 || q.inode != 0)
			return MAPS_OTHER;
	}
	return MAPS_ARMED;
}

/*
 * Without PROCMAP_QUERY the truth is asserted instead: protecting what is
 * protected changes nothing and costs 93 ns.
 */
bool maps_still_armed(uintptr_t lo, uintptr_t hi)
{
	enum maps_answer seen = maps_seen_armed(lo, hi);

	if (unlikely(seen == MAPS_UNKNOWN))
		return prim_mprotect((void *)lo, hi - lo, PROT_NONE) == 0;
	return seen == MAPS_ARMED;
}

uintptr_t maps_anonymous_end(uintptr_t address, int *prot)
{
	struct area a;

	if (!look_at(address, &a, false) || a.lo > address || a.file || a.flags & AREA_SHARED)
		return 0;
	*prot = (a.flags & AREA_READ ? PROT_READ : 0) | (a.flags & AREA_WRITE ? PROT_WRITE : 0) |
		(a.flags & AREA_EXEC ? PROT_EXEC : 0);
	return a.hi;
}

/* ---- mappings of files ---- */

bool maps_file_at(uintptr_t address, struct maps_file *f)
{
	struct area a;

	if (!look_at(address, &a, false) || a.lo > address || !a.inode || (a.flags & AREA_WRITE))
		return false;
	*f = (struct maps_file){ .device = a.device, .inode = a.inode,
				 .offset = a.offset + (address - a.lo),
				 .shared = a.flags & AREA_SHARED };
	return true;
}

bool maps_shows_file(uintptr_t lo, uintptr_t hi, const struct maps_file *f)
{
	struct area a;

	for (uintptr_t at = lo; at < hi; at = a.hi) {
		if (!look_at(at, &a, false) || a.lo > at ||
		    (a.flags & (AREA_READ | AREA_WRITE)) != AREA_READ || a.inode != f->inode ||
		    a.device != f->device || !(a.flags & AREA_SHARED) != !f->shared ||
		    a.offset + (at - a.lo) != f->offset + (at - lo))
			return false;
	}
	return true;
}

/*
 * Kernels before 6.7: eight bytes for each page. Bit 63: it is there, 62: in swap, 61: the file's
 * own.
 */
static bool copies_by_entries(int fd, uintptr_t lo, uintptr_t hi)
{
	uint64_t entry[ENTRIES];

	for (uintptr_t at = lo; at < hi;) {
		size_t pages = (hi - at) / shunt_page;
		ssize_t n;

		if (pages > ENTRIES)
			pages = ENTRIES;
		n = prim_pread(fd, entry, pages * 8, (off_t)(at / shunt_page * 8));
		if (n < 8)
			return true;
		for (size_t i = 0; i < (size_t)n / 8; i++)
			if (entry[i] >> 62 && !(entry[i] >> 61 & 1))
				return true;
		at += (size_t)n / 8 * shunt_page;
	}
	return false;
}

bool maps_has_copies(uintptr_t lo, uintptr_t hi)
{
	struct pagemap_region region;
	struct pagemap_scan scan = {
		.size = sizeof(scan), .start = page_down(lo), .end = page_up(hi),
		.vec = (uintptr_t)&region, .vec_len = 1, .max_pages = 1,
		.category_inverted = PAGE_OF_FILE, .category_mask = PAGE_OF_FILE,
		.category_anyof_mask = PAGE_PRESENT | PAGE_SWAPPED, .return_mask = PAGE_PRESENT,
	};
	int fd = open_once(&pagemap_fd, "/proc/self/pagemap"), found;

	if (fd < 0)
		return false;
	found = prim_ioctl(fd, SCAN_REQUEST, &scan);
	return found < 0 ? copies_by_entries(fd, page_down(lo), page_up(hi)) : found > 0;
}

/* What root opened would go on to show the places in memory to what root becomes. */
void maps_before_losing_rights(void)
{
	forget(&pagemap_fd);
}

static void evade(_Atomic int *place, int fd)
{
	int high;

	if (atomic_load(place) != fd)
		return;
	high = prim_dup_high(fd);
	atomic_store(place, high < 0 ? FD_FAILED : high);
	if (high >= 0)
		fd_mark_ours(high);
	fd_unmark_ours(fd);
}

void maps_evade(int fd)
{
	evade(&maps_fd, fd);
	evade(&pagemap_fd, fd);
}

bool maps_next_armed(uintptr_t lo, uintptr_t hi, struct maps_armed *found)
{
	struct area a;

	for (uintptr_t at = lo; at < hi; at = a.hi) {
		/* a hole has no area: it is crossed page by page, which is rare and short */
		if (!area_at(at, &a) || a.lo > at) {
			a.hi = at + shunt_page;
			continue;
		}
		if (a.flags == 0 && !a.file) {
			*found = (struct maps_armed){ at, a.hi < hi ? a.hi : hi, a.lo, a.hi };
			return true;
		}
	}
	return false;
}

bool maps_allows(uintptr_t address, int access)
{
	struct area a;

	return area_at(address, &a) && (a.flags & AREA_READ || !(access & PROT_READ)) &&
	       (a.flags & AREA_WRITE || !(access & PROT_WRITE)) &&
	       (a.flags & AREA_EXEC || !(access & PROT_EXEC));
}

void maps_before_chroot(void)
{
	maps_open();
}

void maps_before_umount(void)
{
	forget(&maps_fd);
	forget(&pagemap_fd);
}

FORKS void maps_forked(void)
{
	lock_reset(&text_lock);
	if (atomic_load(&maps_fd) != FD_NONE)
		forget(&maps_fd);
	if (atomic_load(&pagemap_fd) != FD_NONE)
		forget(&pagemap_fd);
}
