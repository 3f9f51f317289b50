/* SPDX-License-Identifier: MIT */
/*
 * report_path.h - where the report at exit goes.
 *
 * A path is opened at the end, or before the process loses the rights to. Standard
 * error is that of the start: a server that closes it may get the number again for
 * a client or a file of its own, and a report in those would be a disaster. Safe in a
 * signal handler, errno is kept.
 */
#ifndef SHUNT_REPORT_PATH_H
#define SHUNT_REPORT_PATH_H

#include "report.h"

/* In the constructor; and in the child of a fork. */
void report_path_init(void);
void report_path_forked(void);

/* At the start: is there a standard error, and is it no client's socket? */
bool report_path_error_is_ours(void);

/* Is a report wanted at all? And one for each process, since the path has %p? */
bool report_path_wanted(void);
bool report_path_per_process(void);

/* Opens the path now, for later. For one who may soon have no right to. */
void report_path_keep(void);

/* Was that done for a path with %p? Then there is a file, which had better not stay empty. */
bool report_path_made(void);

/*
 * A descriptor for the report, *MINE if the caller is to close it. -errno: it cannot
 * be had, which was said on standard error if there is one. -ENOENT is quiet: there is
 * nowhere that anybody would look.
 */
int report_path_open(bool *mine);

/*
 * Writes all of TEXT, waiting for a slow reader, but not for one that is stuck. False if some of it
 * is not where the path leads, which is said on standard error.
 */
bool report_path_write(int fd, const char *text, size_t length);

#endif
