/* SPDX-License-Identifier: MIT */
/*
 * hook_open.c - hooks that only open what the kernel is about to use.
 *
 * They are made from the rows of hooks_open.def, all but those at the end of this
 * file. While nothing is armed a hook is a load, a branch and a jump; it adds no
 * frame, so cancellation, longjmp and signals meet the real function only. Hooks
 * work the same in the child of a vfork: the memory it opens is the parent's,
 * and so are the landings.
 *
 * Nothing here trusts a pointer of the program: what a structure points to is
 * followed only where the structure can be read. errno is kept.
 */
#undef _FORTIFY_SOURCE /* its inline definitions have the names of the hooks */

#include <errno.h>

#include "copy.h"
#include "filter.h"
#include "guard.h"
#include "hook_idle.h"
#include "maps.h"
#include "pipes.h"
#include "prim.h"
#include "sig.h"
#include "sleep.h"
#include "stdio_files.h"
#include "thread.h"
#include "unwind.h"

/* Two 32-bit words; three words for each 32 capabilities. */
enum { CAP_HEADER = 8, CAP_DATA = 24 };

COLD void hook_open_bytes(uintptr_t p, size_t n)
{
	size_t room = UINTPTR_MAX - p;

	landing_open((const void *)p, n < room ? n : room);
}

COLD void hook_open_message(const void *p, size_t n)
{
	hook_open_bytes((uintptr_t)p, n < SIZE_MAX - sizeof(long) ? n + sizeof(long) : n);
}

#define bytes(p, n) hook_open_bytes((uintptr_t)(p), n)
#define message(p, n) hook_open_message(p, n)
#define object(p) bytes(p, sizeof(*(p)))
#define array(p, n) bytes(p, (n) > 0 ? (size_t)(n) * sizeof(*(p)) : 0)
#define string(s) hook_open_string(s)

/*
 * Can the byte at P be read? Where faults come to us it is tried; else the kernel reads a mask
 * there, which it refuses, or faults.
 */
static bool is_there(uintptr_t p)
{
	char byte;

	if (COPY_IN && sig_faults_owned())
		return copy_in(&byte, (const void *)p, 1);
	/* a word of its page; but never the first, which may be at 0, and then is no mask to the kernel */
	return prim_sigprocmask(-1, (const uint64_t *)((p & ~(uintptr_t)7) | 8), NULL) != -EFAULT;
}

/* Can [p, p + n), now open, be read? */
static COLD bool can_be_read(const void *p, size_t n)
{
	uintptr_t at = (uintptr_t)p, end = at + n;

	if (end < at) /* beyond the last address */
		return false;
	for (; at < end; at = page_down(at) + shunt_page)
		if (!is_there(at))
			return false;
	return true;
}

COLD bool hook_readable(const void *p, size_t n)
{
	const struct thread *t = thread_self_record;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), at = (uintptr_t)p;
	uintptr_t top = t ? t->stack_hi - 2 * shunt_page : 0;

	/* what is handed over lies on this thread's stack mostly, which is there from here up */
	if (t && here >= t->stack_lo && here < t->stack_hi && at > here && at < top && n < top - at)
		return true;
	return can_be_read(p, n);
}

COLD bool hook_open_readable(const void *p, size_t n)
{
	hook_open_bytes((uintptr_t)p, n);
	return hook_readable(p, n);
}

/* Not inline: the prototypes of libc promise the compiler that S is never NULL. */
COLD void hook_open_string(const char *s)
{
	if (landing_touches(s, PATH_MAX))
		landing_open_string(s, hook_readable);
}

/* Under another limit on data, what is protected now could perhaps not be opened again (host.h). */
static COLD void limit(int what)
{
	if (what == RLIMIT_DATA || what == RLIMIT_AS)
		landing_open_all();
}

/* A wait for a child: with WNOHANG it does not sleep. */
static COLD void child(int flags)
{
	if (!(flags & WNOHANG))
		sleep_settle();
}

/* A connection may be minutes in the making, unless the socket does not wait for it. */
static COLD void peer(int fd)
{
	if (!hook_passive() && !fd_is_nonblocking(fd))
		sleep_settle();
}

static COLD void queue(mqd_t mq)
{
	if (!hook_passive())
		sleep_before(mq);
}

static COLD void vectors(const struct iovec *iov, unsigned long n)
{
	if (n > IOV_MAX)
		return;
	array(iov, n);
	if (!hook_readable(iov, n * sizeof(*iov)))
		return;
	for (unsigned long i = 0; i < n; i++)
		bytes(iov[i].iov_base, iov[i].iov_len);
}

/* process_vm_readv and _writev: what is "theirs" is ours too when the process is this one. */
static COLD void across(pid_t pid, const struct iovec *ours, unsigned long n,
			const struct iovec *theirs, unsigned long m)
{
	vectors(ours, n);
	if (pid == prim_getpid())
		vectors(theirs, m);
	else if (m <= IOV_MAX)
		array(theirs, m);
}

/* A struct aiocb or aiocb64, which are the same, and its buffer. */
static COLD void request(const void *p)
{
	const struct aiocb *cb = p;

	object(cb);
	if (hook_readable(cb, sizeof(*cb)))
		bytes((const void *)cb->aio_buf, cb->aio_nbytes);
}

/*
 * The bytes are written by a thread of libc's own, some time or other: as by a stream. The number may
 * be closed meanwhile, so the file lands no more.
 */
static COLD void request_to_write(const void *p)
{
	const struct aiocb *cb = p;

	request(cb);
	if (!hook_passive() && hook_readable(cb, sizeof(*cb)))
		stdio_files_opened(cb->aio_fildes, cb->aio_fildes);
}

static COLD void request_of_list(const void *p)
{
	const struct aiocb *cb = p;

	object(cb);
	if (hook_readable(cb, sizeof(*cb)) && cb->aio_lio_opcode == LIO_WRITE)
		request_to_write(cb);
	else
		request(cb);
}

static COLD void requests(const void *p, int n)
{
	const void *const *list = p;

	array(list, n);
	if (n <= 0 || !hook_readable(list, (size_t)n * sizeof(*list)))
		return;
	for (int i = 0; i < n; i++)
		if (list[i])
			request_of_list(list[i]);
}

#define HOOK(ret, name, params, args, class)
#define HOOK_OPEN(ret, name, params, args, open)                                                   \
	static COLD ret open_##name params                                                         \
	{                                                                                          \
		open;                                                                              \
		return REAL(name) args;                                                            \
	}                                                                                          \
	EXPORT ret name params                                                                     \
	{                                                                                          \
		return HOOK_IDLE(name) ? real_##name args : open_##name args;                      \
	}
#include "hooks_open.def"
#undef HOOK
#undef HOOK_OPEN

/* ---- by hand: arguments that vary, and more to do than to open ---- */

/*
 * For the CPU's clocks the vDSO makes the system call, which is not libc's then and is dispatched
 * (guard.h): event loops that ask them each time (haproxy) had 16384 of those in a second.
 */
static bool is_of_cpu(clockid_t clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
}

static int clock_of_kernel(clockid_t clock, struct timespec *t)
{
	long r = PRIM2(SYS_clock_gettime, clock, t);

	if (r < 0)
		errno = (int)-r;
	return r < 0 ? -1 : 0;
}

/* The coarse clocks never leave the vDSO; shunt itself asks for them where it may not look here. */
EXPORT int clock_gettime(clockid_t clock, struct timespec *t)
{
	if (landing_any() && clock != CLOCK_MONOTONIC_COARSE && clock != CLOCK_REALTIME_COARSE)
		object(t);
	if (is_of_cpu(clock) && !hook_passive())
		return clock_of_kernel(clock, t);
	return REAL(clock_gettime)(clock, t);
}

/* Files of our own are made while they can be. */
static void before_other_root(void)
{
	if (hook_passive() || !filter_allows())
		return;
	unwind_before_root();
	stats_before_losing_rights();
	maps_before_chroot();
	pipes_before_chroot();
}

EXPORT int chroot(const char *path)
{
	if (landing_any())
		string(path);
	before_other_root();
	return REAL(chroot)(path);
}

EXPORT int pivot_root(const char *root, const char *old)
{
	if (landing_any()) {
		string(root);
		string(old);
	}
	before_other_root();
	return REAL(pivot_root)(root, old);
}

/* A file system is busy: perhaps with what is ours? Then it is not any more. */
static COLD bool let_go_of_mounts(void)
{
	if (errno != EBUSY || hook_passive() || !filter_allows() || !thread_single())
		return false;
	landing_open_all();
	maps_before_umount();
	pipes_before_umount();
	return true;
}

EXPORT int umount2(const char *path, int flags)
{
	int ret, saved = errno;

	if (landing_any())
		string(path);
	ret = REAL(umount2)(path, flags);
	if (ret < 0 && let_go_of_mounts()) {
		errno = saved;
		ret = REAL(umount2)(path, flags);
	}
	return ret;
}

EXPORT int umount(const char *path)
{
	return umount2(path, 0);
}

EXPORT mqd_t mq_open(const char *name, int flags, ...)
{
	mode_t mode;
	struct mq_attr *attr;
	va_list ap;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	attr = flags & O_CREAT ? va_arg(ap, struct mq_attr *) : NULL;
	va_end(ap);
	if (landing_any()) {
		string(name);
		object(attr);
	}
	return REAL(mq_open)(name, flags, mode, attr);
}

/*
 * A thread of libc's own calls back: no hook has seen it begin, so the guard does not hear it.
 * EVENT was opened.
 */
static void calls_back(const struct sigevent *event)
{
	if (event && hook_readable(event, sizeof(*event)) && event->sigev_notify == SIGEV_THREAD)
		guard_misses();
}

EXPORT int timer_create(clockid_t clock, struct sigevent *event, timer_t *id)
{
	object(event);
	object(id);
	calls_back(event);
	return REAL(timer_create)(clock, event, id);
}

EXPORT int mq_notify(mqd_t mq, const struct sigevent *event)
{
	object(event);
	calls_back(event);
	return REAL(mq_notify)(mq, event);
}

/* The work is done by threads of libc's own, whoever is told of it and how. */
#define BY_THREADS(name, params, args, open)                                                      \
	EXPORT int name params                                                                    \
	{                                                                                         \
		guard_misses();                                                                   \
		open;                                                                             \
		return REAL(name) args;                                                           \
	}

BY_THREADS(aio_read, (struct aiocb *cb), (cb), request(cb))
BY_THREADS(aio_read64, (struct aiocb64 *cb), (cb), request(cb))
BY_THREADS(aio_write, (struct aiocb *cb), (cb), request_to_write(cb))
BY_THREADS(aio_write64, (struct aiocb64 *cb), (cb), request_to_write(cb))
BY_THREADS(aio_fsync, (int how, struct aiocb *cb), (how, cb), object(cb))
BY_THREADS(aio_fsync64, (int how, struct aiocb64 *cb), (how, cb), object(cb))
BY_THREADS(lio_listio, (int mode, struct aiocb *const list[], int n, struct sigevent *event),
	   (mode, list, n, event), (requests(list, n), object(event)))
BY_THREADS(lio_listio64, (int mode, struct aiocb64 *const list[], int n, struct sigevent *event),
	   (mode, list, n, event), (requests(list, n), object(event)))
BY_THREADS(getaddrinfo_a, (int mode, struct gaicb *list[], int n, struct sigevent *event),
	   (mode, list, n, event), object(event))

/* What semctl uses at its fourth argument at most; the arrays are as long as the set. */
static size_t semctl_reach(int command)
{
	enum { SEMAPHORES_MAX = 32000 };

	return command == GETALL || command == SETALL ? SEMAPHORES_MAX * sizeof(unsigned short)
						      : sizeof(struct semid_ds);
}

EXPORT int semctl(int id, int n, int command, ...)
{
	void *argument; /* union semun: a pointer, or an int in its low half */
	va_list ap;

	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (landing_any() && command != SETVAL)
		bytes(argument, semctl_reach(command));
	return REAL(semctl)(id, n, command, argument);
}

EXPORT long ptrace(enum __ptrace_request request, ...)
{
	enum { REACH = 4096 }; /* the largest register sets, and what PTRACE_PEEKSIGINFO fills */
	pid_t pid;
	void *addr, *data;
	va_list ap;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (landing_any()) {
		bytes(addr, REACH);
		bytes(data, REACH);
		if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET)
			vectors(data, 1);
	}
	return REAL(ptrace)(request, pid, addr, data);
}

/* For jump.S. The stack that CONTEXT names: the kernel will push signal frames there. */
void (*hook_before_makecontext(ucontext_t *context))(ucontext_t *, void (*)(void), int, ...);
void (*hook_before_makecontext(ucontext_t *context))(ucontext_t *, void (*)(void), int, ...)
{
	if (landing_any()) {
		object(context);
		if (hook_readable(context, sizeof(*context)))
			bytes(context->uc_stack.ss_sp, context->uc_stack.ss_size);
	}
	return REAL(makecontext);
}
