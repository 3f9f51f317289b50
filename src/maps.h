/* SPDX-License-Identifier: MIT */
/*
 * maps.h - what a piece of the address space is: may it land, is it still as we
 * left it?
 *
 * PROCMAP_QUERY on /proc/self/maps answers (kernel >= 6.11, about 110 ns); before
 * that the text is read. A descriptor of that file describes the process that
 * opened it, so it is opened anew after fork, and before a chroot hides /proc.
 * Everything here keeps errno and is safe in a signal handler.
 */
#ifndef SHUNT_MAPS_H
#define SHUNT_MAPS_H

#include "shunt.h"
#include "verdict.h"

/*
 * May the whole pages [lo, hi) land? REWRITTEN if they are plain private
 * anonymous memory, readable and writable, not a stack, not tainted; else why not.
 */
enum verdict maps_can_land(uintptr_t lo, uintptr_t hi);

/*
 * Is [lo, hi) one run of private anonymous pages that nobody may touch, as arming left it? Asks,
 * and changes nothing. UNKNOWN before kernel 6.11, and where there is no /proc.
 */
enum maps_answer { MAPS_ARMED, MAPS_OTHER, MAPS_UNKNOWN };
enum maps_answer maps_seen_armed(uintptr_t lo, uintptr_t hi);

/*
 * The same; where it cannot be told, the pages are protected once more, if they are there. So the
 * caller holds the lock of the landing and knows that its pages are armed.
 */
bool maps_still_armed(uintptr_t lo, uintptr_t hi);

/*
 * The first piece of [lo, hi) that is still as arming left it: the rest has become something
 * else (free gave part of the block back to the kernel). WHOLE: the mapping that it is of.
 */
struct maps_armed {
	uintptr_t lo, hi, whole_lo, whole_hi;
};
bool maps_next_armed(uintptr_t lo, uintptr_t hi, struct maps_armed *found);

/*
 * Is the page of ADDRESS there and open for ACCESS (PROT_*)? Ends the doubt when two threads fault at
 * once.
 */
bool maps_allows(uintptr_t address, int access);

/*
 * Where the private anonymous mapping at ADDRESS ends, and *PROT, how it is protected. 0: there is
 * no such mapping, or it is not known.
 */
uintptr_t maps_anonymous_end(uintptr_t address, int *prot);

/* A file as the address space shows it, at one address: the numbers need not be those of fstat. */
struct maps_file {
	uint64_t device, inode, offset;
	bool shared;
};

/*
 * What file is mapped at ADDRESS, if one is that cannot be written to there? False if none, or not
 * known.
 */
bool maps_file_at(uintptr_t address, struct maps_file *f);

/*
 * Is all of [lo, hi) readable and not writable, and the file F, from F's offset at LO on? By
 * PROCMAP_QUERY; before kernel 6.11 it takes some 50 us, see maps_has_query.
 */
bool maps_shows_file(uintptr_t lo, uintptr_t hi, const struct maps_file *f);

/*
 * Is any page of [lo, hi), a private mapping of a file, the process's own copy? False as well
 * where /proc/self/pagemap cannot be opened, as after a setuid: then what the hooks have
 * heard must do.
 */
bool maps_has_copies(uintptr_t lo, uintptr_t hi);

/*
 * [p, p + n) is no longer plain (mlock, MADV_DONTFORK, ...): it never lands. SIZE_MAX: everything.
 */
void maps_taint(const void *p, size_t n) NO_ACCESS;

/* The process is about to lose rights: what it may see of itself by them must not outlast them. */
void maps_before_losing_rights(void);

/* The process is about to lose its view of /proc. */
void maps_before_chroot(void);

/* Closes what keeps /proc busy. Only while no other thread can ask here. */
void maps_before_umount(void);

/* The program puts a descriptor of its own at the number FD: if it is ours here, it moves. */
void maps_evade(int fd);

/* In the child of a fork. */
void maps_forked(void);

/* Is PROCMAP_QUERY there? Opens the descriptor. */
bool maps_has_query(void);

#endif
