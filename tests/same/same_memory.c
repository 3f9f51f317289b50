/* SPDX-License-Identifier: MIT */
/* same_memory.c - the memory of a lazy buffer is freed, unmapped, moved, or is of an odd kind. */
#include "same.h"

#include <alloca.h>
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
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

static const struct same_case cases[] = {
	{ "free_and_malloc", free_and_malloc, 0, 0 },
	{ "free_and_calloc", free_and_calloc, SAME_LAZY, 0 },
	{ "small_pieces_later", small_pieces_later, 0, 0 },
	{ "grown", grown, SAME_LAZY, 0 },
	{ "unmapped", unmapped, 0, 0 },
	{ "unmapped_in_part", unmapped_in_part, SAME_LAZY, 0 },
	{ "mapped_over", mapped_over, SAME_LAZY, 0 },
	{ "remapped", remapped, SAME_LAZY, 0 },
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
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
