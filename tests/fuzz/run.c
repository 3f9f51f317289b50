/* SPDX-License-Identifier: MIT */
/* run.c - one run of one program; see fuzz.h. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 12000 };

static struct shared *shared;
static int shared_fd, bell;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(1);
}

void bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->room) {
		b->room = (b->n + n) * 2;
		b->p = realloc(b->p, b->room);
		if (!b->p)
			die("memory");
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static int high(int fd)
{
	int ret = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 100);

	if (ret < 0)
		die("descriptor");
	close(fd);
	return ret;
}

void run_begin(void)
{
	shared_fd = high(memfd_create("fuzz", MFD_CLOEXEC));
	bell = high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (ftruncate(shared_fd, sizeof(*shared)) < 0)
		die("shared memory");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	if (shared == MAP_FAILED)
		die("shared memory");
}

/* The transcripts are emptied by their lengths; the text is overwritten. */
static void reset_shared(const struct program *p)
{
	memset(shared, 0, offsetof(struct shared, log));
	for (int i = 0; i < TASKS; i++)
		shared->log[i].length = 0;
	shared->program = *p;
}

static pid_t start(int setting, const int ends[SINKS + FEEDS], int alive)
{
	char *arguments[] = { "interpreter", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int error;

	posix_spawn_file_actions_init(&actions);
	for (int k = 0; k < SINKS; k++)
		posix_spawn_file_actions_adddup2(&actions, ends[k], FD_SINK + k);
	for (int j = 0; j < FEEDS; j++)
		posix_spawn_file_actions_adddup2(&actions, ends[SINKS + j], FD_FEED + j);
	posix_spawn_file_actions_adddup2(&actions, shared_fd, FD_SHARED);
	posix_spawn_file_actions_adddup2(&actions, bell, FD_BELL);
	posix_spawn_file_actions_adddup2(&actions, alive, FD_ALIVE);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&pid, options.interpreter, &actions, &attributes, arguments,
			    setting_environment(setting));
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error) {
		errno = error;
		die(options.interpreter);
	}
	return pid;
}

static void collect_transcript(struct result *r)
{
	char title[32];

	for (uint32_t i = 0; i < shared->tasks && i < TASKS; i++) {
		int n = snprintf(title, sizeof(title), "task %u\n", i);

		bytes_add(&r->transcript, title, (size_t)n);
		bytes_add(&r->transcript, shared->log[i].text, shared->log[i].length);
	}
}

void run_program(const struct program *p, int setting, struct result *r)
{
	int ends[SINKS + FEEDS], alive[2];
	struct peer *peer;
	pid_t pid;

	*r = (struct result){ 0 };
	reset_shared(p);
	files_reset();
	peer = peer_open(p, shared, bell, ends);
	if (pipe(alive) < 0)
		die("pipe");
	alive[0] = high(alive[0]);
	alive[1] = high(alive[1]);
	pid = start(setting, ends, alive[1]);
	for (int i = 0; i < SINKS + FEEDS; i++)
		close(ends[i]);
	close(alive[1]);
	r->hung = !peer_serve(peer, alive[0], LIMIT_MS);
	if (r->hung)
		kill(-pid, SIGKILL);
	waitpid(pid, &r->status, 0);
	close(alive[0]);
	peer_close(peer, r);
	r->loose = shared->loose;
	collect_transcript(r);
	files_collect(r);
}

void result_free(struct result *r)
{
	free(r->transcript.p);
	for (int k = 0; k < SINKS; k++)
		free(r->received[k].p);
	for (int i = 0; i < 2; i++)
		free(r->file[i].p);
}
