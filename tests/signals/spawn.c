/* SPDX-License-Identifier: MIT */
/* spawn.c - every way to another process, from a program that has something landed. */
#define _GNU_SOURCE
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>

#include "signals.h"

extern char **environ;

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* A child that execs, and tells by memory that it shares with its parent when it cannot. */
static void by_vfork(const char *path)
{
	static volatile int failed;
	char *argv[] = {"sh", "-c", "exit 7", NULL};
	pid_t pid;

	failed = 0;
	errno = 0;
	pid = vfork();
	if (pid == 0) {
		execve(path, argv, environ);
		failed = errno;
		_exit(99);
	}
	say("vfork %s: pid %d failed %d errno %d", path, pid > 0, failed, errno);
	show_status("", wait_for(pid));
}

static __attribute__((noinline)) int vfork_here(void)
{
	static volatile int told;
	volatile long canary = 0x1234567;
	pid_t pid;

	told = 0;
	pid = vfork();
	if (pid == 0) {
		int fd = open("/dev/null", O_RDONLY);

		close(fd);
		told = 5;
		execl("/nowhere", "nowhere", (char *)NULL);
		told = errno;
		_exit(3);
	}
	say("vfork: %d told %d canary %lx", pid > 0, told, canary);
	show_status("", wait_for(pid));
	return told;
}

static int cloned(void *arg)
{
	*(volatile int *)arg = look(4)[0];
	return 21;
}

static void clones(void)
{
	static volatile int told;
	char *stack = malloc(65536);
	int flags[] = {SIGCHLD, CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_VFORK | SIGCHLD};

	for (int i = 0; i < 3; i++) {
		prime();
		told = 0;
		pid_t pid = clone(cloned, stack + 65536, flags[i], (void *)&told);
		int status = wait_for(pid);

		say("clone %d: %d told %d look %s", i, pid > 0, told == 'r', look(5));
		show_status("", status);
	}
	free(stack);
}

static void forks(const char *what, pid_t (*make)(void))
{
	prime();
	pid_t pid = make();

	if (pid == 0) {
		const char *seen = look(3);

		prime();
		_exit(seen[0] == 'r' && look(2)[0] == 'r' ? 5 : 6);
	}
	show_status(what, wait_for(pid));
	say("%s: parent's look %s\n", what, look(9));
}

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void spawns(void)
{
	char *argv[] = {"sh", "-c", "exit $X", NULL}, *envp[] = {"X=9", NULL};
	posix_spawnattr_t attr;
	sigset_t full;
	pid_t pid = -1;
	char line[64];
	FILE *f;
	int error;

	prime();
	error = posix_spawn(&pid, landed + PATH_AT, NULL, NULL, argv, envp); /* the path was landed */
	say("posix_spawn %d", error);
	show_status("", wait_for(pid));
	say("posix_spawn of nothing: %d\n", posix_spawn(&pid, "/nowhere", NULL, NULL, argv, envp));
	posix_spawnattr_init(&attr);
	sigfillset(&full);
	posix_spawnattr_setsigmask(&attr, &full);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawnp(&pid, "sh", NULL, &attr, argv, envp);
	say("posix_spawnp %d", error);
	show_status("", wait_for(pid));
	prime();
	show_status("system", system("exit 4"));
	say("look %s\n", look(1));
	f = popen("echo said", "r");
	say("popen: %s", fgets(line, sizeof(line), f));
	show_status("pclose", pclose(f));
	say("system(NULL) %d\n", system(NULL) != 0);
}

static void mask_is_handed_on(void)
{
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGUSR1);
	prime();
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_IGN);
		sigprocmask(SIG_BLOCK, &set, NULL);
		execl("/nowhere", "nowhere", (char *)NULL);
		show_mask("after a failed exec");
		show_action("after a failed exec", SIGBUS);
		unsetenv("LD_PRELOAD"); /* it looks at what is real */
		execlp("grep", "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", (char *)NULL);
	}
	show_status("exec", wait_for(pid));
}

static void execs(void)
{
	char *argv[] = {"sh", "-c", "exit ${X:-1}", NULL}, *envp[] = {"X=33", NULL};
	int fd = open("/bin/sh", O_RDONLY);

	for (int i = 0; i < 7; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			setenv("X", "44", 1);
			switch (i) {
			case 0: prime(); execv(landed + PATH_AT, argv); break;
			case 1: execvp("sh", argv); break;
			case 2: execvpe("sh", argv, envp); break;
			case 3: execle("/bin/sh", "sh", "-c", "exit $X", (char *)NULL, envp); break;
			case 4: fexecve(fd, argv, envp); break;
			case 5: execveat(AT_FDCWD, "/bin/sh", argv, envp, 0); break;
			case 6: execve("/bin/sh", argv, NULL); break;
			}
			_exit(98);
		}
		say("exec %d", i);
		show_status("", wait_for(pid));
	}
}

int main(void)
{
	prime();
	vfork_here();
	by_vfork("/bin/sh");
	by_vfork("/nowhere");
	for (int i = 0; i < 50; i++)
		if (vfork_here() != ENOENT)
			return 1;
	clones();
	forks("fork", fork);
	forks("_Fork", _Fork);
	forks("raw clone", raw_fork);
	spawns();
	mask_is_handed_on();
	execs();
	say("end, look %s\n", landed ? "there" : "");
	return 0;
}
