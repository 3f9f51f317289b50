/* SPDX-License-Identifier: MIT */
/*
 * hook_process.c - fork and its kin, the ends that no destructor sees, and what
 * takes rights or views away.
 *
 * fork itself is not hooked: daemon and forkpty call it inside libc, where only
 * pthread_atfork is heard. _Fork, vfork and clone are not heard there.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "arena.h"
#include "fd.h"
#include "filter.h"
#include "guard.h"
#include "hook.h"
#include "landing.h"
#include "maps.h"
#include "pieces.h"
#include "prim.h"
#include "process.h"
#include "report.h"
#include "sig.h"
#include "site.h"
#include "stats.h"
#include "thread.h"
#include "watch.h"
#include "unwind.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_signal.def"
#undef HOOK

/* ---- fork ---- */

_Atomic bool process_has_kin;

/* Asked for in the parent: in the child it would be two page faults, of two libraries' code. */
static __thread int *errno_at __attribute__((tls_model("initial-exec")));

FORKS void process_before_fork(void)
{
	if (thread_passive || filter_silences())
		return;
	errno_at = &errno;
	if (!relaxed(process_has_kin))
		set_relaxed(process_has_kin, true);
	filter_before_fork();
	if (filter_silences()) /* that was found just now */
		return;
	hook_before_fork();
	unwind_before_fork();
	sig_before_fork();
	landing_hold();
	landing_open_all();
	stats_before_fork();
}

FORKS void process_after_fork_parent(void)
{
	if (thread_passive || filter_silences())
		return;
	landing_release();
	stats_forked_parent();
}

FORKS void process_after_fork_child(void)
{
	int *at = errno_at, saved = at ? *at : 0;

	thread_passive = thread_vforked = 0; /* a fork in the child of a vfork has memory of its own again */
	if (filter_silences())
		return;
	thread_forked();
	sig_forked();
	landing_forked();
	maps_forked();
	arena_forked();
	fd_forked();
	site_forked();
	watch_forked();
	pieces_forked();
	report_forked();
	stats_forked();
	if (at)
		*at = saved;
}

COLD void process_init(void)
{
	pthread_atfork(process_before_fork, process_after_fork_parent, process_after_fork_child);
}

EXPORT pid_t _Fork(void)
{
	pid_t pid;

	if (!REAL(_Fork)) {
		errno = ENOSYS;
		return -1;
	}
	if (hook_passive())
		return REAL(_Fork)();
	process_before_fork();
	pid = REAL(_Fork)();
	if (pid == 0)
		process_after_fork_child();
	else
		process_after_fork_parent();
	return pid;
}

FORKS long process_raw_fork(long number, long a, long b, long c, long d, long e)
{
	long pid;

	process_before_fork();
	pid = PRIM5(number, a, b, c, d, e);
	if (pid == 0)
		process_after_fork_child();
	else
		process_after_fork_parent();
	if (pid < 0) {
		errno = (int)-pid;
		return -1;
	}
	return pid;
}

/*
 * ---- vfork ---- from vfork.S. The mark is set in memory that parent and child
 * share, for the thread that waits: the child is that thread to libc.
 */
static __thread bool left_guard __attribute__((tls_model("initial-exec")));

/* What the parent believes to be blocked: the child, which has its record, may set masks. */
enum { NESTED = 4 };
static __thread uint64_t believed[NESTED] __attribute__((tls_model("initial-exec")));

static void begin_vfork(void)
{
	if (thread_self_record && thread_vforked < NESTED)
		believed[thread_vforked] = thread_self_record->masked;
	thread_vforked++;
	thread_passive++; /* a handler that comes now leaves the guard alone */
}

static void end_vfork(void)
{
	thread_passive--;
	thread_vforked--;
	if (thread_self_record && thread_vforked < NESTED)
		thread_self_record->masked = believed[thread_vforked];
}

void vfork_prepare(void);
long vfork_done(long result);

void vfork_prepare(void)
{
	bool first = !thread_passive;
	int saved = errno;

	if (!hook_passive())
		landing_open_all();
	begin_vfork();
	if (first && guard_leave()) /* the call is not libc's, and its child returns first */
		left_guard = true;
	errno = saved;
}

long vfork_done(long result)
{
	end_vfork();
	if (!thread_passive && left_guard) {
		left_guard = false;
		guard_enter();
	}
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

/* ---- clone ---- */

struct clone_start {
	int (*fn)(void *);
	void *argument;
};

/* A child with memory of its own, on a stack that may be the caller's copy. */
static int clone_child(void *p)
{
	struct clone_start start = *(struct clone_start *)p;

	process_after_fork_child();
	return start.fn(start.argument);
}

static int clone_own_memory(struct clone_start *start, void *stack, int flags, void *parent_tid,
			    void *tls, void *child_tid)
{
	int pid;

	if (flags & CLONE_FILES)
		process_before_shared_table();
	process_before_fork();
	pid = REAL(clone)(clone_child, stack, flags, start, parent_tid, tls, child_tid);
	process_after_fork_parent();
	return pid;
}

/* The caller waits for the child, as with vfork; else it is a thread that libc does not know of. */
static int clone_shared_memory(struct clone_start *start, void *stack, int flags, void *parent_tid,
			       void *tls, void *child_tid)
{
	bool waits = flags & CLONE_VFORK && !(flags & CLONE_SETTLS);
	int pid;

	if (!waits) {
		thread_note_clone();
		shunt_stand_aside();
	}
	landing_open_all();
	if (waits)
		begin_vfork();
	pid = REAL(clone)(start->fn, stack, flags, start->argument, parent_tid, tls, child_tid);
	if (waits)
		end_vfork();
	return pid;
}

EXPORT int clone(int (*fn)(void *), void *stack, int flags, void *argument, ...)
{
	struct clone_start start = {fn, argument};
	void *parent_tid, *tls, *child_tid;
	va_list ap;

	va_start(ap, argument);
	parent_tid = va_arg(ap, void *);
	tls = va_arg(ap, void *);
	child_tid = va_arg(ap, void *);
	va_end(ap);
	if (hook_passive() || thread_is_making())
		return REAL(clone)(fn, stack, flags, argument, parent_tid, tls, child_tid);
	if (flags & CLONE_VM)
		return clone_shared_memory(&start, stack, flags, parent_tid, tls, child_tid);
	return clone_own_memory(&start, stack, flags, parent_tid, tls, child_tid);
}

EXPORT int __clone(int (*fn)(void *), void *stack, int flags, void *argument, ...)
{
	void *parent_tid, *tls, *child_tid;
	va_list ap;

	va_start(ap, argument);
	parent_tid = va_arg(ap, void *);
	tls = va_arg(ap, void *);
	child_tid = va_arg(ap, void *);
	va_end(ap);
	return clone(fn, stack, flags, argument, parent_tid, tls, child_tid);
}

/* ---- ends that run no destructor ---- */

void process_ending(void)
{
	if (thread_passive || filter_silences() || !sig_own_process())
		return;
	tally_tell();
	stats_end(STATS_EXIT, 0);
	report_at_end();
}

void process_before_filter(void)
{
	shunt_stand_aside();
	guard_leave();
	if (thread_passive || filter_silences())
		return;
	process_ending();
	sig_silence();
	atomic_store(&filter_answer, FILTER_KILLS);
}

EXPORT void _exit(int status)
{
	process_ending();
	REAL(_exit)(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	process_ending();
	REAL(_Exit)(status);
	__builtin_unreachable();
}

EXPORT void quick_exit(int status)
{
	process_ending();
	REAL(quick_exit)(status);
	__builtin_unreachable();
}

/* ---- rights ---- */

bool process_takes_rights(long number, long first)
{
	switch (number) {
	case SYS_setuid: case SYS_setgid: case SYS_setresuid: case SYS_setresgid:
	case SYS_setreuid: case SYS_setregid: case SYS_capset: case SYS_unshare: case SYS_setns:
	case SYS_chroot: case SYS_pivot_root:
		return true;
	case SYS_prctl:
		return first == PR_CAPBSET_DROP || first == PR_SET_SECUREBITS || first == PR_SET_DUMPABLE;
	}
	return false;
}

void process_before_losing_rights(void)
{
	stats_before_losing_rights();
	maps_before_losing_rights();
}

void process_before_own_table(void)
{
	if (!thread_single())
		shunt_stand_aside();
}

void process_before_shared_table(void)
{
	shunt_stand_aside();
}

#define BEFORE_LOSING_RIGHTS(name, params, args)                                                  \
	EXPORT int name params                                                                    \
	{                                                                                         \
		if (!hook_passive())                                                              \
			process_before_losing_rights();                                           \
		return REAL(name) args;                                                           \
	}

BEFORE_LOSING_RIGHTS(setuid, (uid_t id), (id))
BEFORE_LOSING_RIGHTS(seteuid, (uid_t id), (id))
BEFORE_LOSING_RIGHTS(setreuid, (uid_t real, uid_t effective), (real, effective))
BEFORE_LOSING_RIGHTS(setresuid, (uid_t real, uid_t effective, uid_t saved),
		     (real, effective, saved))
BEFORE_LOSING_RIGHTS(setgid, (gid_t id), (id))
BEFORE_LOSING_RIGHTS(setegid, (gid_t id), (id))
BEFORE_LOSING_RIGHTS(setregid, (gid_t real, gid_t effective), (real, effective))
BEFORE_LOSING_RIGHTS(setresgid, (gid_t real, gid_t effective, gid_t saved),
		     (real, effective, saved))
BEFORE_LOSING_RIGHTS(setfsuid, (uid_t id), (id))
BEFORE_LOSING_RIGHTS(setfsgid, (gid_t id), (id))
BEFORE_LOSING_RIGHTS(initgroups, (const char *user, gid_t group), (user, group))

EXPORT int setns(int fd, int kind)
{
	if (!hook_passive()) {
		unwind_before_root();
		process_before_losing_rights();
	}
	return REAL(setns)(fd, kind);
}

EXPORT int unshare(int flags)
{
	if (!hook_passive()) {
		process_before_losing_rights();
		if (flags & CLONE_FILES)
			process_before_own_table();
	}
	return REAL(unshare)(flags);
}

/* A pointer given to prctl reaches no further than a page, but for the filter's program. */
static void prctl_prepare(int option, const unsigned long arg[4])
{
	if (option == PR_SET_SECCOMP) {
		process_before_filter();
		return;
	}
	if (option == 59 /* PR_SET_SYSCALL_USER_DISPATCH */) {
		shunt_stand_aside();
		return;
	}
	if (process_takes_rights(SYS_prctl, option))
		process_before_losing_rights();
	for (int i = 0; i < 4; i++)
		if (arg[i] >= 4096)
			landing_open((const void *)arg[i], 4096);
}

EXPORT int prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (!hook_passive())
		prctl_prepare(option, arg);
	return REAL(prctl)(option, arg[0], arg[1], arg[2], arg[3]);
}
