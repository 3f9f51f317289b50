/* SPDX-License-Identifier: MIT */
/* plan.c - see plan.h. */
#include "plan.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t plan_next(uint64_t *state)
{
	return mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t key(uint64_t seed, uint32_t number, int side)
{
	return mix(mix(seed) + ((uint64_t)number << 1) + (unsigned)side);
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	return plan_next(state) % n;
}

/* Most are small, some need several buffers, few fill those of the kernel. */
static uint64_t amount(uint64_t *state)
{
	uint64_t kind = below(state, 20);

	if (kind < 3)
		return below(state, 3000);
	if (kind < 18)
		return below(state, 300000);
	return below(state, 3000000);
}

void plan_make(struct plan *p, uint64_t seed, uint32_t number, int side)
{
	static const unsigned endings[8] = { WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, RESET, CLOSE };
	uint64_t s = key(seed, number, side) ^ 1;

	p->ending = endings[below(&s, 8)];
	p->total = amount(&s);
	p->end_at = below(&s, 4) ? below(&s, 300000) : below(&s, 3);
	p->pause_at = below(&s, 2) ? below(&s, 300000) : UINT64_MAX;
	p->pause_ms = 1 + (unsigned)below(&s, 60);
	p->rest_at = below(&s, 2) ? below(&s, 300000) : UINT64_MAX;
	p->rest_ms = 1 + (unsigned)below(&s, 30);
	p->piece = 1 + below(&s, below(&s, 3) ? 400000 : 9000);
	p->gulp = 1 + below(&s, below(&s, 3) ? 400000 : 9000);
	p->room = below(&s, 3) ? 0 : 4096 + (int)below(&s, 60000);
	if (side == CLIENT && p->total < PLAN_HEAD)
		p->total = PLAN_HEAD;
}

static uint64_t word(uint64_t k, uint64_t i, uint32_t number, int side)
{
	if (i == 0 && side == CLIENT)
		return (uint64_t)PLAN_MAGIC << 32 | number;
	return mix(k + i * UINT64_C(0x9e3779b97f4a7c15));
}

void plan_bytes(unsigned char *to, uint64_t at, size_t n, uint64_t seed, uint32_t number, int side)
{
	uint64_t k = key(seed, number, side);

	while (n > 0) {
		uint64_t w = word(k, at / 8, number, side);
		size_t from = at % 8, part = 8 - from < n ? 8 - from : n;

		memcpy(to, (const char *)&w + from, part);
		to += part;
		at += part;
		n -= part;
	}
}
