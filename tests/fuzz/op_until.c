/* SPDX-License-Identifier: MIT */
/* op_until.c - calls that wait until a signal comes, or a time is over. */
#include "vm.h"

#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/* Signals come each 4 ms; the third brings what is waited for, where the call goes on. */
enum { EVERY_US = 4000, LAST = 3, LONG_S = 20 };

static struct {
	volatile int seen;
	int end[2]; /* a pipe */
	sem_t sem;
	sigset_t none;
} until;

static void handle(int signal)
{
	int saved = errno;

	(void)signal;
	if (++until.seen == LAST) {
		sem_post(&until.sem);
		if (write(until.end[1], "u", 1) != 1)
			_exit(95);
	}
	errno = saved;
}

static void begin(int flags)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = flags };
	struct itimerval every = { { 0, EVERY_US }, { 0, EVERY_US } };

	until.seen = 0;
	sigemptyset(&until.none);
	if (pipe(until.end) < 0)
		_exit(95);
	sem_init(&until.sem, 0, 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void stop(void)
{
	static const struct itimerval off;
	struct sigaction ignored = { .sa_handler = SIG_IGN };

	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &ignored, NULL);
	close(until.end[0]);
	close(until.end[1]);
	sem_destroy(&until.sem);
}

/* These end with the first signal, whatever its flags. */
static long wait_interrupted(int how)
{
	struct timespec t = { LONG_S, 0 }, rest = { 0, 0 };
	struct timeval v = { LONG_S, 0 };
	struct pollfd in = { until.end[0], POLLIN, 0 };
	struct epoll_event event;
	fd_set set;
	int fd;
	long ret;

	FD_ZERO(&set);
	FD_SET(until.end[0], &set);
	switch (how) {
	case 0:
		ret = nanosleep(&t, &rest);
		return ret * 100 + rest.tv_sec;
	case 1:
		ret = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &rest);
		return ret * 100 + rest.tv_sec;
	case 2:
		return usleep(2000000);
	case 3:
		return sleep(LONG_S) > 0;
	case 4:
		return pause();
	case 5:
		return poll(&in, 1, -1);
	case 6:
		return ppoll(&in, 1, &t, &until.none);
	case 7:
		return select(until.end[0] + 1, &set, NULL, NULL, &v);
	case 8:
		return pselect(until.end[0] + 1, &set, NULL, NULL, &t, &until.none);
	case 9:
	case 10:
		fd = epoll_create1(0);
		ret = how == 9 ? epoll_wait(fd, &event, 1, LONG_S * 1000)
			       : epoll_pwait(fd, &event, 1, -1, &until.none);
		close(fd);
		return ret;
	case 11:
		return sigsuspend(&until.none);
	default:
		return syscall(SYS_ppoll, &in, 1, NULL, NULL, 8);
	}
}

static int listener(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (void *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0)
		return -1;
	return fd;
}

/* A child that ends when something comes; it inherits no timer. */
static pid_t child(void)
{
	pid_t pid = fork();
	char c;

	if (pid == 0)
		_exit(read(until.end[0], &c, 1) == 1 ? 4 : 5);
	return pid;
}

/* These go on after a handler with SA_RESTART, until the third brings an end. */
static long wait_restarted(int how)
{
	struct timespec t;
	char bytes[64];
	int status = 0;
	pid_t pid;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += LONG_S;
	switch (how) {
	case 0:
		return read(until.end[0], bytes, 1);
	case 1:
		return sem_wait(&until.sem);
	case 2:
		return sem_timedwait(&until.sem, &t);
	case 3:
		return sem_clockwait(&until.sem, CLOCK_REALTIME, &t);
	case 4:
		pid = child();
		if (waitpid(pid, &status, 0) == pid)
			return 1000 + status;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	default:
		return read(until.end[0], bytes, sizeof(bytes));
	}
}

/* A time that is set for a socket; from here on what ends without a signal. */
static long wait_for_time(int how, const char *p)
{
	struct timeval soon = { 0, 6000 };
	struct timespec t = { 0, 3000000 };
	int fd[2], ret;
	sigset_t set;
	siginfo_t info;

	if (how == 0 || how == 1) {
		fd[0] = how ? listener() : -1;
		if (how == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
			return -3;
		setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
		errno = NO_ERROR;
		ret = (int)(how ? accept(fd[0], NULL, NULL) : recv(fd[0], (void *)p, 10, 0));
		close(fd[0]);
		if (how == 0)
			close(fd[1]);
		return ret;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (how == 2) {
		ret = sigtimedwait(&set, &info, &t);
	} else {
		raise(SIGUSR2);
		ret = how == 3 ? sigwait(&set, &fd[0]) : sigwaitinfo(&set, &info);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return ret;
}

/*
 * how: 0..12 what a signal ends, 13..18 what goes on if it may, 19..23 what ends by itself; from
 * 24 on the same with SA_RESTART
 */
int op_until(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 48), flags = how >= 24 ? SA_RESTART : 0;
	static char nothing[16];
	sigset_t mask;
	long ret;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (vm.timer || sigismember(&mask, SIGALRM) || sigismember(&mask, SIGUSR2))
		return 0;
	how %= 24;
	errno = NO_ERROR;
	if (how >= 19) {
		ret = wait_for_time(how - 19, nothing);
		SAY("until", ret, ret < 0 ? errno : 0);
		return 0;
	}
	begin(flags);
	errno = NO_ERROR;
	ret = how < 13 ? wait_interrupted(how) : wait_restarted(how - 13);
	SAY("until", ret, ret < 0 ? errno : 0, how >= 13 && flags ? until.seen >= LAST : 0);
	stop();
	return 0;
}
