/* SPDX-License-Identifier: MIT */
/* procfs.h - what /proc says of a process. */
#ifndef SHUNT_PROCFS_H
#define SHUNT_PROCFS_H

#include <stdbool.h>
#include <stdint.h>

/* Field 22 of /proc/PID/stat: when it began, in ticks since boot; 0 if there is no such process. */
uint64_t procfs_start_ticks(int pid);

/* A number of /proc/PID/status by its name ("Seccomp"); -1 if it is not there. */
long procfs_status(int pid, const char *name);

/*
 * The first absolute path in PID's maps that MATCH likes, into PATH of PATH_MAX; by /proc/PID/root
 * where PID sees other mounts than we.
 */
typedef bool procfs_match_fn(const void *context, const char *path);
bool procfs_maps(int pid, procfs_match_fn *match, const void *context, char *path);

/* A procfs_match_fn: does the path end in the string CONTEXT? */
bool procfs_ends_in(const void *context, const char *path);

/* Can PID's maps be read? */
bool procfs_readable(int pid);

/* Has PID a descriptor whose link is NAME ("anon_inode:[io_uring]")? */
bool procfs_has_descriptor(int pid, const char *name);

/* Was PID started with AT_SECURE, so that the loader ignored LD_PRELOAD? False if not known. */
bool procfs_secure(int pid);

#endif
