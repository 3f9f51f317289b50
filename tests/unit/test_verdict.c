/* SPDX-License-Identifier: MIT */
/* test_verdict.c - the words of the verdicts, and what site.c learns of a call site. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "pair.h"
#include "site.h"
#include "unwind.h"
#include "verdict.h"

/* ---- what the rest of the library would give ---- */

static int answer = UNWIND_FULL, asked, walked, named = -1;
static bool is_alone, is_young;

int unwind_site(const void *caller)
{
	walked++;
	return answer;
}

int unwind_caller(const void *caller, bool *alone)
{
	asked++;
	*alone = is_alone;
	return answer;
}

bool unwind_is_due(void)
{
	return !is_young;
}

void pair_site_named(const struct site *site, int index)
{
	named = index;
}

/* ---- verdicts ---- */

static void test_words(void **state)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		const char *word = verdict_word(v);

		assert_non_null(word);
		assert_in_range(strlen(word), 1, 16); /* a column of the report */
		for (const char *c = word; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-');
		for (unsigned w = 0; w < v; w++)
			assert_string_not_equal(word, verdict_word(w));
	}
	assert_string_equal(verdict_word(VERDICT_REWRITTEN), "-");
	assert_string_equal(verdict_word(VERDICT_LOOKED_AT), "looked-at");
	assert_string_equal(verdict_word(VERDICT_KERNEL_REFUSED), "kernel-refused");
}

static void test_texts(void **state)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		const char *text = verdict_text(v);

		assert_non_null(text);
		assert_true(strlen(text) > 10);
		for (const char *c = text; *c; c++)
			assert_true(isprint((unsigned char)*c) && *c != '"' && *c != '\\');
		assert_true(text[strlen(text) - 1] != '.');
		for (unsigned w = 0; w < v; w++)
			assert_string_not_equal(text, verdict_text(w));
	}
}

/* What comes out of a file may be any number. */
static void test_out_of_range(void **state)
{
	const unsigned wrong[] = { VERDICT_COUNT, VERDICT_COUNT + 1, 255, 1u << 31, ~0u };

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_string_equal(verdict_word(wrong[i]), "unknown");
		assert_string_equal(verdict_text(wrong[i]), "");
	}
}

/* ---- sites ---- */

enum { KIB = 1024, CHUNK = 64 * KIB, LARGE = KIB * KIB };

/* A site that nothing is known of. */
static struct site *fresh(void)
{
	static uintptr_t caller = 0x400000;

	config_defaults(&config);
	return site_of((void *)(caller += 5));
}

static void test_same_site(void **state)
{
	struct site *a = fresh(), *b = fresh();

	assert_ptr_not_equal(a, b);
	assert_ptr_equal(site_of((void *)a->caller), a);
	assert_ptr_equal(site_of((void *)b->caller), b);
}

static void test_learning_streak(void **state)
{
	struct site *s = fresh();

	config.learn = 3;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_LEARNING);
		site_passed(s);
	}
	assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_REWRITTEN);
	assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_REWRITTEN);
	/* a chunk that went elsewhere: from the beginning */
	site_strayed(s);
	assert_int_equal(s->streak, 0);
	site_passed(s);
	site_passed(s);
	assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_LEARNING);
	site_passed(s);
	assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_REWRITTEN);
	s->streak = UINT32_MAX;
	site_passed(s);
	assert_int_equal(s->streak, UINT32_MAX);
	s = fresh();
	config.learn = 0;
	assert_int_equal(site_ready(s, NULL, CHUNK, NULL), VERDICT_REWRITTEN);
}

/* A large chunk does not wait for a loop to be known; it does wait after a look. */
static void test_large(void **state)
{
	struct site *s = fresh();

	assert_true(config.learn > 0);
	assert_int_equal(site_ready(s, NULL, 128 * KIB, NULL), VERDICT_LEARNING);
	assert_int_equal(site_ready(s, NULL, LARGE - 1, NULL), VERDICT_LEARNING);
	assert_int_equal(site_ready(s, NULL, LARGE, NULL), VERDICT_REWRITTEN);
	site_passed(s);
	assert_int_equal(site_ready(s, NULL, 128 * KIB - 1, NULL), VERDICT_LEARNING);
	assert_int_equal(site_ready(s, NULL, 128 * KIB, NULL), VERDICT_REWRITTEN);
	patience_lost(&s->patience, VERDICT_LOOKED_AT);
	assert_int_equal(site_ready(s, NULL, LARGE, NULL), VERDICT_LOOKED_AT);
}

static unsigned waits(struct site *s, struct patience *p)
{
	unsigned n = 0;

	while (n < 1u << 26 && site_ready(s, p, LARGE, NULL) == VERDICT_LOOKED_AT)
		n++;
	return n;
}

static void test_patience(void **state)
{
	struct site *s = fresh();
	unsigned expected = 1;

	assert_int_equal(waits(s, NULL), 0);
	for (int i = 0; i < 12; i++) {
		patience_lost(&s->patience, VERDICT_LOOKED_AT);
		assert_int_equal(waits(s, NULL), expected *= 4);
		assert_int_equal(waits(s, NULL), 0);
	}
	patience_lost(&s->patience, VERDICT_LOOKED_AT); /* 4 ^ 12 is the longest */
	assert_int_equal(waits(s, NULL), expected);
	assert_int_equal(expected, 16777216);
}

/* What is known of the buffer counts, not what is known of the site. */
/* What is let pass is given in advance, and each chunk of it is counted once. */
static void test_pass(void **state)
{
	struct site *s = fresh();
	struct pass pass = { .ahead = 7 };
	unsigned passed = 0, asked = 0;

	for (int i = 0; i < 3; i++)
		patience_lost(&s->patience, VERDICT_LOOKED_AT);
	assert_int_equal(site_ready(s, NULL, CHUNK, &pass), VERDICT_LOOKED_AT);
	assert_int_equal(pass.chunks, 0); /* the loop is still to be learned */
	for (unsigned i = 0; i < config.learn; i++)
		site_passed(s);
	for (; site_ready(s, NULL, CHUNK, &pass) == VERDICT_LOOKED_AT; asked++) {
		assert_in_range(pass.chunks, asked < 7 ? 7 : 0, 7);
		assert_int_equal(pass.asked, CHUNK);
		assert_false(pass.smaller);
		passed += pass.chunks;
		pass = (struct pass){ .ahead = 7 };
	}
	assert_int_equal(pass.chunks, 0);
	assert_int_equal(1 + asked + passed, 64);
	assert_int_equal(asked, 8); /* 7 times 8, and the last 7 */
	/* none is asked for */
	patience_lost(&s->patience, VERDICT_LOOKED_AT);
	pass = (struct pass){ .ahead = 0 };
	site_ready(s, NULL, CHUNK, &pass);
	assert_int_equal(pass.chunks, 0);
}

static void test_buffer_patience(void **state)
{
	struct site *s = fresh();
	struct patience p = { 0 };

	patience_lost(&s->patience, VERDICT_LOOKED_AT);
	assert_int_equal(waits(s, &p), 0);
	patience_lost(&p, VERDICT_LOOKED_AT);
	patience_lost(&p, VERDICT_LOOKED_AT);
	assert_int_equal(waits(s, &p), 16);
	assert_int_equal(waits(s, NULL), 4);
}

/* The reason is kept for those that wait. Another sink may do: it is tried again soon. */
static void test_refused(void **state)
{
	struct site *s = fresh();
	unsigned n = 0;

	for (int i = 0; i < 6; i++)
		patience_lost(&s->patience, VERDICT_SEND_TIMEOUT);
	while (n < 1000 && site_ready(s, NULL, LARGE, NULL) == VERDICT_SEND_TIMEOUT)
		n++;
	assert_int_equal(n, 64);
	patience_lost(&s->patience, VERDICT_LOOKED_AT);
	assert_int_equal(waits(s, NULL), 256);
}

static void pay(struct patience *p, unsigned n)
{
	while (n--)
		patience_paid(p);
}

/* Sixteen that paid, and the next look is as the first; so are sixty-five without any. */
static void test_paid(void **state)
{
	struct site *s = fresh();
	struct patience *p = &s->patience;

	for (int i = 0; i < 3; i++)
		patience_lost(p, VERDICT_LOOKED_AT);
	pay(p, 15);
	patience_lost(p, VERDICT_LOOKED_AT);
	assert_int_equal(p->level, 4);
	assert_int_equal(p->good, 0);
	assert_int_equal(waits(s, NULL), 256);
	pay(p, 16);
	patience_lost(p, VERDICT_LOOKED_AT);
	assert_int_equal(p->level, 1);
	assert_int_equal(waits(s, NULL), 4);
	patience_lost(p, VERDICT_LOOKED_AT);
	patience_lost(p, VERDICT_LOOKED_AT);
	assert_int_equal(p->level, 3);
	pay(p, 64);
	assert_int_equal(p->level, 3);
	pay(p, 1);
	assert_int_equal(p->level, 0);
	p->good = UINT32_MAX;
	patience_paid(p);
	assert_int_equal(p->good, UINT32_MAX);
}

static void test_names(void **state)
{
	struct site *s = fresh();

	asked = 0;
	s->wanted = true;
	assert_int_equal(site_index(s), -1);
	/* not now: again after 1, 2, 4, 8 ... calls */
	answer = UNWIND_NOT_NOW;
	for (int i = 0; i < 1 + 64; i++)
		site_name(s);
	/* at once, and at calls 0, 1, 3, 7, 15, 31, 63 after that */
	assert_int_equal(asked, 1 + 7);
	assert_true(s->wanted);
	assert_int_equal(site_index(s), -1);
	answer = 5;
	for (int i = 0; i < 128; i++)
		site_name(s);
	assert_int_equal(asked, 9);
	assert_int_equal(site_index(s), 5);
	assert_int_equal(named, 5);
	assert_false(s->wanted);
	/* the child's counters have none of it */
	site_forked();
	assert_int_equal(site_index(s), -1);
	answer = 0;
	site_name(s);
	assert_int_equal(site_index(s), 0);
	assert_int_equal(named, 0);
	/* no place is left: that is final */
	s = fresh();
	asked = 0;
	answer = UNWIND_FULL;
	for (int i = 0; i < 10; i++)
		site_name(s);
	assert_int_equal(asked, 1);
	assert_int_equal(site_index(s), -1);
}

/* The stack is walked for what counts enough, 256 chunks, and lives for a second. */
static void test_walks(void **state)
{
	struct site *r, *w;

	is_alone = true;
	answer = 3;
	walked = 0;
	r = fresh();
	site_name(r);
	w = fresh();
	site_name(w);
	assert_true(r->alone && w->alone);
	site_counted(r, w, 255);
	site_name(w);
	site_name(r);
	assert_int_equal(walked, 0);
	assert_false(r->wanted);
	is_young = true;
	site_counted(r, w, 1000);
	is_young = false;
	assert_int_equal(walked, 0);
	assert_false(r->wanted);
	/* who writes is called now; who reads has to wait for its next call */
	site_counted(r, w, 256);
	assert_int_equal(walked, 1);
	assert_true(r->alone && !w->alone && r->wanted && !w->wanted);
	site_name(r);
	assert_int_equal(walked, 2);
	assert_false(r->alone || r->wanted);
	assert_int_equal(site_index(r), 3);
	site_counted(r, w, 1000);
	site_name(r);
	assert_int_equal(walked, 2);
	/* in a signal handler, it seems: again after 1, 2, 4 ... calls */
	w = fresh();
	site_name(w);
	answer = UNWIND_NOT_NOW;
	walked = 0;
	for (int i = 0; i < 64; i++)
		site_counted(r, w, 256);
	assert_int_equal(walked, 7);
	assert_true(w->alone);
	is_alone = false;
}

/* When the table is full one site serves the rest, without a name. Last: it fills the table. */
static void test_full(void **state)
{
	struct site *s, *rest = NULL;
	unsigned others = 0;

	for (uintptr_t caller = 0x7f0000000000; caller < 0x7f0000000000 + 7 * 4096; caller += 7) {
		s = site_of((void *)caller);
		assert_non_null(s);
		if (s->caller == caller)
			continue;
		assert_true(!rest || s == rest);
		rest = s;
		others++;
	}
	assert_non_null(rest);
	assert_in_range(others, 4096 - 512, 4096);
	asked = 0;
	site_name(rest);
	assert_int_equal(asked, 0);
	assert_int_equal(site_index(rest), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_texts),
		cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_same_site),
		cmocka_unit_test(test_learning_streak), cmocka_unit_test(test_large),
		cmocka_unit_test(test_patience), cmocka_unit_test(test_pass), cmocka_unit_test(test_buffer_patience),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_paid), cmocka_unit_test(test_names),
		cmocka_unit_test(test_walks), cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
