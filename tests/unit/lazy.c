/* SPDX-License-Identifier: MIT */
/* lazy.c - doubles and helpers for the tests of landings and segments; see lazy.h. */
#include "lazy.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "cpu.h"
#include "fault.h"
#include "guard.h"
#include "fd.h"
#include "host.h"
#include "land.h"
#include "pair.h"
#include "prim.h"
#include "sig.h"
#include "thread.h"
#include "unwind.h"
#include "watch.h"

/* ---- what the rest of the library would give ---- */

size_t shunt_page = PAGE;
__thread struct thread *thread_self_record __attribute__((tls_model("initial-exec")));
static struct thread records[16];
static _Atomic unsigned enrolled;
static struct stats counters;
static char a_caller;

struct stats *stats_get(void)
{
	return &counters;
}

void shunt_stand_aside(void)
{
}

bool stats_rescue(const void *address)
{
	return false;
}

struct thread *thread_enrol(void)
{
	unsigned i = atomic_fetch_add(&enrolled, 1);
	uintptr_t here = (uintptr_t)&here;

	CHECK(i < 16);
	records[i].tid = prim_gettid();
	records[i].stack_lo = page_down(here) - 64 * PAGE;
	records[i].stack_hi = page_down(here) + 64 * PAGE;
	thread_self_record = &records[i];
	return &records[i];
}

/*
 * All that were ever enrolled; they are linked beforehand, and those that are not ready yet have
 * nothing in them.
 */
struct thread *thread_list(void)
{
	unsigned n = enrolled;

	return n ? &records[n - 1] : NULL;
}

bool thread_single(void)
{
	return !lazy_threads;
}

bool thread_stack_overlaps(uintptr_t lo, uintptr_t hi)
{
	struct thread *t = thread_self();

	return lo < t->stack_hi && hi > t->stack_lo;
}

bool thread_on_known_stack(uintptr_t address)
{
	(void)address;
	return false;
}

void thread_alternate_stack(void)
{
	static __thread char *stack;
	stack_t ss = { .ss_size = 1 << 16 };

	if (stack)
		return;
	stack = malloc(ss.ss_size);
	ss.ss_sp = stack;
	sigaltstack(&ss, NULL);
}

bool host_protect(size_t n)
{
	(void)n;
	return true;
}

void host_open(size_t n)
{
	(void)n;
}

int sig_unheard(void)
{
	return SIGURG;
}

/* No: then locks do not block signals, and the alarm ends a case that waits for one. */
_Atomic unsigned sig_must;

bool sig_must_mask_slow(void)
{
	return false;
}

_Atomic bool guard_on, guard_complete;
_Atomic unsigned guard_chunks;

void guard_enrol(void)
{
}

void guard_trap(const siginfo_t *info, ucontext_t *context)
{
}

bool sig_in_handler(void)
{
	return false;
}

bool sig_own_faults(void)
{
	struct sigaction a = { .sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	return sigaction(SIGSEGV, &a, NULL) == 0;
}

bool sig_defer(int signal, siginfo_t *info, void *context)
{
	return false;
}

void sig_chain_made(int signal, siginfo_t *info, void *context)
{
	sig_chain(signal, info, context);
}

void sig_chain(int signal, siginfo_t *info, void *context)
{
	_exit(FOREIGN);
}

void watch_filled(const void *buf, size_t n, size_t written, int fd, struct site *site,
		  enum verdict why, bool looked)
{
	lazy_filled++;
}

int unwind_site(const void *caller)
{
	return UNWIND_FULL;
}

bool unwind_is_due(void)
{
	return true;
}

int unwind_caller(const void *caller, bool *alone)
{
	return UNWIND_FULL;
}

void pair_drop_sink(struct fd_entry *e)
{
}

void pair_site_named(const struct site *site, int index)
{
}

void pair_forked(void)
{
}

uint64_t cpu_now(void)
{
	return lazy_clock;
}

/* ---- helpers ---- */

struct site *lazy_site;
int lazy_fd = -1;
bool lazy_threads;
_Atomic unsigned lazy_filled;
uint64_t lazy_clock;
enum verdict lazy_why;

unsigned char lazy_byte(off_t offset)
{
	return (unsigned char)(1 + (offset ^ offset >> 8 ^ offset >> 12 ^ offset >> 17) % 255);
}

bool lazy_holds(const void *p, size_t n, off_t offset)
{
	const volatile unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i] != lazy_byte(offset + (off_t)i))
			return false;
	return true;
}

static void make_file(void)
{
	const char *top = getenv("TMPDIR");
	char path[256];
	unsigned char *all = malloc(FILE_SIZE);

	snprintf(path, sizeof(path), "%s/shunt-lazy-XXXXXX", top ? top : "/tmp");
	lazy_fd = mkstemp(path);
	CHECK(lazy_fd >= 0 && unlink(path) == 0 && all);
	for (off_t i = 0; i < FILE_SIZE; i++)
		all[i] = lazy_byte(i);
	CHECK(write(lazy_fd, all, FILE_SIZE) == FILE_SIZE);
	free(all);
	CHECK(fd_classify(lazy_fd, fd_entry(lazy_fd)) == STATS_KIND_FILE);
}

char *lazy_memory(size_t n)
{
	char *p = mmap(NULL, n + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED && munmap(p, PAGE) == 0 && munmap(p + PAGE + n, PAGE) == 0);
	CHECK(mprotect(p + PAGE, n, PROT_READ | PROT_WRITE) == 0);
	return p + PAGE;
}

struct landing *lazy_land(void *buf, size_t n, off_t offset)
{
	struct stat st = { .st_mode = 0 };
	ssize_t ret = land_read(lazy_fd, fd_entry(lazy_fd), buf, n, offset, &st, lazy_site, &lazy_why);

	return ret == (ssize_t)n ? landing_find((uintptr_t)buf) : NULL;
}

/* The kernel refuses to read what is protected; a pipe takes a byte of what is not. */
bool lazy_protected(const void *p)
{
	int ends[2];
	ssize_t n;

	CHECK(pipe(ends) == 0);
	n = prim_write(ends[1], p, 1);
	close(ends[0]);
	close(ends[1]);
	CHECK(n == 1 || n == -EFAULT);
	return n != 1;
}

int lazy_run(void (*body)(void))
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(20); /* a case that hangs has failed */
		shunt_page = (size_t)sysconf(_SC_PAGESIZE);
		CHECK(shunt_page == PAGE);
		config_defaults(&config);
		config.source = SOURCE_TRUST;
		for (int i = 1; i < 16; i++)
			records[i].next = &records[i - 1];
		lazy_site = site_of(&a_caller);
		make_file();
		body();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void unwind_stop(void)
{
}

void writers_forked(void)
{
}
