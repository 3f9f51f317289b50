/* SPDX-License-Identifier: MIT */
/*
 * pass.h - an answer that holds for the next chunks, too.
 *
 * Why a chunk is not worth landing is found out by asking much: the descriptor, the size, what is
 * known of the site and of the buffer. In a loop that goes on as it does the answer is the same for
 * the next one. So it is given for some at a time, with what has to be the same for it to hold, and
 * is kept with the buffer (watch.h). After PASS_CHUNKS at the latest it is asked anew: nothing is
 * decided for good.
 *
 * Where the answer is that so many chunks are to be let pass, those for which it is given are taken
 * off that count at once, and never more than as many as went before in the same buffer: of a
 * buffer that is not read into again no more are lost than that.
 */
#ifndef SHUNT_PASS_H
#define SHUNT_PASS_H

#include "shunt.h"

enum { PASS_CHUNKS = 255, PASS_SHORT = 63 };

struct pass {
	uint32_t asked; /* it holds for reads of so many bytes */
	bool smaller;   /* and of fewer */
	uint8_t chunks; /* how many times; 0: it does not hold */
	uint8_t ahead;  /* so many may be taken off a count, or be let pass after a try that failed */
};

/* The answer holds for reads of N bytes, and if SMALLER, of fewer. */
static inline void pass_give(struct pass *p, size_t n, bool smaller)
{
	*p = (struct pass){ .asked = (uint32_t)n, .smaller = smaller, .chunks = PASS_CHUNKS };
}

/* The answer holds for reads of N bytes, LEFT of them. How many of those are taken off. P: or NULL. */
static inline uint32_t pass_take(struct pass *p, uint32_t left, size_t n)
{
	if (!p || p->ahead == 0 || left == 0)
		return 0;
	p->asked = (uint32_t)n;
	p->chunks = left < p->ahead ? (uint8_t)left : p->ahead;
	return p->chunks;
}

#endif
