/* SPDX-License-Identifier: MIT */
/*
 * op_signal.c - handlers that interrupt, look, do operations of their own and jump; and calls
 * past libc.
 */
#include "vm.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

static sigjmp_buf back;
static bool handling; /* a handler does a body */

/* ---- signals at any time ---- */

/* Looks at a byte that nothing changes now. */
static void handle_alarm(int signal)
{
	int saved = errno;

	if (signal == SIGALRM && vm.peek.valid) {
		vm.peek.seen++;
		if (*vm.peek.p != vm.peek.expected)
			vm.peek.wrong++;
	}
	errno = saved;
}

/* how: 0 off, 1 calls are interrupted, 2 they go on by themselves, 3 on another stack */
int op_timer(const struct op *op)
{
	static char stack[65536];
	int how = (int)((unsigned)op->a[0] % 4), us = 300 + (int)((unsigned)op->a[1] % 2000);
	struct sigaction action = { .sa_handler = handle_alarm };
	struct itimerval every = { { 0, how ? us : 0 }, { 0, how ? us : 0 } };
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	if (how == 2)
		action.sa_flags = SA_RESTART;
	if (how == 3) {
		action.sa_flags = SA_ONSTACK;
		sigaltstack(&other, NULL);
	}
	sigaction(SIGALRM, &action, NULL);
	vm.timer = how != 0;
	setitimer(ITIMER_REAL, &every, NULL);
	return 0;
}

/* ---- a signal at a known place ---- */

static struct {
	int from, end, how;
} body;

static void do_body(int signal)
{
	int from = body.from, end = body.end, how = body.how;
	sigset_t mask;

	SAY("signal", signal);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	run_ops(from, end);
	/* one that the handler set itself goes with its return; shunt does not hear of that */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (how == 1)
		siglongjmp(back, 1);
}

static void do_body_informed(int signal, siginfo_t *info, void *context)
{
	SAY("code", info->si_code, context != NULL);
	do_body(signal);
}

/*
 * A handler does the body. how: 0 plainly, 1 and jumps out, 2 with all signals blocked, 3 with
 * siginfo, 4 by kill
 */
int op_raise(const struct op *op)
{
	static char stack[256 * 1024];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = do_body };
	int at = vm.at, end = at + 1 + (op->a[1] > 0 ? op->a[1] : 0);
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (handling || sigismember(&mask, SIGUSR1))
		return 0;
	body.from = at + 1;
	body.end = end < vm.program->count ? end : vm.program->count;
	body.how = (int)((unsigned)op->a[0] % 6);
	if (body.how == 2)
		sigfillset(&action.sa_mask);
	if (body.how == 3) {
		action.sa_sigaction = do_body_informed;
		action.sa_flags = SA_SIGINFO;
	}
	if (body.how == 5) {
		action.sa_flags = SA_ONSTACK;
		sigaltstack(&other, NULL);
	}
	sigaction(SIGUSR1, &action, NULL);
	handling = true;
	end = body.end;
	if (sigsetjmp(back, 1) == 0) {
		if (body.how == 4 && gettid() == getpid())
			kill(getpid(), SIGUSR1);
		else
			raise(SIGUSR1);
	}
	handling = false;
	vm.at = at;
	return end - at - 1;
}

/* how: 0 all blocked, 1 none, 2 SIGSEGV only, 3 what is blocked, 4 what SIGSEGV's handler is */
int op_mask(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 5);
	struct sigaction action;
	sigset_t set, old;
	long bits = 0;

	if (how == 4) {
		sigaction(SIGSEGV, NULL, &action);
		SAY("SIGSEGV", action.sa_handler == SIG_DFL, action.sa_flags);
		return 0;
	}
	if (how == 0)
		sigfillset(&set);
	else
		sigemptyset(&set);
	if (how == 2)
		sigaddset(&set, SIGSEGV);
	if (vm.timer)
		sigdelset(&set, SIGALRM);
	sigprocmask(how == 3 ? SIG_BLOCK : SIG_SETMASK, how == 3 ? NULL : &set, &old);
	/* in a handler these show as not blocked, whatever its mask says: sig.h */
	if (handling) {
		sigdelset(&old, SIGSEGV);
		sigdelset(&old, SIGBUS);
		sigdelset(&old, SIGSYS);
	}
	for (int i = 1; i < 32; i++)
		bits |= sigismember(&old, i) ? 1L << i : 0;
	SAY("mask", bits);
	return 0;
}

/* ---- the program's own faults ---- */

static volatile long fault_code, fault_offset;
static char *volatile fault_page;

static void handle_fault(int signal, siginfo_t *info, void *context)
{
	fault_code = signal * 100 + info->si_code + (context == NULL);
	fault_offset = (char *)info->si_addr - fault_page;
	siglongjmp(back, 1);
}

/*
 * The program touches a page that it protected itself, and jumps out of its handler. how: 0
 * reads, 1 writes, 2 unmapped
 */
int op_fault(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 3);
	struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO }, old;

	if (vm.depth > 1)
		return 0;
	fault_page = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (how == 2)
		munmap(fault_page, 8192);
	sigaction(SIGSEGV, &action, &old);
	if (sigsetjmp(back, 1) == 0) {
		if (how == 1)
			*(volatile char *)(fault_page + 77) = 1;
		else
			(void)*(volatile char *)(fault_page + 77);
	}
	SAY("fault", fault_code, fault_offset);
	sigaction(SIGSEGV, &old, NULL);
	if (how != 2)
		munmap(fault_page, 8192);
	return 0;
}

/* ---- out of a write that blocks ---- */

static void jump_back(int signal)
{
	siglongjmp(back, signal);
}

/*
 * The peer reads no more, the write blocks, the handler jumps out. How much went nobody
 * knows: the sink is closed then, and of what arrived only the beginning is compared.
 */
int op_alarmjump(const struct op *op)
{
	int k = sink_of(op->a[0]), n = op->a[3];
	char *p = piece_defined(op->a[1], op->a[2], &n);
	struct sigaction action = { .sa_handler = jump_back }, old;
	struct itimerval soon = { { 0, 0 }, { 0, 4000 } }, none = { { 0, 0 }, { 0, 0 } };
	sigset_t alarm_only;

	if (n < 1000 || !may_be_loose(k))
		return 0;
	vm.shared->loose |= 1u << k;
	ask(PEER_STALL, k, 1, 0);
	fcntl(vm.sink[k], F_SETFL, 0);
	sigaction(SIGALRM, &action, &old);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	if (sigsetjmp(back, 1) == 0) {
		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;)
			if (write(vm.sink[k], p, (size_t)n) < 0)
				break;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &old, NULL);
	ask(PEER_STALL, k, 0, 0);
	SAY("jumped", close(vm.sink[k]));
	vm.sink[k] = -1;
	return 0;
}

/* ---- waits ---- */

/*
 * how: 0 nanosleep, 1 poll of nothing, 2 poll of a sink, 3 select, 4 sched_yield, 5 a read of
 * a pipe with something in it
 */
int op_wait(const struct op *op)
{
	long ms = (long)((unsigned)op->a[1] % 3);
	struct timespec t = { 0, ms * 1000000 };
	struct timeval v = { 0, ms * 1000 };
	struct pollfd out = { .fd = vm.sink[0], .events = POLLIN };
	char c = 'c';
	int fd[2];

	switch ((unsigned)op->a[0] % 6) {
	case 0:
		nanosleep(&t, NULL);
		break;
	case 1:
		poll(NULL, 0, (int)ms);
		break;
	case 2:
		poll(&out, 1, (int)ms);
		break;
	case 3:
		select(0, NULL, NULL, NULL, &v);
		break;
	case 4:
		sched_yield();
		break;
	default:
		if (pipe(fd) < 0)
			break;
		SAY("pipe", write(fd[1], &c, 1), read(fd[0], &c, 1));
		close(fd[0]);
		close(fd[1]);
	}
	return 0;
}

/* ---- past libc ---- */

long raw_call(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = 0;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = -1, x5 __asm__("x5") = 0;

	__asm__ volatile("svc 0" : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#endif
}

/* What was at the number is another file, or another offset, or has another flag. */
static void raw_number(int s, int how)
{
	static const char *const names[] = { "f0", "f1", "f2", "f3", "f4", "m" };
	int fd = vm.slot[s], other = vm.slot_file[s] == 0 ? 1 : 0;

	if (how == 0) {
		SAY("raw", raw_call(SYS_close, fd, 0, 0, 0));
		vm.slot[s] = (int)raw_call(SYS_openat, AT_FDCWD, (long)names[other], O_RDONLY, 0);
		SAY("raw", vm.slot[s]);
		vm.slot_file[s] = other;
	} else if (how == 1) {
		SAY("raw", raw_call(SYS_lseek, fd, 4097, SEEK_CUR, 0));
	} else if (how == 2) {
		other = open(names[other], O_RDONLY);
		SAY("raw", raw_call(SYS_dup3, other, fd, 0, 0), close(other));
		vm.slot_file[s] = vm.slot_file[s] == 0 ? 1 : 0;
	} else {
		SAY("raw", raw_call(SYS_fcntl, fd, F_SETFL, O_NONBLOCK, 0),
		    raw_call(SYS_fcntl, fd, F_GETFL, 0, 0), raw_call(SYS_fcntl, fd, F_SETFL, 0, 0));
	}
}

/* Results into P, which is on a word and has room. */
static void raw_result(int fd, char *p, int how)
{
	switch (how) {
	case 0:
		SAY("raw", raw_call(SYS_fstat, fd, (long)p, 0, 0));
		break;
	case 1:
		SAY("raw", raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)p, 0, 0));
		break;
	case 2:
		SAY("raw", raw_call(SYS_pipe2, (long)p, 0, 0, 0));
		close(((int *)(void *)p)[0]);
		close(((int *)(void *)p)[1]);
		break;
	case 3:
		SAY("raw", raw_call(SYS_rt_sigpending, (long)p, 8, 0, 0));
		break;
	default:
		SAY("raw", raw_call(SYS_statfs, (long)"f0", (long)p, 0, 0));
	}
	memset(p, 'h', 256);
}

/* Pieces, and pages. */
static void raw_pieces(int s, char *p, size_t n, int how)
{
	struct iovec v[2] = { { p, n / 2 }, { p + n / 2, n - n / 2 } };
	char *page = (char *)(((uintptr_t)p + 4095) & ~(uintptr_t)4095);
	int fd = memfd_create("raw", 0);

	if (how == 0)
		SAY("raw", raw_call(SYS_readv, vm.slot[s], (long)v, 2, 0));
	else if (how == 1)
		SAY("raw", raw_call(SYS_preadv, vm.slot[s], (long)v, 2, 3));
	else if (how == 2)
		SAY("raw", raw_call(SYS_writev, fd, (long)v, 2, 0));
	else if (how == 3)
		SAY("raw", raw_call(SYS_pwritev, fd, (long)v, 2, 9));
	else if (n > 8192)
		SAY("raw", raw_call(SYS_mprotect, (long)page, 4096, PROT_READ, 0),
		    (long)fuzz_hash(p, n),
		    raw_call(SYS_mprotect, (long)page, 4096, PROT_READ | PROT_WRITE, 0));
	SAY("size", lseek(fd, 0, SEEK_END));
	close(fd);
}

/*
 * how: 0 read from S, 1 pread, 2 write to a pipe, 3 write to the file "out", 4 getrandom, 5..8 what
 * numbers mean, 9..13 results, 14..18 pieces. Only where the guard is on.
 */
int op_raw(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 19), n = op->a[4], s = slot_of(op->a[5]), fd[2];
	char *p = piece_defined(op->a[2], op->a[3], &n);

	if (n <= 0 || (how < 2 && vm.slot[s] < 0) || (how == 3 && vm.out < 0))
		return 0;
	if (how > 4) {
		char *word = p + -(uintptr_t)p % 16;

		if (vm.slot[s] < 0 || n < 1024 || vm.depth > 1)
			return 0;
		if (how > 13)
			raw_pieces(s, p, (size_t)n, how - 14);
		else if (how > 8)
			raw_result(vm.slot[s], word, how - 9);
		else
			raw_number(s, how - 5);
	} else if (how == 0) {
		SAY("raw", raw_call(SYS_read, vm.slot[s], (long)p, n, 0));
	} else if (how == 1) {
		SAY("raw", raw_call(SYS_pread64, vm.slot[s], (long)p, n, 3));
	} else if (how == 3) {
		SAY("raw", raw_call(SYS_write, vm.out, (long)p, n, 0));
	} else if (how == 4) {
		SAY("raw", raw_call(SYS_getrandom, (long)p, n < 200 ? n : 200, 0, 0));
		memset(p, 'g', n < 200 ? (size_t)n : 200);
	} else if (pipe(fd) == 0) {
		SAY("raw", raw_call(SYS_write, fd[1], (long)p, n < 4000 ? n : 4000, 0));
		close(fd[0]);
		close(fd[1]);
	}
	return 0;
}
