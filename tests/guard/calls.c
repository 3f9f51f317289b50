/* SPDX-License-Identifier: MIT */
/*
 * calls.c - inline system calls under all circumstances: interrupted, restarted, left by longjmp,
 * stopped, cancelled, nested, with everything blocked. After prime() the guard dispatches them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#include "../signals/signals.h"
#include "inline.h"

static int ends[2];
static volatile int hits, depth;
static sigjmp_buf out;

/*
 * Does an inline call still meet what it should? A fresh landing each time, or a look has opened
 * it.
 */
static const char *meets(void)
{
	prime();
	return INLINE2(fstat, 1, landed + 8 * 4096) == 0 ? "right" : "WRONG";
}

static void count(int signal)
{
	(void)signal;
	hits++;
}

static void handle(int signal, void (*handler)(int), int flags, int all)
{
	struct sigaction a = {.sa_flags = flags};

	a.sa_handler = handler;
	if (all)
		sigfillset(&a.sa_mask);
	sigaction(signal, &a, NULL);
}

static void after(long us, long every)
{
	struct itimerval t = {{0, every}, {0, us}};

	setitimer(ITIMER_REAL, &t, NULL);
}

static void interrupted(void)
{
	struct timespec t = {5, 0}, rest = {0, 0};
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	int word = 7;
	char c;

	handle(SIGALRM, count, 0, 0);
	after(20000, 0);
	say("read %ld\n", INLINE3(read, ends[0], &c, 1));
	after(20000, 0);
	say("nanosleep %ld", INLINE2(nanosleep, &t, &rest));
	say(" rest %ld\n", (long)rest.tv_sec);
	after(20000, 0);
	say("poll %ld\n", INLINE3(poll, &p, 1, 5000));
	after(20000, 0);
	say("futex %ld\n", INLINE4(futex, &word, FUTEX_WAIT, 7, NULL));
	say("hits %d, %s\n", hits, meets());
}

static void feed(int signal)
{
	(void)signal;
	if (++hits == 3 && write(ends[1], "x", 1) != 1)
		abort();
}

static void restarted(void)
{
	char c = 0;

	handle(SIGALRM, feed, SA_RESTART, 0);
	after(10000, 10000);
	say("read %ld", INLINE3(read, ends[0], &c, 1));
	after(0, 0);
	say(" %c after %d\n", c, hits >= 3);
	say("%s\n", meets());
}

static void jump_out(int signal)
{
	(void)signal;
	siglongjmp(out, 1);
}

static void jumps(void)
{
	volatile int left = 0;
	char c;

	handle(SIGALRM, jump_out, 0, 0);
	for (volatile int i = 0; i < 200; i++) {
		if (sigsetjmp(out, 1)) {
			left++;
			continue;
		}
		after(300, 0);
		for (;;)
			INLINE3(read, ends[0], &c, 1);
	}
	say("left %d, %s\n", left, meets());
}

/* Everything that a system call keeps, over one call: 0 if so. */
static long registers(void)
{
	long wrong = 0;
#ifdef __x86_64__
	__asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r13\n"
			 "mov $0x4444, %%r14; mov $0x5555, %%r15; mov $0x6666, %%rdi\n"
			 "mov $0x7777, %%rsi; mov $0x8888, %%rdx; mov $0x9999, %%r10\n"
			 "mov $0xaaaa, %%r8; mov $0xbbbb, %%r9\n"
			 "movq %%rbx, %%xmm3; movq %%r9, %%xmm12\n"
			 "movq $0x77, -8(%%rsp); movq $0x78, -64(%%rsp); movq $0x79, -128(%%rsp)\n"
			 "mov $39, %%eax; stc; std\n"
			 "syscall\n"
			 "pushfq; cld; pop %%rcx; and $0x401, %%ecx\n"
			 "cmp $0x401, %%rcx; setne %%cl; movzbl %%cl, %%eax\n"
			 "cmpq $0x78, -64(%%rsp); jne 1f; cmpq $0x79, -128(%%rsp); jne 1f\n"
			 "cmp $0x1111, %%rbx; jne 1f; cmp $0x2222, %%r12; jne 1f\n"
			 "cmp $0x3333, %%r13; jne 1f; cmp $0x4444, %%r14; jne 1f\n"
			 "cmp $0x5555, %%r15; jne 1f; cmp $0x6666, %%rdi; jne 1f\n"
			 "cmp $0x7777, %%rsi; jne 1f; cmp $0x8888, %%rdx; jne 1f\n"
			 "cmp $0x9999, %%r10; jne 1f; cmp $0xaaaa, %%r8; jne 1f\n"
			 "cmp $0xbbbb, %%r9; jne 1f\n"
			 "movq %%xmm3, %%rcx; cmp $0x1111, %%rcx; jne 1f\n"
			 "movq %%xmm12, %%rcx; cmp $0xbbbb, %%rcx; je 2f\n"
			 "1: add $2, %%eax\n"
			 "2:"
			 : "=&a"(wrong)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "xmm3", "xmm12", "memory", "cc");
#endif
	return wrong;
}

static void busy(int signal)
{
	char deep[3000];

	(void)signal;
	hits++;
	memset(deep, hits, sizeof(deep));
	INLINE3(getrandom, deep + 100, 16, 0);
	INLINE1(getpid, 0);
}

static void storm(void)
{
	long wrong = 0, bad = 0;
	char bytes[64];

	handle(SIGALRM, busy, SA_NODEFER, 0);
	after(150, 150);
	for (int i = 0; i < 3000; i++) {
		wrong |= registers();
		bad += INLINE3(getrandom, bytes, sizeof(bytes), 0) != sizeof(bytes);
		bad += INLINE1(getppid, 0) != getppid();
	}
	after(0, 0);
	say("registers %ld, results %ld, hit %d, %s\n", wrong, bad, hits > 0, meets());
}

/* A child stops and continues us while we wait. */
static void stopped(void)
{
	struct timespec t = {0, 300000000};
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	int word = 7, status;
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		for (int i = 0; i < 12; i++) {
			usleep(50000);
			kill(parent, i % 2 ? SIGCONT : SIGSTOP);
		}
		usleep(20000);
		kill(parent, SIGCONT);
		_exit(0);
	}
	prime();
	say("nanosleep %ld\n", INLINE2(nanosleep, &t, NULL));
	say("poll %ld\n", INLINE3(poll, &p, 1, 300));
	say("futex %ld\n", INLINE4(futex, &word, FUTEX_WAIT, 7, &t));
	waitpid(child, &status, 0);
	say("%s\n", meets());
}

static void in_handler(int signal)
{
	say("handler %d: %s", signal, look(7));
	say(" pid %d\n", INLINE1(getpid, 0) == getpid());
}

static void masks(void)
{
	uint64_t all = ~UINT64_C(0), old = 1, now = 1, none = 0;
	sigset_t set;

	say("block %ld", INLINE4(rt_sigprocmask, SIG_SETMASK, &all, &old, 8));
	say(" old %lx\n", (unsigned long)old);
	say("pid %d, look %s\n", INLINE1(getpid, 0) == getpid(), look(3));
	say("ask %ld", INLINE4(rt_sigprocmask, SIG_BLOCK, NULL, &now, 8));
	say(" now %lx\n", (unsigned long)now);
	show_mask("by libc");
	kill(getpid(), SIGUSR1);
	handle(SIGUSR1, in_handler, 0, 1);
	handle(SIGUSR2, in_handler, 0, 0);
	kill(getpid(), SIGUSR2);
	say("pending\n");
	say("unblock %ld\n", INLINE4(rt_sigprocmask, SIG_SETMASK, &none, NULL, 8));
	show_mask("unblocked");
	say("bad how %ld", INLINE4(rt_sigprocmask, 9, &none, NULL, 8));
	say(" size %ld", INLINE4(rt_sigprocmask, 0, &none, NULL, 4));
	say(" set %ld", INLINE4(rt_sigprocmask, 0, 8, NULL, 8));
	say(" old %ld\n", INLINE4(rt_sigprocmask, 0, &none, 8, 8));
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	say("by libc: pid %d, %s\n", INLINE1(getpid, 0) == getpid(), meets());
}

#ifdef __x86_64__
/* A runtime that does without libc: its own handlers, masks and restorer. */
__asm__(".text\nown_restorer:\nmov $15, %eax\nsyscall\n");
extern const char own_restorer[];

static void raw_action(int signal, void (*handler)(int))
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		const void *restorer;
		uint64_t mask;
	} a = {handler, 0x04000000, own_restorer, ~UINT64_C(0)}, old;

	say("sigaction %ld", INLINE4(rt_sigaction, signal, &a, NULL, 8));
	say(" again %ld", INLINE4(rt_sigaction, signal, NULL, &old, 8));
	say(" %d\n", old.handler == handler);
}

static void raw_handlers(void)
{
	prime();
	raw_action(SIGUSR1, in_handler);
	for (int i = 0; i < 3; i++)
		INLINE2(kill, getpid(), SIGUSR1);
	after(0, 0);
	raw_action(SIGALRM, count);
	after(150, 150);
	while (hits < 50)
		INLINE1(getpid, 0);
	after(0, 0);
	say("%s\n", meets());
	raw_action(SIGSEGV, in_handler);
	say("look %s\n", look(2));
}

static void other_gate(void)
{
	long pid;

	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");
	say("int 0x80: %d\n", pid == getpid() || pid == -ENOSYS);
	say("unknown %ld\n", inline6(9999, 0, 0, 0, 0, 0, 0));
	say("negative %ld\n", inline6(-1, 0, 0, 0, 0, 0, 0));
	say("%s\n", look(3));
}
#else
static void raw_handlers(void)
{
}

static void other_gate(void)
{
}
#endif

#ifdef __x86_64__
/* A runtime with stacks of its own leaves no room below them: its handlers run elsewhere. */
static void small_stack(void)
{
	static char room[8192] __attribute__((aligned(4096)));
	char *top = room + 4096 + 64;
	long pid, spoilt = 0;

	memset(room, 'r', sizeof(room));
	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "mov %2, %%rsp\n"
			 "syscall\n"
			 "mov %%rbx, %%rsp"
			 : "=a"(pid)
			 : "a"(SYS_getpid), "r"(top)
			 : "rbx", "rcx", "r11", "memory");
	for (size_t i = 0; i < sizeof(room); i++)
		spoilt += room[i] != 'r';
	say("pid %d, spoilt %ld, look %s\n", pid == getpid(), spoilt, look(9));
}
#else
static void small_stack(void)
{
}
#endif

/* The kernel's old and new queues: what they will use is not known, and was set up unheard. */
static void queues(void)
{
	char parameters[256] = {0};
	int status, ring;
	pid_t pid;

	fflush(NULL);
	pid = fork(); /* has no thread that is enrolled */
	if (pid == 0) {
		ring = (int)INLINE2(io_uring_setup, 4, parameters);
		prime();
		INLINE(io_uring_enter, ring, 0, 0, 0, 0, 0);
		say("fstat %ld, look %s\n", INLINE2(fstat, 1, landed + 8 * 4096), look(12));
		exit(0);
	}
	waitpid(pid, &status, 0);
	show_status("child", status);
	INLINE3(io_submit, 0, 0, NULL);
	say("look %s\n", look(3));
}

/* libc's function that makes any call: what it does to SIGSYS is not to be undone. */
static void by_number(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		const void *restorer;
		uint64_t mask;
	} a = {in_handler, 0, NULL, 0};

	say("sigaction %d\n", outcome((int)syscall(SYS_rt_sigaction, SIGSYS, &a, NULL, 8)));
	say("pid %d, look %s\n", INLINE1(getpid, 0) == getpid(), look(3));
}

static void sigsys(int signal, siginfo_t *info, void *context)
{
	say("SIGSYS %d code %d\n", signal, info->si_code);
#ifdef __x86_64__
	if (info->si_code == 1)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4711;
#endif
}

/* From now on getpgid raises SIGSYS. */
static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	say("filter %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void own_sigsys(void)
{
	struct sigaction a = {.sa_flags = SA_SIGINFO}, old;
	sigset_t set;

	show_action("before", SIGSYS);
	a.sa_sigaction = sigsys;
	sigaction(SIGSYS, &a, &old);
	show_action("mine", SIGSYS);
	kill(getpid(), SIGSYS);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGSYS);
	say("blocked: pid %d\n", INLINE1(getpid, 0) == getpid());
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	say("%s\n", meets());
	filter();
	say("getpgid %ld\n", INLINE1(getpgid, 0));
	say("look %s\n", look(2));
}

static volatile uintptr_t here;
static volatile int found;

static _Unwind_Reason_Code find_here(struct _Unwind_Context *c, void *arg)
{
	(void)arg;
	if ((uintptr_t)_Unwind_FindEnclosingFunction((void *)(_Unwind_GetIP(c) - 1)) == here)
		found++;
	return ++depth < 100 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk(int signal)
{
	(void)signal;
	depth = 0;
	_Unwind_Backtrace(find_here, NULL);
}

/* An unwinder comes from the handler, through the call, to the function that made it. */
static void unwound(void)
{
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	char c;

	here = (uintptr_t)unwound;
	handle(SIGALRM, walk, 0, 0);
	after(20000, 0);
	say("poll %ld", INLINE3(poll, &p, 1, 2000));
	say(" found %d below %d\n", found, depth < 100);
	found = 0;
	after(20000, 0);
	say("read %ld", INLINE3(read, ends[0], &c, 1));
	say(" found %d\n", found);
}

static void cleanup(void *arg)
{
	++*(int *)arg;
}

static void *waits(void *arg)
{
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	pthread_cleanup_push(cleanup, arg);
	for (;;)
		INLINE3(poll, &p, 1, -1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled(void)
{
	int cleaned = 0, ended = 0;
	pthread_t t;
	void *how;

	for (int i = 0; i < 20; i++) {
		if (pthread_create(&t, NULL, waits, &cleaned) != 0)
			abort();
		usleep(i % 3 * 1000);
		pthread_cancel(t);
		pthread_join(t, &how);
		ended += how == PTHREAD_CANCELED;
	}
	say("ended %d, cleanups at most that: %d\n", ended, cleaned <= ended);
	say("%s\n", meets());
}

static void stacks(void)
{
	stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536}, now;

	say("set %ld\n", INLINE2(sigaltstack, &s, NULL));
	say("ask %d", sigaltstack(NULL, &now));
	say(" mine %d\n", now.ss_sp == s.ss_sp);
	handle(SIGUSR1, in_handler, SA_ONSTACK, 0);
	raise(SIGUSR1);
	say("%s\n", meets());
}

/* So many that shunt lets them be: what is landed then, and what is read later, is right. */
static void many(void)
{
	long wrong = 0;

	for (int i = 0; i < 100000; i++)
		wrong += INLINE1(getppid, 0) != getppid();
	say("wrong %ld, fstat %ld, look %s\n", wrong, INLINE2(fstat, 1, landed + 8 * 4096),
	    look(12));
}

/* The CPU's clocks, for which the vDSO makes a call of its own: an event loop asks them each time. */
static void clocks(void)
{
	struct timespec t;
	long wrong = 0;

	for (int i = 0; i < 100000; i++)
		wrong += clock_gettime(i % 2 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID, &t) != 0;
	say("wrong %ld\n", wrong);
	errno = 0;
	wrong = clock_gettime((clockid_t)-1234567, &t);
	say("no clock %ld, errno %d, look %s\n", wrong, errno, look(12));
}

static void dies(void)
{
	show_action("default", SIGSYS);
	kill(getpid(), SIGSYS);
}

/* The highest number that is open: shunt's own, if it has one. */
static int highest(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	int most = 5000;

	while (d && (e = readdir(d)))
		if (atoi(e->d_name) > most)
			most = atoi(e->d_name);
	if (d)
		closedir(d);
	return most;
}

/* Numbers of ours are not there for the program, and make room if it wants one of them. */
static void descriptors(void)
{
	struct rlimit all;
	int own;

	if (getrlimit(RLIMIT_NOFILE, &all) == 0) {
		all.rlim_cur = all.rlim_max;
		setrlimit(RLIMIT_NOFILE, &all);
	}
	prime();
	own = highest();
	say("close %ld", INLINE1(close, own));
	say(" dup2 from %ld\n", INLINE2(dup2, own, 20));
	say("dup2 to %d", INLINE2(dup2, 1, own) == own);
	say(" close %ld\n", INLINE1(close, own));
	say("fstat %ld, look %s, %s\n", INLINE2(fstat, 1, landed + 8 * 4096), look(13), meets());
	prime();
	say("close_range %ld\n", INLINE3(close_range, 1000, ~0u, 0));
	say("look %s\n", look(13));
}

/* A wait with a mask that blocks everything: what is landed is right while it lasts and later. */
static void waits_masked(void)
{
	uint64_t all = ~UINT64_C(0);
	struct timespec t = {0, 1000000};

	say("ppoll %ld\n", INLINE(ppoll, NULL, 0, &t, &all, 8, 0));
	say("look %s, pid %d\n", look(7), INLINE1(getpid, 0) == getpid());
}

/* The default action, and that the signal is ignored makes no difference. */
static void filtered(void)
{
	filter();
	signal(SIGSYS, SIG_IGN);
	say("getpgid %ld\n", INLINE1(getpgid, 0));
}

static void ends_process(void)
{
	INLINE1(exit_group, 7);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"interrupted", interrupted}, {"restarted", restarted}, {"jumps", jumps},
	{"storm", storm}, {"stopped", stopped}, {"masks", masks}, {"raw_handlers", raw_handlers},
	{"other_gate", other_gate}, {"own_sigsys", own_sigsys}, {"unwound", unwound},
	{"cancelled", cancelled}, {"stacks", stacks}, {"many", many}, {"clocks", clocks}, {"dies", dies}, {"filtered", filtered},
	{"descriptors", descriptors}, {"waits_masked", waits_masked},
	{"small_stack", small_stack}, {"queues", queues}, {"by_number", by_number},
	{"ends_process", ends_process},
};

int main(int argc, char **argv)
{
	if (pipe(ends) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
			continue;
		if (argc < 2) {
			puts(cases[i].name);
			continue;
		}
		say("first %s\n", meets());
		cases[i].run();
	}
	return 0;
}
