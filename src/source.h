/* SPDX-License-Identifier: MIT */
/*
 * source.h - the files that landings refer to.
 *
 * A landing never refers to a number of the program's: another thread's close
 * and open would put a foreign file there. It refers to a source: our own high
 * duplicate, one for each file (device and inode), counted by the descriptors
 * that are bound to it and by the landings that name it. The duplicate is
 * closed when neither is left and no thread is sending from it.
 */
#ifndef SHUNT_SOURCE_H
#define SHUNT_SOURCE_H

#include <sys/stat.h>

#include "fd.h"
#include "landing.h"
#include "lease.h"
#include "lock.h"
#include "mapping.h"
#include "shunt.h"
#include "verdict.h"

enum { SOURCES = 1024 };

struct source {
	_Atomic int fd;          /* our duplicate, -1: none */
	_Atomic int holders;     /* descriptors of the program bound to it */
	_Atomic int landings;    /* landings that name it */
	_Atomic int mappings;    /* mappings that name it (mapping.h) */
	_Atomic uint8_t verdict; /* REWRITTEN: it may land */
	_Atomic bool locked;     /* the duplicate was made under a lock: closed with the program's own only */
	_Atomic bool stays;      /* and could not be: it is not closed any more */
	_Atomic bool leased;     /* source:lease: the lease is held on fd (lease.h) */
	_Atomic bool breaking;   /* and somebody is known to wait for it */
	dev_t device;
	ino_t inode;
	struct timespec mtime, ctime;
	bool aged;               /* old enough that a later change cannot have the same ones */
	uint64_t retry;          /* prim_now() from which a refusal is asked again */
};

/*
 * Binds FD (regular, freshly fstat'ed as ST) to its source. Returns why it may not
 * land, REWRITTEN if it may: then e->source is set.
 */
enum verdict source_bind(int fd, struct fd_entry *e, const struct stat *st);

/*
 * Is ST, fstat'ed now, still the file of source INDEX, and as it was when it settled?
 * REWRITTEN if so; CHANGED if it is another file (the number was closed unheard) or
 * its stamps moved (then nothing of it lands for a while); or the refusal that came
 * meanwhile.
 */
enum verdict source_still(int index, const struct stat *st);

/*
 * Did bytes of source INDEX that were read a moment ago stay what they were, by ST, fstat'ed now?
 * Under source:trust as well, where source_still does not ask.
 */
bool source_unchanged(int index, const struct stat *st);

/* E no longer means its file: CLOSING, because the program closes it just now (or did, unheard). */
void source_unbind(struct fd_entry *e, bool closing);

/*
 * A mapping of FD's file, which is ST, was made: it outlives the descriptor. REWRITTEN if the file
 * may be sent from, should source_fresh say so at the time: then *INDEX gets the source, held for
 * the mapping. Else -1, and why not.
 */
enum verdict source_adopt(int fd, const struct stat *st, int *index);

/* A mapping more names source INDEX, which one names already; one ceases to. */
void source_hold_mapping(int index);
void source_abandon(int index);

/*
 * May source INDEX, which a mapping names, be sent from now? *ST gets what fstat says. Asked
 * anew where the file was not settled and some time has passed.
 */
enum verdict source_fresh(int index, struct stat *st);

struct source *source_at(int index);
int source_index(const struct source *s);

/* Are the stamps in ST those that S had when it was judged? */
bool source_same_stamps(const struct source *s, const struct stat *st);

/* The next source at or above FROM that means a file, -1 if there is none. */
int source_next(int from);

/* Is any thread sending from S? */
bool source_sending(const struct source *s);

/*
 * A landing begins or ceases to name source INDEX. What begins needs a lease under
 * source:lease: not REWRITTEN if there is none to be had, and it is to be released all the same.
 */
enum verdict source_hold(int index);
void source_release(int index);

/* Closes the duplicates that nobody needs any more and that a sending thread kept open. */
void source_reap(int index);

/*
 * Locks and flags. Closing any descriptor of a file drops the process's POSIX
 * locks on it, and a duplicate keeps a flock alive, so before one is taken our
 * duplicate is gone. What was ever locked in another way than this never lands again:
 * a POSIX lock on the whole file, as FTP servers take it for a download, keeps
 * writers away; the file lands while it is held, and our duplicate is closed where the
 * program closes its own, which drops the lock anyway.
 */
enum source_use { SOURCE_FLAGS, SOURCE_WHOLE_LOCK, SOURCE_OTHER_LOCK };
void source_before_use(int fd, enum source_use use);

/*
 * An exec closes our duplicates, and with one the lock goes. So where the program's own descriptor
 * stays open, ours does, too. And if the exec fails, it is as it was. Keep errno; signal safe.
 */
void source_before_exec(void);
void source_after_failed_exec(void);

/* The program gives its lock on FD's file back: what is landed of it is filled. */
void source_before_unlock(int fd);

/* Is anything landed, mapped or leased, so that a change of a file could matter? */
static inline bool source_any(void)
{
	return landing_any() || mapping_any() || lease_any();
}

/*
 * This process is about to change the file that is ST, FD's file, or the file at PATH: its landings
 * are filled first. The last two ask only while something is landed or mapped.
 */
void source_changes(const struct stat *st);
void source_written(int fd);
void source_written_path(int dir, const char *path);

/* The same for a file that is not known: those that are leased, since it would wait for us. */
void source_written_any(void);

/*
 * The program puts a descriptor of its own at the number FD, which is a source's: that one moves.
 */
void source_evade(int fd);

/* Is there a source of that identity, perhaps? False is exact. */
bool source_may_be(uint32_t identity);

/* A hash of device and inode; equal files have equal ones. */
uint32_t source_identity(dev_t device, ino_t inode);

/* In the child of a fork. */
void source_forked(void);

#endif
