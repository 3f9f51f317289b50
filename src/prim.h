/* SPDX-License-Identifier: MIT */
/*
 * prim.h - the only place where shunt itself calls the kernel.
 *
 * Everything here returns what the kernel returns: a value, or -errno. errno is
 * never touched, nothing allocates, nothing is a cancellation point, all is safe
 * in a signal handler. The rest of the library does not use libc's wrappers for
 * calls of its own, since those are the hooks.
 */
#ifndef SHUNT_PRIM_H
#define SHUNT_PRIM_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* System calls that this thread has made here; the report's arithmetic. */
extern __thread unsigned long prim_calls __attribute__((tls_model("initial-exec")));

#if defined(__x86_64__)
/*
 * While the guard is on (guard.h), only libc's system calls reach the kernel
 * unasked: then this is the address of a "syscall; ret" of libc's. NULL: the call is
 * made in place. The compiler need not know of the other way: no register is used for
 * it, and the library is compiled without a red zone, which the return address would lie in.
 */
extern const void *prim_gate __attribute__((visibility("hidden")));

static inline long prim_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("cmpq $0, prim_gate(%%rip)\n\t"
			 "je 1f\n\t"
			 "call *prim_gate(%%rip)\n\t"
			 "jmp 2f\n"
			 "1:\tsyscall\n"
			 "2:"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long prim_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "shunt knows x86_64 and aarch64"
#endif

#ifdef SHUNT_FAULTS
/* The test build: a call may be told to fail, see tests/faults/plan.c. */
long prim_planned(long nr, long a, long b, long c, long d, long e, long f)
	__attribute__((visibility("hidden")));
#define prim_raw prim_planned
#endif

#define PRIM6(nr, a, b, c, d, e, f)                                                               \
	(prim_calls++, prim_raw((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))
#define PRIM5(nr, a, b, c, d, e) PRIM6(nr, a, b, c, d, e, 0)
#define PRIM4(nr, a, b, c, d) PRIM6(nr, a, b, c, d, 0, 0)
#define PRIM3(nr, a, b, c) PRIM6(nr, a, b, c, 0, 0, 0)
#define PRIM2(nr, a, b) PRIM6(nr, a, b, 0, 0, 0, 0)
#define PRIM1(nr, a) PRIM6(nr, a, 0, 0, 0, 0, 0)
#define PRIM0(nr) PRIM6(nr, 0, 0, 0, 0, 0, 0)

/* ---- files ---- */
static inline int prim_openat(int dir, const char *path, int flags, unsigned mode)
{
	return (int)PRIM4(SYS_openat, dir, path, flags, mode);
}
static inline int prim_close(int fd)
{
	return (int)PRIM1(SYS_close, fd);
}
static inline ssize_t prim_read(int fd, void *buf, size_t n)
{
	return PRIM3(SYS_read, fd, buf, n);
}
static inline ssize_t prim_write(int fd, const void *buf, size_t n)
{
	return PRIM3(SYS_write, fd, buf, n);
}
static inline ssize_t prim_pread(int fd, void *buf, size_t n, off_t off)
{
	return PRIM4(SYS_pread64, fd, buf, n, off);
}
static inline ssize_t prim_preadv(int fd, const struct iovec *iov, int count, off_t off)
{
	return PRIM5(SYS_preadv, fd, iov, count, off, 0); /* the offset's upper half is for 32 bits */
}
static inline off_t prim_lseek(int fd, off_t off, int whence)
{
	return PRIM3(SYS_lseek, fd, off, whence);
}
static inline int prim_fcntl(int fd, int cmd, long arg)
{
	return (int)PRIM3(SYS_fcntl, fd, cmd, arg);
}
static inline int prim_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)PRIM3(SYS_ioctl, fd, request, arg);
}
static inline int prim_fstatfs(int fd, void *buf)
{
	return (int)PRIM2(SYS_fstatfs, fd, buf);
}
static inline int prim_fallocate(int fd, int mode, off_t off, off_t length)
{
	return (int)PRIM4(SYS_fallocate, fd, mode, off, length);
}
static inline int prim_mkdirat(int dir, const char *path, unsigned mode)
{
	return (int)PRIM3(SYS_mkdirat, dir, path, mode);
}
static inline int prim_unlinkat(int dir, const char *path, int flags)
{
	return (int)PRIM3(SYS_unlinkat, dir, path, flags);
}
/* The kernel's struct stat is libc's on both architectures. */
static inline int prim_fstat(int fd, struct stat *st)
{
	return (int)PRIM2(SYS_fstat, fd, st);
}
static inline ssize_t prim_getdents(int fd, void *buf, size_t n)
{
	return PRIM3(SYS_getdents64, fd, buf, n);
}
static inline ssize_t prim_readlinkat(int dir, const char *path, char *buf, size_t n)
{
	return PRIM4(SYS_readlinkat, dir, path, buf, n);
}

/* ---- sockets and zero-copy ---- */
static inline ssize_t prim_sendfile(int out, int in, off_t *off, size_t n)
{
	return PRIM4(SYS_sendfile, out, in, off, n);
}
static inline ssize_t prim_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return PRIM3(SYS_sendmsg, fd, msg, flags);
}
/* offsets are for files only; shunt has none here */
static inline ssize_t prim_splice(int in, int out, size_t n, unsigned flags)
{
	return PRIM6(SYS_splice, in, 0, out, 0, n, flags);
}
static inline ssize_t prim_tee(int in, int out, size_t n, unsigned flags)
{
	return PRIM4(SYS_tee, in, out, n, flags);
}
static inline int prim_pipe(int fd[2], int flags)
{
	return (int)PRIM2(SYS_pipe2, fd, flags);
}
static inline ssize_t prim_recv(int fd, void *buf, size_t n, int flags)
{
	return PRIM6(SYS_recvfrom, fd, buf, n, flags, 0, 0);
}
static inline int prim_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	return (int)PRIM5(SYS_getsockopt, fd, level, name, value, n);
}
static inline int prim_shutdown(int fd, int how)
{
	return (int)PRIM2(SYS_shutdown, fd, how);
}
struct pollfd;
int prim_poll(struct pollfd *fds, unsigned n, int timeout_ms);

/* ---- memory ---- */
static inline void *prim_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t off)
{
	return (void *)PRIM6(SYS_mmap, addr, n, prot, flags, fd, off);
}
static inline bool prim_mmap_failed(const void *p)
{
	return (unsigned long)p > -4096UL;
}
static inline int prim_munmap(void *addr, size_t n)
{
	return (int)PRIM2(SYS_munmap, addr, n);
}
static inline int prim_mprotect(void *addr, size_t n, int prot)
{
	return (int)PRIM3(SYS_mprotect, addr, n, prot);
}
static inline void *prim_mremap(void *old, size_t old_n, size_t n, int flags, void *to)
{
	return (void *)PRIM5(SYS_mremap, old, old_n, n, flags, to);
}

/* ---- signals, threads, time; sets are the kernel's 64 bits ---- */
static inline int prim_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	return (int)PRIM4(SYS_rt_sigprocmask, how, set, old, sizeof(uint64_t));
}
static inline int prim_sigtimedwait(const uint64_t *set, void *info, const struct timespec *t)
{
	return (int)PRIM4(SYS_rt_sigtimedwait, set, info, t, sizeof(uint64_t));
}
static inline int prim_sigpending(uint64_t *set)
{
	return (int)PRIM2(SYS_rt_sigpending, set, sizeof(uint64_t));
}
static inline int prim_sigaltstack(const stack_t *ss, stack_t *old)
{
	return (int)PRIM2(SYS_sigaltstack, ss, old);
}
static inline int prim_getpid(void)
{
	return (int)PRIM0(SYS_getpid);
}
static inline int prim_gettid(void)
{
	return (int)PRIM0(SYS_gettid);
}
static inline int prim_tgkill(int pid, int tid, int signal)
{
	return (int)PRIM3(SYS_tgkill, pid, tid, signal);
}
static inline int prim_yield(void)
{
	return (int)PRIM0(SYS_sched_yield);
}
static inline int prim_prlimit(int resource, const struct rlimit *set, struct rlimit *old)
{
	return (int)PRIM4(SYS_prlimit64, 0, resource, set, old);
}

/*
 * What prim_signals_block blocks: every signal; all but SIGBUS from when the fault handler is
 * in front of it (sig_own_bus), since the counters lie in a file that may be truncated; and
 * but SIGTRAP where a handler of ours is in front of the program's (sig_late.c).
 */
extern uint64_t prim_critical;

/* Blocks the signals of this thread; *OLD is for prim_signals_restore. */
static inline void prim_signals_block(uint64_t *old)
{
	prim_sigprocmask(SIG_SETMASK, &prim_critical, old);
}
static inline void prim_signals_restore(const uint64_t *old)
{
	prim_sigprocmask(SIG_SETMASK, old, NULL);
}

/* Nanoseconds of CLOCK_MONOTONIC_COARSE (vDSO, no system call; steps of 1 to 10 ms). */
uint64_t prim_now(void);

/* Nanoseconds since the epoch, coarse. */
uint64_t prim_wall(void);

/*
 * A duplicate of FD, close-on-exec, at a number that the program does not get:
 * above its soft RLIMIT_NOFILE if that is small and the hard one allows it, else well beyond those
 * that it uses. Returns the number or -errno. FD's locks: see design, never call it
 * for a file that this process has locked.
 */
int prim_dup_high(int fd);

/*
 * A duplicate of FD at NUMBER, which prim_dup_high gave, and which is closed: above the limit, too.
 * Returns NUMBER or -errno.
 */
int prim_dup_again(int fd, int number);

/* Like prim_dup_high, but FD is closed in any case. */
int prim_move_high(int fd);

#endif
