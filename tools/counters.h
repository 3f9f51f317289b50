/* SPDX-License-Identifier: MIT */
/*
 * counters.h - counters files, read as what they are: written by somebody else.
 *
 * A file is copied, not mapped: it may shrink or change while it is read, and the
 * copy is checked once and then stays as it was.
 */
#ifndef SHUNT_COUNTERS_H
#define SHUNT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"
#include "stats.h"

/* Which file it was, since several may be of one process, and whose. */
struct counters_id {
	dev_t dev;
	ino_t ino;
	uid_t owner;
};

/*
 * May a file of OWNER tell of a process of USER? Where counters lie in a directory that others
 * write to as well, anybody may put a file under any name there. Root's and one's own may.
 */
bool counters_trusted(uid_t owner, uid_t user);

/*
 * The counters in PATH, malloc'd; NULL after one complaint. What report_valid says
 * of them holds; strings need not be ended, and indexes are to be checked
 * (report_walk.h does).
 */
struct stats *counters_load(const char *path, struct counters_id *id);

/* The same without a complaint. */
struct stats *counters_peek(const char *path, struct counters_id *id);

/* "running", "exit", "signal", "unknown" */
const char *counters_ended_word(const struct stats *s);

/*
 * The counters file of the process PID, living or ended, into PATH of PATH_MAX: what it has mapped,
 * else what lies in the directories of the setting `stats` and belongs to root, to who asks, or to
 * who the living process belongs to.
 */
bool counters_find(const struct config *c, int pid, char *path);

/*
 * Calls FN for the counters files in the directory of PATH, but PATH itself. FN returns false to
 * end the walk.
 */
typedef bool counters_file_fn(void *context, const char *path);
void counters_beside(const char *path, counters_file_fn *fn, void *context);

#endif
