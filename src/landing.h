/* SPDX-License-Identifier: MIT */
/*
 * landing.h - lazily filled pages: arm, fill, open, find by address.
 *
 * A landing is a run of whole pages that the program believes to hold bytes of a
 * file. They are PROT_NONE, and the record says what they mean: byte base + i of
 * the buffer is byte offset + i of the source. The partial pages at the buffer's
 * ends are real memory, filled really, with a copy to compare with at the write.
 *
 * Everything here keeps errno and is safe in a signal handler.
 */
#ifndef SHUNT_LANDING_H
#define SHUNT_LANDING_H

#include "guard.h"
#include "lock.h"
#include "shunt.h"
#include "site.h"
#include "stats.h"
#include "verdict.h"

/*
 * An edge is a part of a page, and up to two more that are looked at; a tail and the next head lie
 * in a row.
 */
enum { EDGE_PAGES = 3, EDGE_LOOKS = 2, EDGE_ROOM = 2 * EDGE_PAGES };

struct stream;

struct landing {
	struct lock lock;
	_Atomic uint32_t sequence;  /* odd while the fields below change */
	_Atomic uintptr_t base;     /* where the buffer begins; 0: the slot is free */
	size_t length;              /* of the chunk that the last read put here */
	off_t offset;               /* in the source, of base */
	off_t size;                 /* of the source, at that read */
	_Atomic int source;         /* index + 1 while pages are armed and mean a file, else 0 */
	_Atomic bool is_stream;     /* pages are armed and mean what is in the pipes of STREAM */
	struct stream *stream;      /* made when first needed, and stays; see stream.h */
	size_t head, tail;          /* bytes at both ends of which there are copies */
	unsigned char *head_copy, *tail_copy;
	size_t ahead;               /* bytes behind tail_copy: those that follow the chunk in the file */
	unsigned char *edge;        /* room for the copies: EDGE_ROOM, twice */
	int fd;                     /* the program's number that was read */
	uint32_t generation;        /* of that number, then: fd_entry.generation */
	int reader;                 /* the thread that read */
	struct site *site;          /* where it was read */
	_Atomic size_t written;     /* of the chunk, from its start without a gap */
	_Atomic size_t credit;      /* bytes whose copy at the read is counted as avoided */
	_Atomic(struct stats_route *) route; /* where that was counted */
	uint64_t read;              /* prim_now() of the last read */
	_Atomic uint64_t touched;   /* the same of the last read or write */
	_Atomic uint8_t looks;      /* into this chunk, so far */
	unsigned calls;             /* system calls that the read has cost, for the accounts */
	struct patience patience;   /* what is learned of this buffer */
	_Atomic uint32_t alone_at;  /* so many bytes of the buffer share no page with others, as of ... */
	_Atomic size_t alone_for;   /* ... this number of armings */
	_Atomic bool freed;         /* its block was given back since the last read */
	_Atomic bool turned;        /* opened for the trial of another way: meter.h */
	_Atomic bool returns;       /* it was read into again after that: freed pages stay armed */
};

/*
 * The fields of L change between these two; L is locked. Readers without the lock see
 * an odd number, or another than before.
 */
static inline void landing_change_begin(struct landing *l)
{
	set_relaxed(l->sequence, relaxed(l->sequence) + 1);
	atomic_thread_fence(memory_order_release);
}

static inline void landing_change_end(struct landing *l)
{
	atomic_store_explicit(&l->sequence, relaxed(l->sequence) + 1, memory_order_release);
}

/*
 * Is it certain without asking the kernel that the armed pages of L are what arming left? Whatever
 * changes the address space is heard then, but what libc does with memory that it was given back.
 */
static inline bool landing_is_sure(const struct landing *l)
{
	return guard_hears_all() && !relaxed(l->freed);
}

/* How many landings are armed now. 0: no hook need look at any address. */
extern HIDDEN _Atomic int landing_armed;

static inline bool landing_any(void)
{
	return unlikely(atomic_load_explicit(&landing_armed, memory_order_relaxed) != 0);
}

/* ---- for every hook ---- */

/* Does any armed page lie in [p, p + n)? Quick; false is exact. */
bool landing_touches(const void *p, size_t n) NO_ACCESS;

/*
 * The kernel, or code that we do not see, is about to use [p, p + n): every
 * landing in it is filled and opened. The second is for memory whose content is
 * void (free, munmap): what lies wholly inside is opened without a fill.
 */
void landing_open_slow(const void *p, size_t n) NO_ACCESS;
void landing_void(const void *p, size_t n) NO_ACCESS;

/*
 * [p, p + n) goes away, or may perhaps not be read any more: the same for what is landed in buffers
 * that lie there in part, since their ends are looked at when they are sent.
 */
void landing_open_buffers(const void *p, size_t n) NO_ACCESS;

/*
 * Before and after free() of the block [p, p + n). Its landings mean nothing any
 * more. Where a loop is known to get the same block again and again (read, write, free,
 * malloc, read) the pages stay protected in between, which saves two changes of the page
 * tables a chunk; whoever else gets the block opens them by the first touch.
 */
void landing_before_free(const void *p, size_t n) NO_ACCESS;
void landing_after_free(const void *p, size_t n) NO_ACCESS;

/*
 * What is landed in [p, p + n) cannot be sent, because of WHY: it is filled, and tried again later.
 */
void landing_refuse(const void *p, size_t n, enum verdict why);

/*
 * We are about to make the program's own read of a file into [p, p + n), where its
 * earlier chunks land: no look, nothing is learned from it.
 */
void landing_fill(const void *p, size_t n) NO_ACCESS;

/*
 * The same for a read of what is no file: a look into what another loop landed there, but
 * a relay's ring buffer is received into wherever there is room.
 */
void landing_receive(const void *p, size_t n) NO_ACCESS;

static inline void landing_open(const void *p, size_t n)
{
	if (landing_any() && landing_touches(p, n))
		landing_open_slow(p, n);
}

/*
 * Opens what a string at S reaches: its landings, one after the other, up to its end, or to a page
 * that is not READABLE.
 */
void landing_open_string(const char *s, bool (*readable)(const void *p, size_t n));

/* Fills and opens every landing: fork, exec, seccomp, dlclose and all else that ends laziness. */
void landing_open_all(void);

/*
 * While held, nothing is armed anew: between landing_open_all and, say, the fork. Counts.
 * In the child of a fork: landing_forked instead of release.
 */
void landing_hold(void);
void landing_release(void);
void landing_forked(void);

/* ---- for what ends the laziness of some ---- */

/* Fills and opens what refers to source INDEX. */
void landing_open_source(int index);

/*
 * The program closes its descriptor FD: chunks read from it that are not yet written whole are
 * filled.
 */
void landing_close(int fd);

/* Fills and opens what nobody has touched since BEFORE (prim_now() time). */
void landing_settle(uint64_t before);

/* Fills and opens what the thread of that number has read. */
void landing_settle_thread(int thread);

/* ---- for the reading side (land.c) ---- */

/*
 * The landing whose buffer begins at BASE: the one there is, or a free slot; NULL if the table is
 * full.
 */
struct landing *landing_claim(uintptr_t base);
struct landing *landing_find(uintptr_t base);

/* Opens every other landing that has a page in common with the buffer [base, base + n). */
void landing_retire_overlaps(struct landing *l, uintptr_t base, size_t n);

/* The armed pages of L; equal when there are none. Exact while L is locked. */
uintptr_t landing_lo(const struct landing *l);
uintptr_t landing_hi(const struct landing *l);

/*
 * Protects [lo, hi), L locked and unarmed. REWRITTEN, or why it cannot be. Until
 * landing_mean is called the pages mean nothing, and landing_unarm takes it back.
 */
enum verdict landing_arm(struct landing *l, uintptr_t lo, uintptr_t hi);
void landing_unarm(struct landing *l);

/*
 * maps_still_armed for who has not locked L: is [lo, hi) what is armed of L, by its record, which
 * SEQUENCE numbers, and by the kernel?
 */
bool landing_still_armed(struct landing *l, uint32_t sequence, uintptr_t lo, uintptr_t hi);

/* Opens L, locked, with a fill of what it means. False if that failed: it stays armed. */
bool landing_open_locked(struct landing *l);

/* ---- for the fault handler ---- */

/*
 * A thread touched ADDRESS, for ACCESS (PROT_*). True if a landing was there and is open now, or was
 * opened meanwhile by another thread. *FAILED is set if the file could not be read.
 */
bool landing_fault(uintptr_t address, int access, bool *failed);

/* ---- for the writing side (segment.c) ---- */

/* The landing with the lowest armed page in [p, p + n), NULL if there is none. */
struct landing *landing_first(uintptr_t p, size_t n);

/* Made once, before anything lands. False if there is no memory. */
bool landing_init(void);

#endif
