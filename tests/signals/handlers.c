/* SPDX-License-Identifier: MIT */
/* handlers.c - dispositions are shown as they were set; faults reach the program's own handlers. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "signals.h"

static char *guarded;
static sigjmp_buf out;
static volatile int depth, seen_code;

static void fix(int signal, siginfo_t *info, void *context)
{
	(void)context;
	say("fix: signal %d code %d right place %d\n", signal, info->si_code,
	    (char *)info->si_addr == guarded);
	mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}

static void leave(int signal)
{
	seen_code = seen_code / 100 * 100 + signal;
	siglongjmp(out, 1);
}

static void one_argument(int signal)
{
	say("one argument: %d\n", signal);
	show_mask("in it");
}

static void nested(int signal, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	say("nested: %d depth %d, look %s\n", signal, depth, look(depth));
	if (depth++ < 3)
		raise(signal);
}

static void set(int signal, void (*handler)(int, siginfo_t *, void *), int flags, int full)
{
	struct sigaction a = {.sa_flags = flags | SA_SIGINFO};

	a.sa_sigaction = handler;
	if (full)
		sigfillset(&a.sa_mask);
	sigaction(signal, &a, NULL);
}

static void shown(void)
{
	const int signals[] = {SIGSEGV, SIGBUS, SIGTERM, SIGUSR1, SIGPIPE, SIGCHLD, SIGRTMIN};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		int s = signals[i];

		show_action("at start", s);
		say("signal gave %d\n", signal(s, one_argument) == SIG_DFL);
		show_action("after signal", s);
		say("sysv gave own %d\n", sysv_signal(s, SIG_IGN) == one_argument);
		show_action("after sysv_signal", s);
		set(s, fix, SA_RESTART | SA_NODEFER, 1);
		show_action("after sigaction", s);
		siginterrupt(s, 1);
		show_action("after siginterrupt", s);
		say("signal gave own %d\n", signal(s, one_argument) == (sighandler_t)(void *)fix);
		show_action("signal after siginterrupt", s);
		siginterrupt(s, 0);
		say("sigset %d\n", sigset(s, SIG_HOLD) == one_argument);
		show_mask("held");
		say("sigset again %d\n", sigset(s, SIG_DFL) == SIG_HOLD);
		show_mask("released");
		sigignore(s);
		show_action("after sigignore", s);
		signal(s, SIG_DFL);
		show_action("default again", s);
	}
	errno = 0;
	say("bad: %d", signal(0, SIG_IGN) == SIG_ERR);
	say(" %d", errno);
	say(" %d", sigaction(65, NULL, NULL));
	say(" %d", errno);
	say(" %d", signal(SIGKILL, SIG_IGN) == SIG_ERR);
	say(" %d", errno);
	say(" %d\n", sighold(99));
}

static void faults(void)
{
	guarded = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set(SIGSEGV, fix, 0, 1);
	guarded[0] = 1;
	say("fixed, look %s\n", look(1));
	mprotect(guarded, 4096, PROT_NONE);
	set(SIGSEGV, fix, SA_ONSTACK | SA_NODEFER | (int)SA_RESETHAND, 0);
	guarded[0] = 1;
	show_action("after reset", SIGSEGV);
	mprotect(guarded, 4096, PROT_NONE);
	signal(SIGSEGV, leave);
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(out, 1) == 0)
			guarded[0] = 1;
		else
			seen_code += 100;
	}
	say("left 50 times: %d\n", seen_code);
	show_mask("after siglongjmp");
	signal(SIGBUS, leave);
	if (sigsetjmp(out, 1) == 0)
		raise(SIGBUS);
	say("bus: %d\n", seen_code);
	show_mask("after it");
	sigset_t one;
	sigemptyset(&one);
	sigaddset(&one, SIGSEGV);
	if (sigsetjmp(out, 0) == 0)
		guarded[0] = 1;
	show_mask("after a jump without the mask");
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	signal(SIGSEGV, one_argument);
	raise(SIGSEGV);
	show_mask("after raise");
}

static void *many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++)
		if (landed[i % 16 * 4096] == 0 && i < 0)
			return arg;
	return NULL;
}

static void show_bus(const char *when)
{
	struct sigaction a = {.sa_flags = 0};

	sigaction(SIGBUS, NULL, &a);
	say("%s: SIGBUS default %d flags %x\n", when, a.sa_handler == SIG_DFL, (unsigned)a.sa_flags);
}

/* A process that counted chunks, none of which landed, sets a filter of system calls. */
static void filtered(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = {1, &allow};
	int fd = source_file(), s[2];
	char p[4096];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		abort();
	for (int i = 0; i < 20; i++)
		if (read(fd, p, sizeof(p)) != sizeof(p) || write(s[0], p, sizeof(p)) != sizeof(p) ||
		    recv(s[1], p, sizeof(p), MSG_WAITALL) != sizeof(p))
			abort();
	show_bus("before the filter");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		abort();
	show_bus("behind it");
	say("signal: default %d\n", signal(SIGBUS, one_argument) == SIG_DFL);
	say("signal: own %d\n", signal(SIGBUS, SIG_DFL) == one_argument);
	_exit(0);
}

int main(void)
{
	pthread_t t[8];

	if (fork() == 0)
		filtered();
	wait(NULL);
	shown();
	prime();
	shown();
	say("look %s\n", look(0));
	set(SIGUSR1, nested, SA_NODEFER, 0);
	prime();
	raise(SIGUSR1);
	set(SIGUSR2, nested, SA_NODEFER, 1);
	depth = 3;
	prime();
	raise(SIGUSR2);
	prime();
	faults();
	prime();
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, many, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	say("end, look %s\n", look(9));
	return 0;
}
