/* SPDX-License-Identifier: MIT */
/*
 * same_sleep.c - another process overwrites the file in place while the program
 * sleeps over a chunk that it has read and not written: the chunk stays what it was.
 *
 * The overwriting comes 1.5 s after the sleep began, the sleep ends after 2.2 s.
 */
#include "same.h"

#include <aio.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>

enum { NAP_MS = 2200 };
static const struct timespec nap = { NAP_MS / 1000, NAP_MS % 1000 * 1000000 };

static int heard = -1; /* what was done when the overwriting was announced */

static void begin(struct same_rig *r)
{
	same_drain(r, 'O');
	heard = *r->done;
}

/* Ready after MS. */
static int timer(int ms)
{
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &t, NULL);
	return fd;
}

static volatile sig_atomic_t noted;

static void note(int signal)
{
	(void)signal;
	noted++;
}

/* A signal after the nap, which ends the call that sleeps. */
static void alarm_clock(void)
{
	struct sigaction sa = { .sa_handler = note };
	struct itimerval t = { .it_value = { NAP_MS / 1000, NAP_MS % 1000 * 1000 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void end(struct same_rig *r)
{
	while (*r->done == heard) /* on a busy machine it is late */
		sched_yield();
	same_say_buffer(r);
	same_write(r);
}

static void by_poll(struct same_rig *r)
{
	begin(r);
	same_say("poll", poll(NULL, 0, NAP_MS));
	end(r);
}

static void by_endless_poll(struct same_rig *r)
{
	struct pollfd p = { timer(NAP_MS), POLLIN, 0 };

	begin(r);
	same_say("poll", poll(&p, 1, -1));
	same_say("events", p.revents);
	end(r);
}

/* Each is too short to be cut; what is old is filled as they come by. */
static void by_short_polls(struct same_rig *r)
{
	for (int i = 0; i < 12; i++) {
		if (i == 4)
			begin(r);
		poll(NULL, 0, 300);
	}
	end(r);
}

static void by_ppoll(struct same_rig *r)
{
	sigset_t none;

	sigemptyset(&none);
	begin(r);
	same_say("ppoll", ppoll(NULL, 0, &nap, &none));
	end(r);
}

static void by_endless_ppoll(struct same_rig *r)
{
	struct pollfd p = { timer(NAP_MS), POLLIN, 0 };

	begin(r);
	same_say("ppoll", ppoll(&p, 1, NULL, NULL));
	end(r);
}

static int one_epoll(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = 7 };
	int ep = epoll_create1(0);

	if (fd >= 0)
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	return ep;
}

static void by_epoll(struct same_rig *r)
{
	int ep = one_epoll(-1);
	struct epoll_event ev;

	begin(r);
	same_say("epoll_wait", epoll_wait(ep, &ev, 1, NAP_MS));
	end(r);
}

static void by_endless_epoll(struct same_rig *r)
{
	int ep = one_epoll(timer(NAP_MS));
	struct epoll_event ev;

	begin(r);
	same_say("epoll_wait", epoll_wait(ep, &ev, 1, -1));
	same_say("which", ev.data.fd);
	end(r);
}

static void by_epoll_pwait(struct same_rig *r)
{
	int ep = one_epoll(-1);
	struct epoll_event ev;
	sigset_t none;

	sigemptyset(&none);
	begin(r);
	same_say("epoll_pwait", epoll_pwait(ep, &ev, 1, NAP_MS, &none));
	same_say("epoll_pwait2", epoll_pwait2(ep, &ev, 1, &(struct timespec){ 0, 1000 }, &none));
	end(r);
}

static void by_epoll_pwait2(struct same_rig *r)
{
	int ep = one_epoll(-1);
	struct epoll_event ev;

	begin(r);
	same_say("epoll_pwait2", epoll_pwait2(ep, &ev, 1, &nap, NULL));
	end(r);
}

static void by_select(struct same_rig *r)
{
	struct timeval t = { NAP_MS / 1000, NAP_MS % 1000 * 1000 };

	begin(r);
	same_say("select", select(0, NULL, NULL, NULL, &t));
	same_say("left", t.tv_sec * 1000000 + t.tv_usec);
	end(r);
}

static void by_endless_select(struct same_rig *r)
{
	int fd = timer(NAP_MS);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	begin(r);
	same_say("select", select(fd + 1, &in, NULL, NULL, NULL));
	same_say("set", FD_ISSET(fd, &in) != 0);
	end(r);
}

static void by_pselect(struct same_rig *r)
{
	begin(r);
	same_say("pselect", pselect(0, NULL, NULL, NULL, &nap, NULL));
	end(r);
}

static void by_nanosleep(struct same_rig *r)
{
	begin(r);
	same_say("nanosleep", nanosleep(&nap, NULL));
	end(r);
}

static void by_clock_nanosleep(struct same_rig *r)
{
	begin(r);
	same_say("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL));
	end(r);
}

static void by_usleep(struct same_rig *r)
{
	begin(r);
	same_say("usleep", usleep(NAP_MS * 1000));
	end(r);
}

static void by_sleep(struct same_rig *r)
{
	begin(r);
	same_say("sleep", sleep(NAP_MS / 1000));
	end(r);
}

static void by_pause(struct same_rig *r)
{
	alarm_clock();
	begin(r);
	same_say("pause", pause());
	end(r);
}

static void by_sigtimedwait(struct same_rig *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	begin(r);
	same_say("sigtimedwait", sigtimedwait(&set, NULL, &nap));
	end(r);
}

static void by_sigsuspend(struct same_rig *r)
{
	sigset_t none;

	sigemptyset(&none);
	alarm_clock();
	begin(r);
	same_say("sigsuspend", sigsuspend(&none));
	end(r);
}

static void by_read(struct same_rig *r)
{
	int fd = timer(NAP_MS);
	uint64_t ticks = 0;

	begin(r);
	same_say("read", read(fd, &ticks, sizeof(ticks)));
	end(r);
}

static void by_recv(struct same_rig *r)
{
	struct timeval t = { NAP_MS / 1000, NAP_MS % 1000 * 1000 };
	char c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	begin(r);
	same_say("recv", recv(pair[0], &c, 1, 0));
	end(r);
}

/*
 * What comes is sent by a process that was there before the chunk was read. No limit, no handler.
 */
static void by_endless_recv(struct same_rig *r)
{
	char c = 0;
	int pair[2];
	pid_t child;

	same_write(r);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	child = fork();
	if (child == 0) {
		nanosleep(&nap, NULL);
		_exit(write(pair[1], "x", 1) != 1);
	}
	same_read(r);
	begin(r);
	same_say("recv", recv(pair[0], &c, 1, 0));
	same_say("byte", c);
	end(r);
	same_say("waitpid", waitpid(child, NULL, 0) == child);
}

/* A handler ends the call in its first second. */
static void recv_interrupted(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = note };
	struct itimerval t = { .it_value = { 0, 300000 }, .it_interval = { 0, 400000 } };
	char c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	sigaction(SIGALRM, &sa, NULL);
	same_write(r);
	same_read(r);
	setitimer(ITIMER_REAL, &t, NULL);
	same_say("recv", recv(pair[0], &c, 1, 0));
	same_say("by the first signal", noted);
	t = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &t, NULL);
	end(r);
}

static void by_recvmsg(struct same_rig *r)
{
	struct timeval t = { NAP_MS / 1000, NAP_MS % 1000 * 1000 };
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	begin(r);
	same_say("recvmsg", recvmsg(pair[0], &msg, 0));
	end(r);
}

static void by_recvmmsg(struct same_rig *r)
{
	struct timeval t = { NAP_MS / 1000, NAP_MS % 1000 * 1000 };
	char c;
	struct iovec iov = { &c, 1 };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	begin(r);
	same_say("recvmmsg", recvmmsg(pair[0], &msg, 1, 0, NULL));
	end(r);
}

static void by_accept(struct same_rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	same_say("listen", listen(fd, 1));
	alarm_clock();
	begin(r);
	same_say("accept", accept(fd, NULL, NULL));
	end(r);
}

/*
 * A child that ends after the nap. It is forked before the chunk is read: a fork fills what is
 * landed.
 */
static pid_t napping_child(struct same_rig *r)
{
	pid_t child;

	same_write(r);
	child = fork();
	if (child == 0) {
		nanosleep(&nap, NULL);
		_exit(3);
	}
	same_read(r);
	begin(r);
	return child;
}

static void by_waitpid(struct same_rig *r)
{
	pid_t child = napping_child(r);
	int status = 0;

	same_say("not yet", waitpid(child, &status, WNOHANG));
	same_say("waitpid", waitpid(child, &status, 0) == child);
	same_say("status", WEXITSTATUS(status));
	end(r);
}

static void by_wait4(struct same_rig *r)
{
	pid_t child = napping_child(r);

	same_say("wait4", wait4(child, NULL, 0, NULL) == child);
	end(r);
}

static void by_waitid(struct same_rig *r)
{
	siginfo_t info = { 0 };

	napping_child(r);
	same_say("waitid", waitid(P_ALL, 0, &info, WEXITED));
	same_say("status", info.si_status);
	end(r);
}

static sem_t semaphore;

static void *napping_thread(void *arg)
{
	nanosleep(&nap, NULL);
	sem_post(&semaphore);
	return arg;
}

static void by_sem_wait(struct same_rig *r)
{
	pthread_t t;

	begin(r);
	pthread_create(&t, NULL, napping_thread, NULL);
	errno = 0;
	same_say("sem_wait", sem_wait(&semaphore));
	same_say("errno", errno);
	same_say("sem_trywait", sem_trywait(&semaphore));
	end(r);
}

static void by_sem_timedwait(struct same_rig *r)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	begin(r);
	same_say("sem_timedwait", sem_timedwait(&semaphore, &until));
	until.tv_nsec = 1000000000;
	same_say("sem_timedwait", sem_timedwait(&semaphore, &until));
	end(r);
}

static void by_join(struct same_rig *r)
{
	void *result = NULL;
	pthread_t t;

	begin(r);
	pthread_create(&t, NULL, napping_thread, r);
	same_say("pthread_join", pthread_join(t, &result));
	same_say("result", result == r);
	end(r);
}

static void by_sem_clockwait(struct same_rig *r)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 2;
	begin(r);
	same_say("sem_clockwait", sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until));
	same_say("bad clock", sem_clockwait(&semaphore, CLOCK_BOOTTIME, &until));
	until.tv_nsec = 1000000000;
	same_say("bad time", sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until));
	end(r);
}

static void by_clockjoin(struct same_rig *r)
{
	struct timespec until;
	void *result = NULL;
	pthread_t t;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 60;
	begin(r);
	pthread_create(&t, NULL, napping_thread, r);
	same_say("pthread_clockjoin_np", pthread_clockjoin_np(t, &result, CLOCK_MONOTONIC, &until));
	same_say("result", result == r);
	end(r);
}

static int napping_thrd(void *arg)
{
	(void)arg;
	nanosleep(&nap, NULL);
	return 7;
}

static void by_thrd_join(struct same_rig *r)
{
	int result = 0;
	thrd_t t;

	begin(r);
	thrd_create(&t, napping_thrd, NULL);
	same_say("thrd_join", thrd_join(t, &result));
	same_say("result", result);
	end(r);
}

/* ---- another process has what is waited for, and gives it after the nap ---- */

/*
 * The child runs TAKE, says so, naps and runs GIVE. It is forked before the chunk is read: a fork
 * fills what is landed.
 */
static void begin_beside(struct same_rig *r, bool (*take)(int what), bool (*give)(int what),
			 int what)
{
	int taken[2];
	char c = 0;

	same_write(r);
	if (pipe(taken) != 0)
		return;
	if (fork() == 0) {
		if (!take(what) || write(taken[1], "t", 1) != 1)
			_exit(1);
		nanosleep(&nap, NULL);
		_exit(!give(what));
	}
	close(taken[1]);
	same_say("taken", read(taken[0], &c, 1));
	close(taken[0]);
	same_read(r);
	begin(r);
}

static void end_beside(struct same_rig *r)
{
	int status = -1;

	end(r);
	wait(&status);
	same_say("the other one", status);
}

static int lock_file(void)
{
	return open("lock", O_RDWR | O_CREAT, 0600);
}

static struct flock whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static bool take_flock(int what)
{
	(void)what;
	return flock(lock_file(), LOCK_EX) == 0;
}

static bool take_lock(int what)
{
	struct flock lock = whole(F_WRLCK);

	(void)what;
	return fcntl(lock_file(), F_SETLK, &lock) == 0;
}

/* The process's end gives it back. */
static bool give_lock(int what)
{
	(void)what;
	return true;
}

static void by_flock(struct same_rig *r)
{
	int fd = lock_file();

	begin_beside(r, take_flock, give_lock, 0);
	same_say("at once", flock(fd, LOCK_EX | LOCK_NB));
	same_say("errno", errno);
	errno = 0;
	same_say("flock", flock(fd, LOCK_EX));
	same_say("errno", errno);
	end_beside(r);
}

static void by_setlkw(struct same_rig *r)
{
	struct flock lock = whole(F_WRLCK);
	int fd = lock_file();

	begin_beside(r, take_lock, give_lock, 0);
	errno = 0;
	same_say("F_SETLKW", fcntl(fd, F_SETLKW, &lock));
	same_say("errno", errno);
	end_beside(r);
}

static void by_ofd_setlkw(struct same_rig *r)
{
	struct flock lock = whole(F_WRLCK);
	int fd = lock_file();

	begin_beside(r, take_lock, give_lock, 0);
	same_say("F_OFD_SETLKW", fcntl(fd, F_OFD_SETLKW, &lock));
	end_beside(r);
}

static void by_lockf(struct same_rig *r)
{
	int fd = lock_file();

	begin_beside(r, take_lock, give_lock, 0);
	errno = 0;
	same_say("lockf", lockf(fd, F_LOCK, 0));
	same_say("errno", errno);
	end_beside(r);
}

/* With two operations: the first could be done at once, and is not while the second waits. */
static bool take_nothing(int what)
{
	return what >= 0;
}

static bool give_semaphore(int what)
{
	struct sembuf up = { .sem_num = 1, .sem_op = 1 };

	return semop(what, &up, 1) == 0;
}

static void by_semop(struct same_rig *r)
{
	struct sembuf ops[2] = { { .sem_num = 0, .sem_op = 1 }, { .sem_num = 1, .sem_op = -1 } };
	int id = semget(IPC_PRIVATE, 2, 0600);

	begin_beside(r, take_nothing, give_semaphore, id);
	errno = 0;
	same_say("semop", semop(id, ops, 2));
	same_say("errno", errno);
	same_say("first", semctl(id, 0, GETVAL));
	same_say("second", semctl(id, 1, GETVAL));
	same_say("at once", semop(id, ops, 1));
	same_say("first", semctl(id, 0, GETVAL));
	same_say("too many", semop(id, ops, 100000));
	same_say("errno", errno);
	end_beside(r);
	semctl(id, 0, IPC_RMID);
}

static void by_semtimedop(struct same_rig *r)
{
	struct sembuf down = { .sem_num = 0, .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600);

	begin(r);
	same_say("semtimedop", semtimedop(id, &down, 1, &nap));
	same_say("errno", errno);
	end(r);
	semctl(id, 0, IPC_RMID);
}

struct note {
	long type;
	char text[8];
};

static bool give_message(int what)
{
	struct note message = { 5, "given" };

	return msgsnd(what, &message, sizeof(message.text), 0) == 0;
}

static void by_msgrcv(struct same_rig *r)
{
	struct note message = { 0, "" };
	int id = msgget(IPC_PRIVATE, 0600);

	begin_beside(r, take_nothing, give_message, id);
	same_say("at once", msgrcv(id, &message, sizeof(message.text), 5, IPC_NOWAIT));
	same_say("errno", errno);
	errno = 0;
	same_say("msgrcv", msgrcv(id, &message, sizeof(message.text), 5, 0));
	same_say("errno", errno);
	same_say("type", message.type);
	end_beside(r);
	msgctl(id, IPC_RMID, NULL);
}

static void by_mq_receive(struct same_rig *r)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	struct timespec until;
	char name[32], text[8];
	mqd_t mq;

	snprintf(name, sizeof(name), "/same-sleep-%d", (int)getpid());
	mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	mq_unlink(name);
	same_say("queue", mq >= 0);
	alarm_clock();
	begin(r);
	same_say("mq_receive", mq_receive(mq, text, sizeof(text), NULL));
	same_say("errno", errno);
	end(r);
	same_read(r);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	same_say("mq_timedreceive", mq_timedreceive(mq, text, sizeof(text), NULL, &until));
	same_say("errno", errno);
	end(r);
}

static void by_pclose(struct same_rig *r)
{
	FILE *child;

	same_write(r);
	child = popen("sleep 2.2; exit 3", "r");
	same_read(r);
	begin(r);
	same_say("pclose", pclose(child));
	end(r);
}

/* A queue of connections that is full. */
static void by_connect(struct same_rig *r)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "queue" };
	struct timeval t = { NAP_MS / 1000, NAP_MS % 1000 * 1000 };
	int full = socket(AF_UNIX, SOCK_STREAM, 0), first = socket(AF_UNIX, SOCK_STREAM, 0),
	    second = socket(AF_UNIX, SOCK_STREAM, 0);

	same_say("bind", bind(full, (struct sockaddr *)&name, sizeof(name)));
	same_say("listen", listen(full, 0));
	same_say("first", connect(first, (struct sockaddr *)&name, sizeof(name)));
	setsockopt(second, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	begin(r);
	same_say("second", connect(second, (struct sockaddr *)&name, sizeof(name)));
	same_say("errno", errno);
	end(r);
}

static void by_aio_suspend(struct same_rig *r)
{
	char c;
	int ends[2];
	struct aiocb cb = { .aio_buf = &c, .aio_nbytes = 1 };
	const struct aiocb *list[] = { &cb };

	if (pipe(ends) != 0)
		return;
	cb.aio_fildes = ends[0];
	same_say("aio_read", aio_read(&cb));
	same_read(r);
	begin(r);
	same_say("aio_suspend", aio_suspend(list, 1, &nap));
	same_say("errno", errno);
	end(r);
	same_say("write", write(ends[1], "x", 1));
	same_say("done", aio_suspend(list, 1, NULL));
	same_say("aio_return", aio_return(&cb));
}

/* ---- a wait that is cut in two is one to the program ---- */

/* Something is landed, so that the wait is cut, and comes only after the first part. */
static void select_late(struct same_rig *r)
{
	struct timeval t = { 5, 500000 };
	int fd = timer(1300), other = timer(60000);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	FD_SET(other, &in);
	same_say("select", select(other > fd ? other + 1 : fd + 1, &in, NULL, NULL, &t));
	same_say("set", FD_ISSET(fd, &in) != 0);
	same_say("other", FD_ISSET(other, &in) != 0);
	same_say("seconds left", t.tv_sec);
	end(r);
}

static void select_early(struct same_rig *r)
{
	struct timeval t = { 5, 500000 };
	int fd = timer(200);
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	same_say("select", select(fd + 1, &in, NULL, NULL, &t));
	same_say("set", FD_ISSET(fd, &in) != 0);
	same_say("seconds left", t.tv_sec);
	end(r);
}

/* In tenths of a second. */
static int since(const struct timespec *a)
{
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &b);
	return (int)((b.tv_sec - a->tv_sec) * 10 + (b.tv_nsec - a->tv_nsec) / 100000000);
}

static void *receiving_thread(void *arg)
{
	struct same_rig *r = arg;
	char c;
	int pair[2];

	same_read(r);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		same_say("recv", recv(pair[0], &c, 1, 0));
	return NULL;
}

/* It is cancelled at once, not after a second. */
static void recv_cancelled(struct same_rig *r)
{
	struct timespec a, t = { 0, 300000000 };
	pthread_t thread;
	void *result;

	same_write(r);
	pthread_create(&thread, NULL, receiving_thread, r);
	nanosleep(&t, NULL);
	clock_gettime(CLOCK_MONOTONIC, &a);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	same_say("cancelled", result == PTHREAD_CANCELED);
	same_say("at once", since(&a) < 4);
	end(r);
}

/* A limit of the socket's for receiving; nothing comes. */
static ssize_t receive_within(struct timeval t)
{
	int pair[2];
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 0;
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	return recv(pair[0], &c, 1, 0);
}

/* What comes back at once also does where something is landed. */
static void never_waits(struct same_rig *r)
{
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct timespec a;

	for (int i = 0; i < 4; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		if (i == 0)
			same_say("read", read(r->sink, &c, 0));
		else if (i == 1)
			same_say("recv", recv(r->sink, &c, 1, MSG_OOB));
		else if (i == 2)
			same_say("recvfrom", recvfrom(r->sink, &c, 1, MSG_OOB, NULL, NULL));
		else
			same_say("recvmsg", recvmsg(fd, &msg, MSG_ERRQUEUE));
		same_say("at once", since(&a) < 5);
		same_write(r);
		same_read(r);
	}
}

/* All of these wait 1.55 s, no less and not a second more. */
static void lengths(struct same_rig *r)
{
	struct timespec a, t = { 1, 550000000 };
	struct timeval tv = { 1, 550000 };
	struct epoll_event ev;
	int ep = one_epoll(-1);

	for (int i = 0; i < 6; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		tv = (struct timeval){ 1, 550000 };
		if (i == 0)
			same_say("poll", poll(NULL, 0, 1550));
		else if (i == 1)
			same_say("ppoll", ppoll(NULL, 0, &t, NULL));
		else if (i == 2)
			same_say("epoll_wait", epoll_wait(ep, &ev, 1, 1550));
		else if (i == 3)
			same_say("select", select(0, NULL, NULL, NULL, &tv));
		else if (i == 4)
			same_say("recv", receive_within(tv));
		else
			same_say("pselect", pselect(0, NULL, NULL, NULL, &t, NULL));
		same_say("as long as it should", since(&a) >= 15 && since(&a) < 22);
		same_write(r);
		same_read(r);
	}
}

/*
 * A signal in the middle of a wait that is cut: what is landed is so much that to fill it takes some
 * time, and it comes then. The one call that the program made is interrupted.
 */
enum { MUCH = 128 << 20 };

static int wait_for(int how)
{
	static const struct timespec t = { 3, 0 };
	struct timeval tv = { 3, 0 };
	struct epoll_event ev;
	struct timespec until;
	sigset_t none;
	sem_t s;

	sigemptyset(&none);
	switch (how) {
	case 0: return poll(NULL, 0, 3000);
	case 1: return ppoll(NULL, 0, &t, &none);
	case 2: return ppoll(NULL, 0, &t, NULL);
	case 3: return epoll_wait(one_epoll(-1), &ev, 1, 3000);
	case 4: return epoll_pwait(one_epoll(-1), &ev, 1, 3000, NULL);
	case 5: return epoll_pwait2(one_epoll(-1), &ev, 1, &t, &none);
	case 6: return select(0, NULL, NULL, NULL, &tv);
	}
	sem_init(&s, 0, 0);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 3;
	return sem_timedwait(&s, &until);
}

static void signal_between(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = note };
	struct itimerval t = { .it_value = { 1, 15000 } };
	int much = open("much", O_WRONLY | O_CREAT, 0600);
	char *area = malloc(MUCH + SAME_BLOCK);

	if (ftruncate(much, MUCH + SAME_BLOCK) != 0)
		return;
	close(much);
	much = open("much", O_RDONLY);
	sigaction(SIGALRM, &sa, NULL);
	for (int how = 0; how < 8; how++) {
		lseek(much, 0, SEEK_SET);
		same_say("read", same_get(much, area, MUCH));
		setitimer(ITIMER_REAL, &t, NULL);
		same_say("wait", wait_for(how));
		same_say("signals", noted);
	}
	same_say_memory("area", area, MUCH);
	end(r);
}

static void post(int signal)
{
	(void)signal;
	if (++noted == 3)
		sem_post(&semaphore);
}

/* A handler that lets calls go on ends none that waits without a limit. */
static void sem_wait_restarts(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = post, .sa_flags = SA_RESTART };
	struct itimerval t = { .it_value = { 0, 100000 }, .it_interval = { 0, 100000 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	same_say("sem_wait", sem_wait(&semaphore));
	same_say("signals", noted);
	t = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &t, NULL);
	end(r);
}

static void sem_wait_interrupted(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = post };
	struct itimerval t = { .it_value = { 0, 100000 } };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	same_say("sem_wait", sem_wait(&semaphore));
	same_say("signals", noted);
	end(r);
}

#define SLEEPS(name) { #name, name, SAME_OWN | SAME_LAZY, 0 }

static const struct same_case cases[] = {
	SLEEPS(by_poll),
	SLEEPS(by_endless_poll),
	SLEEPS(by_short_polls),
	SLEEPS(by_ppoll),
	SLEEPS(by_endless_ppoll),
	SLEEPS(by_epoll),
	SLEEPS(by_endless_epoll),
	SLEEPS(by_epoll_pwait),
	SLEEPS(by_epoll_pwait2),
	SLEEPS(by_select),
	SLEEPS(by_endless_select),
	SLEEPS(by_pselect),
	SLEEPS(by_nanosleep),
	SLEEPS(by_clock_nanosleep),
	SLEEPS(by_usleep),
	SLEEPS(by_sleep),
	SLEEPS(by_pause),
	SLEEPS(by_sigtimedwait),
	SLEEPS(by_sigsuspend),
	SLEEPS(by_read),
	SLEEPS(by_recv),
	SLEEPS(by_recvmsg),
	SLEEPS(by_recvmmsg),
	SLEEPS(by_endless_recv),
	{ "recv_interrupted", recv_interrupted, 0, 0 },
	{ "recv_cancelled", recv_cancelled, 0, 0 },
	SLEEPS(by_accept),
	SLEEPS(by_waitpid),
	SLEEPS(by_wait4),
	SLEEPS(by_waitid),
	SLEEPS(by_sem_wait),
	SLEEPS(by_sem_timedwait),
	SLEEPS(by_sem_clockwait),
	SLEEPS(by_join),
	SLEEPS(by_clockjoin),
	SLEEPS(by_thrd_join),
	SLEEPS(by_flock),
	SLEEPS(by_setlkw),
	SLEEPS(by_ofd_setlkw),
	SLEEPS(by_lockf),
	SLEEPS(by_semop),
	SLEEPS(by_semtimedop),
	SLEEPS(by_msgrcv),
	SLEEPS(by_mq_receive),
	SLEEPS(by_pclose),
	SLEEPS(by_connect),
	SLEEPS(by_aio_suspend),
	{ "select_late", select_late, SAME_LAZY, 0 },
	{ "select_early", select_early, SAME_LAZY, 0 },
	{ "never_waits", never_waits, 0, 0 },
	{ "lengths", lengths, SAME_LAZY, 0 },
	{ "signal_between", signal_between, SAME_LAZY, 0 },
	{ "sem_wait_restarts", sem_wait_restarts, 0, 0 },
	{ "sem_wait_interrupted", sem_wait_interrupted, 0, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
