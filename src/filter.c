/* SPDX-License-Identifier: MIT */
/*
 * filter.c - would a system call kill? see filter.h.
 *
 * The calls of before are those that the loader and libc make at the start of every program,
 * or that the program made itself when it came here: openat, read, close, mmap, fstat,
 * rt_sigaction, rt_sigprocmask, getpid. What cannot be tried are the child and the wait for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "filter.h"
#include "prim.h"

_Atomic signed char filter_answer;

enum { TEXT = 4096, CACHESTAT = 451 };

/* Nothing comes of these: no descriptor, no memory, no process is named. */
#define NO_ARGUMENTS(C)                                                                           \
	C(SYS_fstatfs) C(SYS_pread64) C(SYS_pwrite64) C(SYS_preadv) C(SYS_preadv2)                 \
	C(SYS_lseek) C(SYS_sendfile) C(SYS_splice) C(SYS_tee) C(SYS_sendmsg) C(SYS_recvfrom)        \
	C(SYS_recvmsg) C(SYS_setsockopt) C(SYS_pselect6) C(SYS_epoll_pwait)                        \
	C(SYS_getsockopt) C(SYS_getpeername) C(SYS_shutdown) C(SYS_pipe2) C(SYS_fallocate)          \
	C(SYS_ftruncate) C(SYS_fchmod) C(SYS_mkdirat) C(SYS_unlinkat) C(SYS_renameat2)              \
	C(SYS_newfstatat) C(SYS_readlinkat) C(SYS_getdents64) C(SYS_utimensat) C(SYS_writev)        \
	C(SYS_socketpair) C(SYS_rt_sigtimedwait) C(SYS_rt_tgsigqueueinfo) C(SYS_tgkill)             \
	C(SYS_ppoll) C(SYS_clock_gettime) C(SYS_uname) C(SYS_futex) C(CACHESTAT)

#define FCNTL(C)                                                                                  \
	C(F_GETFL) C(F_DUPFD_CLOEXEC) C(F_GETLEASE) C(F_SETLEASE) C(F_GETOWN) C(F_GETSIG)          \
	C(F_SETSIG) C(F_GET_SEALS) C(F_GETPIPE_SZ) C(F_SETPIPE_SZ)

/* The order of arguments that makes every one of them fail: -1 is no descriptor, no address. */
static void try_without_arguments(void)
{
#define C(number) PRIM6(number, -1, -1, -1, -1, -1, -1);
	NO_ARGUMENTS(C)
#undef C
#define C(command) PRIM3(SYS_fcntl, -1, command, 0);
	FCNTL(C)
#undef C
}

static void try_with_arguments(void)
{
	PRIM3(SYS_ioctl, -1, FIONREAD, 0);
	PRIM3(SYS_ioctl, -1, FS_IOC_GETFLAGS, 0);
	PRIM3(SYS_ioctl, -1, _IOC(_IOC_READ | _IOC_WRITE, 'f', 17, 104), 0); /* PROCMAP_QUERY */
	PRIM3(SYS_madvise, 0, 0, MADV_NORMAL);
	PRIM5(SYS_mremap, -1, 0, 0, 0, 0);
	PRIM3(SYS_mprotect, -1, 0, 0);
	PRIM2(SYS_munmap, -1, 0);
	PRIM2(SYS_sigaltstack, 0, 0);
	PRIM2(SYS_rt_sigpending, 0, 0);
	PRIM4(SYS_prlimit64, 0, -1, 0, 0);
	PRIM2(SYS_nanosleep, -1, 0);
	PRIM2(SYS_kill, 0x7fffffff, 0);
	PRIM2(SYS_getcwd, 0, 0);
	PRIM0(SYS_geteuid);
	PRIM0(SYS_getppid);
	PRIM0(SYS_gettid);
	PRIM0(SYS_sched_yield);
}

/* A copy of the process: where one call is one too many, it ends by a signal. */
static void try_all(void)
{
	struct { uintptr_t handler; unsigned long flags; uintptr_t restorer; uint64_t mask; } none = { 0 };
	uint64_t system_call = UINT64_C(1) << (SIGSYS - 1);

	PRIM4(SYS_rt_sigaction, SIGSYS, &none, 0, sizeof(uint64_t));
	prim_sigprocmask(SIG_UNBLOCK, &system_call, NULL);
	try_without_arguments();
	try_with_arguments();
	PRIM1(SYS_exit_group, 0);
}

/* A child without a signal at its end: a wait of the program's does not see it. */
static bool survives(void)
{
	int status = -1;
	uint64_t mask;
	long pid, got;

	prim_signals_block(&mask);
	pid = PRIM5(SYS_clone, 0, 0, 0, 0, 0);
	if (pid == 0)
		try_all();
	do
		got = pid > 0 ? PRIM4(SYS_wait4, pid, &status, __WALL, 0) : -ECHILD;
	while (got == -EINTR);
	prim_signals_restore(&mask);
	return got == pid && status == 0;
}

/* The same text has the signals that have handlers. */
static bool caught_known;
static uint64_t caught;

static void learn_caught(const char *text)
{
	static const char name[] = "\nSigCgt:\t";
	const char *line = strstr(text, name);

	if (!line)
		return;
	caught = strtoull(line + sizeof(name) - 1, NULL, 16);
	caught_known = true;
}

bool filter_caught(uint64_t *signals)
{
	*signals = caught;
	return caught_known;
}

/* The number behind "Seccomp:" in what /proc says of us; -1 where it says nothing. */
static int seccomp_mode(void)
{
	static const char name[] = "\nSeccomp:\t";
	int fd = prim_openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	char text[TEXT];
	const char *line;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = prim_read(fd, text, sizeof(text) - 1);
	prim_close(fd);
	text[n > 0 ? n : 0] = 0;
	learn_caught(text);
	line = strstr(text, name);
	return line ? line[sizeof(name) - 1] - '0' : -1;
}

static _Atomic bool *_Atomic asked; /* by somebody of the family; NULL before the first fork */

void filter_share(_Atomic bool *memory)
{
	atomic_store(&asked, memory);
}

FORKS void filter_before_fork(void)
{
	_Atomic bool *others = atomic_load(&asked);

	if (others && relaxed(*others))
		filter_allows();
}

COLD bool filter_ask(void)
{
	int mode = seccomp_mode();
	_Atomic bool *others = atomic_load(&asked);

	if (others)
		set_relaxed(*others, true);
	/* not the first question: a filter may kill for it */
	if (mode < 0)
		mode = (int)PRIM5(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
	if (mode <= 0)
		atomic_store(&filter_answer, FILTER_NONE);
	else
		atomic_store(&filter_answer, survives() ? FILTER_ALLOWS : FILTER_KILLS);
	if (filter_answer < 0)
		shunt_stand_aside();
	return filter_answer > 0;
}

/* ---- sanitizers ---- */

void __asan_init(void) __attribute__((weak));
void __hwasan_init(void) __attribute__((weak));
void __lsan_init(void) __attribute__((weak));
void __msan_init(void) __attribute__((weak));

COLD bool filter_is_sanitized(void)
{
	return __asan_init || __hwasan_init || __lsan_init || __msan_init || __tsan_init;
}
