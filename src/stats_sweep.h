/* SPDX-License-Identifier: MIT */
/*
 * stats_sweep.h - counters files that nobody will ask for are taken away.
 *
 * A process that is killed, or of which nobody wants a report, leaves its file for
 * `shunt report`. It stays for a day from when it was first found without a process, and
 * for ten minutes if there are many such; one whose counts are in a report goes at once.
 *
 * A file is without a process when its name's process is gone and nobody has it open or
 * mapped for writing. The kernel is asked that by a read lease, so the second holds for
 * processes of other name spaces too; where it cannot be asked (FUSE, NFS) the file stays.
 *
 * Raw system calls only; errno is kept; the caller holds signals back (quiet.h), if it has any.
 */
#ifndef SHUNT_STATS_SWEEP_H
#define SHUNT_STATS_SWEEP_H

#include <limits.h>

enum {
	STATS_SWEEP_SOME = 64,     /* files that a server may take away at its first chunk */
	STATS_SWEEP_ALL = INT_MAX, /* and the command, which has time */
};

/*
 * Looks through DIR, a descriptor of a directory of counters that was checked
 * (stats_file_open_dir), and takes away or marks at most so many files. With STATS_SWEEP_SOME
 * no more than once a minute, whoever does it: the directory's time of access says when.
 */
void stats_sweep(int dir, int files);

#endif
