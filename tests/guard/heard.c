/* SPDX-License-Identifier: MIT */
/*
 * heard.c - does something that may leave shunt unable to hear all, and waits to be looked at.
 * Compiled three times: OWN_FREE has a free of its own, which goes on to libc's by another name;
 * TAKES_FREE keeps the addresses of free and realloc, and is linked to a fixed address: to the whole
 * process they are those of its own stubs then.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <dlfcn.h>
#include <sched.h>
#include <sys/prctl.h>
#include <threads.h>
#include <time.h>

#include "../signals/signals.h"
#include "inline.h"

#ifdef OWN_FREE
void __libc_free(void *p);

void free(void *p)
{
	__libc_free(p);
}
#endif

#ifdef TAKES_FREE
extern void (*volatile const taken_free)(void *);
extern void *(*volatile const taken_realloc)(void *, size_t);
void (*volatile const taken_free)(void *) = free;
void *(*volatile const taken_realloc)(void *, size_t) = realloc;
#endif

static char stack[65536];

static void *waits(void *arg)
{
	pause();
	return arg;
}

static int waits_too(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

/* No stack is used, and it never comes back. */
static void raw_thread(void)
{
#ifdef __x86_64__
	long tid;

	__asm__ volatile("mov $56, %%eax\n"
			 "xor %%edx, %%edx\n"
			 "xor %%r10d, %%r10d\n"
			 "xor %%r8d, %%r8d\n"
			 "syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "2: mov $34, %%eax\n"
			 "syscall\n"
			 "jmp 2b\n"
			 "1:"
			 : "=a"(tid)
			 : "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			       CLONE_SYSVSEM),
			   "S"(stack + sizeof(stack) - 64)
			 : "rcx", "r11", "rdx", "r8", "r10", "memory");
#endif
}

static void none(void)
{
}

static void threads_before(void)
{
	pthread_t t;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&t, NULL, waits, NULL) != 0)
			abort();
}

static void thread_c11(void)
{
	thrd_t t;

	if (thrd_create(&t, waits_too, NULL) != thrd_success)
		abort();
}

static void in_child(void)
{
	int status;
	pid_t pid;

	prime();
	pid = fork();
	if (pid == 0)
		return;
	if (waitpid(pid, &status, 0) == pid)
		_exit(WEXITSTATUS(status));
}

static void ran_others(void)
{
	if (system("true") != 0)
		abort();
	if (vfork() == 0)
		_exit(0);
}

static int ends(void *arg)
{
	(void)arg;
	return 0;
}

static void own_process(void)
{
	clone(ends, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
}

static void timer_signals(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t id;

	timer_create(CLOCK_MONOTONIC, &event, &id);
}

static void timer_thread(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD};
	timer_t id;

	timer_create(CLOCK_MONOTONIC, &event, &id);
}

static void async(void)
{
	static char byte;
	static struct aiocb cb = {.aio_buf = &byte, .aio_nbytes = 1};

	cb.aio_fildes = source_file();
	aio_read(&cb);
	while (aio_error(&cb) == EINPROGRESS)
		;
}

static void found_by_handle(void)
{
	if (!dlsym(dlopen("libc.so.6", RTLD_LAZY), "munmap"))
		abort();
}

static void found_next(void)
{
	if (!dlsym(RTLD_NEXT, "munmap"))
		abort();
}

static void inner_free(void)
{
	if (!dlsym(dlopen("libc.so.6", RTLD_LAZY), "__libc_free"))
		abort();
}

static void stands_aside(void)
{
	prctl(PR_SET_SECCOMP, 99, 0, 0, 0);
}

/* Whether it is done before the first landing, after it, or both. */
static const struct {
	const char *name;
	void (*before)(void), (*after)(void);
} cases[] = {
	{"alone", none, none}, {"threads", threads_before, threads_before},
	{"c11", thread_c11, thread_c11}, {"in_child", in_child, none}, {"forked", none, in_child},
	{"ran_others", ran_others, ran_others}, {"timer_signals", timer_signals, timer_signals},
	{"found_by_handle", found_by_handle, found_by_handle},
	{"raw_before", raw_thread, none}, {"raw_after", none, raw_thread},
	{"process_after", none, own_process},
	{"timer_before", timer_thread, none}, {"timer_after", none, timer_thread},
	{"async_before", async, none}, {"async_after", none, async},
	{"next_before", found_next, none}, {"next_after", none, found_next},
	{"inner_free", none, inner_free}, {"aside", none, stands_aside},
};

int main(int argc, char **argv)
{
	char c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc < 2 || strcmp(argv[1], cases[i].name) != 0)
			continue;
		cases[i].before();
		prime();
		cases[i].after();
		say("%d\n", getpid());
		if (read(0, &c, 1) < 0)
			return 1;
		_exit(0); /* whatever threads there are */
	}
	return 2;
}
