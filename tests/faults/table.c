/* SPDX-License-Identifier: MIT */
/* table.c - see table.h. */
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { MOST = 12, FUNCTIONS = 8192, NAME = 64 };

/*
 * CALL(name, results): as the manual pages have them for what shunt uses the call for. A call that
 * cannot fail with these arguments is not here.
 */
#define CALL(name, ...) { SYS_##name, #name, { __VA_ARGS__, 0 } }
#define NUMBERED(number, name, ...) { number, name, { __VA_ARGS__, 0 } }
static const struct {
	long number;
	const char *name;
	int results[MOST];
} calls[] = {
	CALL(openat, -EACCES, -EMFILE, -ENFILE, -ENOENT, -EINTR, -ENOMEM),
	CALL(close, -EIO, -EINTR),
	CALL(read, -EIO, -EINTR, PLAN_SHORT),
	CALL(write, -EAGAIN, -EINTR, -ENOSPC, -EPIPE, PLAN_SHORT),
	CALL(pread64, -EIO, -EINTR, -ENOMEM, PLAN_SHORT),
	CALL(preadv, -EIO, -EINTR, -ENOMEM, PLAN_SHORT),
	CALL(preadv2, -EAGAIN, -EOPNOTSUPP),
	CALL(lseek, -EINVAL, -EOVERFLOW, -ESPIPE),
	CALL(fcntl, -EINVAL, -EMFILE, -EAGAIN, -EACCES, -EPERM),
	CALL(ioctl, -ENOTTY, -EINVAL, -EAGAIN, -EINTR, -ENOMEM, -EPERM),
	CALL(fstatfs, -EIO, -EINTR, -ENOSYS, -ENOMEM),
	CALL(fallocate, -ENOSPC, -EOPNOTSUPP, -EFBIG, -EINTR),
	CALL(ftruncate, -EINTR, -EFBIG, -EIO),
	CALL(mkdirat, -EACCES, -ENOSPC, -EROFS),
	CALL(unlinkat, -EACCES, -ENOENT, -EROFS),
	CALL(renameat2, -EEXIST, -EINVAL, -ENOSPC, -EACCES),
	CALL(fchmod, -EPERM, -EROFS),
	CALL(utimensat, -EPERM, -EROFS),
	CALL(fstat, -EIO, -ENOMEM, -EOVERFLOW),
	CALL(newfstatat, -EACCES, -ENOENT, -ENOMEM),
	CALL(getdents64, -EIO, -ENOENT),
	CALL(readlinkat, -EACCES, -ENOENT, -ENOMEM),
	CALL(pwrite64, -ENOSPC, -EINTR, -EIO),
	CALL(sendfile, -EINVAL, -ENOSYS, -EOPNOTSUPP, -EPERM, -EOVERFLOW, -ENOMEM),
	CALL(splice, -EINVAL, -ENOMEM, -EAGAIN, -EINTR, PLAN_SHORT),
	CALL(tee, -EINVAL, -ENOMEM, -EAGAIN, -EINTR, PLAN_SHORT),
	CALL(pipe2, -EMFILE, -ENFILE),
	CALL(recvfrom, -EAGAIN, -EINTR, -ENOMEM, -ENOTSOCK),
	CALL(getsockopt, -EINVAL, -ENOPROTOOPT, -ENOBUFS),
	CALL(getpeername, -ENOTCONN, -ENOBUFS),
	CALL(ppoll, -EINTR, -ENOMEM),
	CALL(mmap, -ENOMEM, -EAGAIN, -ENODEV, -EPERM),
	CALL(munmap, -ENOMEM),
	CALL(mprotect, -ENOMEM, -EACCES),
	CALL(mremap, -ENOMEM, -EAGAIN),
	CALL(madvise, -EINVAL, -ENOMEM),
	CALL(rt_sigtimedwait, -EAGAIN, -EINTR),
	CALL(prlimit64, -EPERM),
	CALL(futex, -EAGAIN, -EINTR),
	CALL(prctl, -EINVAL, -EPERM),
	CALL(process_vm_readv, -EPERM, -ENOSYS, -EFAULT, -ENOMEM),
	CALL(process_vm_writev, -EPERM, -ENOSYS, -ENOMEM),
	CALL(getcwd, -ENOENT, -ERANGE),
	CALL(kill, -EPERM),
	CALL(nanosleep, -EINTR),
	NUMBERED(451, "cachestat", -ENOSYS, -EPERM, -EBADF, -EOPNOTSUPP),
};

/*
 * What is the program's to know, or what a kernel cannot give there, and why. RESULT 0: whatever it
 * is.
 */
static const struct {
	const char *function;
	long number;
	int result;
	enum table_outcome outcome;
	const char *why;
} known[] = {
	{ "read_whole", SYS_pread64, -EIO, ENDS, "such a page is that of a truncated mapping: SIGBUS" },
	{ "read_whole", SYS_pread64, -ENOMEM, ENDS, "the same" },
	{ "read_there", SYS_pread64, 0, TOLD, "it is the program's own read" },
	{ "read_there", SYS_lseek, 0, TOLD, "the file could be sought just before" },
	{ "read_reserved", SYS_lseek, 0, TOLD, "the same" },
	{ "read_out", SYS_read, -EIO, TOLD, "a hidden pipe gives what went into it" },
	{ "ask_lease", SYS_fcntl, 0, TOLD, "what was granted just before can be given back" },
	{ "prim_dup_high", SYS_prlimit64, 0, TOLD, "a duplicate below the limit is seen: doc/transparency.md" },
	{ "dup_above_limit", SYS_prlimit64, 0, TOLD, "the same" },
	{ "prim_dup_high", SYS_fcntl, 0, TOLD, "the same" },
	{ "dup_above_limit", SYS_fcntl, 0, TOLD, "the same" },
	{ "lock_wake", SYS_futex, 0, TOLD, "to wake needs nothing" },
	{ "engine_note_swallowed", SYS_getsockopt, 0, TOLD, "a TCP socket tells of itself" },
	{ "landing_unarm", SYS_mprotect, 0, TOLD, "what was one mapping of its own needs no other" },
	{ "open_part", SYS_mprotect, 0, TOLD, "the same" },
	{ "fill", SYS_mprotect, 0, TOLD, "the same" },
	{ "void_locked", SYS_mprotect, 0, TOLD, "the same" },
	{ "lengthen", SYS_mremap, 0, TOLD, "it is the program's own mremap" },
	{ "move_pieces", SYS_mremap, 0, TOLD, "the same" },
	{ "keep_free", SYS_mmap, 0, TOLD, "the same" },
	{ "move_all", SYS_mmap, 0, TOLD, "the same" },
	{ "move_all", SYS_munmap, 0, TOLD, "the same" },
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]), KNOWN = sizeof(known) / sizeof(known[0]) };

static struct {
	uint64_t at;
	char name[NAME];
} function[FUNCTIONS];
static unsigned functions;

bool table_load(const char *path)
{
	char command[600], name[NAME], type;
	unsigned long long at;
	FILE *nm;

	snprintf(command, sizeof(command), "nm -n --defined-only '%s' 2>/dev/null", path);
	nm = popen(command, "r");
	while (nm && functions < FUNCTIONS && fscanf(nm, "%llx %c %63s%*[^\n]", &at, &type, name) == 3)
		if (type == 't' || type == 'T') {
			function[functions].at = at;
			strcpy(function[functions++].name, name);
		}
	return nm && pclose(nm) == 0 && functions > 0;
}

struct table_place table_place(uint64_t at)
{
	unsigned i = 0;

	while (i + 1 < functions && function[i + 1].at < at)
		i++;
	return (struct table_place){ function[i].name, at - function[i].at };
}

static int call_of(long number)
{
	for (int i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return i;
	return -1;
}

const int *table_errors(long number, uint64_t at)
{
	static const int none[] = { 0 };
	int i = call_of(number);

	return at && i >= 0 ? calls[i].results : none;
}

enum table_outcome table_outcome(long number, uint64_t at, int result, bool lasting)
{
	const char *name = table_place(at).function;

	/* a call that is interrupted, or is to be tried again, is so now and then */
	if (lasting && (result == -EINTR || result == -EAGAIN))
		return TOLD;
	for (int i = 0; i < KNOWN; i++)
		if (known[i].number == number && (known[i].result == result || !known[i].result) &&
		    strcmp(known[i].function, name) == 0)
			return known[i].outcome;
	return NOTHING;
}

long table_number(const struct plan *plan, uint64_t at)
{
	for (unsigned i = 0; i < PLAN_PLACES; i++)
		if (plan->place[i].at == at)
			return plan->place[i].number;
	return -1;
}

const char *table_call_name(long number)
{
	int i = call_of(number);

	return i < 0 ? "a call" : calls[i].name;
}

const char *table_error_name(int result)
{
	return result == PLAN_SHORT ? "half" : strerrorname_np(-result);
}
