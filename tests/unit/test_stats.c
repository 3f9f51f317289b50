/* SPDX-License-Identifier: MIT */
/*
 * test_stats.c - the counters' file, what becomes of it over fork and at the end, the
 * report at exit, and the names of call sites.
 *
 * The library's state is the process's, so each case runs in a child of its own; a
 * check that fails there ends it with a message and the case with it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "choice.h"
#include "config.h"
#include "fd.h"
#include "hook.h"
#include "maps.h"
#include "prim.h"
#include "report.h"
#include "report_walk.h"
#include "shunt.h"
#include "sig.h"
#include "stats.h"
#include "stats_family.h"
#include "stats_own.h"
#include "stats_sweep.h"
#include "symbols.h"
#include "thread.h"
#include "unwind.h"

/* What the rest of the library would give. */
size_t shunt_page;
void *(*real_dlopen)(const char *, int) = dlopen;
__thread unsigned char thread_passive;
static bool in_handler, no_faults;
static unsigned sweep_later; /* seconds that the clock of the sweep is ahead */
static int ours[8], ours_count;

void hook_find(void **real, const char *name)
{
}

void hook_share(struct hook_needs *needs)
{
}

void shunt_stand_aside(void)
{
}

bool sig_in_handler(void)
{
	return in_handler;
}

static bool several;

bool thread_single(void)
{
	return !several;
}

_Atomic unsigned sig_must = SIG_MUST_OTHERS;

bool sig_must_mask_slow(void)
{
	return true;
}

/* The sweep, on its own clock: days pass. */
static uint64_t later_wall(void)
{
	return prim_wall() + sweep_later * UINT64_C(1000000000);
}

/* Somebody opens the file just while it is leased: the kernel tells the holder by a signal. */
static const char *intruded;

static int intruded_fcntl(int fd, int cmd, long arg)
{
	int ret = prim_fcntl(fd, cmd, arg);

	if (intruded && cmd == F_SETLEASE && arg == F_RDLCK)
		close(open(intruded, O_WRONLY | O_NONBLOCK));
	return ret;
}

#define prim_wall later_wall
#define prim_fcntl intruded_fcntl
#include "../../src/stats_sweep.c"
#undef prim_wall
#undef prim_fcntl

bool sig_own_bus(void)
{
	return !no_faults;
}

_Atomic bool guard_on;

bool guard_available(void)
{
	return guard_on;
}

bool maps_has_query(void)
{
	return true;
}

void fd_mark_ours(int fd)
{
	ours[ours_count++ % 8] = fd;
}

void fd_unmark_ours(int fd)
{
	for (int i = 0; i < 8; i++)
		if (ours[i] == fd)
			ours[i] = -1;
}

#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what)) {                                                                    \
			dprintf(checks, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #what,      \
				errno);                                                           \
			_exit(1);                                                                 \
		}                                                                                 \
	} while (0)

static int checks = 2; /* where a failed check is told */
static char top[64];   /* a directory of this test */
static char *arguments[] = { "/opt/bin/server", "-x", NULL };

static const char *in_top(const char *name)
{
	static char path[4][256];
	static unsigned turn;

	snprintf(path[turn % 4], 256, "%s/%s", top, name);
	return path[turn++ % 4];
}

static void start(void)
{
	stats_init(2, arguments);
}

/* A child of the "program": what the hook of fork does. */
static pid_t fork_program(void)
{
	pid_t pid;

	stats_before_fork();
	pid = fork();
	if (pid == 0) {
		report_forked();
		stats_forked();
	} else {
		stats_forked_parent();
	}
	return pid;
}

static void end_program(int status)
{
	stats_end(STATS_EXIT, 0);
	report_at_end();
	_exit(status);
}

static void count(unsigned chunks)
{
	struct stats *s = stats_get();

	s->route[0].source = STATS_KIND_FILE;
	s->route[0].sink = STATS_KIND_TCP;
	s->route[0].engine = STATS_ENGINE_SENDFILE;
	s->route[0].read_site = s->route[0].write_site = -1;
	s->route[0].state = 2;
	stats_add(&s->route[0].chunks, chunks);
	stats_add(&s->route[0].chunks_rewritten, chunks);
	stats_add(&s->route[0].bytes, (uint64_t)chunks << 10);
	stats_add(&s->route[0].bytes_rewritten, (uint64_t)chunks << 10);
}

static unsigned files_in(const char *dir, char *last)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.') {
			n++;
			if (last)
				snprintf(last, 256, "%.99s/%.99s", dir, e->d_name);
		}
	if (d)
		closedir(d);
	return n;
}

static const char *content(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static const struct stats *mapped(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stats *s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);

	CHECK(s != MAP_FAILED && report_valid(s, sizeof(*s)));
	close(fd);
	return s;
}

static int wait_for(pid_t pid)
{
	int status;

	CHECK(pid < 0 ? waitpid(pid, &status, 0) > 0 : waitpid(pid, &status, 0) == pid);
	return status;
}

/* Runs CASE in a process of its own, with an empty directory and `stats` and `report` not set. */
static void run(void (*body)(void))
{
	int status;
	pid_t pid;

	assert_int_equal(system("rm -rf \"$SHUNT_TEST_TOP\"/*"), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		checks = dup(2);
		alarm(60); /* a case that hangs has failed */
		config_defaults(&config);
		setenv("RUNTIME_DIRECTORY", in_top("run:/elsewhere"), 1);
		CHECK(mkdir(in_top("run"), 0755) == 0);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void file_is_made(void)
{
	unsigned descriptors = open_descriptors();
	char path[256], name[64];
	const struct stats *s;
	struct stat st;

	start();
	stats_set_features(true, false, true);
	CHECK(!stats_peek());
	CHECK(files_in(in_top("run"), NULL) == 0);
	errno = EXFULL;
	count(3);
	CHECK(errno == EXFULL);
	CHECK(stats_peek() == stats_get());
	CHECK(files_in(in_top("run"), path) == 1);
	snprintf(name, sizeof(name), "/run/%d-%llu.shunt", getpid(),
		 (unsigned long long)stats_get()->start_ticks);
	CHECK(strcmp(path + strlen(top), name) == 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(st.st_size == sizeof(struct stats));
	CHECK(st.st_blocks > 0 && st.st_blocks * 512 <= 65536); /* what is not needed is not had */
	s = mapped(path);
	CHECK(s->pid == getpid() && s->root == getpid() && s->route[0].chunks == 3);
	CHECK(strcmp(s->program, "server") == 0 && s->argv_length == 19);
	CHECK(s->feature_lease && s->feature_guard && !s->feature_procmap);
	CHECK(s->start_ticks && strstr(s->settings, "mode:rewrite"));
	CHECK(open_descriptors() == descriptors);
	stats_end(STATS_SIGNAL, SIGTERM);
	CHECK(s->ended == STATS_SIGNAL && s->signal == SIGTERM && s->finished >= s->started);
	stats_end(STATS_RUNNING, 0); /* an exec that failed */
	CHECK(s->ended == STATS_RUNNING && s->finished == 0);
}

static void file_outlives_sigkill(void)
{
	char path[256];
	pid_t pid = fork();

	if (pid == 0) {
		start();
		count(7);
		raise(SIGKILL);
	}
	CHECK(WIFSIGNALED(wait_for(pid)));
	CHECK(files_in(in_top("run"), path) == 1);
	CHECK(mapped(path)->route[0].chunks == 7);
}

/* What a child has found to pay or not its parent knows, and so does the next child. */
static void choices_are_shared(void)
{
	struct choice *c;
	pid_t pid;

	start();
	c = choice_of(0x1234, 1);
	choice_ask(c);
	for (int i = 0; i < 2; i++) {
		pid = fork_program();
		if (pid == 0) {
			c = choice_of(0x1234, 1);
			CHECK(relaxed(c->wait) == CHOICE_FIRST - 1 - 30u * (unsigned)i);
			for (int k = 0; k < 30; k++)
				choice_ask(c);
			set_relaxed(choice_of(0x5678, 2)->way, CHOICE_PLAIN);
			_exit(0);
		}
		CHECK(wait_for(pid) == 0);
	}
	CHECK(relaxed(choice_of(0x1234, 1)->wait) == CHOICE_FIRST - 1 - 60);
	CHECK(relaxed(choice_of(0x5678, 2)->way) == CHOICE_PLAIN);
}

static void choices_are_shared_with_files(void)
{
	snprintf(config.stats, sizeof(config.stats), "%s", in_top("shared"));
	choices_are_shared();
}

static void directory_is_made(void)
{
	struct stat st;

	snprintf(config.stats, sizeof(config.stats), "%s", in_top("made"));
	start();
	count(1);
	CHECK(stat(in_top("made"), &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(files_in(in_top("made"), NULL) == 1);
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* No file, but counters that count. */
static void expect_no_file(const char *dir)
{
	snprintf(config.stats, sizeof(config.stats), "%s", dir);
	start();
	count(5);
	CHECK(stats_get()->route[0].chunks == 5 && report_valid(stats_get(), sizeof(struct stats)));
	CHECK(files_in(dir, NULL) == 0);
}

static void open_directory_is_refused(void)
{
	CHECK(mkdir(in_top("open"), 0777) == 0 && chmod(in_top("open"), 0777) == 0);
	expect_no_file(in_top("open"));
}

static void sticky_directory_will_do(void)
{
	CHECK(mkdir(in_top("tmp"), 0777) == 0 && chmod(in_top("tmp"), 01777) == 0);
	snprintf(config.stats, sizeof(config.stats), "%s", in_top("tmp"));
	start();
	count(1);
	CHECK(files_in(in_top("tmp"), NULL) == 1);
}

static void foreign_directory_is_refused(void)
{
	if (geteuid() != 0)
		_exit(77);
	CHECK(mkdir(in_top("foreign"), 0755) == 0 && chown(in_top("foreign"), 65534, 65534) == 0);
	expect_no_file(in_top("foreign"));
}

static void linked_directory_is_refused(void)
{
	CHECK(mkdir(in_top("target"), 0755) == 0);
	CHECK(symlink(in_top("target"), in_top("link")) == 0);
	expect_no_file(in_top("link"));
	CHECK(files_in(in_top("target"), NULL) == 0);
}

/* Somebody knew the name and put a link there: it is not followed, the file gets another name. */
static void planted_link_is_not_followed(void)
{
	char name[64], path[256];
	int fd = open(in_top("victim"), O_CREAT | O_WRONLY, 0600);
	struct stat st;
	struct stats probe;

	CHECK(write(fd, "precious", 8) == 8);
	start();
	stats_get();
	probe.start_ticks = stats_get()->start_ticks;
	stats_end(STATS_EXIT, 0);
	CHECK(files_in(in_top("run"), path) == 1 && unlink(path) == 0);
	stats_forked(); /* as a new process: the file is to be made again */
	snprintf(name, sizeof(name), "run/%d-%llu.shunt", getpid(),
		 (unsigned long long)probe.start_ticks);
	CHECK(symlink(in_top("victim"), in_top(name)) == 0);
	count(1);
	CHECK(strcmp(content(in_top("victim")), "precious") == 0);
	snprintf(name, sizeof(name), "run/%d-%llu-2.shunt", getpid(),
		 (unsigned long long)probe.start_ticks);
	CHECK(lstat(in_top(name), &st) == 0 && S_ISREG(st.st_mode));
}

static void file_size_limit(void)
{
	struct rlimit none = { 0, 0 };
	sigset_t pending;

	CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
	start();
	count(2); /* SIGXFSZ would end us here */
	CHECK(stats_get()->route[0].chunks == 2);
	CHECK(files_in(in_top("run"), NULL) == 0);
	CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
	snprintf(config.report, sizeof(config.report), "%s", in_top("report"));
	stats_end(STATS_EXIT, 0);
	report_at_end();
	CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGXFSZ));
}

/* The program's own pending signal is not eaten, and its mask is as before. */
static void pending_signal_is_kept(void)
{
	struct rlimit none = { 0, 0 };
	sigset_t set, pending, before, after;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGXFSZ) == 0);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &before) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
	start();
	count(2);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ));
	CHECK(sigprocmask(SIG_BLOCK, NULL, &after) == 0);
	CHECK(memcmp(&before, &after, 8) == 0);
}

static void rescue(int signal, siginfo_t *info, void *context)
{
	if (!stats_rescue(info->si_addr))
		_exit(1);
}

static void truncated_file(void)
{
	struct sigaction action = { .sa_sigaction = rescue, .sa_flags = SA_SIGINFO };
	char path[256];

	start();
	count(1);
	CHECK(files_in(in_top("run"), path) == 1 && truncate(path, 0) == 0);
	CHECK(sigaction(SIGBUS, &action, NULL) == 0);
	count(2);
	CHECK(stats_get()->route[0].chunks == 2);
	CHECK(!stats_rescue(&action));
}

/* A page that the file system has no room for comes as a SIGBUS too. */
static void no_handler_no_file(void)
{
	no_faults = true;
	start();
	count(5);
	CHECK(stats_get()->route[0].chunks == 5 && report_valid(stats_get(), sizeof(struct stats)));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* The family's file too, where it is mapped beside the counters, and when it is read. */
static void truncated_family(void)
{
	struct sigaction action = { .sa_sigaction = rescue, .sa_flags = SA_SIGINFO };
	char path[256];
	pid_t child;

	CHECK(sigaction(SIGBUS, &action, NULL) == 0);
	start();
	for (int i = 0; i < 2; i++) {
		child = fork_program();
		if (child == 0) {
			if (i) {
				CHECK(files_in(in_top("run"), path) == 1 && truncate(path, 0) == 0);
				CHECK(stats_family() && stats_family()->pid == 0);
			}
			count(10);
			CHECK(stats_is_shared() == (i > 0) && stats_get()->route[0].chunks == 10);
			end_program(0);
		}
		CHECK(wait_for(child) == 0);
	}
	CHECK(files_in(in_top("run"), path) == 1 && truncate(path, sizeof(struct stats)) == 0);
	end_program(0);
}

static void fork_begins_at_zero(void)
{
	struct stats *s;
	int parent = getpid();
	uint64_t began;
	pid_t pid;

	start();
	count(3);
	s = stats_get();
	began = s->started;
	pid = fork_program();
	if (pid == 0) {
		s->route[0].chunks += 100; /* a stale pointer of somebody's */
		CHECK(!stats_peek());
		count(5);
		CHECK(stats_get() == s && s->route[0].chunks == 5);
		CHECK(s->pid == getpid() && s->parent == parent && s->root == parent);
		CHECK(s->root_started == began);
		CHECK(s->started >= began);
		_exit(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(s->route[0].chunks == 3 && s->pid == parent);
	CHECK(files_in(in_top("run"), NULL) == 2);
}

/* As by the child of a vfork, in which hooks pass through: nobody said that a fork begins. */
static void fork_unannounced(void)
{
	uint64_t began;
	pid_t pid;

	start();
	count(3);
	began = stats_get()->started;
	for (int i = 0; i < 2; i++) { /* before any other fork, and after one */
		pid = fork();
		if (pid == 0) {
			stats_forked();
			count(5);
			CHECK(stats_own.started >= began);
			_exit(0);
		}
		CHECK(wait_for(pid) == 0);
		pid = fork_program();
		if (pid == 0)
			_exit(0);
		CHECK(wait_for(pid) == 0);
		usleep(20000); /* that clock is a coarse one */
		began = prim_wall();
	}
}

/* ---- what is taken away ---- */

/* Files as processes leave them; none has these numbers. */
static const char *leave(const char *name, uint64_t reported)
{
	static char path[300];
	static struct stats s = { .magic = STATS_MAGIC, .layout = STATS_LAYOUT, .size = sizeof(s) };
	int fd;

	snprintf(path, sizeof(path), "%s/%s", in_top("run"), name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	s.reported = reported;
	CHECK(fd >= 0 && write(fd, &s, sizeof(s)) == (ssize_t)sizeof(s));
	close(fd);
	return path;
}

static bool stays(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", in_top("run"), name);
	return access(path, F_OK) == 0;
}

static void sweep(int files)
{
	int dir = open(in_top("run"), O_RDONLY | O_DIRECTORY);

	stats_sweep(dir, files);
	close(dir);
}

#define GONE "4194303-1" /* the number of a process that cannot be */

/* What is in a report goes at once, the rest a day after it was found; what is not ours stays. */
static void sweep_goes_by_age(void)
{
	const char *foreign[] = { GONE ".shunt.bak", "x" GONE ".shunt", GONE "x.shunt", GONE "-.shunt" };
	char other[300], target[300];
	int fd;

	start();
	leave(GONE ".shunt", 1);
	leave(GONE "-family.shunt", 0);
	leave(GONE "-17-2.shunt", 0);
	for (int i = 0; i < 4; i++)
		leave(foreign[i], 1);
	fd = open(leave(GONE "-3.shunt", 0), O_WRONLY);
	CHECK(write(fd, "something else..", 16) == 16); /* the name is ours, the content is not */
	close(fd);
	snprintf(other, sizeof(other), "%s/%s", in_top("run"), GONE "-4.shunt");
	leave("../victim", 1);
	CHECK(symlink(in_top("victim"), other) == 0);
	CHECK(link(leave(GONE "-5.shunt", 1), in_top("linked")) == 0);
	sweep(STATS_SWEEP_ALL);
	CHECK(!stays(GONE ".shunt") && stays(GONE "-family.shunt") && stays(GONE "-17-2.shunt"));
	sweep_later = 23 * 3600;
	sweep(STATS_SWEEP_ALL);
	CHECK(stays(GONE "-family.shunt") && stays(GONE "-17-2.shunt"));
	sweep_later = 25 * 3600;
	sweep(STATS_SWEEP_ALL);
	CHECK(!stays(GONE "-family.shunt") && !stays(GONE "-17-2.shunt"));
	for (int i = 0; i < 4; i++)
		CHECK(stays(foreign[i]));
	CHECK(stays(GONE "-3.shunt") && stays(GONE "-5.shunt"));
	CHECK(readlink(other, target, sizeof(target)) > 0);
}

/* Never those of the living: of ours, and of processes that have no number here. */
static void sweep_spares_the_living(void)
{
	char mine[64], theirs[300];
	struct stats *s;
	int fd;

	start();
	snprintf(mine, sizeof(mine), "%d-%llu.shunt", getpid(),
		 (unsigned long long)stats_ticks());
	leave(mine, 1);
	snprintf(theirs, sizeof(theirs), "%s", leave(GONE ".shunt", 1));
	fd = open(theirs, O_RDWR);
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(s != MAP_FAILED);
	close(fd);
	sweep_later = 1000 * 3600;
	for (int i = 0; i < 3; i++)
		sweep(STATS_SWEEP_ALL);
	CHECK(stays(mine) && stays(GONE ".shunt"));
	CHECK(munmap(s, sizeof(*s)) == 0);
	sweep(STATS_SWEEP_ALL);
	CHECK(stays(mine) && !stays(GONE ".shunt"));
}

static void sweep_lease_is_broken(void)
{
	start();
	intruded = leave(GONE ".shunt", 1);
	sweep(STATS_SWEEP_ALL); /* the signal of leases would end us here */
	CHECK(!stays(GONE ".shunt"));
}

/* However many are left, few stay for long; a server does little of it at a time. */
static void sweep_is_bounded(void)
{
	char name[64];

	start();
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), GONE "-%d.shunt", i);
		leave(name, 0);
	}
	sweep(STATS_SWEEP_ALL);
	CHECK(files_in(in_top("run"), NULL) == 300);
	sweep_later = 700;
	sweep(STATS_SWEEP_SOME);
	CHECK(files_in(in_top("run"), NULL) == 300 - STATS_SWEEP_SOME);
	sweep(STATS_SWEEP_ALL);
	CHECK(files_in(in_top("run"), NULL) == 64);
	leave(GONE ".shunt", 1);
	sweep_later = 30; /* not twice in a minute */
	sweep(STATS_SWEEP_SOME);
	CHECK(stays(GONE ".shunt"));
	sweep_later = 90;
	sweep(STATS_SWEEP_SOME);
	CHECK(!stays(GONE ".shunt"));
}

/* Whoever makes a file does it; not where somebody asked for all of them. */
static void sweep_comes_with_a_file(void)
{
	for (int asked = 1; asked >= 0; asked--) {
		if (fork() == 0) {
			if (asked)
				snprintf(config.stats, sizeof(config.stats), "%s", in_top("run"));
			leave(GONE ".shunt", 1);
			sweep_later = 3600;
			start();
			count(1);
			CHECK(stays(GONE ".shunt") == asked);
			_exit(0);
		}
		CHECK(wait_for(-1) == 0);
	}
}

static void report_to(const char *name, enum config_format format)
{
	snprintf(config.report, sizeof(config.report), "%s", in_top(name));
	config.format = format;
}

/* The family's sum in one text; the directory is as empty as before. */
static void family_in_one_text(void)
{
	pid_t pid = fork(), child;

	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		count(1);
		for (int i = 0; i < 3; i++) {
			child = fork_program();
			if (child == 0) {
				count(10);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
		}
		child = fork_program();
		if (child == 0) { /* one that cannot say goodbye */
			count(100);
			raise(SIGKILL);
		}
		wait_for(child);
		child = fork_program();
		if (child == 0) /* one that has nothing to say */
			end_program(0);
		wait_for(child);
		CHECK(content(in_top("report"))[0] == '\0');
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "131.0 KiB seen"));
	CHECK(strstr(content(in_top("report")), " 131 "));
	CHECK(!strstr(strstr(content(in_top("report")), "shunt 0.1: server[") + 1, "shunt 0.1"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* A server that forks for each connection leaves one file for all of them, report or not. */
static void children_do_not_fill_the_directory(void)
{
	char path[256];
	pid_t pid = fork(), child;

	if (pid == 0) {
		start();
		for (int i = 0; i < 200; i++) {
			child = fork_program();
			if (child == 0) {
				count(1);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
			CHECK(files_in(in_top("run"), NULL) <= 1);
		}
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(files_in(in_top("run"), path) == 1 && strstr(path, "-family.shunt"));
	CHECK(mapped(path)->route[0].chunks == 200 && mapped(path)->pid == pid);
	CHECK(mapped(path)->ended == STATS_EXIT);
}

static void children_at_the_same_time(void)
{
	enum { CHILDREN = 40 };
	pid_t pid = fork(), child[CHILDREN];
	int go[2];
	char c;

	if (pid == 0) {
		CHECK(pipe(go) == 0);
		report_to("report", FORMAT_TEXT);
		start();
		for (int i = 0; i < CHILDREN; i++) {
			child[i] = fork_program();
			if (child[i] == 0) {
				close(go[1]);
				count(1);
				CHECK(read(go[0], &c, 1) == 0);
				end_program(0);
			}
		}
		close(go[1]);
		for (int i = 0; i < CHILDREN; i++)
			CHECK(wait_for(child[i]) == 0);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "40.0 KiB seen"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* Once a child has counted, the next count in the family's file, and none needs one of its own. */
static void later_children_share(void)
{
	char path[256];
	struct stats *s;
	pid_t pid = fork(), child;

	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		for (int i = 0; i < 4; i++) {
			child = fork_program();
			if (child == 0) {
				count(10);
				CHECK(stats_is_shared() == (i > 0));
				CHECK(files_in(in_top("run"), path) == 1);
				CHECK(!strstr(path, "-family.shunt") == (i == 0));
				if (i == 2) /* what was counted is safe at once */
					raise(SIGKILL);
				child = i == 3 ? fork_program() : 1;
				if (child == 0) { /* a child's child goes on there */
					CHECK(stats_is_shared());
					count(100);
				}
				if (child > 1)
					CHECK(wait_for(child) == 0);
				end_program(0);
			}
			CHECK(wait_for(child) == 0 || i == 2);
		}
		s = stats_get();
		CHECK(!stats_is_shared() && s->route[0].chunks == 0);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "140.0 KiB seen"));
	CHECK(!strstr(strstr(content(in_top("report")), "shunt 0.1: server[") + 1, "shunt 0.1"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* Counts, and ends when it is told to. */
static void session(int go, int done, unsigned more)
{
	char c;

	count(10);
	CHECK(write(done, "x", 1) == 1);
	CHECK(read(go, &c, 1) == 1);
	if (more)
		count(more);
	stats_end(STATS_EXIT, 0);
	report_at_end();
	CHECK(write(done, "x", 1) == 1);
	_exit(0);
}

/* A session that outlives its server, which has reported: it tells what came since, once. */
static void session_outlives_server(void)
{
	int go[2][2], done[2];
	const char *second;
	pid_t pid, child;
	char c;

	CHECK(pipe(go[0]) == 0 && pipe(go[1]) == 0 && pipe(done) == 0);
	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		child = fork_program();
		if (child == 0) {
			count(1);
			end_program(0);
		}
		wait_for(child);
		for (int i = 0; i < 2; i++)
			if (fork_program() == 0)
				session(go[i][0], done[1], i == 0 ? 7 : 0);
		CHECK(read(done[0], &c, 1) == 1 && read(done[0], &c, 1) == 1);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "21.0 KiB seen"));
	CHECK(write(go[0][1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
	second = strstr(strstr(content(in_top("report")), "seen") + 1, "shunt 0.1: server[");
	CHECK(second && strstr(second, " 7.0 KiB seen"));
	/* the other has nothing new to tell */
	CHECK(write(go[1][1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
	second = strstr(strstr(content(in_top("report")), " 7.0 KiB seen") + 1, "shunt 0.1: server[");
	CHECK(!second);
}

/* Nothing at all is made for those that lose their rights and count nothing. */
static void idle_children_leave_nothing(void)
{
	pid_t pid = fork(), child;

	if (pid == 0) {
		start();
		for (int i = 0; i < 5; i++) {
			child = fork_program();
			if (child == 0) {
				stats_before_losing_rights();
				CHECK(files_in(in_top("run"), NULL) == (i == 0 ? 2 : 1));
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
		}
		stats_before_losing_rights();
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* What `shunt run` did not become says nothing when it found nothing. */
static void guest_is_silent(void)
{
	char other[16];
	pid_t pid;

	snprintf(other, sizeof(other), "%d", getpid());
	CHECK(setenv(STATS_RUN_VARIABLE, other, 1) == 0);
	report_to("report", FORMAT_TEXT);
	for (int chunks = 0; chunks < 2; chunks++) {
		pid = fork();
		if (pid == 0) {
			start();
			if (chunks)
				count(3);
			end_program(0);
		}
		CHECK(wait_for(pid) == 0);
		CHECK((access(in_top("report"), F_OK) == 0) == (chunks > 0));
	}
	CHECK(strstr(content(in_top("report")), "3.0 KiB seen"));
	start(); /* and this is the one that it became */
	stats_end(STATS_EXIT, 0);
	report_at_end();
	CHECK(strstr(content(in_top("report")), "nothing found"));
}

/* One object a process; a child that counted nothing has none, a root has. */
static void json_is_one_a_process(void)
{
	const char *text;
	pid_t pid = fork(), child;
	unsigned lines = 0;

	if (pid == 0) {
		report_to("report", FORMAT_JSON);
		start();
		for (int i = 0; i < 3; i++) {
			child = fork_program();
			if (child == 0) {
				if (i)
					count(10);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
		}
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	text = content(in_top("report"));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	CHECK(lines == 3);
	CHECK(strstr(text, "\"ended\":\"exit\"") && strstr(text, "\"chunks\":10,"));
	CHECK(strstr(text, "\"routes\":[],\"verdicts\":{}}\n"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

static void path_with_pid(void)
{
	char name[64], expected[64];
	pid_t pid = fork(), child;

	if (pid == 0) {
		report_to("%n.%p%%", FORMAT_TEXT);
		start();
		child = fork_program();
		if (child == 0) {
			count(10);
			end_program(0);
		}
		CHECK(wait_for(child) == 0);
		snprintf(name, sizeof(name), "server.%d%%", child);
		snprintf(expected, sizeof(expected), "shunt 0.1: server[%d] ", child);
		CHECK(strstr(content(in_top(name)), expected) == content(in_top(name)));
		child = fork_program();
		if (child == 0) { /* one that does nothing for us, as most children of a CGI server */
			config.format = FORMAT_JSON;
			end_program(0);
		}
		CHECK(wait_for(child) == 0);
		snprintf(name, sizeof(name), "server.%d%%", child);
		CHECK(access(in_top(name), F_OK) < 0);
		for (int chunks = 0; chunks < 2; chunks++) {
			child = fork_program();
			if (child == 0) { /* its file was made while it could be */
				config.format = chunks ? FORMAT_TEXT : FORMAT_JSON;
				stats_before_losing_rights();
				if (chunks)
					count(3);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
			snprintf(name, sizeof(name), "server.%d%%", child);
			CHECK(strstr(content(in_top(name)), chunks ? " 3.0 KiB seen" : "\"routes\":[]"));
		}
		CHECK(files_in(in_top("run"), NULL) == 0);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	snprintf(name, sizeof(name), "server.%d%%", pid);
	CHECK(strstr(content(in_top(name)), "nothing found"));
}

/* A relative path is that of the start, wherever the server has gone. */
static void relative_path(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(chdir(top) == 0);
		strcpy(config.report, "here");
		start();
		CHECK(chdir("/") == 0);
		count(1);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("here")), "1.0 KiB seen"));
}

static void once_only(void)
{
	report_to("report", FORMAT_TEXT);
	start();
	count(1);
	report_at_end();
	report_at_end();
	CHECK(!strstr(strstr(content(in_top("report")), "shunt 0.1: ") + 1, "shunt 0.1: "));
}

static void explicit_file_stays(void)
{
	char path[256];

	report_to("report", FORMAT_TEXT);
	snprintf(config.stats, sizeof(config.stats), "%s", in_top("asked"));
	start();
	count(4);
	stats_end(STATS_EXIT, 0);
	report_at_end();
	CHECK(strstr(content(in_top("report")), "4.0 KiB seen"));
	CHECK(files_in(in_top("asked"), path) == 1 && mapped(path)->route[0].chunks == 4);
	CHECK(mapped(path)->reported != 0);
}

/* Without a report the file is all there is; what it does not need is given back. */
static void unreported_file_stays(void)
{
	char path[256];
	struct stat st;

	start();
	count(4);
	stats_end(STATS_EXIT, 0);
	report_at_end();
	CHECK(files_in(in_top("run"), path) == 1 && mapped(path)->route[0].chunks == 4);
	CHECK(stat(path, &st) == 0 && st.st_blocks * 512 < (long)sizeof(struct stats) / 2);
}

/* The root is gone (as after daemon()): who is left speaks for itself and its children. */
static void orphan_reports(void)
{
	int gone[2], root_gone[2];
	char c;
	pid_t pid, child;

	CHECK(pipe(gone) == 0 && pipe(root_gone) == 0);
	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		if (fork_program() > 0)
			_exit(0);
		CHECK(read(root_gone[0], &c, 1) == 1);
		child = fork_program();
		if (child == 0) {
			count(2);
			end_program(0);
		}
		wait_for(child);
		CHECK(content(in_top("report"))[0] == '\0');
		count(3);
		stats_end(STATS_EXIT, 0);
		report_at_end();
		CHECK(write(gone[1], "x", 1) == 1);
		_exit(0);
	}
	wait_for(pid);
	CHECK(write(root_gone[1], "x", 1) == 1);
	CHECK(read(gone[0], &c, 1) == 1);
	CHECK(strstr(content(in_top("report")), "5.0 KiB seen"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

static const char *drain(int fd)
{
	static char text[65536];
	ssize_t n, all = 0;

	while ((n = read(fd, text + all, sizeof(text) - 1 - (size_t)all)) > 0)
		all += n;
	text[all] = '\0';
	return text;
}

static void unwritable_path(void)
{
	int ends[2];
	pid_t pid;
	const char *text;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		close(ends[1]);
		report_to("missing/report", FORMAT_TEXT);
		start();
		count(1);
		end_program(7);
	}
	close(ends[1]);
	text = drain(ends[0]);
	CHECK(WEXITSTATUS(wait_for(pid)) == 7);
	CHECK(strstr(text, "shunt: the report cannot be written to ") == text);
	CHECK(strstr(text, "missing/report: No such file or directory\n"));
	CHECK(strchr(text, '\n')[1] == '\0');
	CHECK(files_in(in_top("run"), NULL) == 1);
}

static void linked_path_is_refused(void)
{
	close(2); /* the complaint is another test's */
	CHECK(symlink(in_top("victim"), in_top("report")) == 0);
	report_to("report", FORMAT_TEXT);
	start();
	count(1);
	report_at_end();
	CHECK(access(in_top("victim"), F_OK) < 0);
}

/* A reader that has gone away: no SIGPIPE. */
static void closed_pipe(void)
{
	int ends[2];

	CHECK(pipe(ends) == 0);
	dup2(ends[1], 2);
	close(ends[0]);
	strcpy(config.report, "stderr");
	start();
	count(1);
	report_at_end();
}

/* The server put a file of its own on number 2: the report goes to the old standard error. */
static void replaced_stderr(void)
{
	int ends[2], life[2], fd;
	char c;
	pid_t pid;

	CHECK(pipe(ends) == 0 && pipe(life) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		close(ends[1]);
		close(life[1]);
		strcpy(config.report, "stderr");
		start();
		fd = open(in_top("data"), O_CREAT | O_RDWR, 0600);
		dup2(fd, 2);
		count(1);
		if (fork_program() == 0) { /* must not hold the pipe, must not write to the file */
			count(2);
			CHECK(read(life[0], &c, 1) == 0); /* lives as long as this test */
			end_program(0);
		}
		end_program(0);
	}
	close(ends[1]);
	/* ends, since the child that lives on has let go of the pipe */
	CHECK(strstr(drain(ends[0]), "shunt 0.1: server["));
	CHECK(wait_for(pid) == 0);
	CHECK(content(in_top("data"))[0] == '\0');
}

static void client_is_not_stderr(void)
{
	int ends[2];
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++)
			dup2(ends[1], fd);
		close(ends[1]);
		strcpy(config.report, "stderr");
		start();
		count(1);
		end_program(0);
	}
	close(ends[1]);
	CHECK(drain(ends[0])[0] == '\0');
	CHECK(wait_for(pid) == 0);
}

/* As vsftpd: a child in an empty root directory, without rights. Its counts are not lost. */
static void chrooted_child(void)
{
	char path[256];
	pid_t pid, child;

	if (geteuid() != 0)
		_exit(77);
	CHECK(mkdir(in_top("empty"), 0755) == 0);
	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		for (int i = 0; i < 130; i++) {
			child = fork_program();
			if (child == 0) {
				stats_before_losing_rights();
				CHECK(chroot(in_top("empty")) == 0 && chdir("/") == 0);
				CHECK(setgid(65534) == 0 && setuid(65534) == 0);
				count(2);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
			CHECK(files_in(in_top("run"), path) <= 66);
		}
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "260.0 KiB seen"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* Of the sessions of such a server each has its object, and only the first had a file. */
static void chrooted_json(void)
{
	unsigned lines = 0;
	pid_t pid, child;

	if (geteuid() != 0)
		_exit(77);
	CHECK(mkdir(in_top("empty"), 0755) == 0);
	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_JSON);
		start();
		for (int i = 0; i < 4; i++) {
			child = fork_program();
			if (child == 0) {
				stats_before_losing_rights();
				CHECK(chroot(in_top("empty")) == 0 && chdir("/") == 0);
				CHECK(setgid(65534) == 0 && setuid(65534) == 0);
				if (i < 3)
					count(10);
				CHECK(files_in("/", NULL) == 0);
				end_program(0);
			}
			CHECK(wait_for(child) == 0);
			CHECK(files_in(in_top("run"), NULL) == 1);
		}
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	for (const char *c = content(in_top("report")); *c; c++)
		lines += *c == '\n';
	CHECK(lines == 4); /* three sessions and the server */
	CHECK(strstr(content(in_top("report")), "\"chunks\":10,"));
	CHECK(files_in(in_top("run"), NULL) == 0);
}

/* Of the counters file of PID. */
static long blocks_of(int pid)
{
	char prefix[32];
	DIR *d = opendir(in_top("run"));
	long blocks = -1;

	snprintf(prefix, sizeof(prefix), "%d-", pid);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct stat st;

		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 &&
		    fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			blocks = st.st_blocks;
	}
	closedir(d);
	return blocks;
}

/* What cannot be unlinked takes up a page or two, not the whole. */
static void chrooted_child_gives_back(void)
{
	char path[256];
	pid_t pid, child;

	if (geteuid() != 0)
		_exit(77);
	CHECK(mkdir(in_top("empty"), 0755) == 0);
	pid = fork();
	if (pid == 0) {
		start();
		child = fork_program();
		if (child == 0) {
			stats_before_losing_rights();
			CHECK(chroot(in_top("empty")) == 0 && setuid(65534) == 0);
			count(2);
			end_program(0);
		}
		CHECK(wait_for(child) == 0);
		CHECK(files_in(in_top("run"), NULL) == 2);
		CHECK(blocks_of(child) > 0 && blocks_of(child) * 512 <= 16384);
		for (int i = 0; i < 64; i++)
			stats_forked_parent();
		CHECK(files_in(in_top("run"), path) == 1 && strstr(path, "-family.shunt"));
		_exit(0);
	}
	CHECK(wait_for(pid) == 0);
}

/* A server that goes into a chroot itself has its report file from before. */
static void chrooted_root(void)
{
	pid_t pid;

	if (geteuid() != 0)
		_exit(77);
	CHECK(mkdir(in_top("empty"), 0755) == 0);
	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		stats_before_losing_rights();
		CHECK(chroot(in_top("empty")) == 0 && setuid(65534) == 0);
		count(2);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "2.0 KiB seen"));
}

/* A child that counts nothing, and one that leaves a file: there is something to be found. */
static void leave_a_trace(void)
{
	pid_t child = fork_program();

	if (child == 0) {
		count(0);
		raise(SIGKILL);
	}
	wait_for(child);
}

/* "NAME-ROOT.shunt" in the directory of the counters. */
static const char *of_family(const char *name, int root)
{
	char file[64];

	snprintf(file, sizeof(file), "run/%s-%d.shunt", name, root);
	return in_top(file);
}

static void plant(const char *path, const struct stats *s)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	CHECK(write(fd, s, sizeof(*s)) == (ssize_t)sizeof(*s) && close(fd) == 0);
}

/* Files of other families, of nobody, and with lies in them, are let alone or do no harm. */
static void foreign_files(void)
{
	struct stats *liar = malloc(sizeof(*liar));
	pid_t pid;
	int fd;

	pid = fork();
	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		fd = open(of_family("1-1", getpid()), O_CREAT | O_WRONLY, 0600);
		CHECK(write(fd, "short", 5) == 5 && close(fd) == 0);
		CHECK(mkfifo(of_family("2-2", getpid()), 0600) == 0);
		leave_a_trace();
		count(1);
		memset(liar, 0xff, sizeof(*liar));
		memcpy(liar, stats_get(), offsetof(struct stats, module_count));
		liar->reported = 0;
		for (int i = 0; i < STATS_ROUTES; i++) {
			liar->route[i].state = 2;
			liar->route[i].read_site = i;
			liar->route[i].write_site = 1000000 - i;
		}
		for (int i = 0; i < STATS_SITES; i++)
			liar->site[i].state = 2;
		plant(of_family("3-3", getpid()), liar);
		plant(of_family("5-5-family", getpid()), liar); /* of another by its name */
		liar->root++;
		plant(of_family("4-4", getpid()), liar);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "shunt 0.1: server["));
	CHECK(access(of_family("3-3", pid), F_OK) < 0);
	CHECK(access(of_family("5-5-family", pid), F_OK) == 0);
	CHECK(access(of_family("4-4", pid), F_OK) == 0);
	CHECK(access(of_family("1-1", pid), F_OK) == 0);
	free(liar);
}

/* What another report took, and what is of a family whose root had the same number, is not ours. */
static void others_are_not_counted(void)
{
	struct stats *other = malloc(sizeof(*other));
	pid_t pid = fork();

	if (pid == 0) {
		report_to("report", FORMAT_TEXT);
		start();
		leave_a_trace();
		count(1);
		memcpy(other, stats_get(), sizeof(*other));
		plant(of_family("1-1", getpid()), other);
		other->reported = 1;
		plant(of_family("2-2", getpid()), other);
		other->reported = 0;
		plant(in_top("run/4-4.shunt"), other); /* the name is that of a root */
		other->root_started++;
		plant(of_family("3-3", getpid()), other);
		end_program(0);
	}
	CHECK(wait_for(pid) == 0);
	CHECK(strstr(content(in_top("report")), "2.0 KiB seen"));
	CHECK(access(of_family("1-1", pid), F_OK) < 0);
	CHECK(access(of_family("3-3", pid), F_OK) == 0);
	CHECK(access(in_top("run/4-4.shunt"), F_OK) == 0);
	free(other);
}

static bool callers; /* the caller alone will do */

__attribute__((noinline)) static int hook(void)
{
	bool alone;
	int site = callers ? unwind_caller(__builtin_return_address(0), &alone)
			   : unwind_site(__builtin_return_address(0));

	__asm__ volatile("" : : : "memory"); /* no tail call */
	return site;
}

__attribute__((noinline)) int outer_function(void);
__attribute__((noinline)) int calling_function(void);

__attribute__((noinline)) int calling_function(void)
{
	int site = hook();

	__asm__ volatile("" : : : "memory");
	return site;
}

__attribute__((noinline)) int outer_function(void)
{
	int site = calling_function();

	__asm__ volatile("" : : : "memory");
	return site;
}

/* What one child found out, the next need not: where each has counters of its own too. */
static void names_are_shared(void)
{
	const struct stats_site *site;
	pid_t pid;

	report_to("report.%p", FORMAT_JSON);
	start();
	for (int i = 0; i < 2; i++) {
		if (i)
			unwind_stop(); /* from now on a walk sees the caller alone */
		pid = fork_program();
		if (pid == 0) {
			CHECK(outer_function() == 0 && !stats_is_shared());
			site = &stats_get()->site[0];
			CHECK(strcmp(site->frame[0].symbol, "calling_function") == 0);
#ifdef HAVE_LIBUNWIND
			CHECK(site->frame_count >= 2);
#endif
			CHECK(stats_get()->module[site->frame[0].module][0] == '/');
			end_program(0);
		}
		CHECK(wait_for(pid) == 0);
	}
	CHECK(!stats_peek());
}

/* Without libunwind the callers of the caller make no difference. */
#ifdef HAVE_LIBUNWIND
enum { OTHER_PLACE = 1 };
#else
enum { OTHER_PLACE = 0 };
#endif

static void sites_are_named(void)
{
	char self[256];
	const struct stats_site *site;
	const struct stats_frame *frame;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int index;

	CHECK(n > 0);
	self[n] = '\0';
	start();
	errno = EXFULL;
	index = outer_function();
	CHECK(errno == EXFULL && index == 0);
	/* called from another place than above, then always from the same */
	for (volatile int i = 0; i < 2; i++)
		CHECK(outer_function() == OTHER_PLACE);
	site = &stats_get()->site[OTHER_PLACE];
	frame = &site->frame[0];
	CHECK(site->state == 2 && strcmp(frame->symbol, "calling_function") == 0);
	CHECK(frame->symbol_offset > 0 && frame->symbol_offset < 64);
	CHECK(frame->address == (uintptr_t)calling_function + frame->symbol_offset);
	CHECK(strcmp(stats_get()->module[frame->module], self) == 0);
	CHECK(frame->offset < frame->address && (frame->address - frame->offset) % 4096 == 0);
#ifdef HAVE_LIBUNWIND
	CHECK(site->frame_count >= 2 && strcmp(site->frame[1].symbol, "outer_function") == 0);
#else
	CHECK(site->frame_count == 1);
#endif
}

/* The caller alone at first; then the frames above come into the same row, once. */
static void sites_by_caller(void)
{
	const struct stats_site *site;

	start();
	callers = true;
	CHECK(outer_function() == 0);
	site = &stats_get()->site[0];
	CHECK(walk_site(stats_get(), 0) == site && walk_frames(site) == 1);
	CHECK(strcmp(site->frame[0].symbol, "calling_function") == 0);
#ifdef HAVE_LIBUNWIND
	CHECK(site->state == STATS_SITE_ALONE && !dlopen("libunwind.so.8", RTLD_NOW | RTLD_NOLOAD));
	callers = false;
	CHECK(outer_function() == 0);
	CHECK(site->state == 2 && site->frame_count >= 2);
	CHECK(strcmp(site->frame[1].symbol, "outer_function") == 0);
	/* what calls out of a library says nothing without the program's frames */
	callers = true;
	CHECK(unwind_caller((const char *)printf + 16, &callers) == 1 && !callers);
#endif
}

/* The next child has the name of the first, and the frames as soon as one child walked. */
static void callers_are_shared(void)
{
#ifdef HAVE_LIBUNWIND
	const struct stats_site *site;
	pid_t pid;

	report_to("report.%p", FORMAT_JSON);
	start();
	for (int i = 0; i < 3; i++) {
		callers = i != 1;
		pid = fork_program();
		if (pid == 0) {
			CHECK(outer_function() == 0);
			site = &stats_get()->site[0];
			CHECK((site->state == STATS_SITE_ALONE) == (i == 0));
			CHECK(i == 0 ? site->frame_count == 1 : site->frame_count >= 2);
			end_program(0);
		}
		CHECK(wait_for(pid) == 0);
	}
#endif
}

/* Which would be to wait for the loader, whose lock another thread may be stopped with. */
static void threads_load_nothing(void)
{
	report_to("report.%p", FORMAT_JSON);
	start();
	several = true;
	unwind_before_thread();
	CHECK(outer_function() == 0 && stats_get()->site[0].frame_count == 1);
	CHECK(strcmp(stats_get()->site[0].frame[0].symbol, "calling_function") == 0);
#ifdef HAVE_LIBUNWIND
	several = false;
	unwind_before_thread();
	several = true;
	CHECK(outer_function() == 1 && stats_get()->site[1].frame_count >= 2);
#endif
}

/* The names that dladdr gives, for every sixteenth byte of three objects' code. */
static void names_as_dladdr(void)
{
	const void *inside[] = { (void *)calling_function, (void *)printf, (void *)mock_assert };
	unsigned named = 0;

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		uintptr_t middle = (uintptr_t)inside[i];

		for (uintptr_t at = middle - 8192; at < middle + 65536; at += 16) {
			struct symbols_place place = { "", 0 };
			struct link_map *map = NULL;
			Dl_info info;
			bool around;

			if (!dladdr1((void *)at, &info, (void **)&map, RTLD_DL_LINKMAP))
				continue;
			around = symbols_around(map, at, &place);
			CHECK(around == (info.dli_sname != NULL));
			CHECK(!around || place.start == (uintptr_t)info.dli_saddr);
			named += around;
		}
	}
	CHECK(named > 1000);
}

static void sites_in_handlers_wait(void)
{
	start();
	in_handler = true;
	CHECK(outer_function() == UNWIND_NOT_NOW);
#ifdef HAVE_LIBUNWIND
	callers = true;
	CHECK(outer_function() == 0);
	callers = false;
	CHECK(outer_function() == UNWIND_NOT_NOW && stats_get()->site[0].state == STATS_SITE_ALONE);
#endif
	in_handler = false;
	CHECK(outer_function() >= 0);
}

static void sites_run_out(void)
{
	start();
	for (int i = 0; i < STATS_SITES; i++)
		stats_get()->site[i].state = 2;
	CHECK(outer_function() == UNWIND_FULL);
	/* not on this stack, in no module: the address alone */
	stats_get()->site[5].state = 0;
	CHECK(unwind_site((void *)0x1234) == 5);
	CHECK(stats_get()->site[5].frame_count == 1);
	CHECK(stats_get()->site[5].frame[0].offset == 0x1234);
	CHECK(stats_get()->site[5].frame[0].symbol[0] == '\0');
}

static void program_without_argv(void)
{
	char *none[] = { NULL };
	const char *base;

	stats_init(0, none);
	base = strrchr(stats_program_path(), '/');
	CHECK(base && strcmp(stats_get()->program, base + 1) == 0);
	CHECK(stats_get()->argv_length == 0);
}

#define CASES(C)                                                                                  \
	C(choices_are_shared) C(choices_are_shared_with_files) C(file_is_made) C(file_outlives_sigkill) C(directory_is_made) C(open_directory_is_refused)\
	C(sticky_directory_will_do) C(foreign_directory_is_refused)                               \
	C(linked_directory_is_refused) C(planted_link_is_not_followed)                            \
	C(file_size_limit) C(pending_signal_is_kept) C(sweep_goes_by_age)                         \
	C(sweep_spares_the_living) C(sweep_lease_is_broken) C(sweep_is_bounded)                   \
	C(sweep_comes_with_a_file) C(truncated_file) C(no_handler_no_file)                        \
	C(truncated_family) C(fork_begins_at_zero) C(fork_unannounced)                       \
	C(family_in_one_text)                                                                     \
	C(children_do_not_fill_the_directory) C(children_at_the_same_time)                        \
	C(later_children_share) C(session_outlives_server)                                        \
	C(idle_children_leave_nothing) C(guest_is_silent) C(json_is_one_a_process)                \
	C(path_with_pid) C(relative_path) C(once_only) C(explicit_file_stays)                     \
	C(unreported_file_stays) C(orphan_reports) C(unwritable_path)                             \
	C(linked_path_is_refused) C(closed_pipe) C(replaced_stderr)                               \
	C(client_is_not_stderr) C(chrooted_child) C(chrooted_child_gives_back)                    \
	C(chrooted_json) C(chrooted_root) C(foreign_files) C(others_are_not_counted)              \
	C(names_are_shared) C(sites_are_named) C(sites_by_caller) C(callers_are_shared) C(threads_load_nothing) C(names_as_dladdr)         \
	C(sites_in_handlers_wait)                                                                 \
	C(sites_run_out) C(program_without_argv)

#define C(name)                                                                                   \
	static void test_##name(void **state)                                                     \
	{                                                                                         \
		run(name);                                                                        \
	}
CASES(C)
#undef C

int main(void)
{
	const struct CMUnitTest tests[] = {
#define C(name) cmocka_unit_test(test_##name),
		CASES(C)
#undef C
	};
	int failed;

	shunt_page = (size_t)sysconf(_SC_PAGESIZE);
	umask(022);
	strcpy(top, "/tmp/shunt-test-XXXXXX");
	if (!mkdtemp(top) || chmod(top, 0755) < 0 || setenv("SHUNT_TEST_TOP", top, 1) < 0)
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return system("rm -rf \"$SHUNT_TEST_TOP\"") == 0 ? failed : 99;
}
