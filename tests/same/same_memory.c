/* SPDX-License-Identifier: MIT */
/* same_memory.c - the memory of a lazy buffer is freed, unmapped, moved, or is of an odd kind. */
#include "same.h"

#include <alloca.h>
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

/* The rig's buffer gives way to the N bytes at P, and the loop begins anew. */
static void use(struct same_rig *r, char *p, size_t n)
{
	r->buf = p;
	r->size = n;
	same_loop(r, SAME_ROUNDS);
	same_read(r);
}

static char *map(size_t n, int flags)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void free_and_malloc(struct same_rig *r)
{
	for (int i = 0; i < 6; i++) {
		char *p = malloc(r->size);

		use(r, p, r->size);
		free(p);
		p = malloc(r->size);
		memset(p, 'f', r->size);
		same_say_memory("new", p, r->size);
		r->got = r->size;
		r->buf = p;
		same_write(r);
		free(p);
	}
}

static void free_and_calloc(struct same_rig *r)
{
	for (int i = 0; i < 6; i++) {
		char *p = malloc(400000);

		use(r, p, 400000);
		same_write(r);
		free(p);
		p = calloc(1, 400000);
		same_say_memory("zeros", p, 400000);
		free(p);
	}
}

static void small_pieces_later(struct same_rig *r)
{
	char *p = malloc(100000), *small[200];

	use(r, p, 100000);
	free(p);
	for (int i = 0; i < 200; i++) {
		small[i] = malloc(500);
		memset(small[i], i, 500);
	}
	for (int i = 0; i < 200; i++) {
		r->got = 500;
		r->buf = small[i];
		same_write(r);
		free(small[i]);
	}
}

static void grown(struct same_rig *r)
{
	char *p = malloc(r->size);

	for (size_t n = r->size; n < 2000000; n *= 2) {
		use(r, p, n);
		p = realloc(p, n * 2);
		same_say_memory("moved", p, n);
		r->buf = p;
		same_write(r);
	}
	p = realloc(p, 50000);
	same_say_memory("shrunk", p, 50000);
	free(p);
}

static void unmapped(struct same_rig *r)
{
	for (int i = 0; i < 4; i++) {
		char *p = map(r->size, MAP_PRIVATE), *q;

		use(r, p, r->size);
		same_say("munmap", munmap(p, r->size));
		q = mmap(p, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		same_say("same place", q == p);
		same_say_memory("zeros", q, r->size);
		r->buf = q;
		same_write(r);
		munmap(q, r->size);
	}
}

static void unmapped_in_part(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);

	use(r, p, r->size);
	same_say("munmap", munmap(p + 16384, 16384));
	same_say("write", write(r->sink, p, 16384));
	same_say("write of the hole", write(r->sink, p + 16384, 16384));
	same_say("write", write(r->sink, p + 32768, 32768));
	same_say_memory("front", p, 16384);
	same_say_memory("back", p + 32768, 32768);
}

/* The page of one end of the buffer, which is not lazy, goes or may not be read any more. */
static void take_page(char *p, int how)
{
	enum { GUARD_INSTALL = 102 };

	switch (how) {
	case 0: same_say("munmap", munmap(p, 4096)); break;
	case 1: same_say("mprotect", mprotect(p, 4096, PROT_NONE)); break;
	case 2: same_say("mremap", mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
					  map(4096, MAP_PRIVATE)) != MAP_FAILED); break;
	case 3: same_say("mmap", mmap(p, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				      -1, 0) == p); break;
	case 4: same_say("madvise", madvise(p, 4096, GUARD_INSTALL)); break;
	}
}

static void end_goes(struct same_rig *r)
{
	for (int how = 0; how <= 4; how++) {
		char *p = map(r->size + 8192, MAP_PRIVATE);

		use(r, p + 1000, r->size);
		take_page(p, how);
		same_say("write", write(r->sink, p + 1000, r->size));
		same_say("write", write(r->sink, p + 4096, r->size - 3096));
		p = map(r->size + 8192, MAP_PRIVATE);
		use(r, p + 1000, r->size);
		take_page(p + r->size, how);
		same_say("all", write(r->sink, p + 1000, r->size) == (ssize_t)r->size);
		same_say("write", write(r->sink, p + 1000, r->size - 1000));
	}
}

/* A call that is refused leaves what is there. */
static void unmapped_in_vain(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);

	use(r, p, r->size);
	same_say("munmap", munmap(p, (size_t)1 << 60));
	same_say_memory("buffer", p, r->size);
	same_write(r);
}

static void mapped_over(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);
	int fd = open("../other", O_RDONLY);

	use(r, p, r->size);
	same_say("mmap", mmap(p + 8192, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
				 p + 8192);
	same_write(r);
	same_say_memory("buffer", p, r->size);
	same_say("mmap", mmap(p, r->size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == p);
	same_say_memory("buffer", p, r->size);
	use(r, p, r->size);
	same_write(r);
}

static void remapped(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE), *q, *target = map(r->size, MAP_PRIVATE);

	use(r, p, r->size);
	q = mremap(p, r->size, 4 * r->size, MREMAP_MAYMOVE);
	same_say("mremap", q == MAP_FAILED ? -1 : 0);
	same_say_memory("buffer", q, 4 * r->size);
	r->buf = q;
	same_write(r);
	use(r, q, r->size);
	same_say("mremap", mremap(q, r->size, r->size, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
	r->buf = target;
	same_write(r);
	same_say_memory("target", target, r->size);
	use(r, target, r->size);
	same_say("shrink", mremap(target, r->size, 20480, 0) == target);
	same_say_memory("target", target, 20480);
}

static void protected(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);

	use(r, p, r->size);
	same_say("mprotect", mprotect(p, r->size, PROT_READ));
	same_say_memory("buffer", p, r->size);
	same_write(r);
	same_say("read", same_get(r->source, p, r->size));
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
	same_say("mprotect", mprotect(p, r->size, PROT_READ | PROT_WRITE));
	use(r, p, r->size);
	same_say("mprotect", mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	same_write(r);
	same_say_memory("buffer", p, r->size);
	use(r, p, r->size);
	same_say("mprotect", mprotect(p, r->size, PROT_NONE));
	same_say("write", write(r->sink, p, r->size));
	same_say("read", same_get(r->source, p, r->size));
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
	same_say("mprotect", mprotect(p, r->size, PROT_READ | PROT_WRITE));
	same_say_memory("buffer", p, r->size);
}

static void not_needed(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);

	use(r, p, r->size);
	same_say("madvise", madvise(p + 4096, 16384, MADV_DONTNEED));
	same_write(r);
	same_say_memory("buffer", p, r->size);
	use(r, p, r->size);
	same_write(r);
	same_say("madvise", madvise(p, r->size, MADV_DONTNEED));
	same_say_memory("zeros", p, r->size);
	use(r, p, r->size);
	same_say("dontfork", madvise(p, r->size, MADV_DONTFORK));
	same_write(r);
	use(r, p, r->size);
	same_say_memory("buffer", p, r->size);
	same_write(r);
}

static void locked(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);
	unsigned char pages[16];

	use(r, p, r->size);
	same_say("mlock", mlock(p, r->size));
	same_say("mincore", mincore(p, r->size, pages));
	same_write(r);
	use(r, p, r->size);
	same_say_memory("buffer", p, r->size);
	same_write(r);
	same_say("munlock", munlock(p, r->size));
}

/* A second process sees what is read into a shared mapping. */
static void shared_mapping(struct same_rig *r)
{
	char *p = map(r->size, MAP_SHARED);
	int go[2];
	char c = 0;
	pid_t child;

	if (pipe(go) != 0)
		return;
	child = fork();
	if (child == 0) {
		close(r->sink);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		same_say_memory("seen by the child", p, r->size);
		_exit(0);
	}
	use(r, p, r->size);
	if (write(go[1], &c, 1) != 1)
		exit(1);
	waitpid(child, NULL, 0);
	same_write(r);
	same_say_memory("buffer", p, r->size);
}

static void shared_file(struct same_rig *r)
{
	int fd = open("out", O_RDWR | O_CREAT, 0644);
	char *p;

	if (ftruncate(fd, (off_t)r->size) != 0)
		return;
	p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	use(r, p, r->size);
	same_say_file("out");
	same_write(r);
	p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	use(r, p, r->size);
	same_say_memory("private", p, r->size);
	same_say_file("out");
	same_write(r);
}

static void __attribute__((noinline)) on_stack(struct same_rig *r, size_t n)
{
	char *p = alloca(n);

	use(r, p, n);
	same_say_memory("stack", p, n);
	same_write(r);
}

static void __attribute__((noinline)) other_frame(size_t n)
{
	char *p = alloca(n);

	memset(p, 's', n);
	same_say_memory("other frame", p, n);
}

static void stack(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 4; i++) {
		on_stack(r, 65536);
		other_frame(65536);
		on_stack(r, 200000);
		other_frame(300000);
	}
}

static char statics[3 * SAME_CHUNK];

static void static_buffer(struct same_rig *r)
{
	same_write(r);
	use(r, statics + 7, SAME_CHUNK);
	same_write(r);
	same_say_memory("statics", statics, sizeof(statics));
	use(r, statics + 7, SAME_CHUNK);
	memset(statics, 's', sizeof(statics));
	same_write(r);
	same_say_memory("statics", statics, sizeof(statics));
}

/* Read-only memory: the read is EFAULT, and the offset does not move. */
static void constant(struct same_rig *r)
{
	char *p = mmap(NULL, SAME_CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 4; i++) {
		same_say("read", same_get(r->source, p, SAME_CHUNK));
		same_say("offset", lseek(r->source, 0, SEEK_CUR));
	}
	same_say_memory("zeros", p, SAME_CHUNK);
	same_write(r);
}

/* The last page of the buffer is not there. */
static void short_buffer(struct same_rig *r)
{
	char *p = map(SAME_CHUNK, MAP_PRIVATE);

	same_write(r);
	munmap(p + SAME_CHUNK - 4096, 4096);
	for (int i = 0; i < 6; i++) {
		ssize_t n = same_say("read", same_get(r->source, p, SAME_CHUNK));

		same_say("offset", lseek(r->source, 0, SEEK_CUR));
		same_say("write", write(r->sink, p, n > 0 ? (size_t)n : 10));
	}
	same_say_memory("buffer", p, SAME_CHUNK - 4096);
}

static ucontext_t here, there;
static char *coroutine_stack;

static void coroutine(void)
{
	other_frame(20000);
	swapcontext(&there, &here);
}

/* What was a buffer becomes a stack. */
static void becomes_a_stack(struct same_rig *r)
{
	size_t n = 131072;
	char *p = malloc(n);

	use(r, p, n);
	same_write(r);
	free(p);
	coroutine_stack = malloc(n);
	getcontext(&there);
	there.uc_stack.ss_sp = coroutine_stack;
	there.uc_stack.ss_size = n;
	there.uc_link = &here;
	makecontext(&there, coroutine, 0);
	same_say("swapcontext", swapcontext(&here, &there));
	free(coroutine_stack);
}

static void *on_thread(void *arg)
{
	other_frame(20000);
	return arg;
}

static void becomes_a_thread_stack(struct same_rig *r)
{
	size_t n = 262144;
	pthread_attr_t attr;
	pthread_t thread;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	use(r, p, n);
	same_write(r);
	pthread_attr_init(&attr);
	same_say("setstack", pthread_attr_setstack(&attr, p, n));
	if (pthread_create(&thread, &attr, on_thread, NULL) == 0)
		same_say("join", pthread_join(thread, NULL));
	same_read(r);
	same_write(r);
}

/* The static buffer of a module, which is unloaded; another mapping takes its place. */
static void unloaded_module(struct same_rig *r)
{
	const char *path = getenv("SAME_MODULE");
	void *module;
	char *p;

	for (int i = 0; i < 4; i++) {
		module = path != NULL ? dlopen(path, RTLD_NOW) : NULL;
		if (module == NULL) {
			same_say("no module", -1);
			return;
		}
		p = dlsym(module, "module_buffer");
		use(r, p, 200000);
		if (i % 2 == 0)
			same_write(r);
		same_say("dlclose", dlclose(module));
		p = mmap(p, 200000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		same_say_memory("zeros", p, 200000);
		munmap(p, 200000);
		r->buf = malloc(200000);
	}
}

static void trimmed(struct same_rig *r)
{
	char *a = malloc(100000), *b = malloc(100000);

	use(r, b, 100000);
	same_write(r);
	free(b);
	free(a);
	malloc_trim(0);
	a = malloc(250000);
	memset(a, 't', 250000);
	same_say_memory("new", a, 250000);
	use(r, a, 100000);
	same_say_memory("new", a, 250000);
	same_write(r);
}

/* More buffers than one, in turn. */
static void many_buffers(struct same_rig *r)
{
	char *p[64];

	for (int i = 0; i < 64; i++)
		p[i] = malloc(70000);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 64; i++) {
			r->got = (size_t)same_get(r->source, p[i], 65536);
			if (write(r->sink, p[i], r->got) != (ssize_t)r->got)
				same_say("write", -1);
		}
	for (int i = 0; i < 64; i++)
		same_say_memory("buffer", p[i], 65536);
	r->got = 0;
}

/* ---- blocks that a loop gets, frees and gets again ---- */

enum { BLOCK = 120000 };

/* The block that such a loop freed last. It may still be protected. */
static char *freed_block(struct same_rig *r, size_t n)
{
	char *p, *volatile last = NULL;

	same_write(r);
	for (int i = 0; i < 10; i++) {
		p = malloc(n);
		r->got = (size_t)same_get(r->source, p, n);
		if (write(r->sink, p, r->got) != (ssize_t)r->got)
			same_say("write", -1);
		last = p;
		free(p);
	}
	r->got = 0;
	return last;
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

/* Signals come at many depths of the stack: the kernel writes below each. */
static void __attribute__((noinline)) deep(int n)
{
	volatile char room[600];

	room[0] = (char)n;
	raise(SIGUSR1);
	if (n > 0)
		deep(n - 1);
	room[1] = room[0];
}

static void deep_coroutine(void)
{
	deep(100);
	swapcontext(&there, &here);
}

static void freed_then_context(struct same_rig *r)
{
	signal(SIGUSR1, count_signal);
	freed_block(r, BLOCK);
	coroutine_stack = malloc(BLOCK);
	getcontext(&there);
	there.uc_stack.ss_sp = coroutine_stack;
	there.uc_stack.ss_size = BLOCK;
	there.uc_link = &here;
	makecontext(&there, deep_coroutine, 0);
	same_say("swapcontext", swapcontext(&here, &there));
	same_say("signals", signals);
	free(coroutine_stack);
}

/* As libraries of coroutines do it: no call of libc's is told of the stack. */
static void own_switch(char *stack, size_t n)
{
	uintptr_t top = ((uintptr_t)stack + n) & ~(uintptr_t)15;

	getcontext(&there);
#if defined(__x86_64__)
	there.uc_mcontext.gregs[REG_RSP] = (greg_t)(top - 8);
	there.uc_mcontext.gregs[REG_RIP] = (greg_t)deep_coroutine;
#elif defined(__aarch64__)
	there.uc_mcontext.sp = top;
	there.uc_mcontext.pc = (uintptr_t)deep_coroutine;
#endif
	same_say("swapcontext", swapcontext(&here, &there));
}

static void freed_then_own_switch(struct same_rig *r)
{
	signal(SIGUSR1, count_signal);
	freed_block(r, BLOCK);
	coroutine_stack = malloc(BLOCK);
	own_switch(coroutine_stack, BLOCK);
	same_say("signals", signals);
	free(coroutine_stack);
}

/* The same for a block that was freed once. */
static void freed_once_then_own_switch(struct same_rig *r)
{
	char *p = malloc(BLOCK);

	signal(SIGUSR1, count_signal);
	use(r, p, BLOCK);
	same_write(r);
	free(p);
	coroutine_stack = malloc(BLOCK);
	own_switch(coroutine_stack, BLOCK);
	same_say("signals", signals);
	free(coroutine_stack);
}

/* A buffer that was never freed becomes a stack. */
static void landed_then_context(struct same_rig *r)
{
	char *p = map(BLOCK, MAP_PRIVATE);

	signal(SIGUSR1, count_signal);
	use(r, p, BLOCK);
	same_write(r);
	getcontext(&there);
	there.uc_stack.ss_sp = p;
	there.uc_stack.ss_size = BLOCK;
	there.uc_link = &here;
	makecontext(&there, deep_coroutine, 0);
	same_say("swapcontext", swapcontext(&here, &there));
	same_say("signals", signals);
}

static void landed_then_signal_stack(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_size = BLOCK, .ss_sp = map(BLOCK, MAP_PRIVATE) };

	sigaction(SIGUSR1, &sa, NULL);
	use(r, ss.ss_sp, BLOCK);
	same_write(r);
	same_say("sigaltstack", sigaltstack(&ss, NULL));
	same_say("raise", raise(SIGUSR1));
	same_say("signals", signals);
	ss.ss_flags = SS_DISABLE;
	same_say("sigaltstack", sigaltstack(&ss, NULL));
}

static void *deep_thread(void *arg)
{
	deep(60);
	return arg;
}

static void freed_then_thread(struct same_rig *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	char *p;

	signal(SIGUSR1, count_signal);
	freed_block(r, BLOCK);
	p = malloc(BLOCK);
	pthread_attr_init(&attr);
	same_say("setstack", pthread_attr_setstack(&attr, p, BLOCK & ~15u));
	if (pthread_create(&thread, &attr, deep_thread, NULL) == 0)
		same_say("join", pthread_join(thread, NULL));
	same_say("signals", signals);
	free(p);
}

static void freed_then_signal_stack(struct same_rig *r)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_size = BLOCK };

	sigaction(SIGUSR1, &sa, NULL);
	freed_block(r, BLOCK);
	ss.ss_sp = malloc(BLOCK);
	same_say("sigaltstack", sigaltstack(&ss, NULL));
	same_say("raise", raise(SIGUSR1));
	same_say("signals", signals);
	ss.ss_flags = SS_DISABLE;
	same_say("sigaltstack", sigaltstack(&ss, NULL));
	free(ss.ss_sp);
}

static void freed_then_calloc(struct same_rig *r)
{
	char *p;

	freed_block(r, BLOCK);
	p = calloc(1, BLOCK);
	same_say_memory("zeros", p, BLOCK);
	free(p);
	freed_block(r, 90000);
	malloc_trim(0);
	p = calloc(1, 3000000);
	same_say_memory("zeros", p, 3000000);
	free(p);
}

/* The kernel fills it in part, the program the rest. */
static void freed_then_read(struct same_rig *r)
{
	int other = open("../other", O_RDONLY);
	char *p;

	freed_block(r, BLOCK);
	p = malloc(BLOCK);
	same_say("read", read(other, p, 70000));
	memset(p + 70000, 'r', BLOCK - 70000);
	same_say_memory("read", p, BLOCK);
	r->buf = p;
	r->got = BLOCK;
	same_write(r);
	free(p);
}

/* The program writes all of it, and sends it. */
static void freed_then_written(struct same_rig *r)
{
	char *p;

	freed_block(r, BLOCK);
	p = malloc(BLOCK);
	memset(p, 'w', BLOCK);
	same_say_memory("written", p, BLOCK);
	r->buf = p;
	r->got = BLOCK;
	same_write(r);
	free(p);
}

static sigjmp_buf back;

static void jump_back(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* The block went back to the kernel; what is mapped in its place keeps its protection. */
static void freed_then_forbidden(struct same_rig *r)
{
	size_t n = 400000;
	char *p, *q;
	pid_t child;

	mallopt(M_MMAP_THRESHOLD, 131072);
	p = (char *)((uintptr_t)freed_block(r, n) & ~(uintptr_t)4095);
	q = mmap(p, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same_say("same place", q == p);
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	signal(SIGSEGV, jump_back);
	if (sigsetjmp(back, 1) == 0) {
		q[30000] = 'x';
		same_say("written to read-only memory", 1);
	}
	same_say_memory("zeros", q, n);
}

/* ---- memory with a property that new pages would not have ---- */

/* The value of a field like VmLck of this process, in KiB. */
static long status_of(const char *field)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long value = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtol(line + strlen(field) + 1, NULL, 10);
	if (f != NULL)
		fclose(f);
	return value;
}

/* Has the mapping of P the flag, as /proc/self/smaps calls it? */
static int has_flag(const char *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[400];
	unsigned long lo, hi;
	bool here_now = false;
	int found = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2 && strchr(line, '-') < line + 17)
			here_now = (uintptr_t)p >= lo && (uintptr_t)p < hi;
		else if (here_now && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line + 8, flag) != NULL;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static void *idle_thread(void *arg)
{
	pause();
	return arg;
}

/* With a second thread a page is filled by another's taking its place. */
static char *with_a_thread(struct same_rig *r)
{
	pthread_t thread;

	same_write(r);
	if (pthread_create(&thread, NULL, idle_thread, NULL) != 0)
		exit(1);
	return map(r->size, MAP_PRIVATE);
}

static void look_twice(struct same_rig *r, char *p)
{
	use(r, p, r->size);
	same_say_memory("buffer", p, r->size);
	same_write(r);
	use(r, p, r->size);
	same_say_memory("buffer", p, r->size);
	same_write(r);
}

/* The program's own call of one form or another. */
static char *remap_as(char *p, size_t n, char *target, int how)
{
	switch (how) {
	case 0:
		return mremap(p, n, n, MREMAP_MAYMOVE);
	case 1:
		return mremap(p, n, n + 4096, 0);
	case 2: /* something is in the way */
		return mremap(p, n, n + 4096, MREMAP_MAYMOVE);
	case 3:
		return mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	case 4:
		return mremap(p, n, n - 40960, MREMAP_MAYMOVE | MREMAP_FIXED, target + 2 * n);
	case 5:
		return mremap(p, n, n + 40960, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	case 6:
		return mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	default:
		return (char *)syscall(SYS_mremap, p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	}
}

/* A mapping of which some was landed and looked at beside another thread is one to the program. */
static void remapped_in_pieces(struct same_rig *r)
{
	static const long more[8] = { 0, 4096, 4096, 0, -40960, 40960, 0, 0 };
	size_t n = 8 * r->size, chunk = r->size;
	char *target = map(4 * n, MAP_PRIVATE), *p, *q;

	munmap(with_a_thread(r), chunk);
	for (int i = 0; i < 8; i++) {
		p = map(2 * n, MAP_PRIVATE);
		if (i == 2)
			mprotect(p + n, n, PROT_NONE);
		else
			munmap(p + n, n);
		memset(p, 'm', n);
		look_twice(r, p + 2 * chunk);
		q = mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, target + 77);
		same_say("to an odd address", q == MAP_FAILED ? errno : 0);
		q = remap_as(p, n, target, i);
		same_say("mremap", q == MAP_FAILED ? -errno : more[i]);
		if (q == MAP_FAILED)
			exit(1);
		same_say_memory("all", q, n + (size_t)more[i]);
		memset(q, 'n', n + (size_t)more[i]);
		if (i == 6)
			same_say_memory("left", p, n);
		else
			same_say("gone", q == p || msync(p, n, MS_ASYNC));
	}
}

static void locked_stays(struct same_rig *r)
{
	char *p = with_a_thread(r);
	long before = status_of("VmLck:");

	same_say("mlock", mlock(p, r->size));
	look_twice(r, p);
	same_say("locked", status_of("VmLck:") - before);
}

static void locked_on_fault_stays(struct same_rig *r)
{
	char *p = with_a_thread(r);
	long before = status_of("VmLck:");

	same_say("mlock2", mlock2(p, r->size, MLOCK_ONFAULT));
	look_twice(r, p);
	same_say("locked", status_of("VmLck:") - before);
}

static void locked_from_the_start(struct same_rig *r)
{
	long before = status_of("VmLck:");
	char *p;

	with_a_thread(r);
	p = map(r->size, MAP_PRIVATE | MAP_LOCKED);
	look_twice(r, p);
	same_say("locked", status_of("VmLck:") - before);
}

static void locked_by_syscall(struct same_rig *r)
{
	char *p = with_a_thread(r);
	long before = status_of("VmLck:");

	same_say("mlock", syscall(SYS_mlock, p, r->size));
	look_twice(r, p);
	same_say("locked", status_of("VmLck:") - before);
}

/* Pages that may not be touched, which no protection shows: a read ends before them. */
static void guard_pages(struct same_rig *r)
{
	char *p = map(r->size, MAP_PRIVATE);

	same_say("MADV_GUARD_INSTALL", madvise(p + 16384, 4096, 102));
	use(r, p, r->size);
	same_write(r);
	same_loop(r, SAME_ROUNDS);
}

static void advice_stays(struct same_rig *r)
{
	static const struct { int advice; const char *flag; } all[] = {
		{ MADV_DONTFORK, " dc" }, { MADV_DONTDUMP, " dd" }, { MADV_WIPEONFORK, " wf" },
		{ MADV_NOHUGEPAGE, " nh" },
	};
	char *p;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		p = i == 0 ? with_a_thread(r) : map(r->size, MAP_PRIVATE);
		same_say("madvise", madvise(p, r->size, all[i].advice));
		look_twice(r, p);
		same_say(all[i].flag, has_flag(p + 32768, all[i].flag));
	}
}

/* What is landed has to be opened again when the process has no room left for data. */
static void data_limit(struct same_rig *r)
{
	rlim_t now = (rlim_t)status_of("VmData:") << 10;
	struct rlimit limit = { now + (8 << 20), RLIM_INFINITY };
	char *p = map(1 << 20, MAP_PRIVATE), *q;

	same_say("setrlimit", setrlimit(RLIMIT_DATA, &limit));
	use(r, p, 1 << 20);
	do
		q = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (q != MAP_FAILED);
	same_say_memory("buffer", p, 1 << 20);
	same_write(r);
	limit.rlim_cur = RLIM_INFINITY;
	same_say("setrlimit", setrlimit(RLIMIT_DATA, &limit));
}

/* Takes all the room for data that there is. */
static void take_room(void)
{
	char *p;

	do
		p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (p != MAP_FAILED);
}

static void limit_data(rlim_t more)
{
	struct rlimit limit = { ((rlim_t)status_of("VmData:") << 10) + more, RLIM_INFINITY };

	same_say("setrlimit", setrlimit(RLIMIT_DATA, &limit));
}

/* So that the report at the end finds memory. */
static void lift_limit(void)
{
	static const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	same_say("setrlimit", setrlimit(RLIMIT_DATA, &none));
}

/* The limit comes when something is landed already. */
static void data_limit_later(struct same_rig *r)
{
	limit_data(8 << 20);
	take_room();
	same_say_buffer(r);
	same_write(r);
	same_loop(r, 4);
	same_read(r);
	same_say_buffer(r);
	lift_limit();
}

static void *wait_here(void *unused)
{
	return unused;
}

/* And then a second thread: what one gives back the other could take. */
static void data_limit_thread(struct same_rig *r)
{
	pthread_t thread;

	limit_data(64 << 20);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("pthread_create", pthread_create(&thread, NULL, wait_here, NULL));
	take_room();
	same_say_buffer(r);
	same_write(r);
	pthread_join(thread, NULL);
	same_loop(r, 4);
	same_read(r);
	same_say_buffer(r);
	lift_limit();
}

/* Landings come and go under the limit, and the room for data is what it was. */
static void data_limit_kept(struct same_rig *r)
{
	char *buffer = r->buf, *other = map(r->size, MAP_PRIVATE);
	long before;

	limit_data(64 << 20);
	before = status_of("VmData:");
	for (int i = 0; i < 50; i++) {
		same_loop(r, 3);
		same_read(r);
		if (i % 4 == 0)
			same_say_buffer(r);
		same_write(r);
		r->buf = i % 2 ? buffer : other;
	}
	same_say("room", labs(status_of("VmData:") - before) < 1024);
	munmap(other, r->size);
	r->buf = buffer;
}

static void break_moves(struct same_rig *r)
{
	size_t n = 40 << 20; /* far above what malloc has there */
	char *p = sbrk((intptr_t)n) + n - 200000;

	use(r, p, 150000);
	same_say("sbrk", sbrk(-200000) != (void *)-1);
	p = sbrk(200000);
	same_say_memory("zeros", p, 200000);
	r->buf = p;
	r->got = 100000;
	same_write(r);
	same_say_memory("zeros", p, 200000);
}

/* No mapping more is to be had, nor can one be parted in two. Returns what gives them back. */
static char *use_up_mappings(size_t *n)
{
	const size_t page = 4096;
	size_t at = page;
	char *p;

	*n = 66000 * page;
	p = mmap(NULL, *n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	while (p != MAP_FAILED && at < *n && mprotect(p + at, page, PROT_READ) == 0)
		at += 2 * page;
	/* that would have taken two; perhaps there is one */
	if (at < *n)
		mprotect(p + at, *n - at, PROT_READ | PROT_WRITE);
	return p;
}

/* N bytes between pages of another kind. */
static char *map_apart(size_t n)
{
	char *p = mmap(NULL, n + 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + 4096, n, PROT_READ | PROT_WRITE) < 0)
		exit(1);
	return p + 4096;
}

/*
 * The buffer is a mapping of its own, so that to open a page at its beginning would make two of it.
 */
static void look_without_mappings(struct same_rig *r)
{
	size_t n;
	char *all = use_up_mappings(&n), first = r->buf[0];

	same_say("first byte", first);
	same_say_memory("all", r->buf, r->size);
	munmap(all, n);
	same_write(r);
}

static void mapping_limit(struct same_rig *r)
{
	use(r, map_apart(r->size), r->size);
	look_without_mappings(r);
}

static void mapping_limit_thread(struct same_rig *r)
{
	same_read(r);
	with_a_thread(r);
	use(r, map_apart(r->size), r->size);
	look_without_mappings(r);
}

static const struct same_case cases[] = {
	{ "free_and_malloc", free_and_malloc, 0, 0 },
	{ "free_and_calloc", free_and_calloc, SAME_LAZY, 0 },
	{ "small_pieces_later", small_pieces_later, 0, 0 },
	{ "grown", grown, SAME_LAZY, 0 },
	{ "unmapped", unmapped, 0, 0 },
	{ "unmapped_in_part", unmapped_in_part, SAME_LAZY, 0 },
	{ "end_goes", end_goes, SAME_LAZY | SAME_LOOSE, 0 },
	{ "unmapped_in_vain", unmapped_in_vain, SAME_LAZY, 0 },
	{ "mapped_over", mapped_over, SAME_LAZY, 0 },
	{ "remapped", remapped, SAME_LAZY, 0 },
	{ "remapped_in_pieces", remapped_in_pieces, SAME_LAZY, 0 },
	{ "protected", protected, SAME_LAZY, 0 },
	{ "not_needed", not_needed, SAME_LAZY, 0 },
	{ "locked", locked, SAME_LAZY, 0 },
	{ "shared_mapping", shared_mapping, 0, 0 },
	{ "shared_file", shared_file, 0, 0 },
	{ "stack", stack, 0, 0 },
	{ "static_buffer", static_buffer, SAME_LAZY, 0 },
	{ "constant", constant, 0, 0 },
	{ "short_buffer", short_buffer, 0, 0 },
	{ "becomes_a_stack", becomes_a_stack, 0, 0 },
	{ "becomes_a_thread_stack", becomes_a_thread_stack, 0, 0 },
	{ "unloaded_module", unloaded_module, 0, 0 },
	{ "trimmed", trimmed, 0, 0 },
	{ "many_buffers", many_buffers, SAME_LAZY, 0 },
	{ "freed_then_context", freed_then_context, 0, 0 },
	{ "freed_then_own_switch", freed_then_own_switch, 0, 0 },
	{ "freed_once_then_own_switch", freed_once_then_own_switch, 0, 0 },
	{ "landed_then_context", landed_then_context, 0, 0 },
	{ "landed_then_signal_stack", landed_then_signal_stack, 0, 0 },
	{ "freed_then_thread", freed_then_thread, 0, 0 },
	{ "freed_then_signal_stack", freed_then_signal_stack, 0, 0 },
	{ "freed_then_calloc", freed_then_calloc, 0, 0 },
	{ "freed_then_read", freed_then_read, 0, 0 },
	{ "freed_then_written", freed_then_written, 0, 0 },
	{ "freed_then_forbidden", freed_then_forbidden, 0, 0 },
	{ "locked_stays", locked_stays, 0, 0 },
	{ "locked_on_fault_stays", locked_on_fault_stays, 0, 0 },
	{ "locked_from_the_start", locked_from_the_start, 0, 0 },
	{ "locked_by_syscall", locked_by_syscall, 0, 0 },
	{ "guard_pages", guard_pages, 0, 0 },
	{ "advice_stays", advice_stays, 0, 0 },
	{ "data_limit", data_limit, SAME_LAZY, 0 },
	{ "data_limit_later", data_limit_later, SAME_LAZY, 0 },
	{ "data_limit_thread", data_limit_thread, SAME_LAZY, 0 },
	{ "data_limit_kept", data_limit_kept, SAME_LAZY, 0 },
	{ "mapping_limit", mapping_limit, SAME_LAZY, 0 },
	{ "mapping_limit_thread", mapping_limit_thread, SAME_LAZY, 0 },
	{ "break_moves", break_moves, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
