/* SPDX-License-Identifier: MIT */
/* choice.c - to land or to read plainly; see choice.h. */
#include <string.h>

#include "choice.h"

enum { PROBES = 8 };

static LARGE_TABLE struct choice own[CHOICE_TABLE];
static LARGE_TABLE struct choice *_Atomic shared; /* what takes its place */
static LARGE_TABLE _Atomic bool used;
static LARGE_TABLE struct choice nowhere;

/* How many chunks a file of CLASS has, a logarithm. */
static unsigned chunks_of(unsigned class)
{
	return class % (CHOICE_LONG + 1);
}

/* Large chunks of long files: where landing was seen to pay on most machines so far. */
static bool is_likely(unsigned class)
{
	return !(class & CHOICE_STREAM) && class % CHOICE_MAPPED >= choice_class(32 * 1024, 0) &&
	       chunks_of(class) == CHOICE_LONG;
}

/*
 * Files of less than sixteen chunks: what landing costs once for each file, and outside the hooks that a
 * unit shows, is not little beside what it wins.
 */
static bool is_short(unsigned class)
{
	return chunks_of(class) < 4;
}

static uint32_t first_wait(unsigned class)
{
	return is_likely(class) ? CHOICE_LATE : CHOICE_FIRST;
}

struct choice *choice_of(uintptr_t caller, unsigned class)
{
	struct choice *there = atomic_load_explicit(&shared, memory_order_acquire);
	struct choice *all = there ? there : own;
	uint64_t key = (uint64_t)caller * CHOICE_CLASSES + class, none;
	unsigned slot = (unsigned)((key * UINT64_C(0x9e3779b97f4a7c15) >> 32) * CHOICE_TABLE >> 32);

	for (unsigned i = 0; i < PROBES; i++) {
		struct choice *c = &all[(slot + i) % CHOICE_TABLE];

		none = relaxed(c->key);
		if (likely(none == key))
			return c;
		if (none == 0 && atomic_compare_exchange_strong(&c->key, &none, key)) {
			set_relaxed(c->wait, first_wait(class));
			set_relaxed(used, true);
			return c;
		}
		if (none == key)
			return c;
	}
	nowhere.wait = UINT32_MAX;
	return &nowhere;
}

static void set_wait(struct choice *c)
{
	set_relaxed(c->wait, (uint32_t)CHOICE_AGAIN << relaxed(c->level) % (CHOICE_LEVELS + 1));
}

enum choice_way choice_turn(struct choice *c)
{
	if (relaxed(c->measuring)) {
		set_relaxed(c->measuring, false);
		set_relaxed(c->level, CHOICE_LEVELS);
		set_wait(c);
		return relaxed(c->way);
	}
	set_relaxed(c->units[CHOICE_LAND], 0);
	set_relaxed(c->units[CHOICE_PLAIN], 0);
	set_relaxed(c->begun, 0);
	set_relaxed(c->crowded, false);
	set_relaxed(c->carry, 0);
	set_relaxed(c->wait, CHOICE_PATIENCE);
	set_relaxed(c->measuring, true);
	return CHOICE_MEASURE;
}

void choice_begin(struct choice *c)
{
	set_relaxed(c->begun, (uint8_t)(relaxed(c->begun) + 1));
}

void choice_carry(struct choice *c, uint64_t ns)
{
	set_relaxed(c->carry, (uint32_t)(relaxed(c->carry) + ns));
}

/* The table may be shared with others: no number in it is believed. */
static unsigned units(const struct choice *c, enum choice_way way)
{
	unsigned n = relaxed(c->units[way]);

	return n < CHOICE_UNITS ? n : CHOICE_UNITS;
}

/* The mean of the middle half; 0 if there is none, since another process begins a trial just now. */
static uint64_t middle(const struct choice *c, enum choice_way way)
{
	unsigned n = units(c, way), from = n / 4;
	uint64_t sum = 0;

	for (unsigned i = from; i < n - from; i++)
		sum += relaxed(c->cost[way][i]);
	return n ? sum / (n - 2 * from) : 0;
}

/*
 * Of a hundred pairs of a unit that landed and one that did not, in how many did the former cost
 * less? Of none, in half of them.
 */
static unsigned wins(const struct choice *c)
{
	unsigned land = units(c, CHOICE_LAND), plain = units(c, CHOICE_PLAIN), won = 0;

	for (unsigned i = 0, j = 0; i < land; i++) {
		while (j < plain && relaxed(c->cost[CHOICE_PLAIN][j]) <= relaxed(c->cost[CHOICE_LAND][i]))
			j++;
		won += plain - j;
	}
	return land && plain ? won * 100 / (land * plain) : 50;
}

/*
 * Have both ways been seen often enough? The fewer units there are, the clearer they must speak: by
 * chance, were both ways alike, each of these happens in one of fifty to a hundred trials.
 */
static bool can_decide(const struct choice *c)
{
	static const struct { unsigned units, clear; } enough[] = {
		{ CHOICE_ENOUGH, 100 }, { 8, 86 }, { 16, 74 }, { CHOICE_UNITS, 50 },
	};
	unsigned land = units(c, CHOICE_LAND), plain = units(c, CHOICE_PLAIN);
	unsigned least = land < plain ? land : plain, clear;

	if (least < CHOICE_ENOUGH)
		return false;
	clear = wins(c);
	if (clear < 50)
		clear = 100 - clear;
	for (size_t i = 0; i < sizeof(enough) / sizeof(*enough); i++)
		if (least >= enough[i].units && clear >= enough[i].clear)
			return true;
	return false;
}

/*
 * Where it is likely to pay it lands if both are alike, since what is not copied spares the caches,
 * which no unit shows; elsewhere something has to be gained, and more of it in a crowd.
 */
static bool pays(const struct choice *c)
{
	uint64_t land = middle(c, CHOICE_LAND), plain = middle(c, CHOICE_PLAIN);
	unsigned class = relaxed(c->key) % CHOICE_CLASSES;

	if (relaxed(c->crowded))
		return land + plain / CHOICE_CROWDED < plain;
	if (is_likely(class))
		return land <= plain + plain / (2 * CHOICE_MARGIN);
	return land + plain / (is_short(class) ? CHOICE_SHORT : CHOICE_MARGIN) < plain;
}

static void decide(struct choice *c)
{
	enum choice_way way = pays(c) ? CHOICE_LAND : CHOICE_PLAIN;
	uint8_t level = relaxed(c->level);

	if (way != relaxed(c->way))
		level = 0;
	else if (level < CHOICE_LEVELS)
		level++;
	set_relaxed(c->level, level);
	set_relaxed(c->way, (uint8_t)way);
	set_wait(c);
	set_relaxed(c->measuring, false);
}

/* Keeps the costs of WAY in order. */
static void insert(struct choice *c, enum choice_way way, uint32_t cost)
{
	unsigned i = units(c, way);

	if (i == CHOICE_UNITS)
		return;
	set_relaxed(c->units[way], (uint8_t)(i + 1));
	for (; i > 0 && relaxed(c->cost[way][i - 1]) > cost; i--)
		set_relaxed(c->cost[way][i], relaxed(c->cost[way][i - 1]));
	set_relaxed(c->cost[way][i], cost);
}

void choice_unit(struct choice *c, enum choice_way way, uint64_t ns, uint64_t bytes)
{
	if (!relaxed(c->measuring) || bytes == 0 || way > CHOICE_PLAIN)
		return;
	if (way == CHOICE_LAND)
		ns += atomic_exchange(&c->carry, 0);
	ns = ns * 1000 / bytes;
	insert(c, way, ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX);
	if (can_decide(c))
		decide(c);
}

size_t choice_size(void)
{
	return sizeof(own);
}

void choice_share(void *memory)
{
	/* the pages of neither are touched where there is nothing: forks are many */
	if (relaxed(used))
		memcpy(memory, own, sizeof(own));
	atomic_store_explicit(&shared, memory, memory_order_release);
}
