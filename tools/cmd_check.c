/* SPDX-License-Identifier: MIT */
/*
 * cmd_check.c - shunt check: can it work there? One fact a line, the conclusion last.
 *
 * Nothing is started and nothing in the process that is looked at is touched.
 */
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "format.h"
#include "hooks.h"
#include "kernel.h"
#include "procfs.h"
#include "target.h"
#include "tool.h"

struct check {
	struct target target;
	int pid; /* 0: a command that is not running */
	char library[PATH_MAX];
	int library_error;
	char reason[256]; /* why it cannot work; "" while nothing speaks against it */
	bool untold;	  /* the reason is only why nobody can tell */
	bool inside;	  /* shunt is in the process already */
};

static int help(void)
{
	puts("usage: shunt check COMMAND|PID\n"
	     "Says what decides whether shunt can work for a program or a running process:\n"
	     "what the program is, what the process may do, what the kernel offers. One fact\n"
	     "a line, the conclusion last. The exit status is 0 if it can work, else 1.\n\n"
	     "      --help   this text");
	return 0;
}

static void fact(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fact(const char *name, const char *format, ...)
{
	char text[PATH_MAX + 256], safe[sizeof(text)];
	struct format f = format_into(safe, sizeof(safe));
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	format_safe(&f, text, sizeof(text));
	printf("%-22s %s\n", name, safe);
}

/* The first reason is the one that is told in the end. */
static void against(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void against(struct check *c, const char *format, ...)
{
	va_list args;

	if (c->reason[0])
		return;
	va_start(args, format);
	vsnprintf(c->reason, sizeof(c->reason), format, args);
	va_end(args);
}

static void cannot_tell(struct check *c, const char *name, const char *why)
{
	c->untold = !c->reason[0];
	against(c, "%s: %s", name, why);
}

static void say_target(struct check *c)
{
	const struct target *t = &c->target;

	fact("program", "%s", t->path);
	if (t->scripts > 0)
		fact("interpreter", "%s", t->binary);
	if (t->format[0])
		fact("format", "ELF %s", t->format);
	fact("loader", "%s", t->loader[0] ? t->loader : "none");
	fact("privileges", "%s",
	     t->privileged ? "more than the caller's: setuid, setgid or capabilities"
			   : "the caller's");
	fact("go", "%s", t->go ? "yes" : "no");
	if (t->trouble == TARGET_UNREADABLE)
		cannot_tell(c, "the program", target_trouble_is(t->trouble));
	else if (t->trouble != TARGET_NONE)
		against(c, "the program is %s: %s", target_trouble_is(t->trouble),
			target_trouble_why(t->trouble));
}

static void say_library(struct check *c)
{
	if (c->library_error) {
		fact("library", "%s: %s", c->library, strerror(c->library_error));
		against(c, "%s: %s", c->library, strerror(c->library_error));
		return;
	}
	fact("library", "%s", c->library);
}

/* The libc of the process; of a command, ours: it has the same loader, or it was told apart before.
 */
static const char *find_libc(const struct check *c, char *path)
{
	Dl_info info;

	if (c->pid && procfs_maps(c->pid, procfs_ends_in, "/libc.so.6", path))
		return path;
	if (dladdr((void *)&getpid, &info) && info.dli_fname && realpath(info.dli_fname, path) &&
	    strstr(base_name(path), "libc"))
		return path;
	return procfs_maps(getpid(), procfs_ends_in, "/libc.so.6", path) ? path : NULL;
}

static void say_hooks(struct check *c)
{
	char path[PATH_MAX];
	const char *libc = find_libc(c, path);
	struct hooks h;

	if (c->library_error || !c->target.format[0])
		return;
	if (!hooks_count(&h, c->library, libc, c->target.binary) || !h.native || h.count == 0) {
		against(c, "%s is not a library of this machine", c->library);
		return;
	}
	fact("hooks", "%zu names, %zu of them in %s", h.count, h.in_libc, libc ? libc : "no libc");
	fact("called", "%zu of them by the program itself%s%s", h.called,
	     h.moves[0] ? ", among them " : "", h.moves);
	if (h.in_libc == 0)
		against(c, "none of the names that shunt hooks was found in the libc");
}

static void say_kernel(struct check *c)
{
	const struct kernel_feature *f;
	struct utsname name;

	if (uname(&name) == 0)
		fact("kernel", "%s %s", name.sysname, name.release);
	for (f = kernel_features; f->name; f++) {
		bool present = f->present();

		fact(f->name, "%-3s (%s)", present ? "yes" : "no", f->what);
		if (!present && f->needed)
			against(c, "%s is missing or forbidden here", f->name);
	}
}

/* A filter is inherited: that of the shell is that of what it starts. */
static void say_seccomp(const struct check *c)
{
	static const char *const modes[] = {"off", "strict", "filter"};
	long mode = procfs_status(c->pid ? c->pid : getpid(), "Seccomp");

	if (mode < 0 || mode > 2)
		fact("seccomp", "not known");
	else
		fact("seccomp", "%s%s", modes[mode],
		     mode ? " (what it forbids is left alone)" : "");
}

static void say_process(struct check *c)
{
	char path[PATH_MAX];

	if (!procfs_readable(c->pid)) {
		fact("memory map", "not readable by this user");
		cannot_tell(c, "the process", "it belongs to somebody else");
		return;
	}
	/* the second: another was installed over it since */
	c->inside = procfs_maps(c->pid, procfs_ends_in, "/libshunt.so", path) ||
		    procfs_maps(c->pid, procfs_ends_in, "/libshunt.so (deleted)", path);
	if (c->inside)
		fact("under shunt", "yes, %s", path);
	else
		fact("under shunt", "no");
	if (procfs_secure(c->pid)) {
		fact("secure mode", "yes: the loader ignored LD_PRELOAD");
		against(c, "the loader ignores LD_PRELOAD in its secure mode");
	}
	if (procfs_has_descriptor(c->pid, "anon_inode:[io_uring]"))
		fact("io_uring", "in use (shunt stands aside in such a process)");
}

static int conclude(const struct check *c)
{
	if (c->inside)
		fact("conclusion", "shunt is in process %d already", c->pid);
	else if (c->reason[0])
		fact("conclusion", "%s: %s", c->untold ? "cannot be told" : "cannot work",
		     c->reason);
	else if (c->pid)
		fact("conclusion", "can work, but not in a process that runs already: "
				   "start it again under shunt run");
	else
		fact("conclusion", "can work");
	return !c->inside && c->reason[0];
}

static int check_all(struct check *c)
{
	c->library_error = -library_find(c->library, sizeof(c->library));
	say_target(c);
	say_library(c);
	say_hooks(c);
	say_seccomp(c);
	if (c->pid)
		say_process(c);
	say_kernel(c);
	return conclude(c);
}

static int check_nothing(struct check *c, const char *name, const char *why)
{
	fact("program", "%s: %s", name, why);
	against(c, "%s: %s", name, why);
	return conclude(c);
}

static int check_pid(struct check *c, int pid, const char *word)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	c->pid = pid;
	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return check_nothing(c, word, "no such process");
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	c->untold = n < 0 && (errno != ENOENT || procfs_start_ticks(pid) == 0);
	if (n < 0)
		return check_nothing(c, word,
				     !c->untold	       ? "a kernel thread or a process that ended"
				     : errno == ENOENT ? "it cannot be seen in /proc"
						       : strerror(errno));
	target_look(&c->target, link); /* the file itself, though its name be gone */
	path[n] = '\0';
	snprintf(c->target.path, sizeof(c->target.path), "%s", path);
	return check_all(c);
}

static int check_command(struct check *c, const char *name)
{
	char path[PATH_MAX];
	int error = target_find(name, path);

	if (error)
		return check_nothing(c, name,
				     error == ENOENT && !strchr(name, '/') ? "command not found"
									   : strerror(error));
	target_look(&c->target, path);
	return check_all(c);
}

/* Returns the index of the operand, 0 after --help, or -1 after a complaint. */
static int options(int argc, char **argv)
{
	static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, "+:h", longs, NULL);
	if (c == 'h')
		return help();
	if (c != -1)
		complain_option("check", c, argv);
	else if (optind == argc)
		complain("check", "a COMMAND or PID is missing; see shunt check --help");
	else if (optind + 1 < argc)
		complain("check", "one COMMAND or PID at a time; see shunt check --help");
	else
		return optind;
	return -1;
}

int cmd_check(int argc, char **argv)
{
	static struct check c;
	const char *word;
	int i = options(argc, argv);

	if (i <= 0)
		return i < 0 ? EXIT_WRONG_USE : 0;
	word = argv[i];
	if (word[0] && strspn(word, "0123456789") == strlen(word))
		return check_pid(&c, strlen(word) < 10 ? atoi(word) : 0, word);
	return check_command(&c, word);
}
