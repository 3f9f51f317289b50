/* SPDX-License-Identifier: MIT */
/* op_process.c - children and ends. */
#include "vm.h"

#include <sched.h>
#include <spawn.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

extern char **environ;

int body_end(int count)
{
	int end = vm.at + 1 + (count > 0 ? count : 0);

	return end < vm.program->count ? end : vm.program->count;
}

/* Waits, without sleeping in a call, until the others have done a few operations more. */
static void let_others_go_on(void)
{
	uint32_t from = atomic_load(&vm.shared->progress);
	long until = now_ms() + 3000;

	while (atomic_load(&vm.shared->progress) < from + 4 && !atomic_load(&vm.shared->finished) &&
	       now_ms() < until)
		sched_yield();
}

static void child_looks(void)
{
	let_others_go_on();
	for (int i = 0; i < BUFFERS; i++)
		if (vm.buffer[i].used && vm.buffer[i].kind != BUFFER_SHARED)
			SAY("child's", i, (long)fuzz_hash(vm.buffer[i].p + vm.buffer[i].lo,
							  vm.buffer[i].hi - vm.buffer[i].lo));
	_exit(4);
}

static void as_child(struct log *log)
{
	task_log = log;
	vm.timer = false;
	vm.children = 0;
	vm.peek.valid = 0;
}

/* The parent goes, the child goes on. */
static int live_on(struct log *log)
{
	pid_t pid = fork();

	if (pid > 0)
		_exit(5);
	if (pid == 0)
		as_child(log);
	return 0;
}

/* The child does the body, the parent waits for it. */
static int child_does(struct log *log, int how, int end)
{
	int from = vm.at + 1, at = vm.at, status = 0;
	pid_t pid = how == 3 ? _Fork() : fork();

	if (pid == 0) {
		as_child(log);
		run_ops(from, end);
		if (how == 1)
			exit(3);
		_exit(3);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	vm.at = at;
	SAY("child ended", status);
	return end - from;
}

/*
 * how: 0 the child does the body and _exits, 1 exits, 2 it looks meanwhile, 3 as 0 by _Fork, 4
 * the parent ends
 */
int op_fork(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 5), end = body_end(op->a[1]);
	struct log *log = new_log();
	pid_t pid;

	if (log - vm.shared->log >= TASKS - 2)
		return 0;
	if (how == 4)
		return vm.depth > 1 ? 0 : live_on(log);
	if (how != 2)
		return child_does(log, how, end);
	pid = fork();
	if (pid == 0) {
		as_child(log);
		child_looks();
	}
	vm.child[vm.children++] = pid;
	return 0;
}

static int run_and_wait(int how)
{
	static char *arguments[] = { "true", NULL };
	int status = -1;
	pid_t pid;

	if (how == 0) {
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) != 0)
			return -1;
	} else if (how == 1) {
		pid = vfork();
		if (pid == 0) {
			execve("/bin/true", arguments, environ);
			_exit(6);
		}
	} else {
		pid = vfork();
		if (pid == 0)
			_exit(8);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/*
 * posix_spawn of a cat of slot S, whose bytes come back by a pipe into buffer B. how: 0 by dup2,
 * 1 by open, 2 with all else closed and a mask, 3 a file action that fails, 4 none of that name
 */
static int spawn_with(int fd, int how, int out)
{
	static char *arguments[] = { "cat", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;
	pid_t pid = -1;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	if (how == 1)
		posix_spawn_file_actions_addopen(&actions, 0, "f3", O_RDONLY, 0);
	else
		posix_spawn_file_actions_adddup2(&actions, how == 3 ? FD_FREE + 900 : fd, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (how == 2) {
		posix_spawn_file_actions_addclosefrom_np(&actions, 3);
		sigfillset(&set);
		posix_spawnattr_setsigmask(&attributes, &set);
		posix_spawnattr_setsigdefault(&attributes, &set);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	}
	ret = posix_spawn(&pid, how == 4 ? "/nowhere/cat" : "/bin/cat", &actions, &attributes,
			  arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	SAY("posix_spawn", ret);
	return ret ? -1 : pid;
}

static void spawn_cat(int s, int b, int how)
{
	int n = 200000, out[2], status = 0, pid;
	char *p = piece(b, 0, &n);
	ssize_t ret, done = 0;

	if (vm.slot[s] < 0 || pipe2(out, O_CLOEXEC) < 0)
		return;
	if (how == 0 || how == 2)
		SAY("seek", lseek(vm.slot[s], -(off_t)(n < 70000 ? n : 70000), SEEK_END));
	pid = spawn_with(vm.slot[s], how, out[1]);
	close(out[1]);
	while ((ret = read(out[0], p + done, (size_t)(n - done))) > 0 || (ret < 0 && errno == EINTR))
		done += ret > 0 ? ret : 0;
	close(out[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	SAY("cat", done, status);
	define(buffer_of(b), p, (size_t)done);
}

/*
 * how: 0 posix_spawn, 1 vfork and exec, 2 vfork and _exit, 3 system, 4 an exec that fails, from
 * 5 on with file actions
 */
int op_spawn(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 10);
	static char *arguments[] = { "none", NULL };

	if (how > 4)
		spawn_cat(slot_of(op->a[1]), op->a[2], how - 5);
	else if (how == 3)
		SAY("system", system("exit 9"));
	else if (how == 4)
		SAY("execve", execve("/nowhere/none", arguments, environ), errno);
	else
		SAY("spawned", run_and_wait(how));
	return 0;
}

/*
 * The program goes on in a new image of itself: descriptors and their offsets stay, memory
 * does not.
 */
int op_exec(const struct op *op)
{
	static char *arguments[] = { "interpreter", "resume", NULL };
	static const struct itimerval off;

	if (vm.depth > 1 || op->a[0] < 0)
		return 0;
	atomic_store(&vm.shared->finished, 1);
	for (int i = 0; i < vm.children; i++)
		while (waitpid(vm.child[i], NULL, 0) < 0 && errno == EINTR)
			continue;
	atomic_store(&vm.shared->finished, 0);
	setitimer(ITIMER_REAL, &off, NULL);
	save_for_exec(vm.at + 1);
	SAY("exec", vm.at);
	execve("/proc/self/exe", arguments, environ);
	_exit(97);
}

/* how: 0 exit, 1 _exit, 2 quick_exit, 3 SIGKILL, 4 abort, 5 SIGTERM, 6 SIGSEGV, 7 SIGBUS */
int op_exit(const struct op *op)
{
	static const int signals[8] = { 0, 0, 0, SIGKILL, SIGABRT, SIGTERM, SIGSEGV, SIGBUS };
	int how = (int)((unsigned)op->a[0] % 8);

	if (vm.depth > 1)
		return 0;
	finish();
	if (how == 0)
		exit(11);
	if (how == 1)
		_exit(12);
	if (how == 2)
		quick_exit(13);
	if (how == 4)
		abort();
	raise(signals[how]);
	_exit(14);
}
