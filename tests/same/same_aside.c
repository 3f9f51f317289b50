/* SPDX-License-Identifier: MIT */
/*
 * same_aside.c - what shunt must stand aside for, or must stand: filters, rings, tracers, seals,
 * other rights, other roots, other tables of descriptors, limits, collectors that stop threads,
 * and libraries that bind past it.
 */
#include "same.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/filter.h>
#include <sys/mount.h> /* before linux/fs.h, for glibc before 2.36 */
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <link.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NOBODY = 65534, SEAL = 462 };

static void go_on(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void reap(pid_t child)
{
	int status = -1;

	if (waitpid(child, &status, 0) != child)
		same_say("waitpid", -1);
	same_say("status", status);
}

/* A child goes on with the loop, and looks. */
static void child_goes_on(struct same_rig *r)
{
	pid_t child = fork();

	if (child == 0) {
		go_on(r);
		_exit(3);
	}
	reap(child);
}

/* ---- filters ---- */

/* From now on calls that a server which copies need not make end the process. */
static void forbid(unsigned action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendfile, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, action),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	same_say("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	same_say("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0));
}

static void filter_is_inherited(struct same_rig *r)
{
	forbid(SECCOMP_RET_KILL_PROCESS);
	child_goes_on(r);
	go_on(r);
}

static void filter_refuses(struct same_rig *r)
{
	forbid(SECCOMP_RET_ERRNO | EPERM);
	go_on(r);
}

static void filter_knows_nothing(struct same_rig *r)
{
	forbid(SECCOMP_RET_ERRNO | ENOSYS);
	go_on(r);
}

/* ---- a ring: the kernel reads the buffer in its own time, and refuses in an answer ---- */

struct ring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

static bool ring_open(struct ring *ring)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring->fd = (int)syscall(SYS_io_uring_setup, 4, &p);
	same_say("a ring", ring->fd >= 0 ? 1 : -1);
	if (ring->fd < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED,
		  ring->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*ring->cqe), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
	ring->sqe = mmap(NULL, p.sq_entries * sizeof(*ring->sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
			 ring->fd, IORING_OFF_SQES);
	ring->sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring->sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring->sq_array = (unsigned *)(sq + p.sq_off.array);
	ring->cq_head = (unsigned *)(cq + p.cq_off.head);
	ring->cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring->cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring->cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return true;
}

/* Writes N bytes at P to FD by the ring, and says what came of it. */
static void ring_write(struct ring *ring, int fd, const void *p, size_t n)
{
	unsigned tail = *ring->sq_tail, at = tail & *ring->sq_mask;

	memset(&ring->sqe[at], 0, sizeof(*ring->sqe));
	ring->sqe[at].opcode = IORING_OP_WRITE;
	ring->sqe[at].fd = fd;
	ring->sqe[at].addr = (uintptr_t)p;
	ring->sqe[at].len = (unsigned)n;
	ring->sqe[at].off = (uint64_t)-1;
	ring->sq_array[at] = at;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	same_say("enter", syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	while (__atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) == *ring->cq_head)
		sched_yield();
	same_say("by the ring", ring->cqe[*ring->cq_head & *ring->cq_mask].res);
	__atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
}

static void by_ring(struct same_rig *r)
{
	int out = open("out", O_WRONLY | O_CREAT, 0644);
	struct ring ring;

	if (!ring_open(&ring))
		return;
	for (int i = 0; i < 4; i++) {
		ring_write(&ring, out, r->buf, r->got);
		same_write(r);
		same_read(r);
	}
	same_say_file("out");
	same_write(r);
}

/* ---- memory that somebody else has a say in ---- */

static void sealed(struct same_rig *r)
{
	same_say("mseal", syscall(SEAL, (uintptr_t)r->buf & ~(uintptr_t)4095, 8192, 0));
	go_on(r);
	memset(r->buf, 's', r->size);
	same_say_buffer(r);
}

static void faults_for_user(struct same_rig *r)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	same_say("userfaultfd", fd >= 0 ? 1 : fd);
	go_on(r);
}

/* ---- rights, roots, name spaces ---- */

static void other_user(struct same_rig *r)
{
	same_say("setgid", setgid(NOBODY));
	same_say("setuid", setuid(NOBODY));
	go_on(r);
}

static void other_user_raw(struct same_rig *r)
{
	same_say("setresuid", syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
	go_on(r);
}

static atomic_int stop, rounds_done;
static atomic_long wrong;

/* A loop of a thread's own, each chunk of which is checked where it arrives. */
static void *checked_loop(void *arg)
{
	char *p = mmap(NULL, SAME_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *is = malloc(SAME_CHUNK), *truth = arg;
	int pair[2], fd = open("../data", O_RDONLY), large = 4 * SAME_CHUNK;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return NULL;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	for (off_t at = 0; !stop; at = (at + SAME_CHUNK) % (200 * SAME_CHUNK)) {
		n = pread(fd, p, SAME_CHUNK, at);
		if (at % (5 * SAME_CHUNK) == 0)
			wrong += p[n / 2] != truth[at + n / 2];
		wrong += write(pair[0], p, (size_t)n) != n;
		wrong += recv(pair[1], is, (size_t)n, MSG_WAITALL) != n;
		wrong += memcmp(is, truth + at, (size_t)n) != 0;
		rounds_done++;
	}
	close(pair[0]);
	close(pair[1]);
	return NULL;
}

enum { LOOPERS = 3 };
static pthread_t looper[LOOPERS];

static void await_rounds(int more)
{
	int until = rounds_done + more;

	while (rounds_done < until)
		usleep(1000);
}

static void loopers_begin(void)
{
	int fd = open("../data", O_RDONLY);
	struct stat st;
	char *truth;

	fstat(fd, &st);
	truth = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	for (int i = 0; i < LOOPERS; i++)
		pthread_create(&looper[i], NULL, checked_loop, truth);
	await_rounds(100);
}

static void loopers_end(void)
{
	await_rounds(100);
	stop = 1;
	for (int i = 0; i < LOOPERS; i++)
		pthread_join(looper[i], NULL);
	same_say("wrong", wrong);
}

/* libc stops every thread by a signal to change its rights too. */
static void other_user_beside_threads(struct same_rig *r)
{
	loopers_begin();
	same_say("setgid", setgid(NOBODY));
	await_rounds(20);
	for (int i = 0; i < 20; i++)
		same_say("seteuid", seteuid(i % 2 ? 0 : NOBODY));
	same_say("setuid", setuid(NOBODY));
	loopers_end();
	go_on(r);
}

static void name_spaces(struct same_rig *r)
{
	same_say("unshare", unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS));
	go_on(r);
	child_goes_on(r);
}

/* What a program looked at through /proc, and served, is not busy once it is done with it. */
static void unmounts(struct same_rig *r)
{
	same_say("unshare", unshare(CLONE_NEWNS));
	same_say("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	mkdir("there", 0755);
	same_say("mount", mount("there", "there", "tmpfs", 0, NULL));
	same_say("mount", mount("proc", "/proc", "proc", 0, NULL));
	same_loop(r, SAME_ROUNDS);
	same_copy_file("../data", "there/data");
	close(r->source);
	r->source = open("there/data", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("busy", umount("there"));
	close(r->source);
	r->source = -1;
	errno = 0;
	same_say("umount", umount("there"));
	same_say("umount", umount2("/proc", 0));
	same_say("errno", errno);
	same_write(r);
}

static void new_pids(struct same_rig *r)
{
	same_say("unshare", unshare(CLONE_NEWPID));
	child_goes_on(r);
	go_on(r);
}

static void enters(struct same_rig *r)
{
	int fd = open("/proc/self/ns/net", O_RDONLY);

	same_say("setns", setns(fd, CLONE_NEWNET));
	go_on(r);
}

static void new_root(struct same_rig *r)
{
	mkdir("root", 0755);
	same_say("chroot", chroot("root"));
	same_say("chdir", chdir("/"));
	go_on(r);
	same_say("open", open("/proc/self/maps", O_RDONLY));
	r->drain = 0; /* "received" is not to be seen from here */
	close(r->control);
	close(r->sink);
	wait(NULL);
}

/* A descriptor of the memory of a process that had more rights would be a way to them. */
static void memory_is_shut(struct same_rig *r)
{
	int memory = 0, pagemap = 0;
	struct dirent *d;
	char link[256];
	DIR *dir;
	char *mapped = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, r->source, 0);

	/* whether a page of it is a copy of its own, the page map tells */
	same_say("mapped", write(r->sink, mapped, 65536));
	same_say("setuid", setuid(NOBODY));
	same_say("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	go_on(r);
	dir = opendir("/proc/self/fd");
	while ((d = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		memory += n > 4 && strcmp(link + n - 4, "/mem") == 0;
		pagemap += n > 8 && strcmp(link + n - 8, "/pagemap") == 0;
	}
	same_say("memory", memory);
	same_say("page map", pagemap);
}

/* ---- a thread with a table of descriptors of its own ---- */

struct apart {
	struct same_rig *r;
	sem_t mine, theirs;
	char *p;
	bool by_close_range;
};

static void *thread_apart(void *arg)
{
	struct apart *a = arg;
	int fd;

	if (a->by_close_range)
		same_say("close_range", close_range(900, 900, CLOSE_RANGE_UNSHARE));
	else
		same_say("unshare", unshare(CLONE_FILES));
	sem_post(&a->theirs);
	sem_wait(&a->mine);
	fd = open("../other", O_RDONLY); /* the number that the other table has for "large" */
	for (int i = 0; i < 6; i++) {
		ssize_t n = same_get(fd, a->p, 65536);

		same_say("its own", write(a->r->sink, a->p, (size_t)n));
	}
	same_say("its own", same_get(fd, a->p, 65536));
	sem_post(&a->theirs);
	sem_wait(&a->mine);
	same_say_memory("its own", a->p, 65536);
	same_say_memory("the other's", a->r->buf, a->r->size);
	same_say("the other's", write(a->r->sink, a->r->buf, a->r->size));
	return NULL;
}

static void own_table(struct same_rig *r, bool by_close_range)
{
	struct apart a = { .r = r, .by_close_range = by_close_range };
	pthread_t t;

	sem_init(&a.mine, 0, 0);
	sem_init(&a.theirs, 0, 0);
	a.p = malloc(65536);
	same_write(r);
	pthread_create(&t, NULL, thread_apart, &a);
	sem_wait(&a.theirs);
	r->source = open("../large", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	sem_post(&a.mine);
	sem_wait(&a.theirs);
	sem_post(&a.mine);
	pthread_join(t, NULL);
	same_say_buffer(r);
	same_write(r);
}

static void table_of_its_own(struct same_rig *r)
{
	own_table(r, false);
}

static void table_by_close_range(struct same_rig *r)
{
	own_table(r, true);
}

/* ---- limits ---- */

/* From here on the process gets no memory that it does not have, and another thread is there. */
static void *waits(void *arg)
{
	sem_wait(arg);
	return NULL;
}

static void full_space(struct same_rig *r)
{
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	pthread_t t;
	sem_t end;

	sem_init(&end, 0, 0);
	pthread_create(&t, NULL, waits, &end);
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	setrlimit(RLIMIT_AS, &limit);
	same_say("no more memory", mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				   MAP_FAILED);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	go_on(r);
	limit.rlim_cur = RLIM_INFINITY; /* for the report */
	setrlimit(RLIMIT_AS, &limit);
	sem_post(&end);
	pthread_join(t, NULL);
}

/* No room even to remember what the number is that is read now. */
static void full_space_new_number(struct same_rig *r)
{
	enum { HIGH = 9500 };
	struct rlimit numbers = { HIGH + 100, HIGH + 100 }, limit = { 1 << 20, RLIM_INFINITY };
	int high;

	same_write(r);
	setrlimit(RLIMIT_NOFILE, &numbers);
	setrlimit(RLIMIT_AS, &limit);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	high = dup2(r->source, HIGH);
	same_say("dup2", high < 0 ? -1 : 0);
	same_say("read", read(high, r->buf, r->size));
	same_say_buffer(r);
	same_say("write", write(r->sink, r->buf, r->size));
	limit.rlim_cur = RLIM_INFINITY; /* for the report */
	setrlimit(RLIMIT_AS, &limit);
}

/* Mappings until the kernel gives no more. */
static void fill_map(void)
{
	size_t page = 4096, n = 1 << 20;
	char *p = mmap(NULL, n * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i = 1;

	while (i < n && mprotect(p + i * page, page, PROT_READ) == 0)
		i += 2;
	same_say("no more mappings", i < n);
}

static void full_map(struct same_rig *r)
{
	fill_map();
	go_on(r);
}

static void full_map_beside_thread(struct same_rig *r)
{
	pthread_t t;
	sem_t end;

	sem_init(&end, 0, 0);
	pthread_create(&t, NULL, waits, &end);
	fill_map();
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	go_on(r);
	sem_post(&end);
	pthread_join(t, NULL);
}

/*
 * A buffer that is two mappings, and room for none more, one, two, ...: a part of it must not be
 * protected where the rest cannot be.
 */
static void nearly_full_map(struct same_rig *r)
{
	enum { PAGE = 4096, HALF = 8 * PAGE, ROOM = 8 };
	char *p = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *room = mmap(NULL, ROOM * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* it is accounted for in another way, so the kernel does not make one of the two */
	mmap(p, HALF, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	for (int i = 1; i < ROOM; i += 2)
		mprotect(room + i * PAGE, PAGE, PROT_READ);
	same_write(r);
	r->buf = p + PAGE;
	r->size = 2 * HALF - 2 * PAGE;
	fill_map();
	for (int i = 0; i < ROOM; i++) {
		same_loop(r, SAME_ROUNDS);
		memset(p, i, 2 * HALF);
		munmap(room + i * PAGE, PAGE);
	}
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_write(r);
}

/* ---- runtimes ---- */

static char *volatile safepoint;
static atomic_int at_safepoint;
static sem_t go;

static void reached(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_addr != safepoint)
		_exit(9);
	at_safepoint++;
	while (sem_wait(&go) != 0)
		;
}

static void *polls(void *arg)
{
	while (!stop)
		*(volatile char *)safepoint;
	return arg;
}

/* A page that is protected for a moment brings all threads to a stand, as in a JVM. */
static void safepoints(struct same_rig *r)
{
	struct sigaction action = { .sa_sigaction = reached, .sa_flags = SA_SIGINFO };
	pthread_t t[2];

	safepoint = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sem_init(&go, 0, 0);
	sigaction(SIGSEGV, &action, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, polls, NULL);
	for (int i = 1; i <= 20; i++) {
		same_write(r);
		same_read(r);
		mprotect(safepoint, 4096, PROT_NONE);
		while (at_safepoint < 2 * i)
			sched_yield();
		if (i % 2)
			same_say_memory("at rest", r->buf, r->got);
		mprotect(safepoint, 4096, PROT_READ);
		sem_post(&go);
		sem_post(&go);
	}
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	same_write(r);
}

static atomic_int stopped, epoch;

static void suspended(int signal)
{
	int at = epoch, saved = errno;
	sigset_t all;

	(void)signal;
	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	stopped++;
	while (epoch == at)
		sigsuspend(&all);
	errno = saved;
}

static void resumed(int signal)
{
	(void)signal;
}

/*
 * A collector stops the threads wherever they are, in the midst of a read or a write too,
 * and searches their memory: no lock of ours may be held then.
 */
static void world_stopped(struct same_rig *r)
{
	struct sigaction stopping = { .sa_handler = suspended }, going = { .sa_handler = resumed };
	uint64_t sum = 0;

	sigfillset(&stopping.sa_mask);
	sigaction(SIGPWR, &stopping, NULL);
	sigaction(SIGUSR1, &going, NULL);
	loopers_begin();
	for (int i = 0; i < 60; i++) {
		for (int j = 0; j < LOOPERS; j++)
			pthread_kill(looper[j], SIGPWR);
		while (stopped < LOOPERS * (i + 1))
			sched_yield();
		sum += same_hash(r->buf, r->got);
		if (write(r->sink, r->buf, r->got) < 0)
			break;
		r->got = (size_t)same_get(r->source, r->buf, r->size);
		epoch++;
		for (int j = 0; j < LOOPERS; j++)
			pthread_kill(looper[j], SIGUSR1);
		await_rounds(3);
	}
	same_say("sum", (ssize_t)(sum >> 1));
	loopers_end();
	same_write(r);
}

static ssize_t write_all(int fd, const char *p, size_t n)
{
	size_t done = 0;

	for (ssize_t m = 0; done < n && m >= 0; done += m > 0 ? (size_t)m : 0)
		m = write(fd, p + done, n - done);
	return (ssize_t)done;
}

/* A debugger comes, stops it in the loop, looks about, and goes. */
static void traced(struct same_rig *r)
{
	pid_t parent = getpid(), child;
	int pair[2], status;
	char c = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	child = fork();
	if (child == 0) {
		if (read(pair[1], &c, 1) != 1 || ptrace(PTRACE_SEIZE, parent, 0, 0) != 0)
			_exit(1);
		for (int i = 0; i < 50; i++) {
			ptrace(PTRACE_INTERRUPT, parent, 0, 0);
			while (waitpid(parent, &status, __WALL) != parent || !WIFSTOPPED(status) ||
			       status >> 16 != PTRACE_EVENT_STOP)
				ptrace(PTRACE_CONT, parent, 0, WSTOPSIG(status));
			ptrace(PTRACE_CONT, parent, 0, 0);
			usleep(500);
		}
		ptrace(PTRACE_INTERRUPT, parent, 0, 0);
		waitpid(parent, &status, __WALL);
		ptrace(PTRACE_DETACH, parent, 0, 0);
		_exit(write(pair[1], &c, 1) != 1);
	}
	if (write(pair[0], &c, 1) != 1)
		return;
	/*
	 * as long as it takes, over the same part of the file; a read goes on, while a write that waits
	 * for room is cut, here as plainly: how long the parts are is the scheduler's
	 */
	same_say("written", write_all(r->sink, r->buf, r->got));
	while (recv(pair[0], &c, 1, MSG_DONTWAIT) != 1)
		if (pread(r->source, r->buf, r->size, 70000) != (ssize_t)r->size)
			same_say("short", 1);
	reap(child);
	r->got = r->size;
	go_on(r);
}

/* ---- libraries ---- */

typedef ssize_t write_fn(int fd, const void *p, size_t n);
typedef ssize_t read_fn(int fd, void *p, size_t n);

static void *load(int flags)
{
	const char *path = getenv("SAME_MODULE");
	void *module = path ? dlopen(path, flags) : NULL;

	if (!module)
		same_say("no module", -1);
	return module;
}

/*
 * Below the new root there is a file by the name of a library that shunt looks for. It is not the
 * program's to run, whoever put it there.
 */
static void library_of_others(struct same_rig *r, long number)
{
	static const char name[] = "libunwind.so.8";
	char *buf = malloc(r->size);
	void *theirs;

	mkdir("root", 0755);
	mkdir("root/lib", 0755);
	symlink(".", "root/usr");
	symlink("lib", "root/lib64");
	if (getenv("SAME_MODULE"))
		same_copy_file(getenv("SAME_MODULE"), "root/lib/libunwind.so.8");
	same_say("chroot", number ? syscall(number, "root") : chroot("root"));
	same_say("chdir", chdir("/"));
	same_say("it is there", access("/usr/lib/libunwind.so.8", R_OK));
	for (int i = 0; i < 20; i++)
		write(r->sink, buf, (size_t)same_get(r->source, buf, r->size));
	theirs = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
	same_say("it was loaded", theirs && dlsym(theirs, "module_buffer"));
	r->drain = 0; /* "received" is not to be seen from here */
	close(r->control);
	close(r->sink);
	wait(NULL);
}

/* The same in the name space of others, in which their file is mounted over the library. */
static void library_in_mounts(struct same_rig *r, long number)
{
	int up[2], fd;
	char *buf = malloc(r->size), path[64], c = 0;
	void *theirs;
	pid_t child;

	pipe(up);
	child = fork();
	if (child == 0) {
		void *real = dlopen("libunwind.so.8", RTLD_NOW);
		struct link_map *map = NULL;

		if (real)
			dlinfo(real, RTLD_DI_LINKMAP, &map);
		c = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		    map && getenv("SAME_MODULE") &&
		    mount(getenv("SAME_MODULE"), map->l_name, NULL, MS_BIND, NULL) == 0;
		write(up[1], &c, 1);
		for (;;)
			pause();
	}
	read(up[0], &c, 1);
	same_say("mounted", c);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)child);
	fd = open(path, O_RDONLY);
	same_say("setns", number ? syscall(number, fd, CLONE_NEWNS) : setns(fd, CLONE_NEWNS));
	for (int i = 0; i < 20; i++)
		write(r->sink, buf, (size_t)same_get(r->source, buf, r->size));
	theirs = dlopen("libunwind.so.8", RTLD_NOW | RTLD_NOLOAD);
	same_say("it was loaded", theirs && dlsym(theirs, "module_buffer"));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void library_of_other_mounts(struct same_rig *r)
{
	library_in_mounts(r, 0);
}

static void library_of_raw_mounts(struct same_rig *r)
{
	library_in_mounts(r, SYS_setns);
}

static void library_of_other_root(struct same_rig *r)
{
	library_of_others(r, 0);
}

static void library_of_raw_root(struct same_rig *r)
{
	library_of_others(r, SYS_chroot);
}

/* It finds libc's write before anybody else's. */
static void deep_library(struct same_rig *r, int when)
{
	int out = open("out", O_WRONLY | O_CREAT, 0644);
	void *module = load(when | RTLD_DEEPBIND);
	write_fn *its_write;
	read_fn *its_read;

	if (!module)
		return;
	its_write = (write_fn *)dlsym(module, "module_write");
	its_read = (read_fn *)dlsym(module, "module_read");
	for (int i = 0; i < 6; i++) {
		same_write(r);
		same_loop(r, SAME_ROUNDS);
		same_read(r);
		same_say("its write", its_write(out, r->buf, r->got));
		same_say("its write", its_write(r->sink, r->buf, r->got));
		same_read(r);
		same_say("its read", its_read(r->source, r->buf, 40000));
	}
	same_say_file("out");
	same_write(r);
	same_say("dlclose", dlclose(module));
}

static void deep_library_now(struct same_rig *r)
{
	deep_library(r, RTLD_NOW);
}

static void deep_library_later(struct same_rig *r)
{
	deep_library(r, RTLD_LAZY);
}

/* What is known of a call site outlives the module that it was in. */
static void caller_unloaded(struct same_rig *r)
{
	void *module;

	same_write(r);
	for (int i = 0; i < 4; i++) {
		read_fn *its_read;

		module = load(RTLD_NOW);
		if (!module)
			return;
		its_read = (read_fn *)dlsym(module, "module_read");
		for (int j = 0; j < SAME_ROUNDS; j++) {
			r->got = (size_t)its_read(r->source, r->buf, r->size);
			same_write(r);
		}
		r->got = (size_t)its_read(r->source, r->buf, r->size);
		same_say("dlclose", dlclose(module));
		same_say_buffer(r);
		same_write(r);
	}
}

static const struct same_case cases[] = {
	{ "filter_is_inherited", filter_is_inherited, SAME_LAZY, 0 },
	{ "filter_refuses", filter_refuses, SAME_LAZY, 0 },
	{ "filter_knows_nothing", filter_knows_nothing, SAME_LAZY, 0 },
	{ "by_ring", by_ring, SAME_LAZY, 0 },
	{ "sealed", sealed, SAME_LAZY | SAME_PAGE, 0 },
	{ "faults_for_user", faults_for_user, SAME_LAZY, 0 },
	{ "other_user", other_user, SAME_LAZY, 0 },
	{ "other_user_raw", other_user_raw, SAME_LAZY, 0 },
	{ "other_user_beside_threads", other_user_beside_threads, 0, 0 },
	{ "name_spaces", name_spaces, SAME_LAZY, 0 },
	{ "unmounts", unmounts, SAME_BARE, 0 },
	{ "new_pids", new_pids, SAME_LAZY, 0 },
	{ "enters", enters, SAME_LAZY, 0 },
	{ "new_root", new_root, SAME_LAZY, 0 },
	{ "library_of_other_mounts", library_of_other_mounts, SAME_UNIX | SAME_BARE | SAME_PLAIN, 0 },
	{ "library_of_raw_mounts", library_of_raw_mounts, SAME_UNIX | SAME_BARE | SAME_PLAIN, 0 },
	{ "library_of_other_root", library_of_other_root, SAME_UNIX | SAME_BARE | SAME_PLAIN, 0 },
	{ "library_of_raw_root", library_of_raw_root, SAME_UNIX | SAME_BARE | SAME_PLAIN, 0 },
	{ "memory_is_shut", memory_is_shut, SAME_LAZY, 0 },
	{ "table_of_its_own", table_of_its_own, 0, 0 },
	{ "table_by_close_range", table_by_close_range, 0, 0 },
	{ "full_space", full_space, SAME_LAZY, 0 },
	{ "full_space_new_number", full_space_new_number, SAME_LAZY, 0 },
	{ "full_map", full_map, SAME_LAZY, 0 },
	{ "full_map_beside_thread", full_map_beside_thread, SAME_LAZY | SAME_NO_LEASE, 0 },
	{ "nearly_full_map", nearly_full_map, SAME_PAGE, 0 },
	{ "safepoints", safepoints, SAME_LAZY, 0 },
	{ "world_stopped", world_stopped, SAME_LAZY, 0 },
	{ "traced", traced, SAME_LAZY, 0 },
	{ "deep_library_now", deep_library_now, SAME_LAZY, 0 },
	{ "deep_library_later", deep_library_later, SAME_LAZY, 0 },
	{ "caller_unloaded", caller_unloaded, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
