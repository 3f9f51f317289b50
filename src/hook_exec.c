/* SPDX-License-Identifier: MIT */
/*
 * hook_exec.c - exec under its names, and the calls that fork and exec in one.
 *
 * The kernel reads arguments and environment, so everything is opened first. The
 * environment is never changed: where our entry has to go from LD_PRELOAD (the
 * setting `children`, a root directory without our file, about which the
 * loader would complain on standard error) the new program gets a copy, on the stack.
 * Runs in the child of a vfork too: nothing shared is written there.
 */
#undef _FORTIFY_SOURCE
#include <alloca.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "filter.h"
#include "hook_idle.h"
#include "prim.h"
#include "sig.h"
#include "source.h"
#include "stats.h"
#include "thread.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_signal.def"
#undef HOOK

#define OUR_FILE "libshunt.so"
#define VARIABLE "LD_PRELOAD="

enum { MOST_VARIABLES = 4096, MOST_TEXT = 8192, PATH_LENGTH = 1024, NO_PAGE = 1 };

/* ---- LD_PRELOAD without us ---- */

static bool separates(char c)
{
	return c == ':' || c == ' ';
}

static bool is_ours(const char *entry, size_t n)
{
	size_t m = sizeof(OUR_FILE) - 1;

	return n >= m && !memcmp(entry + n - m, OUR_FILE, m) && (n == m || entry[n - m - 1] == '/');
}

/* Could the loader open it? A name without a slash is searched for, $LIB not for us to judge. */
static bool can_be_opened(const char *entry, size_t n)
{
	char path[PATH_LENGTH];
	int fd;

	if (n >= sizeof(path) || !memchr(entry, '/', n) || memchr(entry, '$', n))
		return true;
	memcpy(path, entry, n);
	path[n] = 0;
	fd = prim_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		prim_close(fd);
	return fd >= 0 || (fd != -ENOENT && fd != -EACCES && fd != -ENOTDIR);
}

/* Copies the entries to keep to OUT if it is given. Returns how many were dropped. */
static int without_us(const char *list, char *out)
{
	const char *p = list;
	int dropped = 0;
	size_t n;

	while (*p) {
		if (separates(*p)) {
			p++;
			continue;
		}
		for (n = 0; p[n] && !separates(p[n]); n++)
			;
		if (is_ours(p, n) && (!config.children || !can_be_opened(p, n))) {
			dropped++;
		} else if (out) {
			memcpy(out, p, n);
			out[n] = ':';
			out += n + 1;
		}
		p += n;
	}
	if (out)
		*out = 0;
	return dropped;
}

/*
 * What the program hands over need not be there: the kernel is to say so. Can [P, P + N) be read, which
 * crosses no more than one page's end? PAGE is the last that was seen to be there.
 */
static bool reaches(const void *p, size_t n, uintptr_t *page)
{
	uintptr_t first = page_down((uintptr_t)p), last = page_down((uintptr_t)p + n - 1);

	if (first == *page && last == first)
		return true;
	*page = last;
	return hook_readable(p, n);
}

/* Does the string S, as far as that can be read, begin with NAME, and has it an end then? */
static bool begins_with(const char *s, const char *name, uintptr_t *page)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!reaches(s + i, 1, page) || s[i] != name[i])
			return false;
	while (reaches(s + i, 1, page) && s[i] && i <= MOST_TEXT)
		i++;
	return reaches(s + i, 1, page) && !s[i];
}

/*
 * The index of LD_PRELOAD if our entry has to go from it, else -1, also for what cannot be
 * read. Counts the variables.
 */
static int find_entry(char *const envp[], size_t *count)
{
	uintptr_t list = NO_PAGE, text = NO_PAGE;
	int found = -1;

	for (*count = 0; envp; ++*count) {
		if (!reaches(&envp[*count], sizeof(char *), &list))
			return -1;
		if (!envp[*count])
			break;
		if (found < 0 && begins_with(envp[*count], VARIABLE, &text))
			found = (int)*count;
	}
	if (found < 0 || *count > MOST_VARIABLES)
		return -1;
	return without_us(envp[found] + sizeof(VARIABLE) - 1, NULL) ? found : -1;
}

/* LIST gets the variables of ENVP (COUNT of them), with TEXT in place of number AT; "" drops it. */
static char *const *fill(char **list, char *const envp[], size_t count, int at, char *text)
{
	size_t n = sizeof(VARIABLE) - 1, to = 0, length;

	memcpy(text, VARIABLE, n);
	without_us(envp[at] + n, text + n);
	length = strlen(text);
	if (length > n)
		text[length - 1] = 0; /* the last separator */
	for (size_t i = 0; i < count; i++) {
		if (i != (size_t)at)
			list[to++] = envp[i];
		else if (length > n)
			list[to++] = text;
	}
	list[to] = NULL;
	return list;
}

/* The environment for a new program: ENVP, or a copy in the caller's frame. */
#define ENVIRONMENT(envp)                                                                         \
	({                                                                                        \
		char *const *env_ = (envp);                                                       \
		size_t count_;                                                                    \
		int at_ = find_entry(env_, &count_);                                              \
		if (at_ >= 0)                                                                     \
			env_ = fill(alloca((count_ + 1) * sizeof(char *)), env_, count_, at_,     \
				    alloca(strlen(env_[at_]) + 2));                               \
		env_;                                                                             \
	})

/* ---- exec ---- */

/* If it succeeds this process is another's; if not, all goes on as before. */
static void before_exec(void)
{
	if (thread_passive) {
		sig_expose();
		return;
	}
	landing_hold();
	landing_open_all();
	source_before_exec();
	sig_expose();
	tally_tell();
	stats_end(STATS_EXEC, 0);
}

static int after_failed_exec(int result)
{
	int saved = errno;

	sig_hide();
	if (!thread_passive) {
		stats_end(STATS_RUNNING, 0);
		source_after_failed_exec();
		landing_release();
	}
	errno = saved;
	return result;
}

#define EXEC(call) (before_exec(), after_failed_exec(call))

/* Passive, but in the child of a vfork: that is where most programs are started. */
static bool stays_out(void)
{
	return !shunt_live();
}

/* Standing aside, signals are virtual still, unless no call may be made for it. */
static void expose(void)
{
	if (!filter_silences())
		sig_expose();
}

static int hide(int result)
{
	int saved = errno;

	if (!filter_silences())
		sig_hide();
	errno = saved;
	return result;
}

#define EXPOSED(call) (expose(), hide(call))

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	if (stays_out())
		return EXPOSED(REAL(execve)(path, argv, envp));
	return EXEC(REAL(execve)(path, argv, ENVIRONMENT(envp)));
}

EXPORT int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	if (stays_out())
		return EXPOSED(REAL(execvpe)(file, argv, envp));
	return EXEC(REAL(execvpe)(file, argv, ENVIRONMENT(envp)));
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	if (stays_out())
		return EXPOSED(REAL(fexecve)(fd, argv, envp));
	return EXEC(REAL(fexecve)(fd, argv, ENVIRONMENT(envp)));
}

/* Before glibc 2.34 libc has none, and who wants it makes the call by syscall(). */
static int exec_at(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
#ifdef HAVE_EXECVEAT
	return REAL(execveat)(dir, path, argv, envp, flags);
#else
	errno = (int)-PRIM5(SYS_execveat, dir, path, argv, envp, flags);
	return -1;
#endif
}

EXPORT int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
	if (stays_out())
		return EXPOSED(exec_at(dir, path, argv, envp, flags));
	return EXEC(exec_at(dir, path, argv, ENVIRONMENT(envp), flags));
}

/* ARG and what follows up to NULL, as a vector in the caller's frame; AP is left behind NULL. */
#define COLLECT(argv, arg, ap)                                                                    \
	do {                                                                                      \
		va_list count_ap_;                                                                \
		size_t n_ = 0;                                                                    \
		va_start(count_ap_, arg);                                                         \
		for (const char *p_ = (arg); p_; p_ = va_arg(count_ap_, const char *))            \
			n_++;                                                                     \
		va_end(count_ap_);                                                                \
		(argv) = alloca((n_ + 1) * sizeof(char *));                                       \
		(argv)[0] = (char *)(arg);                                                        \
		va_start(ap, arg);                                                                \
		for (size_t i_ = 1; i_ <= n_; i_++)                                               \
			(argv)[i_] = va_arg(ap, char *);                                          \
	} while (0)

EXPORT int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return execve(path, argv, environ);
}

EXPORT int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return execvpe(file, argv, environ);
}

EXPORT int execle(const char *path, const char *arg, ...)
{
	char **argv, **envp;
	va_list ap;

	COLLECT(argv, arg, ap);
	envp = va_arg(ap, char **);
	va_end(ap);
	return execve(path, argv, envp);
}

/* ---- fork and exec in one: libc's own child, which runs in our memory and opens nothing ---- */

static bool exposes_mask(void)
{
	return !thread_passive && thread_self_record && thread_self_record->masked;
}

static void expose_mask(void)
{
	if (exposes_mask())
		expose();
}

static int hide_mask(int result)
{
	return exposes_mask() ? hide(result) : result;
}

#define EXPOSED_MASK(call) (expose_mask(), hide_mask(call))

static void before_spawn(void)
{
	if (thread_passive)
		return;
	landing_hold();
	landing_open_all();
	expose_mask();
}

static void after_spawn(void)
{
	int saved = errno;

	if (thread_passive)
		return;
	hide_mask(0);
	landing_release();
	errno = saved;
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	int error;

	if (stays_out())
		return EXPOSED_MASK(REAL(posix_spawn)(pid, path, actions, attributes, argv, envp));
	before_spawn();
	error = REAL(posix_spawn)(pid, path, actions, attributes, argv, ENVIRONMENT(envp));
	after_spawn();
	return error;
}

EXPORT int posix_spawnp(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	int error;

	if (stays_out())
		return EXPOSED_MASK(REAL(posix_spawnp)(pid, path, actions, attributes, argv, envp));
	before_spawn();
	error = REAL(posix_spawnp)(pid, path, actions, attributes, argv, ENVIRONMENT(envp));
	after_spawn();
	return error;
}

/* It waits for the command: nothing is held meanwhile. */
EXPORT int system(const char *command)
{
	if (!hook_passive())
		landing_open_all();
	return REAL(system)(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
	FILE *f;

	if (hook_passive()) {
		expose_mask();
		f = REAL(popen)(command, mode);
		hide_mask(0);
		return f;
	}
	before_spawn();
	f = REAL(popen)(command, mode);
	after_spawn();
	return f;
}
