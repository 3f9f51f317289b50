/* SPDX-License-Identifier: MIT */
/* procfs.c - what /proc says of a process. */
#include <dirent.h>
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs.h"

static FILE *open_of(int pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

uint64_t procfs_start_ticks(int pid)
{
	FILE *f = open_of(pid, "stat");
	unsigned long long ticks = 0;
	char text[1024];
	size_t n = 0;
	char *p;

	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold blanks and brackets */
	if (p)
		sscanf(p + 1,
		       " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		       " %*s %*s %*s %llu",
		       &ticks);
	return ticks;
}

long procfs_status(int pid, const char *name)
{
	FILE *f = open_of(pid, "status");
	size_t n = strlen(name);
	char line[512];
	long value = -1;

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			value = strtol(line + n + 1, NULL, 10);
	if (f)
		fclose(f);
	return value;
}

bool procfs_ends_in(const void *context, const char *path)
{
	size_t n = strlen(path), m = strlen(context);

	return n >= m && strcmp(path + n - m, context) == 0;
}

/* Where PID has a mount name space of its own, what is PATH there may be another file here. */
static void reach(int pid, char *path)
{
	char link[64], whole[PATH_MAX];
	struct stat its, ours;

	snprintf(link, sizeof(link), "/proc/%d/ns/mnt", pid);
	if (stat(link, &its) < 0 || stat("/proc/self/ns/mnt", &ours) < 0 ||
	    its.st_ino == ours.st_ino)
		return;
	if (snprintf(whole, sizeof(whole), "/proc/%d/root%s", pid, path) < (int)sizeof(whole))
		strcpy(path, whole);
}

bool procfs_maps(int pid, procfs_match_fn *match, const void *context, char *path)
{
	FILE *f = open_of(pid, "maps");
	char line[PATH_MAX + 128];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		const char *slash = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		found = slash && strlen(slash) < PATH_MAX && match(context, slash);
		if (found)
			strcpy(path, slash);
	}
	if (f)
		fclose(f);
	if (found)
		reach(pid, path);
	return found;
}

bool procfs_readable(int pid)
{
	FILE *f = open_of(pid, "maps");
	bool ok = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	return ok;
}

bool procfs_has_descriptor(int pid, const char *name)
{
	char path[64], link[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && !found && (entry = readdir(d)) != NULL) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		found = strcmp(link, name) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

bool procfs_secure(int pid)
{
	FILE *f = open_of(pid, "auxv");
	Elf64_auxv_t entry;
	bool secure = false;

	while (f && fread(&entry, sizeof(entry), 1, f) == 1)
		if (entry.a_type == AT_SECURE)
			secure = entry.a_un.a_val != 0;
	if (f)
		fclose(f);
	return secure;
}
