/* SPDX-License-Identifier: MIT */
/*
 * choice.h - to land or to read plainly: which costs less at a site, as measured there.
 *
 * No constant can say it. A buffer that is used for one chunk costs two changes of the page tables,
 * a slow client makes three calls of one, and what a copy costs is the machine's business. So after
 * its first chunks a site is on trial: units of some chunks go the one way and the other, in turn,
 * and meter.h says what each cost. Four of each that lie apart decide; the less they do the more
 * are taken, up to 32. The middle half of them counts, so that neither a lucky unit nor a disturbed
 * one does. The trial is repeated after a hundred times as many chunks, and ever more rarely while
 * its answer stays the same.
 *
 * What is kept for a site is kept for each size of its chunks, by powers of two, and for files of
 * one chunk, of two, of four, and so on: a buffer that is armed for one chunk may lose where a long
 * file wins, and so may what lies in the processor's caches.
 *
 * All of it are hints: what racing threads mix up is a measurement, never a byte. The table is
 * shared by a process and those that it forks: most servers that fork for a
 * connection serve one file and are gone before anything is measured.
 */
#ifndef SHUNT_CHOICE_H
#define SHUNT_CHOICE_H

#include "pass.h"
#include "shunt.h"

enum choice_way { CHOICE_LAND, CHOICE_PLAIN, CHOICE_MEASURE };

enum {
	CHOICE_TABLE = 128,    /* rows; when they are all taken, what comes then lands */
	CHOICE_FIRST = 64,     /* chunks that land before the first trial; of a long file, where 32 KiB */
	CHOICE_LATE = 4096,    /* and more were seen to pay on most machines so far, these */
	CHOICE_CROWD = 32,     /* where more are landed at a time the first trial begins at once */
	CHOICE_TURN = 4,       /* units in a row that go one way */
	CHOICE_ENOUGH = 4,     /* units of each way that decide if they lie apart */
	CHOICE_UNITS = 32,     /* units of each way that decide in any case */
	CHOICE_PATIENCE = 65536, /* chunks after which a trial that has not decided is given up */
	CHOICE_AGAIN = 16384,  /* chunks until the next trial: this, twice, four times ... as many */
	CHOICE_LEVELS = 7,
	CHOICE_MARGIN = 32,    /* a gain of less than the 32nd part is none; where not all was followed, */
	CHOICE_CROWDED = 4,    /* of less than the 4th: tables were not as full as they will be */
	CHOICE_SHORT = 8,      /* of a short file, of less than the 8th: what comes once a file shows in part */
	CHOICE_MAPPED = 256,   /* in the class: chunks of a mapping, for which nothing is armed */
	CHOICE_STREAM = 512,   /* in the class: of a socket or a pipe */
	CHOICE_CLASSES = 1024,
};

struct choice {
	_Atomic uint64_t key;   /* site and class; 0: free */
	_Atomic uint32_t wait;  /* chunks until the next trial; in a trial: until it is given up */
	_Atomic uint32_t carry; /* ns that landing has cost, in no unit yet */
	_Atomic bool measuring;
	_Atomic uint8_t way;    /* what holds while nothing is measured */
	_Atomic uint8_t level;  /* trials in a row with the same answer */
	_Atomic uint8_t begun;  /* units of this trial */
	_Atomic bool crowded;   /* in this trial more was on its way than was followed */
	_Atomic uint8_t units[2];
	_Atomic uint32_t cost[2][CHOICE_UNITS]; /* of these, ps a byte, in order of size */
};

enum { CHOICE_LONG = 7 }; /* how many chunks a file has, a logarithm: so many, or more */

/*
 * The class of chunks of N bytes (2 GiB at the most) of a file of SIZE, a logarithm; 0: not
 * known, taken for long.
 */
static inline unsigned choice_class(size_t n, unsigned size)
{
	unsigned chunk = 63u - (unsigned)__builtin_clzll(n | 1);
	unsigned chunks = size <= chunk ? 0 : size - chunk;

	return chunk * (CHOICE_LONG + 1) + (size == 0 || chunks > CHOICE_LONG ? CHOICE_LONG : chunks);
}

/*
 * The row of CALLER and CLASS. Never NULL: when the table is full, one that lands and never learns.
 */
struct choice *choice_of(uintptr_t caller, unsigned class);

/* Where a trial ends unfinished, or the next begins: the way, or MEASURE. */
enum choice_way choice_turn(struct choice *c);

/* Which way is the next chunk to go? MEASURE: the unit that it belongs to says. */
static inline enum choice_way choice_ask(struct choice *c)
{
	uint32_t wait = relaxed(c->wait);

	if (unlikely(wait == 0))
		return choice_turn(c);
	set_relaxed(c->wait, wait - 1);
	return unlikely(relaxed(c->measuring)) ? CHOICE_MEASURE : (enum choice_way)relaxed(c->way);
}

/*
 * ARMED buffers are landed now. In a crowd each costs more than where it was seen to pay, and all
 * of them would be through their files before the first trial: then it does not wait for its chunks.
 */
static inline void choice_hurry(struct choice *c, int armed)
{
	uint32_t wait;

	if (likely(armed <= CHOICE_CROWD) || !relaxed(c->key) || relaxed(c->begun) != 0)
		return;
	wait = relaxed(c->wait);
	/* but not for the wait of a trial that another thread begins just now */
	if (wait != CHOICE_PATIENCE && !relaxed(c->measuring))
		atomic_compare_exchange_strong(&c->wait, &wait, 0);
}

/* What goes plainly goes so until the next trial: chunks of N bytes, some of them taken by PASS. */
static inline void choice_take(struct choice *c, size_t n, struct pass *pass)
{
	uint32_t wait = relaxed(c->wait);

	set_relaxed(c->wait, wait - pass_take(pass, wait, n));
}

/* The way of the next unit; and it begins. */
static inline enum choice_way choice_next(const struct choice *c)
{
	return relaxed(c->begun) / CHOICE_TURN % 2 ? CHOICE_PLAIN : CHOICE_LAND;
}
void choice_begin(struct choice *c);

/* A unit of BYTES bytes that went WAY has cost NS nanoseconds of CPU. */
void choice_unit(struct choice *c, enum choice_way way, uint64_t ns, uint64_t bytes);

/* Landing has cost NS more after the unit was over: it counts in the next. */
void choice_carry(struct choice *c, uint64_t ns);

/* How much memory choice_share takes; zeros. */
size_t choice_size(void);

/*
 * From now on the table is in MEMORY, with what is known so far: shared with those that will be
 * forked.
 */
void choice_share(void *memory);

#endif
