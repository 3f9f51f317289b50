/* SPDX-License-Identifier: MIT */
/*
 * guard_args.c - what a system call can reach, and what it changes that shunt keeps; see guard.h.
 *
 * Runs in the handler of SIGSYS: no argument is followed. What is not in the table, or
 * has pointers behind its pointers, opens everything.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "fd.h"
#include "guard.h"
#include "landing.h"
#include "linux_new.h"
#include "maps.h"
#include "prim.h"
#include "process.h"
#include "source.h"
#include "stats.h"

/* ---- descriptors ---- */

/* The number FD is about to mean nothing, or something else. */
static void loses(int fd)
{
	landing_close(fd);
	fd_reset(fd);
}

static bool closes(int fd, long *result)
{
	if (fd_is_ours(fd)) {
		*result = -EBADF;
		return true;
	}
	loses(fd);
	return false;
}

static bool copies(int fd, int to, long *result)
{
	if (fd == to)
		return false;
	if (fd_is_ours(fd)) {
		*result = -EBADF;
		return true;
	}
	if (fd_is_ours(to))
		fd_evade(to);
	loses(to);
	return false;
}

/* Ours cannot be kept out of one call: then nothing may depend on them any more. */
static void closes_range(unsigned first, unsigned last, int flags)
{
	int ours = fd_next_ours(first);

	if (flags & CLOSE_RANGE_UNSHARE)
		process_before_own_table();
	if (flags & CLOSE_RANGE_CLOEXEC)
		return;
	landing_open_all();
	fd_reset_range(first, last);
	if (ours >= 0 && (unsigned)ours <= last)
		shunt_stand_aside();
}

/*
 * What a lock covers is in memory that is not read here: it is taken for the kind that ends
 * landing.
 */
static void controls(int fd, int command)
{
	switch (command) {
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_SETLEASE:
		source_before_use(fd, SOURCE_OTHER_LOCK);
		break;
	case F_SETFL:
		source_before_use(fd, SOURCE_FLAGS);
		fd_reset_file(fd);
		break;
	}
}

static bool on_descriptors(long number, const unsigned long arg[6], long *result)
{
	switch (number) {
	case SYS_close:
		return closes((int)arg[0], result);
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
		return copies((int)arg[0], (int)arg[1], result);
	case SYS_close_range:
		closes_range((unsigned)arg[0], (unsigned)arg[1], (int)arg[2]);
		break;
	case SYS_fcntl:
		controls((int)arg[0], (int)arg[1]);
		break;
	case SYS_flock:
		source_before_use((int)arg[0], SOURCE_OTHER_LOCK);
		break;
	case SYS_setsockopt:
		if (fd_option_times_out((int)arg[1], (int)arg[2]))
			fd_others_time_out((int)arg[0]);
		fd_reset((int)arg[0]);
		break;
	case SYS_write: case SYS_writev: case SYS_pwrite64: case SYS_pwritev: case SYS_pwritev2:
	case SYS_ftruncate: case SYS_fallocate: case SYS_sendfile:
		source_written((int)arg[0]);
		break;
	case SYS_splice: case SYS_copy_file_range:
		source_written((int)arg[2]);
		break;
	}
	return false;
}

/* ---- memory ---- */

/* Memory that is no longer plain; of advice, all but what changes its content or is read ahead. */
static void on_memory(long number, const unsigned long arg[6])
{
	int advice = (int)arg[2];

	switch (number) {
	case SYS_madvise:
		if (advice <= MADV_DONTNEED || advice == MADV_FREE)
			return;
		/* fall through */
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_pkey_mprotect:
		maps_taint((const void *)arg[0], arg[1]);
		break;
	case SYS_mlockall:
		maps_taint(NULL, SIZE_MAX);
		break;
	}
}

bool guard_notes(long number, const unsigned long arg[6], long *result)
{
	on_memory(number, arg);
	return on_descriptors(number, arg, result);
}

#if defined(__x86_64__)

/* Paths and the largest structures: a page at most. */
enum { OBJECT = 4096, MSEAL = 462 };

/*
 * A character for each argument up to the last pointer: o an object or a string, b a
 * buffer whose length comes next, m the same of memory that goes or changes, - neither. "" is a
 * call without pointers.
 */
static const char table[][7] = {
#define CALL(name, reach) [SYS_##name] = ":" reach
	CALL(read, "-b"), CALL(write, "-b"), CALL(pread64, "-b"), CALL(pwrite64, "-b"),
	CALL(getrandom, "b"), CALL(getcwd, "b"), CALL(getdents64, "-b"), CALL(getdents, "-b"),
	CALL(readlink, "ob"), CALL(getgroups, ""), CALL(syslog, "-b"),

	CALL(open, "o"), CALL(openat, "-o"), CALL(creat, "o"), CALL(stat, "oo"),
	CALL(lstat, "oo"), CALL(fstat, "-o"), CALL(newfstatat, "-oo"), CALL(statx, "-o--o"),
	CALL(statfs, "oo"), CALL(fstatfs, "-o"), CALL(access, "o"), CALL(faccessat, "-o"),
	CALL(faccessat2, "-o"), CALL(chdir, "o"), CALL(mkdir, "o"), CALL(mkdirat, "-o"),
	CALL(rmdir, "o"), CALL(unlink, "o"), CALL(unlinkat, "-o"), CALL(chmod, "o"),
	CALL(chown, "o"), CALL(lchown, "o"), CALL(link, "oo"), CALL(symlink, "oo"),
	CALL(rename, "oo"), CALL(renameat, "-o-o"), CALL(renameat2, "-o-o"), CALL(pipe, "o"),
	CALL(pipe2, "o"), CALL(socketpair, "---o"), CALL(uname, "o"), CALL(sysinfo, "o"),
	CALL(times, "o"), CALL(getrlimit, "-o"), CALL(setrlimit, "-o"), CALL(prlimit64, "--oo"),
	CALL(getrusage, "-o"), CALL(getresuid, "ooo"), CALL(getresgid, "ooo"),
	CALL(getcpu, "ooo"), CALL(time, "o"), CALL(gettimeofday, "oo"), CALL(utimensat, "-oo"),

	CALL(accept, "-oo"), CALL(accept4, "-oo"), CALL(getsockname, "-oo"),
	CALL(getpeername, "-oo"), CALL(bind, "-b"), CALL(connect, "-b"),
	CALL(setsockopt, "---b"), CALL(sendfile, "--o"), CALL(splice, "-o-o"),
	CALL(copy_file_range, "-o-o"), CALL(epoll_ctl, "---o"),

	CALL(futex, "o--oo"), CALL(nanosleep, "oo"), CALL(clock_nanosleep, "--oo"),
	CALL(clock_gettime, "-o"), CALL(clock_settime, "-o"), CALL(clock_getres, "-o"),
	CALL(getitimer, "-o"), CALL(setitimer, "-oo"), CALL(timer_gettime, "-o"),
	CALL(timer_settime, "--oo"), CALL(timerfd_gettime, "-o"), CALL(timerfd_settime, "--oo"),
	CALL(wait4, "-o-o"), CALL(waitid, "--o-o"), CALL(rt_sigpending, "o"),
	CALL(rt_sigtimedwait, "ooo"), CALL(rt_sigqueueinfo, "--o"),
	CALL(rt_tgsigqueueinfo, "---o"), CALL(signalfd, "-o"), CALL(signalfd4, "-o"),
	CALL(sigaltstack, "oo"), CALL(set_tid_address, "o"), CALL(arch_prctl, "-o"),
	CALL(sched_getaffinity, "--o"), CALL(sched_setaffinity, "--o"),

	CALL(munmap, "m"), CALL(mprotect, "m"), CALL(madvise, "m"), CALL(mmap, "m"),
	CALL(msync, "b"), CALL(mlock, "b"), CALL(munlock, "b"), CALL(pkey_mprotect, "m"),

	CALL(close, ""), CALL(lseek, ""), CALL(dup, ""), CALL(dup2, ""), CALL(dup3, ""),
	CALL(socket, ""), CALL(listen, ""), CALL(shutdown, ""), CALL(ftruncate, ""),
	CALL(fsync, ""), CALL(fdatasync, ""), CALL(fchmod, ""), CALL(fchown, ""),
	CALL(fchdir, ""), CALL(flock, ""), CALL(fallocate, ""), CALL(fadvise64, ""),
	CALL(readahead, ""), CALL(eventfd, ""), CALL(eventfd2, ""), CALL(epoll_create, ""),
	CALL(epoll_create1, ""), CALL(timerfd_create, ""), CALL(inotify_init1, ""),
	CALL(sched_yield, ""), CALL(getpid, ""), CALL(getppid, ""), CALL(gettid, ""),
	CALL(getuid, ""), CALL(geteuid, ""), CALL(getgid, ""), CALL(getegid, ""),
	CALL(getpgrp, ""), CALL(getpgid, ""), CALL(getsid, ""), CALL(setsid, ""),
	CALL(setpgid, ""), CALL(umask, ""), CALL(alarm, ""), CALL(pause, ""), CALL(kill, ""),
	CALL(tkill, ""), CALL(tgkill, ""), CALL(exit, ""), CALL(exit_group, ""),
	CALL(getpriority, ""), CALL(setpriority, ""), CALL(membarrier, ""), CALL(sync, ""),
	CALL(restart_syscall, ""), CALL(pidfd_open, ""), CALL(close_range, ""),
#undef CALL
};

void guard_open(long number, const unsigned long arg[6])
{
	const char *reach;

	if (!landing_any())
		return;
	reach = number >= 0 && number < (long)(sizeof(table) / sizeof(table[0])) ? table[number] : "";
	if (reach[0] != ':') {
		landing_open_all();
		return;
	}
	for (int i = 0; reach[i + 1]; i++) {
		if (reach[i + 1] == 'o')
			landing_open((void *)arg[i], OBJECT);
		else if (reach[i + 1] == 'b')
			landing_open((void *)arg[i], arg[i + 1]);
		else if (reach[i + 1] == 'm')
			landing_open_buffers((void *)arg[i], arg[i + 1]);
	}
}

/* ---- files ---- */

/* Is it an opening for reading for certain? What is not must not wait for a lease of ours. */
static bool may_write(long number, const unsigned long arg[6])
{
	unsigned long flags = O_WRONLY;

	if (number == SYS_open)
		flags = arg[1];
	else if (number == SYS_openat || number == SYS_open_by_handle_at)
		flags = arg[2];
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

static void on_opening(long number, const unsigned long arg[6])
{
	switch (number) {
	case SYS_open: case SYS_creat: case SYS_openat: case SYS_openat2: case SYS_truncate:
	case SYS_open_by_handle_at:
		/* which file it is lies in memory that is not read here */
		if (may_write(number, arg))
			source_written_any();
	}
}

/* ---- processes ---- */

static bool ends_laziness(long number, const unsigned long arg[6])
{
	switch (number) {
	case SYS_prctl:
		return arg[0] == PR_SET_SYSCALL_USER_DISPATCH;
	case SYS_userfaultfd: case MSEAL:
	/*
	 * the kernel will use memory later; who was set up before the first landing is heard of
	 * here
	 */
	case SYS_io_uring_setup: case SYS_io_uring_enter: case SYS_io_uring_register:
	case SYS_io_setup: case SYS_io_submit:
	/* they have a mask for as long as they wait, and it cannot be changed where it lies */
	case SYS_rt_sigsuspend:
		return true;
	case SYS_ppoll:
		return arg[3];
	case SYS_epoll_pwait: case SYS_epoll_pwait2:
		return arg[4];
	case SYS_pselect6:
		return arg[5];
	}
	return false;
}

bool guard_before(long number, const unsigned long arg[6], long *result)
{
	if (number == SYS_seccomp || (number == SYS_prctl && arg[0] == PR_SET_SECCOMP)) {
		process_before_filter();
		return false;
	}
	if (ends_laziness(number, arg)) {
		shunt_stand_aside();
		return false;
	}
	if (number == SYS_exit_group) {
		process_ending();
		return false;
	}
	if (process_takes_rights(number, (long)arg[0]))
		process_before_losing_rights();
	if (number == SYS_unshare && arg[0] & CLONE_FILES)
		process_before_own_table();
	on_opening(number, arg);
	return guard_notes(number, arg, result);
}

#endif
