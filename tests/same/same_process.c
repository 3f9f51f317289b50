/* SPDX-License-Identifier: MIT */
/* same_process.c - fork, vfork, spawn and exec while a buffer is lazy. */
#include "same.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <spawn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "inline.h"

extern char **environ;

/* A text in the file, in the third whole block of what the buffer holds. */
static char *text(struct same_rig *r, int which)
{
	off_t start = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;

	return r->buf + (size_t)(-start & (SAME_BLOCK - 1)) + 3 * SAME_BLOCK + which;
}

static void reap(pid_t child)
{
	int status = -1;

	if (waitpid(child, &status, 0) != child)
		same_say("waitpid", -1);
	same_say("status", status);
}

static void child_looks(struct same_rig *r)
{
	pid_t child = fork();

	if (child == 0) {
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_write(r);
}

static void parent_looks(struct same_rig *r)
{
	pid_t child = fork();

	if (child == 0)
		_exit(3);
	same_say_buffer(r);
	reap(child);
	same_write(r);
}

static void child_writes(struct same_rig *r)
{
	pid_t child = fork();

	if (child == 0) {
		same_write(r);
		same_read(r);
		same_write(r);
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
	same_write(r);
	same_read(r);
	same_write(r);
}

/* The child changes its memory; the parent's stays. */
static void child_changes(struct same_rig *r)
{
	pid_t child = fork();

	if (child == 0) {
		memset(r->buf, 'c', r->size);
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
	same_write(r);
}

static void grandchild(struct same_rig *r)
{
	pid_t child = fork(), second;

	if (child == 0) {
		same_write(r);
		same_loop(r, 4);
		same_read(r);
		second = fork();
		if (second == 0) {
			same_say_buffer(r);
			same_write(r);
			_exit(4);
		}
		reap(second);
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
}

/* As accept-and-fork servers do it: the child goes on with a loop that was learned here. */
static void children_serve(struct same_rig *r)
{
	pid_t child;

	for (int i = 0; i < 5; i++) {
		child = fork();
		if (child == 0) {
			close(r->source);
			r->source = open("../data", O_RDONLY);
			same_loop(r, 20);
			exit(i);
		}
		reap(child);
	}
	same_write(r);
}

static void raw_fork(struct same_rig *r)
{
	pid_t child = _Fork();

	if (child == 0) {
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
	same_write(r);
}

static void syscall_fork(struct same_rig *r)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (child == 0) {
		same_say_buffer(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
	same_write(r);
}

/* Its child is one that goes on landing, beside calls that are made past libc. */
static void syscall_clone3(struct same_rig *r)
{
	uint64_t args[8] = { [4] = SIGCHLD };
	pid_t child = (pid_t)syscall(SYS_clone3, args, sizeof(args));

	if (child == 0) {
		same_say_buffer(r);
		same_write(r);
		for (int i = 0; i < 4; i++) {
			same_loop(r, 8);
			same_read(r);
			same_say("inline", inline_call(SYS_pread64, r->source, (long)r->buf, (long)r->size, 0, 0, 0));
			same_say_buffer(r);
			same_write(r);
		}
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
}

static int cloned(void *arg)
{
	same_say_buffer(arg);
	return 3;
}

static void by_clone(struct same_rig *r)
{
	char *stack = malloc(65536);

	reap(clone(cloned, stack + 65536, SIGCHLD, r));
	same_say_buffer(r);
	same_write(r);
	free(stack);
}

/*
 * Parent and child have one table of descriptors: what the one closes is closed to the other, and a
 * number means to both what either opens there last.
 */
struct with_one_table {
	struct same_rig *rig;
	int to_child[2], to_parent[2];
};

static void tell(int fd)
{
	if (write(fd, "x", 1) != 1)
		same_say("tell", -1);
}

static void hear(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		same_say("hear", -1);
}

static int reads_other(void *arg)
{
	struct with_one_table *w = arg;
	struct same_rig *r = w->rig;

	close(r->source);
	r->source = open("../other", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	tell(w->to_parent[1]);
	hear(w->to_child[0]);
	same_write(r);
	same_say_buffer(r);
	return 3;
}

/* What the child has read is the child's, wherever the numbers go. */
static void one_table(struct same_rig *r, int (*make)(struct with_one_table *))
{
	struct with_one_table w = { r, { -1, -1 }, { -1, -1 } };
	int child;

	same_write(r);
	if (pipe(w.to_child) != 0 || pipe(w.to_parent) != 0)
		return;
	child = make(&w);
	hear(w.to_parent[0]);
	close(r->source);
	r->source = open("../data", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	tell(w.to_child[1]);
	reap(child);
	same_say_buffer(r);
	same_write(r);
}

static int make_by_clone(struct with_one_table *w)
{
	return clone(reads_other, (char *)malloc(65536) + 65536, CLONE_FILES | SIGCHLD, w);
}

static void one_table_by_clone(struct same_rig *r)
{
	one_table(r, make_by_clone);
}

static int make_by_syscall(struct with_one_table *w)
{
	int child = (int)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (child == 0)
		_exit(reads_other(w));
	return child;
}

static void one_table_by_syscall(struct same_rig *r)
{
	one_table(r, make_by_syscall);
}

/* The child has the memory of its parent, which waits. */
static int writing_clone(void *arg)
{
	struct same_rig *r = arg;
	int out = open("out", O_WRONLY | O_CREAT, 0644);

	return write(out, r->buf, r->got) == (ssize_t)r->got ? 3 : 4;
}

static void by_clone_shared(struct same_rig *r)
{
	char *stack = malloc(65536);

	reap(clone(writing_clone, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, r));
	same_say_file("out");
	same_say_buffer(r);
	same_write(r);
	free(stack);
}

static volatile int vfork_errno;

static void by_vfork(struct same_rig *r)
{
	char *const argv[] = { (char *)"echo", (char *)"vforked", NULL };
	pid_t child = vfork();

	if (child == 0) {
		execv("/bin/echo", argv);
		_exit(127);
	}
	reap(child);
	child = vfork();
	if (child == 0) {
		execv("/no/such/program", argv);
		vfork_errno = errno;
		_exit(127);
	}
	reap(child);
	same_say("the child shared our memory", vfork_errno);
	same_write(r);
	same_read(r);
	same_write(r);
}

static void vfork_argument(struct same_rig *r)
{
	char *const argv[] = { (char *)"echo", text(r, SAME_TEXT_HELLO), NULL };
	pid_t child = vfork();

	if (child == 0) {
		dup2(1, 5);
		close(r->sink + 100);
		execv("/bin/echo", argv);
		_exit(127);
	}
	reap(child);
	same_write(r);
	same_say_buffer(r);
}

static void by_spawn(struct same_rig *r)
{
	char *const argv[] = { (char *)"echo", text(r, SAME_TEXT_HELLO), NULL };
	pid_t child;
	int error = posix_spawn(&child, "/bin/echo", NULL, NULL, argv, environ);

	if (error == 0)
		reap(child);
	same_say("posix_spawn", error);
	same_write(r);
	same_read(r);
	same_say("posix_spawn", posix_spawn(&child, "/no/such", NULL, NULL, argv, environ));
	same_write(r);
}

static void by_system(struct same_rig *r)
{
	same_say("system", system(text(r, SAME_TEXT_COMMAND)));
	same_write(r);
	same_read(r);
	same_say("system", system("exit 5"));
	same_say_buffer(r);
	same_write(r);
}

static void by_popen(struct same_rig *r)
{
	char line[100];
	FILE *f = popen(text(r, SAME_TEXT_COMMAND), "r");

	same_say("fgets", fgets(line, sizeof(line), f) == NULL ? -1 : (ssize_t)strlen(line));
	same_say("pclose", pclose(f));
	same_write(r);
	same_read(r);
	f = popen("wc -c", "w");
	same_say("fwrite", (ssize_t)fwrite(r->buf, 1, r->got, f));
	same_say("pclose", pclose(f));
	same_write(r);
}

static void becomes_daemon(struct same_rig *r)
{
	int keep = dup(1);

	same_say("daemon", daemon(1, 1));
	dup2(keep, 1);
	same_say_buffer(r);
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

/* Ours are above the program's limit. */
static void becomes_daemon_with_few_numbers(struct same_rig *r)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 256;
	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	becomes_daemon(r);
}

/* A key that was never made is 0 in many programs. */
static void no_key(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	same_say("there", pthread_getspecific(0) != NULL);
	same_say("set", pthread_setspecific(0, r));
	same_loop(r, SAME_ROUNDS);
}

static void by_exec(struct same_rig *r)
{
	char *const argv[] = { (char *)"echo", text(r, SAME_TEXT_HELLO), NULL };

	same_say("exec", execv("/no/such", argv));
	same_write(r);
	same_read(r);
	execv("/bin/echo", (char *const[]){ (char *)"echo", text(r, SAME_TEXT_HELLO), NULL });
	same_say("exec", -1);
}

/* The new program gets the file at its offset, and the socket. */
static void exec_goes_on(struct same_rig *r)
{
	char command[100];

	same_write(r);
	same_read(r);
	same_write(r);
	snprintf(command, sizeof(command), "head -c 100000 <&%d >&%d", r->source, r->sink);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
}

static void by_exit(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	exit(9);
}

static void by_quick_exit(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	_exit(10);
}

static void by_abort(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	abort();
}

static void by_sigterm(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	kill(getpid(), SIGTERM);
	same_say("still there", 0);
}

static void by_sigkill(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	kill(getpid(), SIGKILL);
}

/*
 * The child puts shared memory where its parent has private memory, and reads a
 * chunk there: its own child sees it.
 */
static void child_maps_anew(struct same_rig *r)
{
	char *p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int go[2];
	char c = 0;
	pid_t child, second;

	same_write(r);
	r->buf = p;
	same_loop(r, SAME_ROUNDS);
	if (pipe(go) != 0)
		return;
	child = fork();
	if (child == 0) {
		p = mmap(p, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0);
		same_say("same place", p == r->buf);
		second = fork();
		if (second == 0) {
			if (read(go[0], &c, 1) == 1)
				same_say_memory("seen by the grandchild", p, r->size);
			_exit(4);
		}
		same_read(r);
		if (write(go[1], &c, 1) != 1)
			_exit(5);
		reap(second);
		same_write(r);
		_exit(3);
	}
	reap(child);
}

/*
 * ---- a filter of system calls, which ends the process for those that it never makes itself ----
 */

static void install(bool by_prctl)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendfile, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(*code), code };

	same_say("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (by_prctl)
		same_say("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0));
	else
		same_say("seccomp", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

/* Only what the program itself, and the end of every case, calls. */
static void install_strict(bool forks)
{
	static const int allowed[] = { SYS_read, SYS_write, SYS_close, SYS_wait4, SYS_exit_group,
				       SYS_rt_sigaction, SYS_rt_sigreturn, SYS_setitimer, SYS_shutdown,
				       SYS_fstat, SYS_newfstatat, SYS_munmap, SYS_lseek, SYS_ppoll,
				       /* for a fork */ SYS_clone, SYS_set_robust_list,
				       SYS_rt_sigprocmask };
	enum { ALL = sizeof(allowed) / sizeof(*allowed), OF_FORK = 3 };
	struct sock_filter code[ALL + 3];
	unsigned count = ALL - (forks ? 0 : OF_FORK);
	struct sock_fprog filter = { 0, code };

	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							  offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < count; i++)
		code[filter.len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], (unsigned char)(count - i), 0);
	code[filter.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[filter.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	same_say("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	same_say("prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0));
}

static volatile sig_atomic_t rang;
static sigjmp_buf from_fault;

static void ring(int signal)
{
	rang = signal;
}

static void leave_fault(int signal)
{
	rang = signal;
	siglongjmp(from_fault, 1);
}

/* A life in a sandbox: handlers, a timer, a fault that is caught, and chunks. */
static void sandboxed(struct same_rig *r)
{
	struct itimerval soon = { { 0, 0 }, { 0, 1000 } };
	struct sigaction a = { .sa_handler = ring }, old;

	same_say("sigaction", sigaction(SIGALRM, &a, &old));
	same_say("was default", old.sa_handler == SIG_DFL);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!rang)
		;
	same_say("rang", rang);
	same_say("mine", signal(SIGALRM, SIG_DFL) == ring);
	same_say("term was default", signal(SIGTERM, ring) == SIG_DFL);
	a.sa_handler = leave_fault;
	same_say("sigaction", sigaction(SIGSEGV, &a, &old));
	if (sigsetjmp(from_fault, 0) == 0)
		*(volatile char *)same_bad = 1;
	same_say("caught", rang);
	same_loop(r, 2);
}

static void filtered_strictly(struct same_rig *r)
{
	install_strict(false);
	same_say_buffer(r);
	same_write(r);
	sandboxed(r);
	r->source = -1;
}

static void filtered_fork(struct same_rig *r)
{
	pid_t child;

	install_strict(true);
	child = fork();
	if (child == 0) {
		sandboxed(r);
		_exit(3);
	}
	reap(child);
	same_say_buffer(r);
	r->source = -1;
}

static void filtered(struct same_rig *r, bool by_prctl)
{
	install(by_prctl);
	same_say_buffer(r);
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_write(r);
	r->source = -1; /* no lseek at the end */
}

static void filtered_by_prctl(struct same_rig *r)
{
	filtered(r, true);
}

static void filtered_by_seccomp(struct same_rig *r)
{
	filtered(r, false);
}

static const struct same_case cases[] = {
	{ "child_looks", child_looks, SAME_LAZY, 0 },
	{ "parent_looks", parent_looks, SAME_LAZY, 0 },
	{ "child_writes", child_writes, SAME_LAZY, 0 },
	{ "child_changes", child_changes, SAME_LAZY, 0 },
	{ "grandchild", grandchild, SAME_LAZY, 0 },
	{ "children_serve", children_serve, 0, 0 },
	{ "raw_fork", raw_fork, SAME_LAZY, 0 },
	{ "syscall_fork", syscall_fork, SAME_LAZY, 0 },
	{ "syscall_clone3", syscall_clone3, SAME_GUARD | SAME_LAZY, 0 },
	{ "by_clone", by_clone, SAME_LAZY, 0 },
	{ "by_clone_shared", by_clone_shared, SAME_LAZY, 0 },
	{ "one_table_by_clone", one_table_by_clone, 0, 0 },
	{ "one_table_by_syscall", one_table_by_syscall, 0, 0 },
	{ "by_vfork", by_vfork, SAME_LAZY, 0 },
	{ "vfork_argument", vfork_argument, SAME_LAZY, 0 },
	{ "by_spawn", by_spawn, SAME_LAZY, 0 },
	{ "by_system", by_system, SAME_LAZY, 0 },
	{ "by_popen", by_popen, SAME_LAZY, 0 },
	{ "becomes_daemon", becomes_daemon, 0, 0 },
	{ "becomes_daemon_with_few_numbers", becomes_daemon_with_few_numbers, SAME_BARE, 0 },
	{ "no_key", no_key, SAME_BARE, 0 },
	{ "by_exec", by_exec, SAME_DIES, 0 },
	{ "exec_goes_on", exec_goes_on, SAME_DIES, 0 },
	{ "by_exit", by_exit, 0, 0 },
	{ "by_quick_exit", by_quick_exit, 0, 0 },
	{ "by_abort", by_abort, SAME_DIES, 0 },
	{ "by_sigterm", by_sigterm, 0, 0 },
	{ "by_sigkill", by_sigkill, SAME_DIES, 0 },
	{ "child_maps_anew", child_maps_anew, 0, 0 },
	{ "filtered_by_prctl", filtered_by_prctl, SAME_LAZY, 0 },
	{ "filtered_strictly", filtered_strictly, SAME_LAZY, 0 },
	{ "filtered_fork", filtered_fork, SAME_LAZY, 0 },
	{ "filtered_by_seccomp", filtered_by_seccomp, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
