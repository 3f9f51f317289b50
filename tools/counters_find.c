/* SPDX-License-Identifier: MIT */
/*
 * counters_find.c - where the counters of a process lie.
 *
 * The library names them PID-STARTTICKS.shunt, in the first directory of a list
 * that serves; PID-STARTTICKS-2.shunt after an exec, PID-STARTTICKS-family.shunt
 * for what children that ended have left. A process id comes again: of one that lives
 * only its own are taken, and the newest of several.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "procfs.h"

struct newest {
	int pid;
	uint64_t ticks; /* of the living process, 0 if it is gone */
	uid_t user;     /* whose it is; root's if it is gone */
	time_t time;
	char *path;
};

/* "4711-123456.shunt": the process it is of, or 0. *TAIL is what stands behind the numbers. */
static int file_pid(const char *name, uint64_t *ticks, const char **tail)
{
	unsigned long long t;
	int pid, length = 0;

	if (sscanf(name, "%d-%llu%n", &pid, &t, &length) != 2 || pid <= 0 ||
	    !procfs_ends_in(".shunt", name + length))
		return 0;
	*ticks = t;
	*tail = name + length;
	return pid;
}

static bool is_process(const char *tail)
{
	return strcmp(tail, ".shunt") == 0 || (tail[0] == '-' && tail[1] >= '0' && tail[1] <= '9');
}

static void consider(struct newest *best, const char *dir, const char *name)
{
	char path[PATH_MAX];
	const char *tail;
	struct stat st;
	uint64_t ticks;

	if (file_pid(name, &ticks, &tail) != best->pid || !is_process(tail))
		return;
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || !counters_trusted(st.st_uid, best->user))
		return;
	/* of one that had the number before; 0: there was no /proc to ask */
	if (best->ticks != 0 && ticks != 0 && ticks != best->ticks)
		return;
	if (best->path[0] && st.st_mtime < best->time)
		return;
	best->time = st.st_mtime;
	strcpy(best->path, path);
}

/* A directory that a stranger owns says nothing about our processes. */
static DIR *open_trusted(const char *dir)
{
	DIR *d = opendir(dir);
	struct stat st;

	if (d && (fstat(dirfd(d), &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid()))) {
		closedir(d);
		return NULL;
	}
	return d;
}

static void search(struct newest *best, const char *dir)
{
	DIR *d = open_trusted(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)) != NULL)
		consider(best, dir, entry->d_name);
	if (d)
		closedir(d);
}

/* $NAME/TAIL for each directory of a list as RUNTIME_DIRECTORY has it. */
static void search_variable(struct newest *best, const char *list, const char *tail)
{
	char dir[PATH_MAX];

	while (list && *list) {
		size_t n = strcspn(list, ":");

		snprintf(dir, sizeof(dir), "%.*s%s", (int)n, list, tail);
		if (n > 0)
			search(best, dir);
		list += n + (list[n] != '\0');
	}
}

static void search_all(struct newest *best, const struct config *c)
{
	const char *tmp = getenv("TMPDIR");
	char tail[32];

	if (c->stats[0]) {
		search(best, c->stats);
		return;
	}
	search_variable(best, getenv("RUNTIME_DIRECTORY"), "");
	search_variable(best, getenv("XDG_RUNTIME_DIR"), "/shunt");
	search(best, "/run/shunt");
	snprintf(tail, sizeof(tail), "/shunt-%u", (unsigned)geteuid());
	search_variable(best, tmp && tmp[0] ? tmp : "/tmp", tail);
}

/* Its parent's file, and its family's, a process may have mapped too. */
static bool is_own(const void *context, const char *path)
{
	const char *tail;
	uint64_t ticks;

	return file_pid(strrchr(path, '/') + 1, &ticks, &tail) == *(const int *)context &&
	       is_process(tail);
}

bool counters_find(const struct config *c, int pid, char *path)
{
	struct newest best = {.pid = pid, .ticks = procfs_start_ticks(pid), .path = path};
	char proc[32];
	struct stat st;

	snprintf(proc, sizeof(proc), "/proc/%d", pid);
	best.user = best.ticks && stat(proc, &st) == 0 ? st.st_uid : 0;
	if (procfs_maps(pid, is_own, &pid, path))
		return true;
	path[0] = '\0';
	search_all(&best, c);
	return path[0] != '\0';
}

void counters_beside(const char *path, counters_file_fn *fn, void *context)
{
	char dir[PATH_MAX], other[PATH_MAX + 260], *slash;
	struct dirent *entry;
	const char *tail;
	bool more = true;
	uint64_t ticks;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	*slash = '\0';
	d = opendir(dir[0] ? dir : "/");
	while (d && more && (entry = readdir(d)) != NULL) {
		if (file_pid(entry->d_name, &ticks, &tail) == 0)
			continue;
		snprintf(other, sizeof(other), "%s/%s", dir, entry->d_name);
		if (strcmp(other, path) != 0)
			more = fn(context, other);
	}
	if (d)
		closedir(d);
}
