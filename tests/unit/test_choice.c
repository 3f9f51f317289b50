/* SPDX-License-Identifier: MIT */
/*
 * test_choice.c - the decision between two ways, from costs that the test makes up. Links choice.c
 * alone.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "choice.h"

enum { KIB = 1024, UNIT = 1 << 20 };

/* A row that nothing is known of, for chunks of 16 KiB of long files. */
static struct choice *fresh(void)
{
	static uintptr_t caller = 0x400000;

	return choice_of(caller += 5, choice_class(16 * KIB, 0));
}

/* Chunks are asked for until the row answers otherwise than WAY; how many were there. */
static unsigned lasts(struct choice *c, enum choice_way way)
{
	unsigned n = 0;

	while (n < 1u << 24 && choice_ask(c) == way)
		n++;
	return n;
}

/* A unit of MiB at so many ps a byte, in the way whose turn it is. */
static enum choice_way unit(struct choice *c, unsigned land, unsigned plain)
{
	enum choice_way way = choice_next(c);

	choice_begin(c);
	choice_unit(c, way, (uint64_t)(way == CHOICE_LAND ? land : plain) * UNIT / 1000, UNIT);
	return way;
}

/* Units at these costs until the trial is over; how many there were. */
static unsigned trial(struct choice *c, unsigned land, unsigned plain)
{
	unsigned n = 0;

	while (relaxed(c->measuring) && n < 1000) {
		unit(c, land, plain);
		n++;
	}
	return n;
}

/* ---- classes and rows ---- */

static void test_classes(void **state)
{
	const unsigned of_64k = choice_class(64 * KIB, 0);

	assert_int_equal(choice_class(127 * KIB, 0), of_64k);
	assert_int_not_equal(choice_class(128 * KIB, 0), of_64k);
	assert_int_not_equal(choice_class(63 * KIB, 0), of_64k);
	/* a file of one chunk, of two, of four, and so on to 128 */
	for (unsigned chunks = 0; chunks <= CHOICE_LONG; chunks++)
		assert_int_equal(of_64k - choice_class(64 * KIB, 16 + chunks), CHOICE_LONG - chunks);
	assert_int_equal(choice_class(64 * KIB, 24), of_64k);
	assert_int_equal(choice_class(64 * KIB, 40), of_64k);
	assert_int_equal(choice_class(64 * KIB, 12), choice_class(64 * KIB, 16));
	for (size_t n = 1; n < (size_t)1 << 32; n *= 2)
		assert_true(choice_class(n, 0) < CHOICE_MAPPED);
	assert_true((CHOICE_MAPPED | CHOICE_STREAM) + CHOICE_MAPPED <= CHOICE_CLASSES);
}

static void test_rows(void **state)
{
	struct choice *a = choice_of(0x1000, 7), *b = choice_of(0x1000, 6), *c = choice_of(0x1001, 7);

	assert_true(a != b && a != c && b != c);
	assert_ptr_equal(choice_of(0x1000, 7), a);
	assert_ptr_equal(choice_of(0x1001, 7), c);
}

/* ---- a trial ---- */

/* What is new lands; after 64 chunks it is measured. */
static void test_begins(void **state)
{
	struct choice *c = fresh();

	assert_int_equal(lasts(c, CHOICE_LAND), CHOICE_FIRST);
	assert_true(relaxed(c->measuring));
	assert_int_equal(choice_ask(c), CHOICE_MEASURE);
	/*
	 * where it is likely to pay, later: a file of some MiB shall not be on trial for half its
	 * length
	 */
	assert_int_equal(lasts(choice_of(1, choice_class(32 * KIB, 0)), CHOICE_LAND), CHOICE_LATE);
	assert_int_equal(lasts(choice_of(1, choice_class(KIB * KIB, 0)), CHOICE_LAND), CHOICE_LATE);
	assert_int_equal(lasts(choice_of(1, choice_class(KIB * KIB, 20)), CHOICE_LAND), CHOICE_FIRST);
	assert_int_equal(lasts(choice_of(2, choice_class(64 * KIB, 0) | CHOICE_MAPPED), CHOICE_LAND),
			 CHOICE_LATE);
	assert_int_equal(lasts(choice_of(2, choice_class(64 * KIB, 0) | CHOICE_STREAM), CHOICE_LAND),
			 CHOICE_FIRST);
}

static struct choice *on_trial(void)
{
	struct choice *c = fresh();

	lasts(c, CHOICE_LAND);
	return c;
}

/* Four units the one way, four the other. */
static void test_turns(void **state)
{
	struct choice *c = on_trial();

	for (unsigned i = 0; i < 256 + 16; i++) {
		assert_int_equal(choice_next(c), i / CHOICE_TURN % 2 ? CHOICE_PLAIN : CHOICE_LAND);
		choice_begin(c);
	}
}

static void test_plain_is_cheaper(void **state)
{
	struct choice *c = on_trial();

	assert_int_equal(trial(c, 120, 100), 2 * CHOICE_ENOUGH);
	assert_int_equal(lasts(c, CHOICE_PLAIN), CHOICE_AGAIN);
	assert_true(relaxed(c->measuring));
}

static void test_landing_is_cheaper(void **state)
{
	struct choice *c = on_trial();

	assert_int_equal(trial(c, 80, 100), 2 * CHOICE_ENOUGH);
	/* it was taken for that: the answer is the same, so the next trial is later */
	assert_int_equal(lasts(c, CHOICE_LAND), 2 * CHOICE_AGAIN);
}

/* Those that are alike: plain, which changes nothing in the program. */
static void test_alike(void **state)
{
	struct choice *c = on_trial();

	assert_int_equal(trial(c, 98, 100), 2 * CHOICE_ENOUGH);
	assert_int_equal(choice_ask(c), CHOICE_PLAIN);
	c = on_trial();
	assert_int_equal(trial(c, 100, 100), 2 * CHOICE_ENOUGH);
	assert_int_equal(choice_ask(c), CHOICE_PLAIN);
	c = on_trial();
	trial(c, 96, 100);
	assert_int_equal(choice_ask(c), CHOICE_LAND);
}

/* Large chunks of long files land unless they lose. */
static void test_likely(void **state)
{
	struct choice *c = choice_of(0x70001, choice_class(64 * KIB, 0));

	lasts(c, CHOICE_LAND);
	trial(c, 101, 100);
	assert_int_equal(choice_ask(c), CHOICE_LAND);
	c = choice_of(0x70002, choice_class(64 * KIB, 0));
	lasts(c, CHOICE_LAND);
	trial(c, 102, 100);
	assert_int_equal(choice_ask(c), CHOICE_PLAIN);
	/* streams have to gain */
	c = choice_of(0x70003, choice_class(64 * KIB, 0) | CHOICE_STREAM);
	lasts(c, CHOICE_LAND);
	trial(c, 99, 100);
	assert_int_equal(choice_ask(c), CHOICE_PLAIN);
}

/* What comes once for each file is seen in part only: of a short one more has to be gained. */
static void test_short(void **state)
{
	static const struct { unsigned log2, land; enum choice_way way; } cases[] = {
		{ 16, 90, CHOICE_PLAIN }, { 19, 90, CHOICE_PLAIN }, { 19, 86, CHOICE_LAND },
		{ 20, 98, CHOICE_PLAIN }, { 20, 90, CHOICE_LAND },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct choice *c = choice_of(0x80000 + i, choice_class(64 * KIB, cases[i].log2));

		lasts(c, CHOICE_LAND);
		trial(c, cases[i].land, 100);
		assert_int_equal(choice_ask(c), cases[i].way);
	}
}

/* A disturbed unit among the first four does not decide, and a lucky one does not. */
static void test_disturbed(void **state)
{
	struct choice *c = on_trial();

	for (unsigned i = 0; i < 2 * CHOICE_ENOUGH; i++)
		unit(c, i == 2 ? 500 : 80, 100);
	assert_true(relaxed(c->measuring));
	trial(c, 80, 100);
	assert_int_equal(choice_ask(c), CHOICE_LAND);
	c = on_trial();
	for (unsigned i = 0; i < 2 * CHOICE_ENOUGH; i++)
		unit(c, i == 1 ? 10 : 120, 100);
	assert_true(relaxed(c->measuring));
	trial(c, 120, 100);
	assert_int_equal(choice_ask(c), CHOICE_PLAIN);
}

/*
 * Noise of +-40 % on a difference of 15 %, a hundred times over: the answer is right nearly always.
 */
static void test_noise(void **state)
{
	unsigned right = 0, units = 0;

	srandom(1);
	for (unsigned i = 0; i < 200; i++) {
		struct choice *c = on_trial();
		unsigned land = i % 2 ? 100 : 115, plain = i % 2 ? 115 : 100;

		for (; relaxed(c->measuring); units++)
			unit(c, land * (60 + (unsigned)random() % 80) / 100,
			     plain * (60 + (unsigned)random() % 80) / 100);
		right += relaxed(c->way) == (i % 2 ? CHOICE_LAND : CHOICE_PLAIN);
		memset((void *)c, 0, sizeof(*c)); /* its place in the table is free again */
	}
	assert_in_range(right, 180, 200);
	assert_in_range(units / 200, 2 * CHOICE_ENOUGH, CHOICE_UNITS + 24);
}

/* Ever more rarely while the answer is the same, and anew when it is another. */
static void test_again(void **state)
{
	struct choice *c = on_trial();
	unsigned wait = CHOICE_AGAIN;

	trial(c, 120, 100);
	for (unsigned i = 0; i < CHOICE_LEVELS + 2; i++) {
		assert_int_equal(lasts(c, CHOICE_PLAIN), wait);
		trial(c, 120, 100);
		if (i < CHOICE_LEVELS)
			wait *= 2;
	}
	assert_int_equal(lasts(c, CHOICE_PLAIN), wait);
	trial(c, 50, 100);
	assert_int_equal(lasts(c, CHOICE_LAND), CHOICE_AGAIN);
}

/* Chunks that need not ask are taken off those that are let pass. */
static void test_pass(void **state)
{
	struct choice *c = fresh();
	struct pass pass = { .ahead = 100 };
	unsigned n = 0;

	lasts(c, CHOICE_LAND);
	trial(c, 200, 100);
	while (choice_ask(c) == CHOICE_PLAIN) {
		choice_take(c, 16 * KIB, &pass);
		n += 1 + pass.chunks;
		assert_int_equal(pass.asked, 16 * KIB);
		pass = (struct pass){ .ahead = 100 };
	}
	assert_int_equal(n, CHOICE_AGAIN);
	assert_true(relaxed(c->measuring));
}

/* A trial in which nothing is ever finished is given up; nothing is known then but that. */
static void test_given_up(void **state)
{
	struct choice *c = on_trial();

	assert_int_equal(lasts(c, CHOICE_MEASURE), CHOICE_PATIENCE);
	assert_false(relaxed(c->measuring));
	assert_int_equal(choice_ask(c), CHOICE_LAND);
	assert_true(relaxed(c->wait) >= CHOICE_AGAIN << CHOICE_LEVELS >> 1);
	/* what ends later counts for nothing */
	choice_unit(c, CHOICE_LAND, 1, 1);
	assert_int_equal(relaxed(c->units[CHOICE_LAND]), 0);
}

/* What landing costs after a unit is over counts in the next one that landed. */
static void test_carry(void **state)
{
	struct choice *c = on_trial();

	choice_unit(c, CHOICE_LAND, 1000, 1000);
	choice_carry(c, 500);
	choice_unit(c, CHOICE_PLAIN, 1000, 1000);
	choice_unit(c, CHOICE_LAND, 1000, 1000);
	choice_unit(c, CHOICE_LAND, 1000, 1000);
	assert_int_equal(relaxed(c->cost[CHOICE_PLAIN][0]), 1000);
	assert_int_equal(relaxed(c->cost[CHOICE_LAND][1]), 1000);
	assert_int_equal(relaxed(c->cost[CHOICE_LAND][2]), 1500);
}

/* ---- the table in memory that is shared ---- */

static void test_shared(void **state)
{
	struct choice *memory = calloc(1, choice_size()), *c = on_trial(), *d;
	const uint64_t key = relaxed(c->key);

	trial(c, 120, 100);
	choice_share(memory);
	d = choice_of((uintptr_t)(key / CHOICE_CLASSES), key % CHOICE_CLASSES);
	assert_true(d >= memory && (char *)d < (char *)memory + choice_size());
	assert_int_equal(choice_ask(d), CHOICE_PLAIN);
}

/* What others that share the table may have written into it leads to no byte outside. */
static void test_scribbled(void **state)
{
	struct choice *memory = calloc(1, choice_size()), *before = malloc(choice_size()), *c;
	uint64_t key;

	choice_share(memory);
	c = on_trial();
	key = relaxed(c->key);
	memset((void *)c, 0xff, sizeof(*c));
	set_relaxed(c->key, key);
	memcpy(before, memory, choice_size());
	set_relaxed(c->measuring, true);
	for (int i = 0; i < 100; i++) {
		choice_unit(c, CHOICE_LAND, 1000, 1000);
		choice_unit(c, CHOICE_PLAIN, 1000, 1000);
		choice_unit(c, CHOICE_MEASURE, 1000, 1000);
		choice_unit(c, CHOICE_LAND, 1000, 0);
	}
	set_relaxed(c->measuring, true);
	set_relaxed(c->wait, 0);
	choice_turn(c);
	memcpy((void *)&before[c - memory], c, sizeof(*c));
	assert_memory_equal(before, memory, choice_size());
	free(before);
}

static _Atomic bool scribbling;

static void *scribble(void *row)
{
	struct choice *c = row;

	while (relaxed(scribbling))
		for (uint8_t n = CHOICE_ENOUGH + 1; n-- > 0;) {
			set_relaxed(c->units[CHOICE_LAND], n);
			set_relaxed(c->units[CHOICE_PLAIN], n);
			set_relaxed(c->measuring, true);
		}
	return NULL;
}

/* A trial that begins, in another process, while this one counts its units: of none there is no mean. */
static void test_scribbled_meanwhile(void **state)
{
	struct choice *c = fresh();
	pthread_t thread;

	choice_turn(c);
	set_relaxed(scribbling, true);
	assert_int_equal(pthread_create(&thread, NULL, scribble, c), 0);
	for (int i = 0; i < 1000000; i++)
		choice_unit(c, i & 1 ? CHOICE_PLAIN : CHOICE_LAND, 1000, 1000);
	set_relaxed(scribbling, false);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* When it is full, what is new lands, and learns nothing. Last: it fills the table. */
static void test_full(void **state)
{
	struct choice *c = NULL;

	for (unsigned i = 0; i < 16 * CHOICE_TABLE; i++)
		c = choice_of(0x10000 + i, 0);
	for (unsigned i = 0; i < 3 * CHOICE_FIRST; i++)
		assert_int_equal(choice_ask(c), CHOICE_LAND);
	assert_ptr_equal(choice_of(0x99999, 1), c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes), cmocka_unit_test(test_rows),
		cmocka_unit_test(test_begins), cmocka_unit_test(test_turns),
		cmocka_unit_test(test_plain_is_cheaper), cmocka_unit_test(test_landing_is_cheaper),
		cmocka_unit_test(test_alike), cmocka_unit_test(test_likely),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_disturbed),
		cmocka_unit_test(test_noise), cmocka_unit_test(test_again),
		cmocka_unit_test(test_pass), cmocka_unit_test(test_given_up), cmocka_unit_test(test_carry),
		cmocka_unit_test(test_shared), cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_scribbled_meanwhile), cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
