/* SPDX-License-Identifier: MIT */
/* op_result.c - what a call tells goes into a buffer; and streams that write. */
#include "vm.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* As much as any of them writes. */
enum { REACH = 1024 };

/* What is about descriptors: P is where the result goes. */
static long result_of_descriptor(int fd, char *p, int how)
{
	int *number = (void *)p, made;
	long ret;

	switch (how) {
	case 0:
	case 1:
		ret = how ? socketpair(AF_UNIX, SOCK_STREAM, 0, number) : pipe(number);
		close(number[0]);
		return ret + close(number[1]);
	case 2:
		return fstat(fd, (void *)p);
	case 3:
		return statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, (void *)p);
	case 4:
		return fstatfs(fd, (void *)p);
	case 5:
		return ioctl(vm.feed[0], FIONREAD, p);
	case 6:
		return fcntl(fd, F_GETLK, &(struct flock){ .l_type = F_WRLCK }) +
		       fcntl(fd, F_GETOWN_EX, p);
	case 7:
		made = eventfd(3, 0);
		ret = eventfd_read(made, (void *)p);
		return ret + close(made);
	case 8:
		made = timerfd_create(CLOCK_MONOTONIC, 0);
		ret = timerfd_gettime(made, (void *)p);
		return ret + close(made);
	default:
		made = open(".", O_RDONLY | O_DIRECTORY);
		ret = getdents64(made, p, REACH) > 0;
		return ret + close(made);
	}
}

/* A child that ended with 8, for those who wait. */
static pid_t ended(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(8);
	return pid;
}

static long result_of_process(char *p, int how)
{
	pid_t pid = how < 5 ? ended() : 0;

	switch (how) {
	case 0:
		return waitpid(pid, (void *)p, 0) == pid;
	case 1:
		return wait4(pid, (void *)p, 0, (void *)(p + 64)) == pid;
	case 2:
		return waitid(P_PID, (id_t)pid, (void *)p, WEXITED | WNOWAIT) +
		       (waitpid(pid, (void *)p, WNOHANG) == pid);
	case 3:
		return syscall(SYS_wait4, pid, p, 0, NULL) == pid;
	case 4:
		return waitid(P_PID, (id_t)pid, NULL, WEXITED);
	case 5:
		return getrlimit(RLIMIT_NOFILE, (void *)p);
	case 6:
		return prlimit(0, RLIMIT_STACK, NULL, (void *)p);
	case 7:
		return sigprocmask(SIG_BLOCK, NULL, (void *)p);
	case 8:
		return sigaction(SIGPIPE, NULL, (void *)p);
	case 9:
		return sigpending((void *)p);
	case 10:
		return sigaltstack(NULL, (void *)p);
	case 11:
		return getitimer(ITIMER_VIRTUAL, (void *)p);
	case 12:
		return prctl(PR_GET_NAME, p, 0, 0, 0);
	case 13:
		return sched_getaffinity(0, 128, (void *)p);
	case 14:
		return getcwd(p, REACH) == p;
	default:
		return getrusage(RUSAGE_SELF, (void *)p);
	}
}

static long wait_here(char *p, int how)
{
	struct pollfd out = { .fd = FD_ALIVE, .events = POLLOUT };
	struct epoll_event event = { .events = EPOLLOUT };
	struct timespec none = { 0, 0 };
	fd_set set;
	int fd;
	long ret;

	FD_ZERO(&set);
	FD_SET(FD_ALIVE, &set);
	switch (how) {
	case 0:
		memcpy(p, &out, sizeof(out));
		return poll((void *)p, 1, 10);
	case 1:
		memcpy(p, &set, sizeof(set));
		return select(FD_ALIVE + 1, NULL, (void *)p, NULL, NULL);
	case 2:
		memcpy(p, &none, sizeof(none));
		return nanosleep((void *)p, (void *)(p + 64));
	case 3:
		fd = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(fd, EPOLL_CTL_ADD, FD_ALIVE, &event);
		ret = epoll_wait(fd, (void *)p, 20, 10);
		return ret * 10 + close(fd);
	case 4:
		return ppoll(&out, 1, (void *)memcpy(p, &none, sizeof(none)), NULL);
	default:
		ret = clock_nanosleep(CLOCK_MONOTONIC, 0, memcpy(p, &none, sizeof(none)), NULL);
		return ret == EINTR ? 0 : ret;
	}
}

/* Offsets that lie in the buffer; how many bytes went where. */
static long offsets_here(int fd, char *p, int how)
{
	off_t *at = (void *)p, *to = (void *)(p + 16);
	int there = memfd_create("there", 0), ends[2];
	long ret;

	at[0] = how;
	to[0] = 0;
	if (how == 0) {
		ret = sendfile(there, fd, at, 5000);
	} else if (how == 1) {
		ret = copy_file_range(fd, at, there, to, 5000, 0) != 0;
	} else {
		if (pipe(ends) < 0)
			return -1;
		ret = splice(fd, at, ends[1], NULL, 5000, 0);
		close(ends[0]);
		close(ends[1]);
	}
	close(there);
	return ret;
}

/*
 * The result of a call goes to where a chunk is. how: 0..9 of descriptors, 10..25 of processes,
 * 26..31 of waits, 32..34 offsets
 */
int op_result(const struct op *op)
{
	int s = slot_of(op->a[0]), n = REACH, how = (int)((unsigned)op->a[3] % 35);
	struct buffer *b = buffer_of(op->a[1]);
	char *p = piece(op->a[1], op->a[2] & ~15, &n);
	long ret;

	p += -(uintptr_t)p % 16; /* buffer 0 is odd on purpose, calls' structures are not */
	if (n < REACH || p + REACH > b->p + b->size || vm.slot[s] < 0)
		return 0;
	errno = NO_ERROR;
	if (how < 10)
		ret = result_of_descriptor(vm.slot[s], p, how);
	else if (how < 26)
		ret = result_of_process(p, how - 10);
	else if (how < 32)
		ret = wait_here(p, how - 26);
	else
		ret = offsets_here(vm.slot[s], p, how - 32);
	SAY("result", ret, ret < 0 && errno != EINTR ? errno : 0);
	memset(p, 'q', REACH); /* of some it differs */
	define(b, p, REACH);
	return 0;
}

/* ---- streams that write ---- */

/* Writes N bytes of P to F. */
static long print_as(FILE *f, char *p, size_t n, int how)
{
	switch (how) {
	case 0:
		return (long)fwrite(p, 1, n, f);
	case 1:
		return (long)(fwrite(p, 7, n / 7, f) * 7 + fwrite(p, 1, n % 7, f));
	case 2:
		return (long)(fwrite("x", 1, 1, f) + fwrite(p, 1, n, f) + (fputc('y', f) == 'y'));
	case 3:
		return fprintf(f, "%.*s", (int)n, p);
	default:
		setvbuf(f, NULL, _IONBF, 0);
		return (long)(fwrite(p, 1, n / 2, f) + fwrite(p + n / 2, 1, n - n / 2, f));
	}
}

/*
 * A chunk goes by a stream of the sink's own. how: see above, 5 dprintf; from 6 on with the end of
 * another buffer as the stream's
 */
int op_stream(const struct op *op)
{
	static char own[30000];
	int k = sink_of(op->a[0]), n = op->a[3], how = (int)((unsigned)op->a[4] % 12), fd = vm.sink[k];
	char *p = piece_defined(op->a[1], op->a[2], &n);
	FILE *f = NULL;
	long ret, end;

	if (fd < 0 || n == 0 || (size_t)n > vm.budget || vm.timer || vm.program->sigpipe != 0 ||
	    fcntl(fd, F_GETFL) & O_NONBLOCK)
		return 0;
	vm.budget -= (size_t)n;
	if (how % 6 == 5) {
		ret = dprintf(fd, "%.*s", n, p);
		end = 0;
	} else {
		f = fdopen(dup(fd), "w");
		if (how >= 6)
			setvbuf(f, own, _IOFBF, sizeof(own));
		ret = print_as(f, p, (size_t)n, how % 6);
		end = fclose(f);
	}
	if (end == 0 && ret > 0)
		atomic_fetch_add(&vm.shared->sent[vm.target[k]], (uint64_t)ret);
	SAY("stream", end == 0 ? ret : -1, end);
	return 0;
}
