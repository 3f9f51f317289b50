/* SPDX-License-Identifier: MIT */
/*
 * test_sig.c - virtual dispositions, masks and stacks, and the records of threads,
 * without the hooks: sig.c, sig_mask.c, sig_stack.c and thread.c over the real kernel.
 */
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "fault.h"
#include "guard.h"
#include "hook.h"
#include "landing.h"
#include "prim.h"
#include "report.h"
#include "sig.h"
#include "stats.h"
#include "thread.h"

/* ---- doubles ---- */

#define HOOK(ret, name, params, args, class) ret(*real_##name) params;
#define HOOK_OPEN(ret, name, params, args, open) ret(*real_##name) params;
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN

struct config config;
_Atomic unsigned char shunt_state = SHUNT_LIVE;
size_t shunt_page = 4096;
_Atomic int landing_armed;
__thread unsigned long prim_calls __attribute__((tls_model("initial-exec")));
uint64_t prim_critical = ~UINT64_C(0);
_Atomic signed char filter_answer;
static uint64_t caught;
static bool caught_known;

bool filter_caught(uint64_t *signals)
{
	*signals = caught;
	return caught_known;
}
__thread struct lock_thread lock_thread;

static char *ours; /* a page that stands for a landing */
static int ended, report_fd;

_Atomic bool guard_on;

void guard_misses(void)
{
}

void guard_forked(void)
{
}

void guard_enrol(void)
{
}

bool guard_leave(void)
{
	return false;
}

void pipes_rest(void)
{
}

void hook_resolve(void)
{
	real_sigaction = sigaction;
	real_sigprocmask = sigprocmask;
}

void hook_find(void **real, const char *name)
{
	hook_resolve();
}

void stats_end(enum stats_ended what, int signal)
{
	ended = what == STATS_SIGNAL ? signal : -1;
}

void report_at_end(void)
{
	if (write(report_fd, "report", 6) < 0)
		ended = -1;
}

bool landing_touches(const void *p, size_t n)
{
	return p && n && false;
}

void landing_open_slow(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

void writers_before_thread(void)
{
}

void landing_open_all(void)
{
}

bool host_keeps_room(void)
{
	return false;
}

void fault_handler(int signal, siginfo_t *info, void *context)
{
	if (info->si_code > 0 && ours && (char *)info->si_addr == ours)
		mprotect(ours, 4096, PROT_READ | PROT_WRITE);
	else if (signal != SIGBUS || !sig_defer(signal, info, context))
		sig_chain(signal, info, context);
}

/* ---- each test in a process of its own: dispositions do not come back ---- */

static int in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (int s = 1; s < 32; s++) /* cmocka has handlers of its own */
			signal(s, SIG_DFL);
		body();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what))                                                                      \
			_exit(__LINE__ % 250 + 1);                                                \
	} while (0)

static void start(void)
{
	hook_resolve();
	thread_init();
	sig_init();
}

static volatile int got;

static void handler(int signal)
{
	got = signal;
}

static struct kernel {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
} asked;

static struct kernel *kernel(int signal)
{
	PRIM4(SYS_rt_sigaction, signal, NULL, &asked, sizeof(uint64_t));
	return &asked;
}

static void masks_of_handlers(void)
{
	struct sigaction a = {.sa_flags = SA_RESTART}, old;

	start();
	CHECK(!sig_handlers_exist());
	a.sa_handler = handler;
	sigfillset(&a.sa_mask);
	CHECK(sig_action(SIGUSR1, &a, &old) == 0 && old.sa_handler == SIG_DFL);
	CHECK(sig_handlers_exist());
	CHECK(!(kernel(SIGUSR1)->mask & SIG_FAULTS));
	CHECK(sig_action(SIGUSR1, NULL, &old) == 0 && old.sa_handler == handler);
	CHECK((sig_bits(&old.sa_mask) & SIG_FAULTS) == SIG_FAULTS);
	sigemptyset(&a.sa_mask);
	CHECK(sig_action(SIGUSR1, &a, &old) == 0 && sig_bits(&old.sa_mask) & SIG_FAULTS);
	CHECK(sig_action(SIGUSR1, NULL, &old) == 0 && !(sig_bits(&old.sa_mask) & SIG_FAULTS));
}

/*
 * Where signals are held back the counters may still fault: so SIGBUS is let through,
 * and one that is sent waits. Without our handler in front it is held back too.
 */
static void sent_while_critical(void)
{
	struct sigaction a = {.sa_flags = 0};
	siginfo_t info = {.si_code = BUS_ADRERR};
	uint64_t mask;

	start();
	a.sa_handler = handler;
	CHECK(sig_action(SIGBUS, &a, NULL) == 0);
	for (int owned = 0; owned < 2; owned++) {
		got = 0;
		prim_signals_block(&mask);
		CHECK(prim_tgkill(getpid(), prim_gettid(), SIGBUS) == 0 && got == 0);
		prim_signals_restore(&mask);
		CHECK(got == SIGBUS);
		CHECK(sig_own_faults());
	}
	prim_signals_block(&mask);
	ours = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	info.si_addr = ours; /* as if the page could not be had; it kills where it is blocked */
	info.si_signo = SIGBUS;
	got = 0;
	CHECK(PRIM4(SYS_rt_tgsigqueueinfo, getpid(), prim_gettid(), SIGBUS, &info) == 0);
	CHECK(got == 0 && *(volatile char *)ours == 0);
	prim_signals_restore(&mask);
	CHECK(got == 0);
}

static volatile int calls;

static void count(int signal)
{
	got = signal;
	calls++;
}

/*
 * A handler that comes under a lock waits until it is let go of, all others with it; also one
 * that may interrupt itself, and would do so as soon as the signal is sent again.
 */
static void waits_under_lock(int flags)
{
	struct sigaction a = {.sa_flags = flags};
	uint64_t mask, none = 0;

	start();
	a.sa_handler = count;
	CHECK(sig_action(SIGUSR1, &a, NULL) == 0 && sig_action(SIGUSR2, &a, NULL) == 0);
	prim_sigprocmask(SIG_SETMASK, &none, NULL);
	lock_thread.depth++;
	raise(SIGUSR1);
	CHECK(calls == 0 && lock_thread.late && lock_thread.mask == 0);
	prim_sigprocmask(SIG_BLOCK, &none, &mask);
	CHECK(mask & sig_bit(SIGUSR1) && mask & sig_bit(SIGUSR2));
	raise(SIGUSR2);
	lock_thread.depth--;
	mask = lock_thread.mask;
	prim_signals_restore(&mask); /* which is what lock_late does */
	CHECK(calls == 2);
	prim_sigprocmask(SIG_BLOCK, &none, &mask);
	CHECK(mask == 0);
}

static void nodefer_waits(void)
{
	waits_under_lock(SA_NODEFER);
}

static void handler_waits(void)
{
	waits_under_lock(0);
}

static void faults_are_ours(void)
{
	struct sigaction a = {.sa_flags = SA_NODEFER}, before, shown;

	start();
	a.sa_handler = handler;
	CHECK(sig_action(SIGSEGV, &a, NULL) == 0);
	CHECK(kernel(SIGSEGV)->handler == (void *)handler);
	CHECK(sig_action(SIGSEGV, NULL, &before) == 0);
	CHECK(sig_own_faults() && sig_faults_owned());
	CHECK(kernel(SIGSEGV)->handler == (void *)fault_handler && kernel(SIGSEGV)->flags & SA_ONSTACK);
	CHECK(sig_action(SIGSEGV, NULL, &shown) == 0);
	CHECK(shown.sa_handler == before.sa_handler && shown.sa_flags == before.sa_flags);
	CHECK(sig_action(SIGSEGV, &a, &shown) == 0 && sig_action(SIGSEGV, NULL, &shown) == 0);
	CHECK(shown.sa_flags == before.sa_flags && shown.sa_restorer == before.sa_restorer);
	CHECK(kernel(SIGSEGV)->handler == (void *)fault_handler);
	ours = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*(volatile char *)ours = 1;
	CHECK(got == 0);
	raise(SIGSEGV);
	CHECK(got == SIGSEGV);
}

/* The counters want SIGBUS alone, and nothing is asked of each signal for it. */
static void bus_alone(void)
{
	struct sigaction a = {.sa_flags = 0};

	start();
	a.sa_handler = handler;
	CHECK(sig_action(SIGUSR1, &a, NULL) == 0);
	caught_known = true;
	caught = sig_bit(SIGUSR1) | sig_bit(32);
	errno = EXFULL;
	CHECK(sig_own_bus() && !sig_faults_owned() && errno == EXFULL);
	CHECK(kernel(SIGBUS)->handler == (void *)fault_handler && !kernel(SIGSEGV)->handler);
	CHECK(sig_must & SIG_MUST_LEARN && !(prim_critical & sig_bit(SIGBUS)));
	CHECK(sig_own_faults() && sig_faults_owned() && !(sig_must & SIG_MUST_LEARN));
	CHECK(kernel(SIGSEGV)->handler == (void *)fault_handler);
}

/* A handler of before us may have SIGBUS in its mask: that is put in order first. */
static void bus_in_a_mask(void)
{
	struct sigaction a = {.sa_flags = 0};

	a.sa_handler = handler;
	sigfillset(&a.sa_mask);
	sigaction(SIGUSR2, &a, NULL);
	start();
	caught_known = true;
	caught = sig_bit(SIGUSR2);
	CHECK(sig_own_bus() && sig_faults_owned() && !(kernel(SIGUSR2)->mask & SIG_FAULTS));
}

static void bus_unknown(void)
{
	start();
	CHECK(sig_own_bus() && sig_faults_owned());
}

static void blocked_and_sent(void)
{
	sigset_t set, old;
	siginfo_t info;

	start();
	signal(SIGSEGV, handler);
	CHECK(sig_own_faults());
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	CHECK(sig_mask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(sig_mask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGSEGV));
	sigprocmask(SIG_BLOCK, NULL, &old);
	CHECK(!sigismember(&old, SIGSEGV));
	raise(SIGSEGV);
	CHECK(got == 0 && sig_pending() == sig_bit(SIGSEGV));
	CHECK(sig_mask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(got == SIGSEGV && sig_pending() == 0);
	CHECK(sig_mask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGSEGV);
	CHECK(sig_take_pending(&set, &info) == SIGSEGV && info.si_code == SI_TKILL);
	CHECK(sig_take_pending(&set, &info) == 0);
	CHECK(sig_mask(77, &set, NULL) == EINVAL);
	CHECK(sig_mask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGSEGV));
}

static void lent(void)
{
	sigset_t full, inner, none;
	uint64_t before;

	start();
	signal(SIGSEGV, handler);
	CHECK(sig_own_faults());
	sigfillset(&full);
	sigemptyset(&none);
	CHECK(sig_lend(&full, &inner, &before) && !(sig_bits(&inner) & SIG_FAULTS));
	CHECK(thread_self()->masked == SIG_FAULTS);
	raise(SIGSEGV);
	CHECK(got == 0);
	sig_take_back(before);
	CHECK(thread_self()->masked == 0);
	CHECK(!sig_lend(&none, &inner, &before) && got == SIGSEGV);
	CHECK(sig_lend(&full, &inner, &before));
	sig_jump(false, &none);
	CHECK(thread_self()->masked == SIG_FAULTS);
	sig_jump(true, &none);
	CHECK(thread_self()->masked == 0);
}

static void ending_default(void)
{
	struct sigaction a, before;

	strcpy(config.report, "somewhere");
	sigaction(SIGTERM, NULL, &before);
	start();
	CHECK(kernel(SIGTERM)->handler != (void *)SIG_DFL);
	CHECK(sig_action(SIGTERM, NULL, &a) == 0 && a.sa_handler == SIG_DFL);
	CHECK(a.sa_flags == before.sa_flags);
	CHECK(sig_pipe_disposition() == SIG_DFL && !sig_handlers_exist());
	a.sa_handler = SIG_IGN;
	CHECK(sig_action(SIGTERM, &a, NULL) == 0 && kernel(SIGTERM)->handler == (void *)SIG_IGN);
	a.sa_handler = SIG_DFL;
	CHECK(sig_action(SIGTERM, &a, NULL) == 0 && kernel(SIGTERM)->handler != (void *)SIG_DFL);
	raise(SIGTERM);
	_exit(99);
}

static void ending_without_report(void)
{
	strcpy(config.report, "none");
	start();
	CHECK(kernel(SIGTERM)->handler == (void *)SIG_DFL);
}

static void ending_ignored(void)
{
	struct sigaction a;

	strcpy(config.report, "somewhere");
	signal(SIGPIPE, SIG_IGN);
	start();
	CHECK(kernel(SIGPIPE)->handler == (void *)SIG_IGN && sig_pipe_disposition() == SIG_IGN);
	a.sa_flags = 0;
	a.sa_handler = handler;
	sigemptyset(&a.sa_mask);
	CHECK(sig_action(SIGPIPE, &a, NULL) == 0 && sig_pipe_disposition() == handler);
}

/* Under a sanitizer too it is to be the kernel that finds it. */
__attribute__((no_sanitize("undefined"), no_sanitize("address"))) static void real_crash(void)
{
	start();
	CHECK(sig_own_faults());
	*(volatile char *)(intptr_t)ended = 1;
}

static void stacks(void)
{
	stack_t set = {.ss_sp = malloc(65536), .ss_size = 65536}, off = {.ss_flags = SS_DISABLE};
	stack_t shown, real, small = {.ss_sp = set.ss_sp, .ss_size = 8192};
	struct thread *t;

	start();
	t = thread_self();
	CHECK(thread_set_stack(t, NULL, &shown) == 0 && shown.ss_flags == SS_DISABLE);
	thread_alternate_stack();
	sigaltstack(NULL, &real);
	CHECK(!(real.ss_flags & SS_DISABLE) && real.ss_sp == t->alternate_stack);
	CHECK(thread_set_stack(t, NULL, &shown) == 0 && shown.ss_flags == SS_DISABLE);
	CHECK(thread_set_stack(t, &set, NULL) == 0);
	sigaltstack(NULL, &real);
	CHECK(real.ss_sp == set.ss_sp && real.ss_size == 65536);
	CHECK(thread_set_stack(t, &off, &shown) == 0 && shown.ss_sp == set.ss_sp);
	sigaltstack(NULL, &real);
	CHECK(real.ss_sp == t->alternate_stack);
	CHECK(thread_set_stack(t, &small, NULL) == 0 && thread_set_stack(t, NULL, &shown) == 0);
	CHECK(shown.ss_sp == small.ss_sp && shown.ss_size == 8192);
	sigaltstack(NULL, &real);
	CHECK(real.ss_sp == t->alternate_stack);
	small.ss_size = 100;
	CHECK(thread_set_stack(t, &small, NULL) == -1 && errno == ENOMEM);
}

static int in_handler = -1;

static void asks(int signal)
{
	(void)signal;
	in_handler = sig_in_handler();
}

static void handler_on_stack(void)
{
	struct sigaction a = {.sa_flags = 0};

	start();
	CHECK(!sig_in_handler());
	a.sa_handler = asks;
	CHECK(sig_action(SIGUSR2, &a, NULL) == 0);
#if defined(__x86_64__)
	CHECK(!sig_in_handler());
#endif
	raise(SIGUSR2);
	CHECK(in_handler == 1);
}

static _Atomic int stage;
static struct thread *seen;

static void *thread_body(void *arg)
{
	char here;

	seen = thread_self();
	CHECK(thread_stack_overlaps((uintptr_t)&here, (uintptr_t)&here + 1));
	CHECK(seen->stack_lo < (uintptr_t)&here && (uintptr_t)&here < seen->stack_hi);
	CHECK(seen->tid == gettid() && seen->masked == sig_bit(SIGBUS));
	stage = 1;
	return arg;
}

static void births(void)
{
	struct thread *first = NULL;
	pthread_t t;
	sigset_t set;
	void *result;
	char here;

	start();
	CHECK(thread_single());
	CHECK(thread_stack_overlaps((uintptr_t)&here, (uintptr_t)&here + 1));
	CHECK(!thread_stack_overlaps((uintptr_t)&stage, (uintptr_t)&stage + 1));
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sig_mask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 500; i++) {
		CHECK(thread_create(&t, NULL, thread_body, &stage, pthread_create) == 0);
		pthread_join(t, &result);
		CHECK(result == &stage && seen->tid == 0 && seen->stack_hi == 0);
		if (i == 1) /* the first had a block of records made, of which it is one */
			first = seen;
		CHECK(i == 0 || seen == first); /* the record is used again */
	}
	thread_note_clone();
	CHECK(!thread_single());
}

static void no_thread_left(void)
{
	struct thread *t;
	int n = 0;

	start();
	thread_forked();
	for (t = thread_list(); t; t = t->next)
		n += t->tid != 0;
	CHECK(n == 1 && thread_self()->tid == gettid());
}

#ifdef __x86_64__

enum { NO_THREAD = 0x3ffffff0 };
static struct thread *reused;

/* While it is asked whether the thread is there, another takes its record, and sends. */
static void take_record(int signal, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	r[REG_RAX] = r[REG_RSI] == NO_THREAD ? -ESRCH : 0;
	if (r[REG_RAX] == 0)
		return;
	atomic_store(&reused->tid, gettid());
	atomic_store(&reused->hazard[0], 7);
}

static void trap_questions(void)
{
	struct sigaction a = { .sa_sigaction = take_record, .sa_flags = SA_SIGINFO };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	CHECK(sigaction(SIGSYS, &a, NULL) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

static int make_none(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *),
		     void *argument)
{
	(void)thread, (void)attributes, (void)begin, (void)argument;
	return EAGAIN;
}

static void reaped_too_late(void)
{
	pthread_t thread;

	start();
	CHECK(thread_create(&thread, NULL, NULL, NULL, make_none) == EAGAIN);
	for (struct thread *t = thread_list(); t; t = t->next)
		if (t != thread_self()) {
			reused = t;
			atomic_store(&t->tid, gettid());
		}
	CHECK(reused != NULL);
	trap_questions();
	atomic_store(&reused->tid, NO_THREAD);
	CHECK(thread_create(&thread, NULL, NULL, NULL, make_none) == EAGAIN);
	CHECK(reused->tid == gettid() && reused->hazard[0] == 7);
}

#else

static void reaped_too_late(void)
{
}

#endif

/* ---- the tests ---- */

#define FINE(body)                                                                                \
	static void test_##body(void **state)                                                     \
	{                                                                                         \
		(void)state;                                                                      \
		assert_int_equal(in_child(body), 0);                                              \
	}

FINE(masks_of_handlers)
FINE(faults_are_ours)
FINE(handler_waits)
FINE(nodefer_waits)
FINE(blocked_and_sent)
FINE(lent)
FINE(ending_without_report)
FINE(ending_ignored)
FINE(stacks)
FINE(handler_on_stack)
FINE(births)
FINE(no_thread_left)
FINE(reaped_too_late)

static void test_ending_default(void **state)
{
	char text[16] = "";
	int p[2], status;

	(void)state;
	assert_int_equal(pipe(p), 0);
	report_fd = p[1];
	status = in_child(ending_default);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_int_equal(read(p[0], text, sizeof(text)), 6);
	assert_string_equal(text, "report");
}

static void test_sent_while_critical(void **state)
{
	(void)state;
	assert_int_equal(in_child(sent_while_critical), 0);
}

static void test_bus_alone(void **state)
{
	(void)state;
	assert_int_equal(in_child(bus_alone), 0);
}

static void test_bus_in_a_mask(void **state)
{
	(void)state;
	assert_int_equal(in_child(bus_in_a_mask), 0);
}

static void test_bus_unknown(void **state)
{
	(void)state;
	assert_int_equal(in_child(bus_unknown), 0);
}

static void test_real_crash(void **state)
{
	int status = in_child(real_crash);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks_of_handlers), cmocka_unit_test(test_faults_are_ours),
		cmocka_unit_test(test_blocked_and_sent), cmocka_unit_test(test_lent),
		cmocka_unit_test(test_ending_default), cmocka_unit_test(test_ending_without_report),
		cmocka_unit_test(test_ending_ignored), cmocka_unit_test(test_real_crash),
		cmocka_unit_test(test_sent_while_critical),
		cmocka_unit_test(test_bus_alone), cmocka_unit_test(test_bus_in_a_mask),
		cmocka_unit_test(test_bus_unknown),
		cmocka_unit_test(test_handler_waits), cmocka_unit_test(test_nodefer_waits),
		cmocka_unit_test(test_stacks), cmocka_unit_test(test_handler_on_stack),
		cmocka_unit_test(test_births), cmocka_unit_test(test_no_thread_left),
		cmocka_unit_test(test_reaped_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
