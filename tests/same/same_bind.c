/* SPDX-License-Identifier: MIT */
/*
 * same_bind.c - libc's functions reached past the preload: by dlsym on libc's own handle, as
 * foreign function interfaces do, and by modules that search libc before it, as php's are loaded.
 */
#include "same.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/socket.h>

static void *libc(void)
{
	return dlopen("libc.so.6", RTLD_LAZY);
}

static void fresh(struct same_rig *r)
{
	same_write(r);
	same_read(r);
}

static void after(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_read(r);
	same_write(r);
}

static void by_handle(struct same_rig *r)
{
	ssize_t (*own)(int, const void *, size_t) = dlsym(libc(), "write");
	int (*into)(int, char *, size_t) = dlsym(libc(), "gethostname");
	int out = open("out", O_RDWR | O_CREAT, 0644);

	same_say("the same write", own == write);
	same_say("the same free", dlsym(libc(), "free") == (void *)free);
	same_say("none", dlsym(libc(), "no_such_name") == NULL && dlerror() != NULL);
	same_say("no error", dlerror() == NULL);
	fresh(r);
	same_say("to a file", own(out, r->buf, r->got));
	same_say_file("out");
	same_say("to the sink", own(r->sink, r->buf, r->got));
	fresh(r);
	same_say("into", into != NULL);
	after(r);
}

static void memory_by_handle(struct same_rig *r)
{
	int (*unmap)(void *, size_t) = dlsym(libc(), "munmap");
	void *(*map)(void *, size_t, int, int, int, off_t) = dlsym(libc(), "mmap");

	r->buf = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same_loop(r, 8);
	same_read(r);
	same_say("munmap", unmap(r->buf, r->size));
	same_say("mmap", map(r->buf, r->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == r->buf);
	same_say_memory("new", r->buf, r->size);
	same_write(r);
	same_loop(r, 4);
}

static void *beside(const char *name, int mode)
{
	const char *other = getenv("SAME_MODULE");
	char path[4096];

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(other, '/') - other), other, name);
	return dlopen(path, mode);
}

static void module(struct same_rig *r, void *handle)
{
	ssize_t (*by)(int, int, const void *, size_t) =
		handle ? dlsym(handle, "module_write") : NULL;
	int out = open("out", O_RDWR | O_CREAT, 0644);

	same_say("module", by != NULL);
	for (int how = 0; by && how < 3; how++) {
		fresh(r);
		same_say("to a file", by(how, out, r->buf, r->got));
		fresh(r);
		same_say("to the sink", by(how, r->sink, r->buf, r->got));
		same_read(r);
	}
	same_say_file("out");
	after(r);
}

static void deep_now(struct same_rig *r)
{
	fresh(r);
	module(r, beside("same_bind_now.so", RTLD_NOW | RTLD_DEEPBIND));
}

static void deep_lazy(struct same_rig *r)
{
	module(r, beside("same_bind_lazy.so", RTLD_LAZY | RTLD_GLOBAL | RTLD_DEEPBIND));
}

static void plain_lazy(struct same_rig *r)
{
	module(r, beside("same_bind_lazy.so", RTLD_LAZY));
}

/* Whose origin it is depends on who asks, so it is left to libc, and nothing lands any more. */
static void deep_origin(struct same_rig *r)
{
	fresh(r);
	module(r, dlopen("$ORIGIN/.libs/same_bind_now.so", RTLD_NOW | RTLD_DEEPBIND));
}

static void deep_nowhere(struct same_rig *r)
{
	fresh(r);
	same_say("nothing there", dlopen("/nowhere/at/all.so", RTLD_NOW | RTLD_DEEPBIND) == NULL);
	same_say("an error", dlerror() != NULL);
	after(r);
}

/* See same_bind_code.c. */
static struct same_start {
	ssize_t (*fill)(void *);
	void *rig, *p;
	int fd;
	ssize_t result;
} start;

static ssize_t fill(void *rig)
{
	struct same_rig *r = rig;

	same_write(r);
	same_read(r);
	return (ssize_t)r->got;
}

/* The module's own start uses what has just been read: nothing may be lazy while it is loaded. */
static void deep_start(struct same_rig *r)
{
	char word[32];

	start = (struct same_start){ fill, r, r->buf, open("out", O_RDWR | O_CREAT, 0644), 0 };
	snprintf(word, sizeof(word), "%lx", (unsigned long)&start);
	setenv("SAME_START", word, 1);
	module(r, beside("same_bind_now.so", RTLD_NOW | RTLD_DEEPBIND));
	same_say("at its start", start.result);
}

static sem_t loading, loaded;

static ssize_t linger(void *rig)
{
	(void)rig;
	sem_post(&loading);
	while (sem_wait(&loaded) != 0)
		;
	return 0;
}

static void *load_slowly(void *arg)
{
	(void)arg;
	return beside("same_bind_lazy.so", RTLD_LAZY);
}

/*
 * Another thread is held up in the loader, as one is that a collector stops there. Who reads and
 * writes at places that were never seen before does not wait for it.
 */
static void loader_is_busy(struct same_rig *r)
{
	pthread_t t;
	char word[32];

	start = (struct same_start){ linger, r, r->buf, -1, 0 };
	snprintf(word, sizeof(word), "%lx", (unsigned long)&start);
	setenv("SAME_START", word, 1);
	sem_init(&loading, 0, 0);
	sem_init(&loaded, 0, 0);
	pthread_create(&t, NULL, load_slowly, NULL);
	while (sem_wait(&loading) != 0)
		;
	for (int i = 0; i < 8; i++) {
		ssize_t n = read(r->source, r->buf, r->size);

		same_say("sent", send(r->sink, r->buf, (size_t)n, 0));
	}
	same_loop(r, 8);
	same_read(r);
	sem_post(&loaded);
	pthread_join(t, NULL);
	same_write(r);
}

static const struct same_case cases[] = {
	{ "by_handle", by_handle, SAME_LAZY, 0 },
	{ "memory_by_handle", memory_by_handle, 0, 0 },
	{ "deep_now", deep_now, SAME_LAZY, 0 },
	{ "deep_lazy", deep_lazy, SAME_LAZY, 0 },
	{ "plain_lazy", plain_lazy, SAME_LAZY, 0 },
	{ "deep_origin", deep_origin, SAME_LAZY, 0 },
	{ "deep_nowhere", deep_nowhere, SAME_LAZY, 0 },
	{ "deep_start", deep_start, SAME_LAZY, 0 },
	{ "loader_is_busy", loader_is_busy, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
