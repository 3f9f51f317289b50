/* SPDX-License-Identifier: MIT */
/*
 * stats_file.h - where counters files lie, and how one is made.
 *
 * Raw system calls only, errno is kept, safe in a signal handler. The caller holds
 * signals back (quiet.h), since RLIMIT_FSIZE raises one. No descriptor stays open
 * here: that of a directory would lead out of a chroot.
 */
#ifndef SHUNT_STATS_FILE_H
#define SHUNT_STATS_FILE_H

#include "format.h"
#include "stats.h"

enum { STATS_FILE_NAME = 64 };

struct stats_file {
	char name[STATS_FILE_NAME]; /* "" if there is no file */
	int dir;                    /* which of the directories */
	uint64_t dev, ino;
};

/* Collects the directories that may serve, from the settings and the environment. Touches none. */
void stats_file_init(void);

/* How many there are, and directory I opened for reading, checked; the caller closes it. -errno. */
int stats_file_dirs(void);
int stats_file_open_dir(int i);

/*
 * Makes a file of struct stats with all its blocks, "PID-TICKS[EXTRA].shunt", in
 * the first directory that takes it; FILE says where. Returns a descriptor or -errno.
 */
int stats_file_create(struct stats_file *file, int pid, uint64_t ticks, const char *extra);

/* The name of such a file. */
void stats_file_name(char *name, int pid, uint64_t ticks, const char *extra);

/* Removes FILE if it is still the one that was made. Returns false if it is out of reach. */
bool stats_file_remove(struct stats_file *file);

#endif
