/* SPDX-License-Identifier: MIT */
/* stats_sweep.c - see stats_sweep.h. */
#include "stats_sweep.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "prim.h"
#include "report_walk.h"
#include "stats_file.h"

enum { DAY = 24 * 3600, BRIEF = 600, FEW = 64, EVERY = 60, LOOKS = 4096 };

/*
 * Found without a process; the time of the last change of the inode says when. It means
 * nothing on a file, and unlike a word in the file it leaves the content as it was.
 */
enum { MARK = S_ISVTX };

struct sweep {
	int dir, files;  /* how many may still go, or be marked */
	int looks;       /* at how many names */
	time_t now;
	unsigned unread; /* files without a process that stay */
};

static const char *read_number(const char *p, uint64_t *n)
{
	if (*p < '0' || *p > '9')
		return NULL;
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	return p;
}

/* "PID-TICKS.shunt", with "-NUMBER", "-family" or "-new" behind the ticks: see stats_file_name. */
static bool parse(const char *name, uint64_t *pid, uint64_t *ticks)
{
	uint64_t n;

	name = read_number(name, pid);
	if (!name || *name != '-' || *pid == 0 || *pid > INT_MAX)
		return false;
	name = read_number(name + 1, ticks);
	while (name && *name == '-') {
		if (strncmp(name, "-family", 7) == 0)
			name += 7;
		else if (strncmp(name, "-new", 4) == 0)
			name += 4;
		else
			name = read_number(name + 1, &n);
	}
	return name && strcmp(name, ".shunt") == 0;
}

/* Is FD counters, of our user? Or what was to become counters when its process was killed? */
static bool is_counters(int fd, struct stat *st, bool *reported)
{
	static const char nothing[sizeof(((struct stats *)0)->magic)];
	uint64_t buf[(offsetof(struct stats, version) + 7) / 8] = { 0 };
	const char *at = (const char *)buf;
	uint64_t when;
	uint32_t layout;

	if (prim_fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_uid != geteuid() ||
	    st->st_nlink != 1 || prim_pread(fd, buf, sizeof(buf), 0) < 0)
		return false;
	memcpy(&when, at + offsetof(struct stats, reported), sizeof(when));
	memcpy(&layout, at + offsetof(struct stats, layout), sizeof(layout));
	*reported = layout == STATS_LAYOUT && when;
	return memcmp(at, STATS_MAGIC, sizeof(nothing)) == 0 ||
	       memcmp(at, nothing, sizeof(nothing)) == 0;
}

/*
 * A lease for reading is granted while nobody has the file open for writing, and a mapping
 * counts as that. Who opens it in between is told of by a signal, and that of leases would kill.
 */
static bool nobody_writes(int fd)
{
	if (prim_fcntl(fd, F_SETSIG, SIGURG) < 0 || prim_fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return false;
	prim_fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

static void judge(struct sweep *s, const char *name, int fd, const struct stat *st, bool reported)
{
	time_t limit = s->unread < FEW ? DAY : BRIEF;

	if (reported || (st->st_mode & MARK && s->now - st->st_ctime > limit)) {
		prim_unlinkat(s->dir, name, 0);
		s->files--;
		return;
	}
	s->unread++;
	if (!(st->st_mode & MARK)) {
		PRIM2(SYS_fchmod, fd, (st->st_mode & 0777) | MARK);
		s->files--;
	}
}

static void sweep_one(struct sweep *s, const char *name)
{
	uint64_t pid, ticks;
	struct stat st;
	bool reported;
	int fd;

	if (!parse(name, &pid, &ticks))
		return;
	s->looks--;
	if (walk_pid_alive((int)pid, ticks))
		return;
	fd = prim_openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (is_counters(fd, &st, &reported) && nobody_writes(fd))
		judge(s, name, fd, &st, reported);
	prim_close(fd);
}

/* Is it time? Then nobody else does it in the next minute. */
static bool due(const struct sweep *s)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (s->files > STATS_SWEEP_SOME)
		return true;
	if (prim_fstat(s->dir, &st) < 0 ||
	    (st.st_atime <= s->now && s->now - st.st_atime < EVERY))
		return false;
	return PRIM4(SYS_utimensat, s->dir, NULL, times, 0) == 0;
}

void stats_sweep(int dir, int files)
{
	struct sweep s = { .dir = dir, .files = files };
	_Alignas(8) char buf[4096];
	ssize_t n;

	s.looks = files > STATS_SWEEP_SOME ? files : LOOKS;
	s.now = (time_t)(prim_wall() / 1000000000);
	if (!due(&s))
		return;
	while (s.files > 0 && s.looks > 0 && (n = prim_getdents(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n && s.files > 0 && s.looks > 0;) {
			const struct stats_file_entry *e = (const void *)(buf + at);

			sweep_one(&s, e->name);
			at += e->length;
		}
}
