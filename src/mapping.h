/* SPDX-License-Identifier: MIT */
/*
 * mapping.h - the file mappings that the program made through our mmap.
 *
 * A mapping is remembered with the source behind it, so that a write of its bytes
 * can be a sendfile; one that is or was writable is remembered too, for the
 * report to say so. What is remembered says what a mapping was: before anything is
 * sent the kernel is asked whether it still is (maps.h). Only that nobody ever wrote to a
 * private mapping rests on the hooks where the kernel will not tell.
 */
#ifndef SHUNT_MAPPING_H
#define SHUNT_MAPPING_H

#include "maps.h"
#include "shunt.h"
#include "site.h"
#include "verdict.h"

enum { MAPPING_SMALLEST = 4096 }; /* what is shorter is not remembered */

struct mapping {
	uintptr_t lo, hi;      /* whole pages */
	uint64_t serial;       /* no two have the same; another one after every change */
	int source;            /* index; -1: it cannot be sent from, because of WHY */
	uint8_t why;           /* enum verdict */
	struct maps_file file; /* as the address space shows it, with the offset at lo */
	struct site *site;     /* of the mmap */
};

/* How many are remembered. 0: no hook need look. */
extern HIDDEN _Atomic unsigned mapping_count;

static inline bool mapping_any(void)
{
	return unlikely(atomic_load_explicit(&mapping_count, memory_order_relaxed) != 0);
}

/* Odd while what is remembered changes, and another number afterwards. */
extern HIDDEN _Atomic uint32_t mapping_changes;

/*
 * mmap returned P for these arguments, called from CALLER. What was remembered of the
 * range is forgotten. Keeps errno.
 */
void mapping_made(uintptr_t p, size_t n, int prot, int flags, int fd, const void *caller);

/* [p, p + n) goes away, or is no longer what mmap made it. Before the call that does it. */
void mapping_forget(const void *p, size_t n) NO_ACCESS;

/* [p, p + n) becomes writable. Before the call that does it. */
void mapping_writable(const void *p, size_t n) NO_ACCESS;

/*
 * Round mremap. Before it: what is remembered of [p, p + n) is taken out, with a hold on its
 * source; N of 0: it stays. After it: is at TO now, N bytes long; TO is 0 if the call failed.
 */
void mapping_take(struct mapping *m, uintptr_t p, size_t n);
void mapping_give(struct mapping *m, uintptr_t to, size_t n);

/* Nothing of source INDEX is remembered any more: its duplicate has to go. */
void mapping_forget_source(int index);

/*
 * The lowest that touches [p, p + n), copied to M. No lock, safe in a signal handler.
 * False if there is none, or if it changes just now.
 */
bool mapping_find(uintptr_t p, size_t n, struct mapping *m);

/* [lo, hi) round an address, where nothing is remembered while mapping_changes is CHANGES. */
struct mapping_gap {
	uintptr_t lo, hi;
	uint32_t changes;
};

/* The gap round P, to G. False: something is remembered there, or it changes just now. */
bool mapping_gap(uintptr_t p, struct mapping_gap *g);

/* Is what was found at P with that SERIAL still there, unchanged? */
bool mapping_still(uintptr_t p, uint64_t serial);

/*
 * The system calls that all this has made since it was last asked: a row of the report bears them.
 */
unsigned mapping_calls(void);

/* In the child of a fork: takes anew the holds on sources. */
void mapping_forked(void);

#endif
