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
 * Makes a file of struct stats, "PID-TICKS[EXTRA].shunt", in the first directory that takes
 * it; FILE says where. It has the blocks of its head, most others are never needed.
 * Returns a descriptor or -errno.
 */
int stats_file_create(struct stats_file *file, int pid, uint64_t ticks, const char *extra);

/*
 * Maps FD, a file of struct stats. A page that cannot be had, since somebody truncated the file
 * or the file system is full, is a SIGBUS: so only where our handler is in front of it
 * (sig_own_bus), and that is told of the place. NULL if it is not, or too many are mapped.
 */
struct stats *stats_file_map(int fd);

/* SIZE bytes at P are counters in a file: what lies round a page that is touched is not read. */
void stats_file_thin(void *p, size_t size);
void stats_file_unmap(struct stats *s);

/* Does ADDRESS lie in one of them? */
bool stats_file_maps(uintptr_t address);

/* linux_dirent64, for getdents: not in libc's headers under this name */
struct stats_file_entry {
	uint64_t ino;
	int64_t off;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* The name of such a file. */
void stats_file_name(char *name, int pid, uint64_t ticks, const char *extra);

/* Removes FILE if it is still the one that was made. Returns false if it is out of reach. */
bool stats_file_remove(struct stats_file *file);

#endif
