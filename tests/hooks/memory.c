/* SPDX-License-Identifier: MIT */
/* memory.c - what the memory hooks void, open and taint, against the double of landing.c. */
#include <errno.h>
#include <string.h>

#include "double.h"
#include "mapping.h"

enum { PAGE = 4096 };

static char *fresh(size_t pages)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *inside(char *p)
{
	return (char *)page_up((uintptr_t)p + PAGE);
}

static void heap(void)
{
	char *p = malloc(64 * PAGE), *other = malloc(64 * PAGE);
	uintptr_t start = (uintptr_t)p;
	size_t offset;

	double_arm(inside(p), 2 * PAGE);
	errno = 33;
	free(malloc(8));
	free(malloc(8 * PAGE));
	free(other);
	free(NULL);
	check(!asked.voided && !asked.opened, "free of other blocks leaves the landing alone");
	free(p);
	check(asked.voided && asked.lo == start && asked.hi >= start + 64 * PAGE,
	      "free voids its whole block");
	check(errno == 33, "free keeps errno");
	double_disarm();

	p = malloc(64 * PAGE);
	offset = (size_t)(inside(p) - p);
	strcpy(p + offset, "kept");
	double_arm(p + offset, 2 * PAGE);
	p = realloc(p, 200 * PAGE);
	check(asked.opened && p && !strcmp(p + offset, "kept"), "realloc opens what it moves");
	double_arm(inside(p), 2 * PAGE);
	p = reallocarray(p, 300, PAGE);
	check(asked.opened && p && !strcmp(p + offset, "kept"), "reallocarray opens what it moves");
	double_disarm();
	free(p);
}

static void unmapping(void)
{
	char *p = fresh(8);

	double_arm(p + 2 * PAGE, PAGE);
	check(munmap(p + 1, 8 * PAGE) == -1 && errno == EINVAL && !asked.voided,
	      "munmap off a page voids nothing");
	check(munmap(p, 0) == -1 && errno == EINVAL && !asked.voided, "munmap of nothing voids nothing");
	check(munmap(p, PAGE) == 0 && !asked.voided, "munmap beside the landing");
	check(munmap(p + PAGE, PAGE + 1) == 0 && asked.voided && asked.hi == (uintptr_t)p + 3 * PAGE,
	      "munmap voids up to the end of the last page");
	double_disarm();
}

static void *fixed(char *p, int fd, bool big)
{
	return big ? mmap64(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0)
		   : mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
}

static void mapping(void)
{
	char *p = fresh(8), *q;

	for (int big = 0; big < 2; big++) {
		strcpy(p, "kept");
		double_arm(p, PAGE);
		q = fresh(1);
		check(q != MAP_FAILED && !asked.opened, "mmap elsewhere opens nothing");
		check(fixed(p, -1, big) == MAP_FAILED && errno == EBADF && asked.opened && !strcmp(p, "kept"),
		      "mmap over a landing fills it, since it can fail");
		double_disarm();
	}
	double_arm(p, PAGE);
	mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0);
	mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, 99, 0);
	check(asked.written == 0, "mappings that cannot change a file");
	mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, 99, 0);
	check(asked.written == 99, "a mapping that can change a file");
	q = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	check(asked.opened && q != MAP_FAILED && !strcmp(q, "kept"), "mremap opens what it moves");
	p = fresh(4);
	double_arm(p + PAGE, PAGE);
	check(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p && asked.opened,
	      "mremap opens what it lands on");
	double_disarm();
	strcpy(p, "kept");
	double_arm(p, PAGE);
	check(mprotect(p, 2 * PAGE, PROT_READ) == 0 && asked.opened && !strcmp(p, "kept"),
	      "mprotect opens first, and has the last word");
	double_disarm();
}

/* Nothing is asked so far, and some file is mapped. */
static void some_mapping(unsigned count)
{
	asked = (struct asked){ 0 };
	mapping_count = count;
}

static bool about(char *p, size_t pages)
{
	return asked.map_lo == (uintptr_t)p && asked.map_hi == (uintptr_t)p + pages * PAGE;
}

static void mappings_made(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *p;

	some_mapping(0);
	p = fresh(8);
	check(!asked.made, "anonymous memory is of no interest");
	check(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0) == MAP_FAILED && !asked.made, "no mmap");
	check(fixed(p, fd, false) == p && asked.made == (uintptr_t)p && asked.forgot && about(p, 1),
	      "mmap of a file over another");
	some_mapping(0);
	check(fixed(p, fd, true) == p && asked.made && asked.forgot && about(p, 1), "mmap64 of a file");
	some_mapping(1);
	p = fresh(1);
	check(asked.made == (uintptr_t)p && about(p, 1), "anonymous memory in the place of a mapping");
	some_mapping(0);
	close(fd);
}

static void mappings_changed(void)
{
	char *p = fresh(8), *q = fresh(8);

	some_mapping(1);
	check(mprotect(p, 2 * PAGE, PROT_READ) == 0 && !asked.writable, "mprotect for reading");
	check(mprotect(p, 2 * PAGE, PROT_WRITE) == 0 && asked.writable && about(p, 2), "mprotect");
	some_mapping(1);
	pkey_mprotect(p, PAGE, PROT_READ, -1);
	check(!asked.writable, "pkey_mprotect without a key is mprotect");
	pkey_mprotect(p, PAGE, PROT_READ | PROT_WRITE, -1);
	check(asked.writable && about(p, 1), "pkey_mprotect");
	some_mapping(1);
	for (int advice = MADV_NORMAL; advice <= MADV_DONTNEED; advice++)
		madvise(p, PAGE, advice);
	check(!asked.forgot, "advice that changes nothing");
	madvise(p, PAGE, 102); /* MADV_GUARD_INSTALL */
	check(asked.forgot && about(p, 1), "advice that is not known to be harmless");
	some_mapping(1);
	mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	check(asked.taken && asked.forgot && about(q, 2) && asked.given == (uintptr_t)q, "mremap");
	some_mapping(1);
	mremap(p + 1, PAGE, PAGE, 0);
	check(asked.taken && asked.given == 0, "mremap that fails");
	some_mapping(1);
	check(munmap(q, 3 * PAGE + 1) == 0 && asked.forgot && about(q, 4), "munmap");
	some_mapping(1);
	process_madvise(-1, NULL, 0, 0, 0);
	check(asked.forgot && asked.map_lo == 0, "process_madvise");
	some_mapping(0);
}

static void taints(void)
{
	static const int advices[] = { MADV_DONTFORK, MADV_DONTDUMP, MADV_WIPEONFORK };
	char *p = fresh(8);

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		asked = (struct asked){ 0 };
		check(madvise(p, PAGE, advices[i]) == 0 && asked.tainted && asked.lo == (uintptr_t)p,
		      "madvise %d taints, armed or not", advices[i]);
	}
	asked = (struct asked){ 0 };
	check(madvise(p, PAGE, MADV_WILLNEED) == 0 && !asked.tainted, "MADV_WILLNEED taints nothing");
	double_arm(p, PAGE);
	check(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0 && asked.opened && *p == 0, "MADV_DONTNEED");
	double_arm(p, PAGE);
	check(posix_madvise(p, PAGE, POSIX_MADV_WILLNEED) == 0 && asked.opened, "posix_madvise");
	double_arm(p, PAGE);
	check(mlock(p + 5, 10) == 0 && asked.opened && asked.tainted, "mlock opens and taints");
	double_arm(p, PAGE);
	mlock2(p + 5, 10, MLOCK_ONFAULT);
	check(asked.opened && asked.tainted, "mlock2 opens and taints");
	double_arm(p, PAGE);
	mlockall(MCL_CURRENT);
	munlockall();
	check(asked.all && asked.tainted && asked.hi == UINTPTR_MAX, "mlockall opens and taints all");
	double_disarm();
}

static void breaks(void)
{
	char *p;

	if (sbrk(6 * PAGE) == (void *)-1)
		return;
	p = (char *)page_down((uintptr_t)sbrk(0)) - 2 * PAGE;
	double_arm(p, PAGE);
	check(sbrk(PAGE) != (void *)-1 && !asked.opened, "a break that rises opens nothing");
	check(sbrk(-4 * PAGE) != (void *)-1 && asked.opened, "a break that falls opens what goes");
	double_disarm();
}

static void segments(void)
{
	char *p = fresh(4);
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600);

	double_arm(p + PAGE, PAGE);
	check(shmat(id, p, SHM_REMAP) == p && asked.opened, "shmat opens what it lands on");
	double_disarm();
	shmctl(id, IPC_RMID, NULL);
}

static void modules(void)
{
	char *p = fresh(1);
	void *handle, *other;

	double_arm(p, PAGE);
	handle = dlopen("libm.so.6", RTLD_NOW);
	check(handle && asked.all && dlsym(handle, "cos"), "dlopen opens all and loads");
	double_arm(p, PAGE);
	other = dlmopen(LM_ID_BASE, "libm.so.6", RTLD_NOW);
	check(other == handle && asked.all, "dlmopen opens all and hands on three arguments");
	double_arm(p, PAGE);
	check(dlclose(handle) == 0 && asked.all, "dlclose opens all");
	double_disarm();
}

/* Inside dlsym, before the real functions are known. */
static void early(void)
{
	static void (*volatile release)(void *) = free; /* what it leaves is looked at, on purpose */
	char *p = malloc(100);

	double_resolving = true;
	real_free = NULL;
	real_realloc = NULL;
	real_mmap = NULL;
	real_mmap64 = NULL;
	real_munmap = NULL;
	real_mprotect = NULL;
	real_madvise = NULL;
	real_mremap = NULL;
	strcpy(p, "early");
	release(p);
	check(!strcmp(p, "early"), "an early free does nothing");
	p = realloc(NULL, 100);
	check(p != NULL, "an early realloc");
	p = fresh(2);
	check(p != MAP_FAILED, "an early mmap");
	check(mprotect(p, 2 * PAGE, PROT_READ) == 0 && madvise(p, PAGE, MADV_DONTNEED) == 0,
	      "an early mprotect and madvise");
	p = mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	check(p != MAP_FAILED && munmap(p, 4 * PAGE) == 0, "an early mremap and munmap");
	errno = 0;
	check(munmap((char *)1, PAGE) == -1 && errno == EINVAL, "an early munmap says what is wrong");
	check(fixed(p, -1, true) == MAP_FAILED && errno == EBADF, "an early mmap says what is wrong");
	double_resolving = false;
	hook_resolve();
}

int main(void)
{
	heap();
	unmapping();
	mapping();
	mappings_made();
	mappings_changed();
	taints();
	breaks();
	segments();
	modules();
	early();
	return check_summary();
}
