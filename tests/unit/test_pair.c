/* SPDX-License-Identifier: MIT */
/*
 * test_pair.c - the pairs in uthash and the rows they count in: pair.c with its memory
 * (arena.c) and the table of descriptors, whose numbers need not be open here.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arena.h"
#include "fd.h"
#include "pair.h"
#include "peer.h"
#include "prim.h"
#include "source.h"
#include "maps.h"
#include "unwind.h"

#define CHECK(what)                                                                               \
	do {                                                                                      \
		if (!(what)) {                                                                    \
			dprintf(2, "%s:%d: %s (errno %d)\n", __func__, __LINE__, #what, errno);   \
			_exit(1);                                                                 \
		}                                                                                 \
	} while (0)

/* ---- what the rest of the library would give ---- */

size_t shunt_page = 4096;
void shunt_stand_aside(void)
{
}

void maps_evade(int fd)
{
}

void writers_forked(void)
{
}

void unwind_stop(void)
{
}

static uint64_t counted;

void site_counted(struct site *read_site, struct site *write_site, uint64_t chunks)
{
	counted = chunks;
}

static struct stats counters[2];
static struct stats *now = counters;
static void (*at_peer)(void); /* done once, where a new row gets its example: under all locks */

struct stats *stats_get(void)
{
	return now;
}

void peer_name(int fd, char *to, size_t size)
{
	void (*f)(void) = at_peer;

	at_peer = NULL;
	if (f)
		f();
	snprintf(to, size, "peer of %d", fd);
}

/* No: then locks do not block signals, and the alarm ends a case that waits for one. */
_Atomic unsigned sig_must;

bool sig_must_mask_slow(void)
{
	return false;
}

uint32_t source_identity(dev_t device, ino_t inode)
{
	return 0;
}

void source_unbind(struct fd_entry *e, bool closing)
{
}

void source_evade(int fd)
{
}

void source_forked(void)
{
}

void pipes_evade(int fd)
{
}

void pipes_forked(void)
{
}

/* ---- helpers ---- */

static struct site sites[2 * STATS_ROUTES];

static struct fd_entry *sink(int fd, enum stats_kind kind)
{
	struct fd_entry *e = fd_entry(fd);

	CHECK(e);
	e->kind = (uint8_t)kind;
	return e;
}

/* The row of a chunk of a file, read at site R, written at site W to FD, a TCP socket. */
static struct stats_route *route(int r, int w, int fd)
{
	struct pair_chunk c = { STATS_KIND_FILE, STATS_KIND_UNKNOWN, &sites[r], &sites[w], 0, fd };

	return pair_route(&c, sink(fd, STATS_KIND_TCP));
}

static unsigned rows(void)
{
	unsigned n = 0;

	for (int i = 0; i < STATS_ROUTES; i++)
		n += now->route[i].state == 2;
	return n;
}

/* Pages of this process. */
static long size(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && close(fd) == 0);
	return strtol(text, NULL, 10);
}

static void run(void (*body)(void))
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(20); /* a case that hangs has failed */
		for (int i = 0; i < 2 * STATS_ROUTES; i++)
			sites[i].caller = 0x1000 + (uintptr_t)i;
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- rows ---- */

static void same_row(void)
{
	struct pair_chunk c = { STATS_KIND_MAPPING, STATS_KIND_UNKNOWN, &sites[0], &sites[1], 0, 10 };
	struct stats_route *a;
	char path[STATS_PATH] = "";

	errno = EXFULL;
	a = route(0, 1, 10);
	CHECK(errno == EXFULL && a && a->state == 2 && rows() == 1);
	CHECK(a->source == STATS_KIND_FILE && a->sink == STATS_KIND_TCP);
	CHECK(a->read_caller == sites[0].caller && a->write_caller == sites[1].caller);
	CHECK(a->read_site == -1 && a->write_site == -1 && sites[0].wanted);
	CHECK(readlink("/proc/self/fd/0", path, sizeof(path) - 1) > 0);
	CHECK(strcmp(a->example_source, path) == 0);
	CHECK(strcmp(a->example_sink, "peer of 10") == 0);
	/* again, and on another connection, and again there */
	CHECK(route(0, 1, 10) == a && route(0, 1, 11) == a && route(0, 1, 10 + 16) == a);
	CHECK(route(0, 1, 11) == a && rows() == 1);
	/* another site, another kind of source or of sink */
	CHECK(route(1, 1, 10) != a && route(0, 2, 10) != a && route(1, 1, 10) != route(0, 2, 10));
	CHECK(pair_route(&c, fd_entry(10)) != a && rows() == 4);
	c.source = STATS_KIND_FILE;
	c.sink_fd = 12;
	CHECK(pair_route(&c, sink(12, STATS_KIND_UNIX)) != a && rows() == 5);
	/* of the four pairs of one sink each is found again */
	CHECK(route(0, 1, 10) == a && route(1, 1, 10) != a && rows() == 5);
	CHECK(now->routes_lost == 0);
}

/* A site that is its caller alone is told of what its row has counted. */
static void callers_alone(void)
{
	struct stats_route *r = route(0, 1, 10);

	r->chunks = 17;
	CHECK(route(0, 1, 10) == r && counted == 0);
	for (int i = 0; i < 2; i++) {
		counted = 0;
		sites[i].alone = true;
		CHECK(route(0, 1, 10) == r && counted == 17);
		sites[i].alone = false;
	}
}

static void names_come_later(void)
{
	struct stats_route *a = route(0, 1, 10), *b = route(1, 0, 10), *c;

	pair_site_named(&sites[1], 7);
	CHECK(a->read_site == -1 && a->write_site == 7 && b->read_site == 7 && b->write_site == -1);
	sites[0].stats = 3 + 1;
	pair_site_named(&sites[0], 3);
	CHECK(a->read_site == 3 && b->write_site == 3);
	pair_site_named(&sites[1], 9); /* a name stays */
	sites[0].stats = 0;
	pair_site_named(&sites[0], 8);
	CHECK(a->write_site == 7 && b->read_site == 7 && a->read_site == 3);
	sites[0].stats = 3 + 1;
	c = route(0, 2, 10);
	CHECK(c != a && c->read_site == 3 && c->write_site == -1);
}

static void overflow(void)
{
	struct stats_route *last = &now->route[STATS_ROUTES - 1], *seen[STATS_ROUTES - 1];

	for (int i = 0; i < STATS_ROUTES - 1; i++) {
		seen[i] = route(i, 0, 10);
		CHECK(seen[i] == &now->route[i]);
	}
	CHECK(now->routes_lost == 0 && last->state == 0);
	CHECK(route(STATS_ROUTES, 0, 10) == last && last->state == 2);
	CHECK(last->read_caller == sites[STATS_ROUTES].caller);
	for (int i = STATS_ROUTES + 1; i < 2 * STATS_ROUTES; i++)
		CHECK(route(i, 0, 11) == last);
	CHECK(last->read_caller == sites[STATS_ROUTES].caller); /* the example is the first */
	pair_count_chunk(last);
	pair_count_chunk(last);
	pair_count_chunk(seen[STATS_ROUTES - 2]);
	CHECK(last->chunks == 2 && seen[STATS_ROUTES - 2]->chunks == 1);
	CHECK(now->routes_lost == 2); /* chunks, not rows */
	for (int i = 0; i < STATS_ROUTES - 1; i++)
		CHECK(route(i, 0, 12 + i) == seen[i]);
}

/* ---- pairs ---- */

static void kept_over_a_close(void)
{
	struct fd_entry *e = sink(10, STATS_KIND_TCP), *other = sink(26, STATS_KIND_TCP);
	struct stats_route *a = route(0, 1, 10), *b = route(0, 2, 10);
	struct pair_chunk c = { STATS_KIND_FILE, STATS_KIND_UNKNOWN, &sites[0], &sites[1], 0, 10 };

	CHECK(a != b && route(0, 1, 26) == a && other->pair && other->pair != e->pair);
	fd_reset(10);
	CHECK(e->kind == STATS_KIND_UNKNOWN);
	CHECK(route(0, 1, 26) == a);
	/* the number is a UNIX socket now: other rows, not those of the pairs that were */
	e->kind = STATS_KIND_UNIX;
	CHECK(pair_route(&c, e) != a);
	CHECK(pair_route(&c, e)->sink == STATS_KIND_UNIX && rows() == 3);
	fd_reset(10);
	fd_reset(26);
	CHECK(route(0, 1, 10) == a && route(0, 2, 10) == b && rows() == 3);
}

/* Connections one after the other, at numbers that were never used: no pair is made. */
static void next_connection(void)
{
	struct stats_route *a = route(0, 1, 10);
	struct pair *p = fd_entry(10)->pair;
	long before = size();

	fd_entry(2047);
	for (int fd = 11; fd < 2000; fd++) {
		CHECK(!fd_entry(fd)->pair && route(0, 1, fd) == a && fd_entry(fd)->pair == p);
		fd_reset(fd);
	}
	CHECK(size() - before < 2048 * (long)sizeof(struct fd_entry) / 4096 + 2);
	CHECK(rows() == 1 && sites[0].pair == p);
}

/* Connections one after the other, three pairs each. */
static void ten_thousand_in_turn(void)
{
	long before = 0;

	fd_entry(2047);
	for (int i = 0; i < 10000; i++) {
		int fd = 5 + i % 2000;

		for (int k = 0; k < 3; k++)
			CHECK(route(0, 1 + k, fd) == &now->route[k]);
		fd_reset(fd);
		if (i == 2000)
			before = size();
	}
	CHECK(size() == before);
	CHECK(rows() == 3 && now->routes_lost == 0);
}

/* Two loops that write to one sink by turns: two pairs, not one for each turn. */
static void found_again(void)
{
	struct stats_route *a = route(0, 1, 10), *b = route(0, 2, 10);
	long before = size();

	for (int i = 0; i < 10000; i++)
		CHECK(route(0, 1, 10) == a && route(0, 2, 10) == b);
	CHECK(size() == before);
}

static void memory_is_zeros(void)
{
	static const char zeros[200];
	char *p = arena_alloc(200), *q;

	CHECK(p && memcmp(p, zeros, 200) == 0);
	memset(p, 0x55, 200);
	arena_free(p, 200);
	q = arena_alloc(129); /* of the same size, to the arena */
	CHECK(q == p && memcmp(q, zeros, 129) == 0);
	CHECK(!arena_alloc((size_t)1 << 21));
}

/* All at the same time, gone, and again: the tables that grew are used again. */
static void ten_thousand_at_once(void)
{
	long first = 0;

	for (int round = 0; round < 4; round++) {
		for (int fd = 0; fd < 10000; fd++)
			CHECK(route(0, 1, fd) == now->route);
		for (int fd = 0; fd < 10000; fd++)
			CHECK(route(0, 1, fd) == now->route && fd_entry(fd)->pair);
		if (round == 0)
			first = size();
		for (int fd = 0; fd < 10000; fd++)
			fd_reset(fd);
	}
	CHECK(size() == first && rows() == 1);
}

/* ---- forks ---- */

static void forked(void)
{
	struct stats_route *a = route(0, 1, 10), *b;
	long before;

	for (int fd = 11; fd < 200; fd++)
		route(0, 1, fd);
	now = &counters[1];
	pair_forked();
	CHECK(rows() == 0);
	b = route(0, 1, 10); /* by what the number remembers, and by what the site does */
	CHECK(b == now->route && b != a && route(0, 1, 300) == b && rows() == 1);
	before = size();
	for (int i = 0; i < 1000; i++) {
		for (int fd = 10; fd < 200; fd++)
			CHECK(route(0, 1, fd) == b);
		pair_forked();
	}
	CHECK(size() == before);
}

static pid_t child;

/* A thread is in the middle of a new pair, with its locks taken, when another one forks. */
static void fork_here(void)
{
	child = fork();
	if (child == 0) {
		alarm(10); /* the parent's is not inherited */
		now = &counters[1];
		pair_forked();
		CHECK(route(0, 1, 10) == now->route && route(0, 1, 26) == now->route);
		CHECK(route(0, 1, 11) == now->route && fd_entry(10)->pair && rows() == 1);
		_exit(0);
	}
}

static void forked_in_the_middle(void)
{
	int status = -1;

	route(0, 1, 10);
	route(0, 1, 11);
	at_peer = fork_here;
	CHECK(route(0, 2, 26) == now->route + 1 && child > 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(fd_entry(10)->pair && route(0, 2, 26) == now->route + 1);
}

#define TEST(body)                                                                                \
	static void test_##body(void **state)                                                     \
	{                                                                                         \
		(void)state;                                                                      \
		run(body);                                                                        \
	}

TEST(same_row)
TEST(callers_alone)
TEST(names_come_later)
TEST(overflow)
TEST(kept_over_a_close)
TEST(next_connection)
TEST(found_again)
TEST(memory_is_zeros)
TEST(ten_thousand_in_turn)
TEST(ten_thousand_at_once)
TEST(forked)
TEST(forked_in_the_middle)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_row), cmocka_unit_test(test_callers_alone),
		cmocka_unit_test(test_names_come_later),
		cmocka_unit_test(test_overflow), cmocka_unit_test(test_kept_over_a_close),
		cmocka_unit_test(test_next_connection),
		cmocka_unit_test(test_found_again), cmocka_unit_test(test_ten_thousand_in_turn),
		cmocka_unit_test(test_ten_thousand_at_once), cmocka_unit_test(test_memory_is_zeros),
		cmocka_unit_test(test_forked), cmocka_unit_test(test_forked_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
