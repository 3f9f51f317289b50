/* SPDX-License-Identifier: MIT */
/*
 * same_refuse.c - addresses where nothing can be read or written, in the arguments of calls: what the
 * kernel refuses it refuses under shunt, and nobody dies of a hook that looked first.
 *
 * Each call is made in a child of its own, which has a chunk landed: some of them end it plainly too.
 */
#include "same.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { BAD = 5 };

/* Null; the first page; nothing at all; its last four bytes are nothing; the end of all addresses. */
static void *bad_address(int i)
{
	static char *wall;

	if (!wall) {
		wall = mmap(NULL, 2 * SAME_BLOCK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(wall + SAME_BLOCK, SAME_BLOCK, PROT_NONE);
	}
	switch (i) {
	case 0: return NULL;
	case 1: return (void *)8;
	case 2: return wall + SAME_BLOCK;
	case 3: return wall + SAME_BLOCK - 4;
	default: return (void *)-8;
	}
}

/* In the child: something is landed again, after the fork. */
static void begin(struct same_rig *r)
{
	alarm(10);
	lseek(r->source, 0, SEEK_SET);
	if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
		_exit(99);
	errno = 0;
}

/* How the child ended, if not by itself. Which signal a bad access is depends on the compiler. */
static void end(const char *call, pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		same_say(call, WTERMSIG(status) == SIGALRM ? -3 : -2);
	else
		same_say("exit", WEXITSTATUS(status));
}

/* CALL at each bad address P. A pointer or another large number is only that. */
#define TRY(call)                                                                                  \
	for (int bad_ = 0; bad_ < BAD; bad_++) {                                                   \
		pid_t child_ = fork();                                                             \
		if (child_ == 0) {                                                                 \
			void *volatile p = bad_address(bad_);                                      \
			long ret_;                                                                 \
			begin(r);                                                                  \
			ret_ = (long)(call);                                                       \
			same_say(#call, ret_ < -1 || ret_ > 1 << 20 ? 1 << 20 : ret_);             \
			_exit(0);                                                                  \
		}                                                                                  \
		end(#call, child_);                                                                \
	}

static struct iovec at(void *p)
{
	return (struct iovec){ p, SAME_CHUNK };
}

static struct timespec soon = { 0, 1000000 };
static char *const words[] = { "true", NULL };
static char *const nothing[] = { NULL };

static void reading(struct same_rig *r)
{
	char *room = malloc(SAME_CHUNK);

	TRY(read(r->source, p, SAME_CHUNK));
	TRY(read(r->source, p, 2));
	TRY(pread(r->source, p, SAME_CHUNK, 0));
	TRY(readv(r->source, p, 1));
	TRY(({ struct iovec one = at(p); readv(r->source, &one, 1); }));
	TRY(({ struct iovec two[] = { at(room), at(p) }; readv(r->source, two, 2); }));
	TRY(({ struct iovec two[] = { at(p), at(room) }; readv(r->source, two, 2); }));
	TRY(preadv(r->source, p, 2, 0));
	TRY(({ struct iovec two[] = { at(room), at(p) }; preadv2(r->source, two, 2, 0, 0); }));
	TRY(syscall(SYS_read, r->source, p, SAME_CHUNK));
	TRY(syscall(SYS_preadv, r->source, p, 2, 0, 0));
}

static void writing(struct same_rig *r)
{
	int file = open("file", O_RDWR | O_CREAT, 0600), sink = same_second_sink();

	TRY(write(sink, p, SAME_CHUNK));
	TRY(write(file, p, SAME_CHUNK));
	TRY(pwrite(file, p, SAME_CHUNK, 0));
	TRY(writev(sink, p, 2));
	TRY(({ struct iovec one = at(p); writev(sink, &one, 1); }));
	TRY(({ struct iovec two[] = { at(p), at(r->buf) }; writev(sink, two, 2); }));
	TRY(({ struct iovec two[] = { at(r->buf), at(p) }; writev(file, two, 2); }));
	TRY(send(sink, p, SAME_CHUNK, 0));
	TRY(sendfile(sink, r->source, p, 100));
	TRY(copy_file_range(r->source, p, file, NULL, 100, 0));
	TRY(syscall(SYS_write, sink, p, SAME_CHUNK));
	TRY(syscall(SYS_writev, sink, p, 2));
	close(sink);
}

/* A chunk that is landed, or a part of it, and then what is not there. */
static void writing_partly(struct same_rig *r)
{
	int pair[2], sink = same_second_sink();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	TRY(({ struct iovec two[] = { { r->buf, 5000 }, at(p) }; writev(sink, two, 2); }));
	TRY(({ struct iovec two[] = { at(p), { r->buf, 5000 } }; writev(sink, two, 2); }));
	TRY(({ struct iovec two[] = { { r->buf, 5000 }, at(p) }; writev(pair[0], two, 2); }));
	TRY(({ struct iovec two[] = { { r->buf, 5000 }, at(p) };
	       struct msghdr msg = { .msg_iov = two, .msg_iovlen = 2 };
	       sendmsg(pair[0], &msg, 0); }));
	close(sink);
}

static void messages(struct same_rig *r)
{
	int sink = same_second_sink(), pair[2];
	struct sockaddr_in name;
	socklen_t n = sizeof(name);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	same_say("write", write(pair[1], "some bytes for all of them", 26));
	TRY(sendto(sink, p, 100, 0, NULL, 0));
	TRY(sendmsg(sink, p, 0));
	TRY(({ struct msghdr msg = { .msg_iov = p, .msg_iovlen = 1 }; sendmsg(sink, &msg, 0); }));
	TRY(({ struct iovec one = at(p);
	       struct msghdr msg = { .msg_iov = &one, .msg_iovlen = 1 }; sendmsg(sink, &msg, 0); }));
	TRY(({ struct iovec one = at(r->buf);
	       struct msghdr msg = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = p,
				     .msg_controllen = 64 }; sendmsg(sink, &msg, 0); }));
	TRY(sendmmsg(sink, p, 1, 0));
	TRY(recv(pair[0], p, 8, MSG_DONTWAIT | MSG_PEEK));
	TRY(recvmsg(pair[0], p, MSG_DONTWAIT | MSG_PEEK));
	TRY(recvmmsg(pair[0], p, 1, MSG_DONTWAIT | MSG_PEEK, NULL));
	TRY(({ struct msghdr msg = { .msg_iov = p, .msg_iovlen = 1 };
	       recvmsg(pair[0], &msg, MSG_DONTWAIT | MSG_PEEK); }));
	TRY(accept(sink, p, &n));
	TRY(connect(sink, p, 16));
	TRY(bind(sink, p, 16));
	TRY(getsockname(sink, p, &n));
	TRY(getsockname(sink, (struct sockaddr *)&name, p));
	TRY(getsockopt(sink, SOL_SOCKET, SO_TYPE, p, &n));
	TRY(setsockopt(sink, SOL_SOCKET, SO_SNDTIMEO, p, 16));
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	TRY(pipe(p));
	TRY(syscall(SYS_sendmsg, sink, p, 0));
	TRY(syscall(SYS_recvmsg, pair[0], p, MSG_DONTWAIT | MSG_PEEK));
	close(sink);
}

static void names(struct same_rig *r)
{
	int file = open("file", O_RDWR | O_CREAT, 0600);
	struct stat st;

	TRY(open(p, O_RDONLY));
	TRY(open(p, O_WRONLY));
	TRY(openat(AT_FDCWD, p, O_RDWR));
	TRY(creat(p, 0600));
	TRY(stat(p, &st));
	TRY(stat("file", p));
	TRY(truncate(p, 0));
	TRY(chroot(p));
	TRY(chdir(p));
	TRY(fcntl(file, F_SETLK, p));
	TRY(fcntl(file, F_SETLKW, p));
	TRY(fcntl(file, F_OFD_SETLKW, p));
	TRY(fcntl(file, F_GETLK, p));
	TRY(ioctl(r->sink, FIONREAD, p));
	TRY(syscall(SYS_openat, AT_FDCWD, p, O_RDWR));
}

static void waits(struct same_rig *r)
{
	int epoll = epoll_create1(0), queue = msgget(IPC_PRIVATE, 0600);
	int semaphores = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf up = { 0, 1, 0 };
	struct epoll_event event;
	sigset_t none;

	sigemptyset(&none);
	TRY(poll(p, 1, 1));
	TRY(ppoll(p, 1, &soon, &none));
	TRY(ppoll(NULL, 0, &soon, p));
	TRY(({ struct timeval t = { 0, 1000 }; select(1, p, NULL, NULL, &t); }));
	TRY(pselect(1, NULL, p, NULL, &soon, NULL));
	TRY(pselect(0, NULL, NULL, NULL, &soon, p));
	TRY(epoll_wait(epoll, p, 1, 1));
	TRY(epoll_pwait(epoll, &event, 1, 1, p));
	TRY(epoll_ctl(epoll, EPOLL_CTL_ADD, r->sink, p));
	TRY(nanosleep(p, NULL));
	TRY(nanosleep(&soon, p));
	TRY(semop(semaphores, p, 1));
	TRY(semop(semaphores, p, 1000));
	TRY(semtimedop(semaphores, &up, 1, p));
	TRY(semtimedop(semaphores, p, 1, &soon));
	TRY(msgrcv(queue, p, 8, 0, IPC_NOWAIT));
	TRY(msgsnd(queue, p, 8, IPC_NOWAIT));
#ifdef SYS_poll /* aarch64 has the newer ones only */
	TRY(syscall(SYS_poll, p, 1, 1));
	TRY(syscall(SYS_select, 1, p, NULL, NULL, NULL));
	TRY(syscall(SYS_epoll_wait, epoll, p, 1, 1));
#endif
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, p));
	TRY(syscall(SYS_semtimedop, semaphores, p, 1, NULL));
	semctl(semaphores, 0, IPC_RMID);
	msgctl(queue, IPC_RMID, NULL);
}

static void signals(struct same_rig *r)
{
	sigset_t none;

	sigemptyset(&none);
	TRY(sigaction(SIGUSR1, p, NULL));
	TRY(sigaction(SIGUSR1, NULL, p));
	TRY(sigprocmask(SIG_BLOCK, p, NULL));
	TRY(sigprocmask(SIG_BLOCK, NULL, p));
	TRY(sigprocmask(SIG_BLOCK, &none, p));
	TRY(pthread_sigmask(SIG_BLOCK, &none, p));
	TRY(sigpending(p));
	TRY(sigaltstack(p, NULL));
	TRY(sigaltstack(NULL, p));
	TRY(sigtimedwait(p, NULL, &soon));
	TRY(sigtimedwait(&none, p, &soon));
	TRY(signalfd(-1, p, 0));
	TRY(setitimer(ITIMER_VIRTUAL, p, NULL));
	TRY(getitimer(ITIMER_VIRTUAL, p));
	TRY(syscall(SYS_rt_sigaction, SIGUSR1, p, NULL, 8));
	TRY(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8));
	TRY(syscall(SYS_sigaltstack, p, NULL));
	TRY(syscall(SYS_sigaltstack, NULL, p));
	TRY(syscall(SYS_rt_sigtimedwait, p, NULL, &soon, 8));
}

static void programs(struct same_rig *r)
{
	int status;
	pid_t pid;

	TRY(execve(p, words, nothing));
	TRY(execve("/bin/true", p, nothing));
	TRY(execve("/bin/true", words, p));
	TRY(({ char *list[] = { "true", p, NULL }; execve("/bin/true", list, nothing); }));
	TRY(({ char *list[] = { p, NULL }; execve("/bin/true", words, list); }));
	TRY(({ char *list[] = { "LD_PRELOAD=x", p, NULL }; execve("/bin/true", words, list); }));
	TRY(execveat(AT_FDCWD, p, words, nothing, 0));
	TRY(fexecve(r->source, words, p));
	TRY(posix_spawn(&pid, p, NULL, NULL, words, nothing));
	TRY(({ int e = posix_spawn(&pid, "/bin/true", NULL, NULL, words, p);
	       if (e == 0)
		       waitpid(pid, NULL, 0);
	       e; }));
	TRY(waitpid(-1, p, WNOHANG));
	TRY(wait4(-1, &status, WNOHANG, p));
	TRY(prlimit(0, RLIMIT_CORE, p, NULL));
	TRY(prlimit(0, RLIMIT_CORE, NULL, p));
	TRY(prctl(PR_SET_NAME, p));
	TRY(prctl(PR_GET_NAME, p));
	TRY(syscall(SYS_execve, p, NULL, NULL));
	TRY(syscall(SYS_execve, "/bin/true", words, p));
	TRY(syscall(SYS_clone3, p, 88));
	TRY(syscall(SYS_process_vm_readv, getpid(), p, 1, p, 1, 0));
}

static const struct same_case cases[] = {
	{ "reading", reading, SAME_LOOSE, 0 },
	{ "writing", writing, SAME_LOOSE, 0 },
	{ "writing_partly", writing_partly, SAME_LOOSE, 0 },
	{ "messages", messages, SAME_LOOSE, 0 },
	{ "names", names, SAME_LOOSE, 0 },
	{ "waits", waits, SAME_LOOSE, 0 },
	{ "signals", signals, SAME_LOOSE, 0 },
	{ "programs", programs, SAME_LOOSE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
