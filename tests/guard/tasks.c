/* SPDX-License-Identifier: MIT */
/*
 * tasks.c - processes and threads that begin and end while buffers land and inline system
 * calls are made. libc blocks all signals inside of most of these functions.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <threads.h>

#include "../signals/signals.h"
#include "inline.h"

extern char **environ;

/* A loop of its own for a thread, whose buffer lands too: chunks that met what they should. */
static int lands(int fd, char *p)
{
	int s[2], large = 4 * CHUNK, right = 0;
	char *back = malloc(CHUNK);
	struct stat st;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 || !back)
		abort();
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	for (int c = 0; c < CHUNKS; c++) {
		if (pread(fd, p, CHUNK, c * (off_t)CHUNK) != CHUNK)
			abort();
		/* the kernel writes into it now and then, before it is sent */
		if (c % 8 == 5 && INLINE2(fstat, fd, p + 9 * 4096) == 0)
			memcpy(&st, p + 9 * 4096, sizeof(st));
		if (c % 8 == 5 && st.st_size != CHUNKS * CHUNK)
			abort();
		if (write(s[0], p, CHUNK) != CHUNK || recv(s[1], back, CHUNK, MSG_WAITALL) != CHUNK)
			abort();
		right += back[77] == source_byte((size_t)c * CHUNK + 77);
	}
	free(back);
	close(s[0]);
	close(s[1]);
	return right;
}

static volatile int stop;
static int shared_file;

static void *works(void *arg)
{
	char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long rounds = 0;

	while (!stop || rounds == 0) {
		if (lands(shared_file, p) != CHUNKS)
			return "WRONG";
		rounds++;
	}
	(void)arg;
	return "right";
}

static pthread_t worker[3];

static void workers_begin(void)
{
	shared_file = source_file();
	for (int i = 0; i < 3; i++)
		if (pthread_create(&worker[i], NULL, works, NULL) != 0)
			abort();
}

static void workers_end(void)
{
	void *how;

	stop = 1;
	for (int i = 0; i < 3; i++) {
		pthread_join(worker[i], &how);
		say("worker %s\n", (char *)how);
	}
}

static void *brief(void *arg)
{
	char bytes[32];
	long ok = INLINE3(getrandom, bytes, sizeof(bytes), 0) == sizeof(bytes) &&
		  INLINE1(getpid, 0) == getpid();

	if ((intptr_t)arg % 3 == 1)
		pthread_exit((void *)ok);
	return (void *)ok;
}

static void *sleeps(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static _Atomic int detached;

static void *goes(void *arg)
{
	(void)arg;
	if (INLINE1(getpid, 0) == getpid())
		detached++;
	return NULL;
}

static void threads(void)
{
	pthread_attr_t small;
	pthread_t t;
	void *how;
	int right = 0, ended = 0;

	workers_begin();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 32768);
	for (intptr_t i = 0; i < 300; i++) {
		if (pthread_create(&t, i % 2 ? &small : NULL, brief, (void *)i) != 0)
			abort();
		pthread_join(t, &how);
		right += how == (void *)1;
	}
	for (int i = 0; i < 100; i++) {
		if (pthread_create(&t, NULL, sleeps, NULL) != 0)
			abort();
		pthread_cancel(t);
		pthread_join(t, &how);
		ended += how == PTHREAD_CANCELED;
	}
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 100; i++)
		if (pthread_create(&t, &small, goes, NULL) != 0)
			abort();
	while (detached < 100)
		usleep(1000);
	say("right %d ended %d\n", right, ended);
	workers_end();
}

static void children(void)
{
	char *echo[] = {"echo", "spawned", NULL};
	volatile int good = 0;
	int status;
	char line[64];
	pid_t pid;

	workers_begin();
	for (int i = 0; i < 10; i++) {
		FILE *f = popen("echo piped", "r");

		good += f && fgets(line, sizeof(line), f) && strcmp(line, "piped\n") == 0;
		good += f && pclose(f) == 0;
		good += system("exit 3") == 3 << 8;
		good += posix_spawnp(&pid, "true", NULL, NULL, echo, environ) == 0 &&
			waitpid(pid, &status, 0) == pid && status == 0;
		pid = fork();
		if (pid == 0)
			_exit(INLINE1(getpid, 0) == getpid() ? 4 : 5);
		good += waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4;
		pid = vfork();
		if (pid == 0) {
			execlp("true", "true", NULL);
			_exit(9);
		}
		good += waitpid(pid, &status, 0) == pid && status == 0;
		raise(0);
		pthread_kill(pthread_self(), 0);
	}
	say("good %d\n", good);
	workers_end();
}

static pthread_key_t late;
static volatile long at_end;

/* In the last round that there is, after all that did not ask for more of them. */
static void ends_late(void *round)
{
	if ((intptr_t)round < 4)
		pthread_setspecific(late, (void *)((intptr_t)round + 1));
	else
		at_end = INLINE2(fstat, 1, landed + 8 * 4096);
}

static void *has_key(void *arg)
{
	pthread_setspecific(late, (void *)1);
	return arg;
}

/* The last of a thread's code is a destructor that meets what another thread has landed. */
static void destructor(void)
{
	pthread_t t;

	at_end = 1;
	pthread_key_create(&late, ends_late);
	prime();
	if (pthread_create(&t, NULL, has_key, NULL) != 0)
		abort();
	while (at_end == 1)
		;
	pthread_join(t, NULL);
	say("fstat %ld\n", at_end);
}

static int c11_thread(void *arg)
{
	while (!*(volatile int *)arg)
		;
	return (int)INLINE2(fstat, 1, landed + 8 * 4096) * 1000 + 42;
}

static void threads_h(void)
{
	int result = 1;
	volatile int begin = 0;
	thrd_t t;

	say("create %d\n", thrd_create(&t, c11_thread, (void *)&begin) == thrd_success);
	prime();
	begin = 1;
	say("join %d", thrd_join(t, &result) == thrd_success);
	say(" result %d\n", result);
}

static volatile int go;

static void *other(void *arg)
{
	(void)arg;
	while (!go)
		;
	return (void *)INLINE2(fstat, 1, landed + 8 * 4096);
}

/* A thread that does nothing with shunt meets what another has landed. */
static void other_thread(void)
{
	pthread_t t;
	void *how;

	if (pthread_create(&t, NULL, other, NULL) != 0)
		abort();
	prime();
	go = 1;
	pthread_join(t, &how);
	say("fstat %ld\n", (long)how);
}

/* What was asked for memory inline stays so, whatever lands in it. */
static void advised(void)
{
	char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[CHUNK / 4096];
	int status, fd = source_file();
	pthread_t t;
	pid_t pid;

	if (pthread_create(&t, NULL, sleeps, NULL) != 0)
		abort();
	prime();
	say("madvise %ld\n", INLINE3(madvise, p, CHUNK, MADV_DONTFORK));
	say("lands %d\n", lands(fd, p) == CHUNKS);
	say("look %d\n", p[5 * 4096] == source_byte((CHUNKS - 1) * CHUNK + 5 * 4096));
	pid = fork();
	if (pid == 0) {
		say("child has it: %d\n", mincore(p, CHUNK, there) == 0);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	show_status("child", status);
}

/* The child of a fork works on, with landings and a guard of its own. */
static void child_works(void)
{
	int status;
	pid_t pid;

	prime();
	pid = fork();
	if (pid == 0) {
		say("child look %s\n", look(3));
		prime();
		say("child fstat %ld\n", INLINE2(fstat, 1, landed + 8 * 4096));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	show_status("child", status);
	prime();
	say("fstat %ld\n", INLINE2(fstat, 1, landed + 8 * 4096));
}

static void inline_fork(void)
{
	int status;
	pid_t pid;

	prime();
	pid = (pid_t)INLINE(clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (pid == 0) {
		say("child look %s\n", look(3));
		_exit(INLINE1(getpid, 0) > 0 ? 6 : 7);
	}
	waitpid(pid, &status, 0);
	show_status("child", status);
	say("look %s\n", look(4));
}

#ifdef __x86_64__
/* vfork as a runtime of its own makes it; the child does little. */
static void inline_vfork(void)
{
	int status;
	long pid;

	prime();
	__asm__ volatile("mov $58, %%eax\n"
			 "syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "mov $8, %%edi\n"
			 "mov $231, %%eax\n"
			 "syscall\n"
			 "1:"
			 : "=a"(pid)
			 :
			 : "rcx", "r11", "rdi", "memory");
	waitpid((pid_t)pid, &status, 0);
	show_status("child", status);
	say("look %s\n", look(4));
}

/* A thread that no library knows of. */
static void inline_thread(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile int word = 0;
	register volatile int *at __asm__("r9") = &word;
	long tid;

	prime();
	at = &word;
	__asm__ volatile("mov $56, %%eax\n"
			 "xor %%edx, %%edx\n"
			 "xor %%r10d, %%r10d\n"
			 "xor %%r8d, %%r8d\n"
			 "syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "movl $1, (%%r9)\n"
			 "xor %%edi, %%edi\n"
			 "mov $60, %%eax\n"
			 "syscall\n"
			 "1:"
			 : "=a"(tid)
			 : "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			       CLONE_SYSVSEM),
			   "S"(stack + 65536 - 64), "r"(at)
			 : "rcx", "r11", "rdx", "r8", "r10", "memory");
	while (!word)
		usleep(100);
	say("thread %d look %s\n", tid > 0, look(4));
}
#else
static void inline_vfork(void)
{
}

static void inline_thread(void)
{
}
#endif

static void inline_exec(void)
{
	char *words[] = {"sh", "-c", "echo new program; exit 5", NULL};

	prime();
	say("execve %ld\n", INLINE3(execve, "/nowhere", words, environ));
	/* the path lies in the buffer */
	say("execve %ld\n", INLINE3(execve, landed + PATH_AT, words, environ));
}

/* ---- streams ---- */

static void tcp_pair(int s[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = socket(AF_INET, SOCK_STREAM, 0), large = 4 << 20;
	socklen_t n = sizeof(a);

	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	if (bind(l, (struct sockaddr *)&a, n) < 0 || listen(l, 1) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &n) < 0 ||
	    connect(s[0], (struct sockaddr *)&a, n) < 0 || (s[1] = accept(l, NULL, NULL)) < 0)
		abort();
	close(l);
}

static void wait_until_queued(int fd, int n)
{
	int there = 0;

	while (ioctl(fd, FIONREAD, &there) == 0 && there < n)
		usleep(100);
}

/* A relay of one thread, of which nothing but streams lands. */
static void streams(void)
{
	enum { BYTES = 256 << 10, ROUNDS = 200 };
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *in = malloc(BYTES), *out = malloc(BYTES);
	int source[2], sink[2], right = 0, lazy = 0, met = 0;

	tcp_pair(source);
	tcp_pair(sink);
	for (int i = 0; i < ROUNDS; i++) {
		memset(in, i, BYTES);
		if (send(source[0], in, BYTES, 0) != BYTES)
			abort();
		wait_until_queued(source[1], BYTES);
		if (read(source[1], p, BYTES) != BYTES)
			abort();
		if (i >= ROUNDS / 2 && i % 16 == 0) {
			lazy += is_protected(p + 9 * 4096);
			met += INLINE2(fstat, 1, p + 9 * 4096) == 0;
			memset(p + 9 * 4096, i, sizeof(struct stat));
		}
		if (write(sink[0], p, BYTES) != BYTES || recv(sink[1], out, BYTES, MSG_WAITALL) != BYTES)
			abort();
		right += memcmp(in, out, BYTES) == 0;
	}
	if (getenv("SHUNT_CONF") && lazy == 0)
		say("nothing landed: this proves nothing\n");
	say("right %d, met %d\n", right, met);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"streams", streams},
	{"threads", threads}, {"children", children}, {"other_thread", other_thread},
	{"child_works", child_works},
	{"advised", advised}, {"destructor", destructor}, {"threads_h", threads_h},
	{"inline_fork", inline_fork}, {"inline_vfork", inline_vfork},
	{"inline_thread", inline_thread}, {"inline_exec", inline_exec},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2)
			puts(cases[i].name);
		else if (strcmp(argv[1], cases[i].name) == 0)
			cases[i].run();
	}
	return 0;
}
