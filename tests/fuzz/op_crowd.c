/* SPDX-License-Identifier: MIT */
/*
 * op_crowd.c - threads at once, each with a buffer, a file's descriptor and a sink of its own:
 * what one sees does not hang on the others, whatever they do meanwhile.
 */
#include "vm.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { CROWD = 3, LOOKS = 1, CHANGES = 2, FREES = 4, FORKS = 8, PROTECTS = 16, CLOSES = 32 };

struct one {
	struct log *log;
	pthread_t thread;
	int sink, rounds, how, fd;
	size_t n;
	uint32_t state;
	char *p;
};

static unsigned chance(struct one *o, unsigned n)
{
	o->state = o->state * 1664525 + 1013904223;
	return (o->state >> 8) % n;
}

/* A child that ends at once, or looks first, while the others go on. */
static void fork_and_wait(struct one *o)
{
	bool looks = chance(o, 2);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(looks ? (int)(fuzz_hash(o->p, o->n) & 63) : 3);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	SAY("child", status);
}

static void renew(struct one *o)
{
	free(o->p);
	o->p = malloc(o->n);
	if (!o->p)
		_exit(98);
}

static void protect(struct one *o)
{
	char *p = (char *)(((uintptr_t)o->p + 4095) & ~(uintptr_t)4095);

	if (o->n < 3 * 4096)
		return;
	mprotect(p, 4096, PROT_READ);
	SAY("look", (long)fuzz_hash(o->p, o->n));
	mprotect(p, 4096, PROT_READ | PROT_WRITE);
}

/* What happens between the read of GOT bytes and their write. */
static void between(struct one *o, size_t got)
{
	if ((o->how & LOOKS) && chance(o, 4) == 0)
		SAY("byte", o->p[chance(o, (unsigned)got)]);
	if ((o->how & CHANGES) && chance(o, 4) == 0)
		o->p[chance(o, (unsigned)got)] ^= 85;
	if ((o->how & FORKS) && chance(o, 6) == 0)
		fork_and_wait(o);
	if ((o->how & PROTECTS) && chance(o, 6) == 0)
		protect(o);
}

static void *in_crowd(void *argument)
{
	struct one *o = argument;

	task_log = o->log;
	o->p = malloc(o->n);
	if (!o->p)
		_exit(98);
	for (int i = 0; i < o->rounds; i++) {
		ssize_t got = read_as(o->fd, o->p, o->n, 0, o->sink);

		SAY("got", got);
		if (got <= 0)
			break;
		memset(o->p + got, 0, o->n - (size_t)got);
		between(o, (size_t)got);
		write_all(o->sink, o->p, (size_t)got, 0, 0, 0);
		if (o->how & FREES)
			renew(o);
		if ((o->how & CLOSES) && chance(o, 4) == 0) {
			close(o->fd);
			o->fd = open("f0", O_RDONLY);
		}
	}
	close(o->fd);
	free(o->p);
	return NULL;
}

/* how: the sum of what they do beside reading and writing, see above */
int op_crowd(const struct op *op)
{
	int rounds = (int)((unsigned)op->a[0] % 16);
	size_t n = 5000 + (unsigned)op->a[1] % 140000;
	struct one all[CROWD];
	sigset_t every, old;

	for (int i = 0; i < CROWD; i++)
		if (vm.sink[i] < 0 || vm.target[i] != i)
			return 0;
	if (CROWD * (size_t)rounds * n > vm.budget || vm.shared->tasks + CROWD > TASKS - 2)
		return 0;
	sigfillset(&every);
	pthread_sigmask(SIG_BLOCK, &every, &old);
	for (int i = 0; i < CROWD; i++) {
		all[i] = (struct one){ .log = new_log(), .sink = i, .rounds = rounds, .n = n,
				       .how = op->a[2], .state = (uint32_t)(op->a[3] + i) };
		all[i].fd = open("f0", O_RDONLY);
		lseek(all[i].fd, i * 100000, SEEK_SET);
		if (pthread_create(&all[i].thread, NULL, in_crowd, &all[i]) != 0)
			_exit(96);
	}
	for (int i = 0; i < CROWD; i++)
		pthread_join(all[i].thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return 0;
}
