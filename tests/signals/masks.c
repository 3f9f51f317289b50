/* SPDX-License-Identifier: MIT */
/*
 * masks.c - a program may block SIGSEGV, sees it blocked, and can look at its buffers all the same.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <ucontext.h>

#include "signals.h"

static volatile int got;

static void handler(int signal)
{
	got = signal;
	if (signal == SIGALRM) /* what was landed before the call was filled before it slept */
		prime();
	say("handler %d, look %s\n", signal, look(signal));
}

static sigset_t only(int a, int b)
{
	sigset_t s;

	sigemptyset(&s);
	if (a)
		sigaddset(&s, a);
	if (b)
		sigaddset(&s, b);
	return s;
}

static void show_pending(const char *what)
{
	sigset_t p;

	sigpending(&p);
	say("%s: pending", what);
	for (int s = 1; s < 65; s++)
		if (sigismember(&p, s) == 1)
			say(" %d", s);
	say("\n");
}

static void sent(void)
{
	sigset_t seg = only(SIGSEGV, SIGBUS), none = only(0, 0);
	siginfo_t info;
	struct timespec now = {0, 0};
	int which;

	signal(SIGSEGV, handler);
	signal(SIGBUS, handler);
	sigprocmask(SIG_BLOCK, &seg, NULL);
	got = 0;
	raise(SIGSEGV);
	raise(SIGBUS);
	show_pending("raised");
	say("got %d\n", got);
	sigprocmask(SIG_SETMASK, &none, NULL);
	say("unblocked: got %d\n", got != 0);
	show_pending("after");
	sigprocmask(SIG_BLOCK, &seg, NULL);
	raise(SIGSEGV);
	say("sigtimedwait %d", outcome(sigtimedwait(&seg, &info, &now)));
	say(" code %d mine %d\n", info.si_code, info.si_pid == getpid());
	say("none left %d\n", outcome(sigtimedwait(&seg, &info, &now)));
	raise(SIGBUS);
	sigwait(&seg, &which);
	say("sigwait %d\n", which);
	raise(SIGSEGV);
	signal(SIGSEGV, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &seg, NULL);
	say("ignored\n");
	raise(SIGSEGV);
	say("ignored again\n");
	signal(SIGSEGV, handler);
	sigprocmask(SIG_BLOCK, &seg, NULL);
	raise(SIGSEGV);
	say("sigsuspend %d\n", outcome(sigsuspend(&none)));
	show_mask("after sigsuspend");
	sigprocmask(SIG_UNBLOCK, &seg, NULL);
}

/* The handler runs under the mask that the call was given: all but the alarm. */
static void waits(void)
{
	struct pollfd none = {.fd = -1};
	struct epoll_event event;
	struct timespec long_time = {5, 0};
	int e = epoll_create1(0), ret;
	sigset_t full, alarm_only;

	signal(SIGALRM, handler);
	sigfillset(&full);
	sigdelset(&full, SIGALRM);
	alarm_only = only(SIGALRM, 0);
	for (int i = 0; i < 5; i++) {
		prime();
		sigprocmask(SIG_BLOCK, &alarm_only, NULL);
		raise(SIGALRM);
		errno = 0;
		ret = i == 0 ? ppoll(&none, 1, &long_time, &full) :
		      i == 1 ? pselect(0, NULL, NULL, NULL, &long_time, &full) :
		      i == 2 ? epoll_pwait(e, &event, 1, 5000, &full) :
		      i == 3 ? epoll_pwait2(e, &event, 1, &long_time, &full) : sigsuspend(&full);
		say("wait %d: %d errno %d, look %s\n", i, ret, errno, look(i));
		show_mask("after");
		sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	}
	close(e);
}

static void *inherits(void *what)
{
	show_mask(what);
	say("thread: look %s\n", look(3));
	return NULL;
}

static void threads(void)
{
	pthread_attr_t attr;
	sigset_t full, seg = only(SIGSEGV, SIGUSR1), old;
	pthread_t t;

	sigfillset(&full);
	pthread_sigmask(SIG_SETMASK, &full, &old);
	prime();
	show_mask("full");
	say("blocked: look %s\n", look(2));
	prime();
	pthread_create(&t, NULL, inherits, "inherited");
	pthread_join(t, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	show_mask("back");
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &seg);
	prime();
	pthread_create(&t, &attr, inherits, "from attributes");
	pthread_join(t, NULL);
	pthread_attr_destroy(&attr);
	say("bsd: %x", sigblock(1 << (SIGSEGV - 1) | 1 << (SIGUSR1 - 1)));
	say(" %x", siggetmask());
	say(" %x\n", sigsetmask(0));
	say("bad how: %d", pthread_sigmask(77, &seg, NULL));
	say(" %d\n", outcome(sigprocmask(77, &seg, NULL)));
}

static ucontext_t here, there;

static void routine(void)
{
	say("in the other context, look %s\n", look(7));
	setcontext(&here);
}

static void contexts(void)
{
	static char stack[64 * 1024];

	prime();
	getcontext(&there);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = NULL;
	sigfillset(&there.uc_sigmask);
	makecontext(&there, routine, 0);
	swapcontext(&here, &there);
	say("and back, look %s\n", look(8));
	sigset_t none = only(0, 0);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(void)
{
	errno = 0;
	prime();
	sent();
	waits();
	threads();
	contexts();
	say("end\n");
	return 0;
}
