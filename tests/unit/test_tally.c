/* SPDX-License-Identifier: MIT */
/* test_tally.c - chunks that are added up by thread: each is counted once, and told in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <cmocka.h>

#include "tally.h"
#include "thread.h"

/* ---- what the rest of the library would give ---- */

__thread struct thread *thread_self_record __attribute__((tls_model("initial-exec")));
static struct thread records[4];
static _Atomic int taken;

struct thread *thread_enrol(void)
{
	int i = atomic_fetch_add(&taken, 1);

	return thread_self_record = &records[i];
}

struct thread *thread_list(void)
{
	return &records[3];
}

/* ---- the tests ---- */

static struct stats_route row[6];

static int begin(void **state)
{
	(void)state;
	memset(row, 0, sizeof(row));
	memset(records, 0, sizeof(records));
	for (int i = 1; i < 4; i++)
		records[i].next = &records[i - 1];
	thread_self_record = NULL;
	taken = 0;
	return 0;
}

static void count(int which, unsigned why, int chunks, size_t n)
{
	for (int i = 0; i < chunks; i++)
		tally_chunk(&row[which], why, n);
}

static void is(int which, unsigned why, uint64_t chunks, uint64_t bytes)
{
	assert_int_equal(row[which].bytes, bytes);
	assert_int_equal(row[which].chunks, chunks);
	assert_int_equal(row[which].verdict[why], chunks);
}

static void test_told_in_time(void **state)
{
	count(0, VERDICT_WOULD_NOT_PAY, TALLY_UNTOLD - 1, 1000);
	is(0, VERDICT_WOULD_NOT_PAY, 0, 0);
	count(0, VERDICT_WOULD_NOT_PAY, 1, 1000);
	is(0, VERDICT_WOULD_NOT_PAY, TALLY_UNTOLD, TALLY_UNTOLD * 1000);
	count(0, VERDICT_WOULD_NOT_PAY, 5, 16384);
	is(0, VERDICT_WOULD_NOT_PAY, TALLY_UNTOLD, TALLY_UNTOLD * 1000);
	tally_tell();
	tally_tell();
	is(0, VERDICT_WOULD_NOT_PAY, TALLY_UNTOLD + 5, TALLY_UNTOLD * 1000 + 5 * 16384);
}

static void test_rows_and_verdicts(void **state)
{
	for (int i = 0; i < 6; i++)
		count(i, VERDICT_WOULD_NOT_PAY, i + 1, 700);
	count(0, VERDICT_TOO_SMALL, 3, 600);
	/* those that no slot was left for are told at once */
	is(5, VERDICT_WOULD_NOT_PAY, 6, 6 * 700);
	is(0, VERDICT_TOO_SMALL, 3, 3 * 600);
	tally_tell();
	for (int i = 1; i < 6; i++)
		is(i, VERDICT_WOULD_NOT_PAY, (unsigned)i + 1, ((unsigned)i + 1) * 700);
	assert_int_equal(row[0].chunks, 4);
	assert_int_equal(row[0].bytes, 700 + 3 * 600);
	assert_int_equal(row[0].verdict[VERDICT_WOULD_NOT_PAY], 1);
}

static void test_thread_ends(void **state)
{
	count(0, VERDICT_WOULD_NOT_PAY, 3, 512);
	tally_end(&thread_self_record->tallies);
	is(0, VERDICT_WOULD_NOT_PAY, 3, 3 * 512);
	for (int i = 2; i < 5; i++) { /* the next thread that has the record has all of its slots */
		count(i, VERDICT_TOO_SMALL, 1, 600);
		is(i, VERDICT_TOO_SMALL, 0, 0);
	}
	count(1, VERDICT_TOO_SMALL, 2, 600);
	tally_end(&thread_self_record->tallies);
	is(0, VERDICT_WOULD_NOT_PAY, 3, 3 * 512);
	is(1, VERDICT_TOO_SMALL, 2, 2 * 600);
}

/* What the parent has not told is the parent's. */
static void test_fork(void **state)
{
	count(0, VERDICT_WOULD_NOT_PAY, 7, 512);
	tally_forked();
	memset(row, 0, sizeof(row));
	tally_tell();
	is(0, VERDICT_WOULD_NOT_PAY, 0, 0);
	count(0, VERDICT_WOULD_NOT_PAY, 2, 512);
	tally_tell();
	is(0, VERDICT_WOULD_NOT_PAY, 2, 2 * 512);
}

enum { MANY = 1000000, EACH = 513 };
static _Atomic int counting;

static void *counts(void *argument)
{
	(void)argument;
	count(0, VERDICT_WOULD_NOT_PAY, MANY, EACH);
	atomic_fetch_sub(&counting, 1);
	return NULL;
}

/* Two threads count, and a third tells all the time: nothing is told twice. */
static void test_told_by_others(void **state)
{
	pthread_t thread[2];

	counting = 2;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, counts, NULL), 0);
	while (atomic_load(&counting))
		tally_tell();
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tally_tell();
	is(0, VERDICT_WOULD_NOT_PAY, 2 * MANY, UINT64_C(2) * MANY * EACH);
}

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	count(0, VERDICT_WOULD_NOT_PAY, 1, EACH);
	handled++;
}

/* A handler that counts, wherever it interrupts the one that counts. */
static void test_in_a_handler(void **state)
{
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t done = 0;

	count(0, VERDICT_WOULD_NOT_PAY, 1, EACH);
	signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (; handled < 3000; done += 1000)
		count(0, VERDICT_WOULD_NOT_PAY, 1000, EACH);
	setitimer(ITIMER_REAL, &never, NULL);
	done += (uint64_t)handled + 1;
	tally_tell();
	is(0, VERDICT_WOULD_NOT_PAY, done, done * EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_told_in_time, begin),
		cmocka_unit_test_setup(test_rows_and_verdicts, begin),
		cmocka_unit_test_setup(test_thread_ends, begin),
		cmocka_unit_test_setup(test_fork, begin),
		cmocka_unit_test_setup(test_told_by_others, begin),
		cmocka_unit_test_setup(test_in_a_handler, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
