/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - what the running kernel offers.
 *
 * Each question is the call itself, made in a way that changes nothing: the
 * version says little where kernels are patched and sandboxes filter.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* since 6.5, the same number everywhere */
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59 /* since 5.11 */
#endif

/* struct procmap_query of linux/fs.h, since 6.11; only its length and address are used here */
struct query {
	uint64_t size, flags, address;
	uint64_t rest[10];
};
_Static_assert(sizeof(struct query) == 104, "as in linux/fs.h");
#define QUERY _IOWR(0x66 /* PROCFS_IOCTL_MAGIC */, 17, struct query)

static void close_two(const int *fd)
{
	close(fd[0]);
	close(fd[1]);
}

/* From a memory file to a socket, really. */
static bool sends_files(void)
{
	int fd = memfd_create("shunt", MFD_CLOEXEC), pair[2];
	bool ok = false;

	if (fd < 0)
		return false;
	if (write(fd, "shunt", 5) == 5 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
		off_t offset = 0;

		ok = sendfile(pair[0], fd, &offset, 5) == 5;
		close_two(pair);
	}
	close(fd);
	return ok;
}

static bool queries_maps(void)
{
	struct query q = {.size = sizeof(q), .address = (uintptr_t)&q};
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && ioctl(fd, QUERY, &q) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool reads_maps(void)
{
	return access("/proc/self/maps", R_OK) == 0;
}

/* Of a file in memory, since there need not be a directory that can be written to. */
static bool leases(void)
{
	int fd = memfd_create("shunt", MFD_CLOEXEC), reader;
	char path[32];
	bool ok;

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	close(fd); /* none is given while somebody can write */
	ok = reader >= 0 && fcntl(reader, F_SETLEASE, F_RDLCK) == 0;
	if (reader >= 0)
		close(reader);
	return ok;
}

static bool counts_cache(void)
{
	struct {
		uint64_t offset, length;
	} range = {0, 1};
	uint64_t counts[5];
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && syscall(SYS_cachestat, fd, &range, counts, 0) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool dispatches(void)
{
	/* off is what it is already; a kernel without it says EINVAL */
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0;
}

const struct kernel_feature kernel_features[] = {
	{"sendfile", sends_files, true, "moves a file to a socket"},
	{"/proc/self/maps", reads_maps, false, "tells what a buffer's memory is"},
	{"PROCMAP_QUERY", queries_maps, false, "the same at once, since 6.11; else maps is read"},
	{"read lease", leases, false, "proves that nobody writes a file; else its age must do"},
	{"cachestat", counts_cache, false, "tells whether a file is in memory, since 6.5"},
	{"syscall user dispatch", dispatches, false, "catches calls that bypass libc, since 5.11"},
	{0},
};
