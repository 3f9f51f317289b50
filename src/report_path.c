/* SPDX-License-Identifier: MIT */
/* report_path.c - see report_path.h. */
#include "report_path.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "fd.h"
#include "format.h"
#include "prim.h"
#include "stats_own.h"

enum { PATH = 1024, WAIT_MS = 2000, PIECE = 4096 };

/* A descriptor of ours, and what it was when we had it. */
struct kept {
	int fd; /* -1: none */
	struct stat was;
};

static struct kept report = { .fd = -1 }, error = { .fd = -1 };
static struct stat error_at_start; /* st_ino 0: there was none, or it is not for us */
static char directory[512];        /* the working directory at start, for a relative path */

bool report_path_wanted(void)
{
	return config.report[0] && strcmp(config.report, "none") != 0;
}

static bool to_stderr(void)
{
	return strcmp(config.report, "stderr") == 0;
}

/* Without libc: a child's first call of strchr is a page fault. */
FORKS bool report_path_per_process(void)
{
	for (const char *p = config.report; *p && p[1]; p++)
		if (*p == '%' && *++p == 'p')
			return true;
	return false;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

static void keep(struct kept *k, int fd)
{
	k->fd = fd;
	if (fd < 0 || prim_fstat(fd, &k->was) < 0)
		k->fd = -1;
	else
		fd_mark_ours(fd);
}

/* Is it still what we kept? Descriptors can be closed behind our back. */
static bool holds(const struct kept *k)
{
	struct stat st;

	return k->fd >= 0 && prim_fstat(k->fd, &st) == 0 && same_file(&st, &k->was);
}

static void let_go(struct kept *k)
{
	if (holds(k)) {
		fd_unmark_ours(k->fd);
		prim_close(k->fd);
	}
	k->fd = -1;
}

/*
 * inetd and its kin give the client's socket as 0, 1 and 2: then standard error is
 * the client. (A journal's socket is 1 and 2, but not 0.)
 */
static bool is_client(const struct stat *st)
{
	struct stat in;

	return S_ISSOCK(st->st_mode) && prim_fstat(STDIN_FILENO, &in) == 0 && same_file(&in, st);
}

bool report_path_error_is_ours(void)
{
	struct stat st;

	return prim_fstat(STDERR_FILENO, &st) == 0 && !is_client(&st);
}

void report_path_init(void)
{
	if (!report_path_wanted())
		return;
	if (prim_fstat(STDERR_FILENO, &error_at_start) < 0 || is_client(&error_at_start))
		memset(&error_at_start, 0, sizeof(error_at_start));
	/* servers put a log on 2, or nothing: then this is the way to who started them */
	if (to_stderr() && error_at_start.st_ino)
		keep(&error, prim_dup_high(STDERR_FILENO));
	if (config.report[0] != '/' && PRIM2(SYS_getcwd, directory, sizeof(directory)) < 0)
		directory[0] = '\0';
}

FORKS void report_path_forked(void)
{
	/* who reads a pipe waits until the last end is closed, and a child may live on for long */
	if (S_ISFIFO(error.was.st_mode) || S_ISSOCK(error.was.st_mode))
		let_go(&error);
	if (report_path_per_process())
		let_go(&report);
}

static void add_file_name(struct format *f, const char *s, size_t max)
{
	for (size_t i = 0; i < max && s[i]; i++)
		format_char(f, s[i] == '/' ? '_' : s[i]);
}

/* %p, %n and %h in config.report; anything else after a % is itself. */
static void expand(struct format *f)
{
	const char *p = config.report;

	if (p[0] != '/' && directory[0]) {
		format_text(f, directory);
		format_char(f, '/');
	}
	for (; *p; p++) {
		if (*p != '%' || !p[1]) {
			format_char(f, *p);
			continue;
		}
		p++;
		if (*p == 'p')
			format_u64(f, (uint64_t)stats_own.pid);
		else if (*p == 'n')
			add_file_name(f, stats_own.program, sizeof(stats_own.program));
		else if (*p == 'h')
			add_file_name(f, stats_own.host, sizeof(stats_own.host));
		else
			format_char(f, *p);
	}
}

/* The descriptor of standard error for writing, or -1. */
static int error_fd(void)
{
	struct stat st;

	if (holds(&error))
		return error.fd;
	if (!error_at_start.st_ino || prim_fstat(STDERR_FILENO, &st) < 0 ||
	    !same_file(&st, &error_at_start))
		return -1;
	return STDERR_FILENO;
}

/* Of a table in libc, so that nothing is translated or allocated. */
static void format_reason(struct format *f, int error_number)
{
	const char *why = NULL;

#ifdef HAVE_STRERRORDESC_NP
	why = strerrordesc_np(error_number);
#endif
	if (why) {
		format_text(f, why);
		return;
	}
	format_text(f, "error ");
	format_i64(f, error_number);
}

static void complain(int error_number)
{
	char path[PATH], line[PATH + 128];
	struct format p = format_into(path, sizeof(path)), f = format_into(line, sizeof(line));
	int fd = error_fd();

	if (fd < 0)
		return;
	expand(&p);
	format_text(&f, "shunt: the report cannot be written to ");
	format_safe(&f, path, PATH);
	format_text(&f, ": ");
	format_reason(&f, error_number);
	format_char(&f, '\n');
	report_path_write(fd, line, f.length);
}

static int open_path(void)
{
	char path[PATH];
	struct format f = format_into(path, PATH);

	expand(&f);
	if (f.length + 1 == PATH)
		return -ENAMETOOLONG;
	/* O_NONBLOCK: a FIFO without a reader is an error, not a wait */
	return prim_openat(AT_FDCWD, path,
			   O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
				   O_NONBLOCK,
			   0644);
}

void report_path_keep(void)
{
	int fd;

	if (!report_path_wanted() || to_stderr() || holds(&report))
		return;
	fd = open_path();
	if (fd >= 0)
		keep(&report, prim_move_high(fd));
}

bool report_path_made(void)
{
	return report.fd >= 0 && report_path_per_process();
}

int report_path_open(bool *mine)
{
	int fd;

	*mine = false;
	if (to_stderr()) {
		fd = error_fd();
		return fd >= 0 ? fd : -ENOENT;
	}
	if (holds(&report))
		return report.fd;
	*mine = true;
	fd = open_path();
	if (fd < 0)
		complain(-fd);
	return fd;
}

static bool give_up(bool to_error, int error_number)
{
	if (!to_error)
		complain(error_number);
	return to_error;
}

/*
 * A path was opened not to block, and takes all at once, so that the reports of processes that
 * end together do not mix; standard error takes that if it is a regular file, else it is
 * asked before each piece whether it has room.
 */
bool report_path_write(int fd, const char *text, size_t length)
{
	bool to_error = fd == STDERR_FILENO || fd == error.fd, ask = to_error;
	size_t piece = ask && !S_ISREG(error_at_start.st_mode) ? PIECE : length;

	while (length > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (ask && prim_poll(&p, 1, WAIT_MS) <= 0)
			return give_up(to_error, EAGAIN);
		n = prim_write(fd, text, length < piece ? length : piece);
		if (n <= 0 && n != -EAGAIN && n != -EINTR)
			return give_up(to_error, n < 0 ? (int)-n : ENOSPC);
		ask = true;
		text += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return true;
}
