/* SPDX-License-Identifier: MIT */
/*
 * hook_syscall.c - the function syscall(), by which a program reaches what no
 * other hook sees.
 *
 * Called from vfork.S with the arguments in their registers; what comes back is
 * the function to jump to, or NULL and the result. What is not in the table of the
 * harmless opens everything: the arguments could point anywhere.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sys/prctl.h>

#include "guard.h"
#include "hook_idle.h"
#include "linux_new.h"
#include "mapping.h"
#include "prim.h"
#include "process.h"
#include "sig.h"
#include "stats.h"
#include "thread.h"
#include "unwind.h"

struct syscall_way {
	void *function;
	long result;
};

struct syscall_way syscall_prepare(long number, long a, long b, long c, long d, long e, long f);

/* Calls that reach no memory of the program's and change nothing of ours. */
static const short harmless[] = {
	SYS_gettid, SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	SYS_sched_yield, SYS_tgkill, SYS_tkill, SYS_kill, SYS_membarrier, SYS_pidfd_open,
	SYS_eventfd2, SYS_epoll_create1, SYS_ioprio_set, SYS_ioprio_get, SYS_getpriority,
	SYS_setpriority, SYS_exit, SYS_fdatasync, SYS_fsync,
};

/* Calls after which lazy memory is no longer safe. */
#define SYS_mseal_ 462
#define SYS_process_madvise_ 440
#define SYS_epoll_pwait2_ 441
static const short enders[] = {
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_io_setup, SYS_io_submit,
	SYS_userfaultfd, SYS_mseal_,
};

static bool in(const short *list, size_t count, long number)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == number)
			return true;
	return false;
}

#define IN(list, number) in((list), sizeof(list) / sizeof(*(list)), (number))

/* A word of the program's that a futex waits on may lie in a landing, and must be read there. */
static bool opens_its_own(long number, long a, long b)
{
	switch (number) {
	case SYS_futex:
		landing_open((const void *)a, sizeof(uint32_t));
		return true;
	case SYS_clock_gettime:
		landing_open((const void *)b, sizeof(struct timespec));
		return true;
	}
	return false;
}

/* What is asked of fork, clone and clone3 alike. */
struct clone_call {
	uint64_t flags;
	bool own_stack; /* the child does not come back here */
};

/* clone3 is given struct clone_args, of N bytes; false: the kernel will not take them. */
static bool read_clone_args(long p, long n, struct clone_call *c)
{
	enum { STACK = 5, WORDS = 8 };
	const uint64_t *word = (const uint64_t *)p;

	landing_open(word, WORDS * sizeof(*word));
	if (n < (long)(WORDS * sizeof(*word)) || !hook_readable(word, WORDS * sizeof(*word)))
		return false;
	*c = (struct clone_call){ word[0], word[STACK] != 0 };
	return true;
}

static bool makes_task(long number, long a, long b, struct clone_call *c)
{
#ifdef SYS_fork
	if (number == SYS_fork) {
		*c = (struct clone_call){ 0, false };
		return true;
	}
#endif
	if (number == SYS_clone) {
		*c = (struct clone_call){ (uint64_t)a, b != 0 };
		return true;
	}
	return number == SYS_clone3 && read_clone_args(a, b, c);
}

/* Is it a fork that comes back here in the child, with memory of its own? */
static bool forks(const struct clone_call *c)
{
	return !c->own_stack && !(c->flags & CLONE_VM);
}

static void before_task(const struct clone_call *c)
{
	if (c->flags & CLONE_VM)
		thread_note_clone();
	if (c->flags & CLONE_FILES)
		process_before_shared_table();
	if (!forks(c)) /* nobody hears the child begin */
		shunt_stand_aside();
}

/*
 * Has the mask at P, of N bytes, faults in it? Libraries ask whether an address can be read by a
 * mask that the kernel is to take from there, and to refuse: so it is not read unasked here.
 */
static bool has_faults(long p, long n)
{
	const uint64_t *mask = (const uint64_t *)p;

	return p && n == sizeof(*mask) && hook_readable(mask, sizeof(*mask)) && *mask & SIG_FAULTS;
}

/* A mask or a handler that goes round the virtual ones: faults may no longer reach us. */
static bool takes_faults(long number, const long arg[6])
{
	const struct { long word[3]; uint64_t mask; } *action = (const void *)arg[1];
	const struct { long mask, size; } *pair = (const void *)arg[5];

	switch (number) {
	case SYS_rt_sigaction:
		return action && ((arg[0] >= 1 && arg[0] <= 64 && SIG_FAULTS & sig_bit((int)arg[0])) ||
				  has_faults((long)&action->mask, arg[3]));
	case SYS_rt_sigprocmask:
		return ((int)arg[0] == SIG_BLOCK || (int)arg[0] == SIG_SETMASK) &&
		       has_faults(arg[1], arg[3]);
	case SYS_rt_sigsuspend:
		return has_faults(arg[0], arg[1]);
	case SYS_ppoll:
		return has_faults(arg[3], arg[4]);
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2_:
		return has_faults(arg[4], arg[5]);
	case SYS_pselect6:
		return pair && hook_readable(pair, sizeof(*pair)) && has_faults(pair->mask, pair->size);
	}
	return false;
}

/* Calls that change what is mapped where, or how. */
static const short mappers[] = {
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_pkey_mprotect, SYS_madvise,
	SYS_process_madvise_, SYS_remap_file_pages, SYS_shmat,
};

static void loses_rights(long number, long first)
{
	if (number == SYS_chroot || number == SYS_pivot_root || number == SYS_setns)
		unwind_before_root();
	if (process_takes_rights(number, first))
		process_before_losing_rights();
}

static void prepare(long number, const long arg[6])
{
	long a = arg[0], b = arg[1], c = arg[2];

	landing_open_all(); /* what is read below */
	if (number == SYS_exit_group)
		process_ending();
	loses_rights(number, a);
	if ((number == SYS_unshare && a & CLONE_FILES) ||
	    (number == SYS_close_range && c & CLOSE_RANGE_UNSHARE))
		process_before_own_table();
	if (number == SYS_seccomp || (number == SYS_prctl && a == PR_SET_SECCOMP))
		process_before_filter();
	if (IN(enders, number) || takes_faults(number, arg)) {
		landing_open_all();
		shunt_stand_aside();
	}
	if (number == SYS_rt_sigaction && b)
		sig_note_raw((int)a);
	if (IN(mappers, number))
		mapping_forget(NULL, SIZE_MAX);
	landing_open_all();
}

/* True: the hook of that name made it, an exec in vain. */
static bool made_by_hook(long number, const long arg[6], struct syscall_way *way)
{
	if (number == SYS_mremap)
		way->result = (long)mremap((void *)arg[0], (size_t)arg[1], (size_t)arg[2],
					   (int)arg[3], (void *)arg[4]);
	else if (number == SYS_execve)
		way->result = execve((const char *)arg[0], (char *const *)arg[1], (char *const *)arg[2]);
	else if (number == SYS_execveat)
		way->result = execveat((int)arg[0], (const char *)arg[1], (char *const *)arg[2],
				       (char *const *)arg[3], (int)arg[4]);
	else
		return false;
	return true;
}

struct syscall_way syscall_prepare(long number, long a, long b, long c, long d, long e, long f)
{
	struct syscall_way way = {(void *)REAL(syscall), 0};
	long arg[6] = {a, b, c, d, e, f};
	struct clone_call call;
	int saved = errno;
	long result;

	if (hook_passive() || IN(harmless, number) || opens_its_own(number, a, b))
		return way;
	if (makes_task(number, a, b, &call)) {
		before_task(&call);
		if (forks(&call)) {
			way.function = NULL;
			way.result = process_raw_fork(number, a, b, c, d, e);
			return way;
		}
	}
	prepare(number, arg);
	errno = saved;
	if (guard_notes(number, (const unsigned long *)arg, &result)) {
		way = (struct syscall_way){ NULL, -1 };
		errno = (int)-result;
	} else if (made_by_hook(number, arg, &way)) {
		way.function = NULL;
	}
	return way;
}
