/* SPDX-License-Identifier: MIT */
/*
 * lease.h - source:lease: a file cannot change while something of it is landed or being sent.
 *
 * A read lease is held on our descriptor of the file. Who opens the file for writing, or truncates
 * it, then waits in the kernel until the lease is given back, for as long as
 * /proc/sys/fs/lease-break-time says at most. Nobody is told of it by a signal, which would
 * interrupt what the program waits in: we look whenever a chunk passes and before each wait, once
 * in LEASE_LOOK_MS at most. A file that somebody wants to write is filled where it is landed, from
 * what it still is, and the lease goes. Before any longer wait of the program's nothing is landed
 * (sleep.h), and so no lease is held.
 *
 * A lease belongs to an open file description. Ours is not the program's: its own leases, owner and
 * signal stay what they are, and nothing is left behind by a SIGKILL where others have the
 * program's open.
 *
 * All of this keeps errno and is safe in a signal handler.
 */
#ifndef SHUNT_LEASE_H
#define SHUNT_LEASE_H

#include "fd.h"
#include "shunt.h"
#include "verdict.h"

struct source;

enum { LEASE_LOOK_MS = 4, LEASE_GRACE_MS = 50 };

/* How many are held. */
extern HIDDEN _Atomic int lease_count;

static inline bool lease_any(void)
{
	return unlikely(atomic_load_explicit(&lease_count, memory_order_relaxed) != 0);
}

/* A high descriptor of the file FD, with an open file description of its own; or -errno. */
int lease_open(int fd);

/* Could a lease be had on FD, which lease_open made, now? REWRITTEN, or why not. */
enum verdict lease_ask(int fd);

/*
 * A landing begins to name S, and is counted there: sees to it that the lease is held. REWRITTEN,
 * or why not: then S does not land for a while.
 */
enum verdict lease_hold(struct source *s);

/*
 * The last landing of S ceased to name it, or a send from it ended: the lease goes unless it is
 * needed.
 */
void lease_rest(struct source *s);

/* This process is about to write S, or S loses its descriptor: the lease goes in any case. */
void lease_end(struct source *s);

/* Bytes of source INDEX went to the socket of E by reference, N of them. */
void lease_fed(struct fd_entry *e, int index, size_t n);

/*
 * For a thread that sends from source INDEX and waits for its peer: is the lease wanted, or gone?
 * Then what is landed of the file is to be filled, if it is what it was; the lease itself goes with
 * lease_rest, when nobody sends any more. No lock may be held.
 */
bool lease_wanted(int index);
void lease_let_in(int index);

/*
 * NOW is prim_now(): does somebody wait to write a file that is leased? Then what is landed of it
 * is filled, and the lease goes. No lock may be held.
 */
void lease_look_slow(uint64_t now);

static inline void lease_look(uint64_t now)
{
	if (lease_any())
		lease_look_slow(now);
}

/* In the child of a fork: S gets a description of its own, and holds no lease. */
void lease_forked(struct source *s);
void lease_forked_all(void);

#endif
