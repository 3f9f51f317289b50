/* SPDX-License-Identifier: MIT */
/* op_action.c - handlers with every flag, masks and what waits behind them; a look in each. */
#include "vm.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static struct {
	const char *p; /* of a buffer */
	size_t n;
	volatile long seen, order, nested;
} act;

static void note(int signal)
{
	int saved = errno;

	act.seen++;
	act.order = act.order * 31 + signal + (long)(fuzz_hash(act.p, act.n) & 0xffff);
	errno = saved;
}

static void handle(int signal)
{
	note(signal);
	if (act.nested-- > 0)
		raise(signal);
}

static void handle_informed(int signal, siginfo_t *info, void *context)
{
	note(signal);
	act.order += info->si_value.sival_int * 7 + info->si_code + (context == NULL);
}

static void set(int signal, int flags, bool all_blocked)
{
	struct sigaction action = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = handle_informed;
	else
		action.sa_handler = handle;
	if (all_blocked)
		sigfillset(&action.sa_mask);
	SAY("sigaction", sigaction(signal, &action, NULL));
}

static void say_action(int signal)
{
	struct sigaction action;

	sigaction(signal, NULL, &action);
	SAY("action", action.sa_handler == SIG_DFL, action.sa_handler == SIG_IGN,
	    action.sa_flags & ~0x04000000, sigismember(&action.sa_mask, SIGSEGV),
	    sigismember(&action.sa_mask, SIGUSR2));
}

static sigset_t only(int signal)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, signal);
	return s;
}

/* One that is blocked and pending, and a call that lets it in for its length. */
static void let_in(int how)
{
	sigset_t one = only(SIGUSR2), none, pending;
	struct timespec t = { 5, 0 };
	struct epoll_event event;
	int ret = 0, epoll;

	sigemptyset(&none);
	set(SIGUSR2, SA_RESTART, false);
	sigprocmask(SIG_BLOCK, &one, NULL);
	raise(SIGUSR2);
	sigpending(&pending);
	SAY("pending", sigismember(&pending, SIGUSR2), sigismember(&pending, SIGSEGV), act.seen);
	errno = NO_ERROR;
	if (how == 0)
		ret = sigsuspend(&none);
	else if (how == 1)
		ret = ppoll(NULL, 0, &t, &none);
	else if (how == 2)
		ret = pselect(0, NULL, NULL, NULL, &t, &none);
	else if (how == 3) {
		epoll = epoll_create1(0);
		ret = epoll_pwait(epoll, &event, 1, 5000, &none);
		close(epoll);
	}
	SAY("let in", ret, ret < 0 ? errno : 0, act.seen);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

/* Three of one number, in real time, wait in a row. */
static void queued(int signal)
{
	sigset_t one = only(signal);

	set(signal, SA_SIGINFO, false);
	sigprocmask(SIG_BLOCK, &one, NULL);
	for (int i = 1; i < 4; i++)
		SAY("sigqueue", sigqueue(getpid(), signal, (union sigval){ .sival_int = i }));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void taken(int signal, bool by_number)
{
	struct timespec t = { 5, 0 };
	sigset_t one = only(signal);
	struct signalfd_siginfo told = { 0 };
	siginfo_t info = { 0 };
	int fd, ret;

	sigprocmask(SIG_BLOCK, &one, NULL);
	raise(signal);
	if (by_number) {
		fd = signalfd(-1, &one, 0);
		ret = (int)read(fd, &told, sizeof(told));
		close(fd);
		SAY("told", ret, told.ssi_signo, told.ssi_code);
	} else {
		ret = sigtimedwait(&one, &info, &t);
		SAY("taken", ret, info.si_signo, info.si_code);
	}
	sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void of_children(int flags)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = flags | SA_RESTART };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	int status = 0, ret;
	pid_t pid;

	sigaction(SIGCHLD, &action, NULL);
	pid = fork();
	if (pid == 0)
		_exit(3);
	ret = waitpid(pid, &status, 0);
	SAY("child", ret == pid, ret < 0 ? errno : 0, status);
	sigaction(SIGCHLD, &plain, NULL);
	act.seen = act.order = 0; /* another child may have ended meanwhile */
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void by_old_names(void)
{
	SAY("signal", signal(SIGUSR2, handle) == SIG_ERR, siginterrupt(SIGUSR2, 1));
	say_action(SIGUSR2);
	SAY("sigset", sigset(SIGUSR2, SIG_HOLD) == handle, raise(SIGUSR2), act.seen);
	SAY("sigset", sigset(SIGUSR2, handle) == SIG_HOLD, act.seen);
	SAY("sighold", sighold(SIGUSR2), raise(SIGUSR2), act.seen, sigrelse(SIGUSR2), act.seen);
	SAY("sigignore", sigignore(SIGUSR2), raise(SIGUSR2), act.seen);
}

static void on_other_stack(int flags)
{
	static char stack[65536];
	stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = flags }, old;
	stack_t off = { .ss_flags = SS_DISABLE }, tiny = { .ss_sp = stack, .ss_size = 10 };

	errno = NO_ERROR;
	SAY("tiny", sigaltstack(&tiny, NULL), errno);
	SAY("stack", sigaltstack(&other, NULL));
	set(SIGUSR2, SA_ONSTACK, true);
	raise(SIGUSR2);
	SAY("old", sigaltstack(&off, &old), old.ss_sp == stack, old.ss_flags, (long)old.ss_size);
}

static void by_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec soon = { { 0, 0 }, { 0, 500000 } };
	long until = now_ms() + 3000;
	timer_t timer;

	set(SIGUSR2, SA_RESTART, true);
	SAY("timer", timer_create(CLOCK_MONOTONIC, &event, &timer),
	    timer_settime(timer, 0, &soon, NULL));
	while (!act.seen && now_ms() < until)
		continue;
	timer_delete(timer);
}

static void act_as(int how)
{
	sigset_t one;

	switch (how) {
	case 0:
	case 1:
	case 2:
	case 3:
		return let_in(how);
	case 4:
	case 5:
		return queued(how == 4 ? SIGRTMIN + 3 : SIGUSR2);
	case 6:
	case 7:
		return taken(SIGUSR2, how == 7);
	case 8:
		return of_children(SA_NOCLDSTOP);
	case 9:
		if (!vm.children) /* they would go, too */
			of_children(SA_NOCLDWAIT);
		return;
	case 10:
		return by_old_names();
	case 11:
	case 12:
		return on_other_stack(how == 12 ? (int)(1u << 31) : 0); /* SS_AUTODISARM */
	case 13:
		return by_timer();
	case 14:
		act.nested = 3;
		set(SIGUSR2, SA_NODEFER, false);
		raise(SIGUSR2);
		break;
	case 15:
		set(SIGUSR2, (int)SA_RESETHAND, false);
		raise(SIGUSR2);
		say_action(SIGUSR2);
		break;
	case 16:
		set(SIGUSR2, SA_SIGINFO | SA_NODEFER, true);
		pthread_kill(pthread_self(), SIGUSR2);
		say_action(SIGUSR2);
		break;
	case 17:
		set(SIGKILL, 0, false);
		set(0, 0, false);
		set(65, 0, false);
		set(32, 0, false);
		break;
	case 18:
		one = only(SIGUSR2);
		SAY("mask", sigprocmask(77, &one, NULL), errno, pthread_sigmask(SIG_BLOCK, NULL, &one));
		break;
	default: /* faults that nobody had: sent */
		set(how == 19 ? SIGSEGV : how == 20 ? SIGBUS : how == 21 ? SIGSYS : SIGTRAP, SA_SIGINFO,
		    how & 1);
		raise(how == 19 ? SIGSEGV : how == 20 ? SIGBUS : how == 21 ? SIGSYS : SIGTRAP);
		say_action(how == 19 ? SIGSEGV : how == 20 ? SIGBUS : SIGSYS);
	}
}

/* N bytes of B are looked at in the handler. how: see act_as; from 23 on without a look */
int op_action(const struct op *op)
{
	int n = op->a[2], how = (int)((unsigned)op->a[3] % 46);
	static const int used[] = { SIGUSR2, SIGSEGV, SIGBUS, SIGSYS, SIGTRAP };
	struct sigaction before[5];
	sigset_t mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (vm.timer || vm.depth > 1 || sigismember(&mask, SIGUSR2) || sigismember(&mask, SIGCHLD))
		return 0;
	act.p = piece_defined(op->a[0], op->a[1], &n);
	act.n = how < 23 ? (size_t)n : 0;
	act.seen = act.order = act.nested = 0;
	for (int i = 0; i < 5; i++)
		sigaction(used[i], NULL, &before[i]);
	act_as(how % 23);
	SAY("acted", act.seen, act.order);
	for (int i = 0; i < 5; i++)
		sigaction(used[i], &before[i], NULL);
	return 0;
}
