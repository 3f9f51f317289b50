/* SPDX-License-Identifier: MIT */
/*
 * test_meter.c - what chunks cost, by a clock that the test moves: loops over a real file, with
 * land.c and landing.c, of which reads, writes and openings take as long as the test says.
 */
#include "lazy.h"

#include <fcntl.h>
#include <stdlib.h>

#include "land.h"
#include "meter.h"

/* Small chunks: their trial comes early. */
enum { CHUNK = 4 * PAGE };

/* Nanoseconds that each step takes, either way. */
static struct { uint64_t read, write; } cost[2];

/* Opens the file again, as another connection would. */
static int another(void)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", lazy_fd);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(fd_classify(fd, fd_entry(fd)) == STATS_KIND_FILE);
	return fd;
}

static void close_file(int fd)
{
	landing_close(fd);
	fd_reset(fd);
	close(fd);
}

static enum choice_way way_of(enum verdict v)
{
	return v == VERDICT_REWRITTEN ? CHOICE_LAND : CHOICE_PLAIN;
}

/* A read of a chunk, as io.c makes it. */
static enum verdict read_chunk(int fd, char *buf, off_t at)
{
	static const struct stat unknown;
	struct fd_entry *e = fd_entry(fd);
	struct meter *m;
	enum verdict v = meter_chunk(fd, e, buf, CHUNK, lazy_site, NULL, &m), why;
	ssize_t ret = LAND_PLAINLY;

	lazy_clock += cost[way_of(v)].read;
	if (v == VERDICT_REWRITTEN)
		ret = land_read(fd, e, buf, CHUNK, at, &unknown, lazy_site, &why);
	if (ret == LAND_PLAINLY) {
		landing_fill(buf, CHUNK);
		ret = pread(fd, buf, CHUNK, at);
	}
	CHECK(ret == CHUNK || ret == 0);
	if (m)
		meter_read(m, ret);
	return v;
}

static void write_part(char *buf, size_t n, enum verdict v)
{
	struct iovec piece = { buf, n };

	meter_start();
	lazy_clock += cost[way_of(v)].write / 2;
	meter_written(&piece, 1, (ssize_t)n);
}

/* In two parts, as a slow client takes it; what lies between the hooks is not measured. */
static enum verdict pass_chunk(int fd, char *buf, off_t at)
{
	enum verdict v = read_chunk(fd, buf, at);

	lazy_clock += 1000000;
	write_part(buf, CHUNK / 2, v);
	lazy_clock += 1000000;
	write_part(buf + CHUNK / 2, CHUNK / 2, v);
	return v;
}

static void set_costs(uint64_t land_read, uint64_t land_write, uint64_t plain_read, uint64_t plain_write)
{
	cost[CHOICE_LAND].read = land_read;
	cost[CHOICE_LAND].write = land_write;
	cost[CHOICE_PLAIN].read = plain_read;
	cost[CHOICE_PLAIN].write = plain_write;
}

/* Chunks of one long file until a verdict comes that is none of a trial, TRIES at the most. */
static enum verdict settled(int fd, char *buf, unsigned tries)
{
	struct choice *c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(fd)->log2));
	enum verdict v = VERDICT_REWRITTEN;

	for (unsigned i = 0; i < CHOICE_FIRST + 1; i++)
		CHECK((v = pass_chunk(fd, buf, i % 8 * CHUNK)) == VERDICT_REWRITTEN);
	for (unsigned i = 0; relaxed(c->measuring) && i < tries; i++)
		v = pass_chunk(fd, buf, i % 8 * CHUNK);
	CHECK(!relaxed(c->measuring));
	return pass_chunk(fd, buf, 0);
}

static void is_off(void)
{
	CHECK(meter_active == 0 && meter_since == 0);
	meter_start();
	CHECK(meter_since == 0 && meter_clock() == 0);
}

/* The loop that cannot pay goes plain, and nothing is measured any more. */
static void cannot_pay(void)
{
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	set_costs(2000, 12000, 5000, 7000);
	CHECK(settled(lazy_fd, p, 1000) == VERDICT_WOULD_NOT_PAY);
	CHECK(!lazy_protected(p) && landing_armed == 0);
	is_off();
}

static void pays(void)
{
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	set_costs(2000, 6000, 5000, 7000);
	CHECK(settled(lazy_fd, p, 1000) == VERDICT_REWRITTEN);
	CHECK(lazy_protected(p));
	is_off();
}

/* It is the writes' cost as well: a read alone says the contrary. And all parts of a write. */
static void all_parts(void)
{
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	set_costs(1000, 9000, 5000, 4000);
	CHECK(settled(lazy_fd, p, 1000) == VERDICT_WOULD_NOT_PAY);
	is_off();
}

/*
 * The chunks that turn a buffer from one way to the other are in no unit, be it the fill or the
 * arming that they pay for. The plain way is now cheaper, now dearer, so that the trial goes on.
 */
static void turns_do_not_count(void)
{
	char *p = lazy_memory(CHUNK);
	struct choice *c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(lazy_fd)->log2));
	unsigned turned = 0;

	CHECK(landing_init());
	set_costs(1000, 8000, 5000, 7000);
	for (unsigned i = 0; i < CHOICE_FIRST; i++)
		pass_chunk(lazy_fd, p, 0);
	do {
		bool armed = lazy_protected(p);
		uint64_t plain = relaxed(c->begun) % 2 ? 7000 : 1000;

		set_costs(armed ? 1000 : 100000, 8000, armed ? 100000 : 5000, plain);
		pass_chunk(lazy_fd, p, 0);
		turned += lazy_protected(p) != armed;
	} while (relaxed(c->measuring));
	CHECK(turned >= 5);
	for (unsigned i = 0; i < relaxed(c->units[CHOICE_LAND]); i++)
		CHECK(relaxed(c->cost[CHOICE_LAND][i]) == 9000 * 1000ull / CHUNK);
	for (unsigned i = 0; i < relaxed(c->units[CHOICE_PLAIN]); i++)
		CHECK(relaxed(c->cost[CHOICE_PLAIN][i]) <= 12000 * 1000ull / CHUNK);
}

/* What is noted of a buffer for that goes with it. */
static void turn_is_forgotten(void)
{
	char *p = lazy_memory(2 * CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	landing_void(p, CHUNK);
	l->turned = true;
	l->base = 0;
	CHECK(landing_claim((uintptr_t)p + CHUNK) == l && !l->turned);
}

/*
 * Many small files side by side, each with a buffer, and written in turn: no unit gets another's
 * cost.
 */
static void crowd(void)
{
	enum { CLIENTS = 8, CHUNKS = 3 };
	char *buf[CLIENTS];
	enum verdict v[CLIENTS];
	struct choice *c;
	int fd[CLIENTS];

	CHECK(landing_init() && ftruncate(lazy_fd, CHUNKS * CHUNK) == 0);
	set_costs(1000, 8000, 5000, 7000);
	for (int i = 0; i < CLIENTS; i++)
		buf[i] = lazy_memory(CHUNK);
	do {
		for (int i = 0; i < CLIENTS; i++)
			fd[i] = another();
		c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(fd[0])->log2));
		for (int k = 0; k < CHUNKS; k++) {
			for (int i = 0; i < CLIENTS; i++)
				v[i] = read_chunk(fd[i], buf[i], k * CHUNK);
			for (int i = 0; i < 2 * CLIENTS; i++)
				write_part(buf[i / 2] + i % 2 * (CHUNK / 2), CHUNK / 2, v[i / 2]);
		}
		for (int i = 0; i < CLIENTS; i++) {
			close_file(fd[i]);
			if (landing_any())
				landing_void(buf[i], CHUNK);
		}
	} while (relaxed(c->wait) <= CHOICE_FIRST || relaxed(c->measuring));
	CHECK(relaxed(c->way) == CHOICE_LAND);
	CHECK(relaxed(c->units[0]) == CHOICE_ENOUGH && relaxed(c->units[1]) == CHOICE_ENOUGH);
	for (int i = 0; i < CHOICE_ENOUGH; i++) {
		CHECK(relaxed(c->cost[CHOICE_LAND][i]) == 9000 * 1000ull / CHUNK);
		CHECK(relaxed(c->cost[CHOICE_PLAIN][i]) == 12000 * 1000ull / CHUNK);
	}
	is_off();
}

/* A trial for which hardly anything lands keeps no clock running: what it has is a unit. */
static void starves(void)
{
	char *p = lazy_memory(CHUNK);
	struct choice *c;

	CHECK(landing_init());
	lazy_clock = 1; /* a clock that shows 0 is taken for none */
	set_costs(1000, 8000, 5000, 7000);
	c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(lazy_fd)->log2));
	set_relaxed(c->wait, 0);
	for (int unit = 1; unit <= 2; unit++) {
		pass_chunk(lazy_fd, p, 0);
		for (int i = 0; i < METER_CHUNKS - 1; i++)
			meter_skip(lazy_fd);
		CHECK(meter_active == 1);
		pass_chunk(lazy_fd, p, 0); /* not in a row: it goes on */
		for (int i = 0; i < METER_CHUNKS - 1; i++)
			meter_skip(lazy_fd);
		CHECK(meter_active == 1 && c->units[CHOICE_LAND] == unit - 1);
		meter_skip(lazy_fd);
		is_off();
		CHECK(c->units[CHOICE_LAND] == unit && relaxed(c->measuring));
		CHECK(c->cost[CHOICE_LAND][unit - 1] == 9000 * 1000ull / CHUNK);
	}
}

/* The first trial waits for its chunks, but not in a crowd. */
static void hurries(void)
{
	struct choice *c;
	char *p = lazy_memory((CHOICE_CROWD + 1) * CHUNK);

	CHECK(landing_init());
	set_costs(1000, 8000, 5000, 7000);
	c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(lazy_fd)->log2));
	for (int i = 0; i <= CHOICE_CROWD; i++) {
		CHECK(pass_chunk(lazy_fd, p + i * CHUNK, 0) == VERDICT_REWRITTEN);
		CHECK(!relaxed(c->measuring));
	}
	CHECK(landing_armed == CHOICE_CROWD + 1 && landing_armed < CHOICE_FIRST);
	pass_chunk(lazy_fd, p, 0);
	CHECK(relaxed(c->measuring));
	/* once: after it the next comes when it comes */
	set_relaxed(c->measuring, false);
	set_relaxed(c->wait, 100);
	pass_chunk(lazy_fd, p, 0);
	CHECK(!relaxed(c->measuring) && relaxed(c->wait) == 99);
}

/*
 * More files at a time than are followed: those go plainly while nothing is known, then as the
 * rest.
 */
static void crowd_of(uint64_t land_write, enum verdict then)
{
	enum { CLIENTS = 100, CHUNKS = 8 };
	static char *buf[CLIENTS];
	static int fd[CLIENTS];
	unsigned plain = 0, landed = 0;
	struct choice *c;

	CHECK(landing_init());
	set_costs(1000, land_write, 5000, 7000);
	for (int i = 0; i < CLIENTS; i++) {
		buf[i] = lazy_memory(CHUNK);
		fd[i] = another();
	}
	c = choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(fd[0])->log2));
	set_relaxed(c->wait, 0);
	for (int i = 0; i < CLIENTS; i++)
		plain += pass_chunk(fd[i], buf[i], 0) == VERDICT_LEARNING;
	CHECK(plain == 64 / 2 + CLIENTS - 64 && meter_active == 64);
	for (int k = 1; k < CHUNKS * METER_CHUNKS && relaxed(c->measuring); k++)
		for (int i = 0; i < CLIENTS; i++)
			pass_chunk(fd[i], buf[i], k % CHUNKS * CHUNK);
	for (int i = 0; i < CLIENTS; i++)
		landed += pass_chunk(fd[i], buf[i], 0) == then;
	CHECK(landed == CLIENTS);
	is_off();
}

static void large_crowd(void)
{
	crowd_of(7000, VERDICT_REWRITTEN);
}

/* A thousand landings cost more each than the few of the trial: the gain has to be larger. */
static void crowd_wants_more(void)
{
	crowd_of(9000, VERDICT_WOULD_NOT_PAY);
}

/* Brings lazy_site's chunks of FD to their trial. */
static struct choice *begin_trial(int fd, char *buf)
{
	for (unsigned i = 0; i < CHOICE_FIRST + 1; i++)
		pass_chunk(fd, buf, 0);
	return choice_of(lazy_site->caller, choice_class(CHUNK, fd_entry(fd)->log2));
}

/* What is opened for a landing elsewhere is its unit's, and after that is over the next one's. */
static void openings_count(void)
{
	char *p = lazy_memory(CHUNK);
	struct choice *c;
	int fd;

	CHECK(landing_init());
	set_costs(1000, 8000, 5000, 7000);
	fd = another();
	c = begin_trial(fd, p);
	CHECK(meter_clock() != 0);
	meter_spent((uintptr_t)p, lazy_clock - 500);
	meter_spent((uintptr_t)p + CHUNK, lazy_clock - 70000);
	close_file(fd);
	CHECK(relaxed(c->units[CHOICE_LAND]) == 1);
	CHECK(relaxed(c->cost[CHOICE_LAND][0]) == 9500 * 1000ull / CHUNK);
	meter_spent((uintptr_t)p, lazy_clock - 300);
	CHECK(relaxed(c->carry) == 300);
	/* of a unit that does not land nothing need be opened: what is, was landed before */
	set_relaxed(c->begun, CHOICE_TURN);
	landing_void(p, CHUNK);
	fd = another();
	pass_chunk(fd, p, 0);
	meter_spent((uintptr_t)p, lazy_clock - 500);
	close_file(fd);
	CHECK(relaxed(c->cost[CHOICE_PLAIN][0]) == 12000 * 1000ull / CHUNK);
	CHECK(relaxed(c->carry) == 300);
}

/*
 * Units of what is closed unheard, or ends, do not stay; a child follows nothing of its parent's.
 */
static void ends(void)
{
	char *p = lazy_memory(CHUNK);
	struct choice *c;
	int fd;

	CHECK(landing_init());
	set_costs(1000, 8000, 5000, 7000);
	fd = another();
	c = begin_trial(fd, p);
	pass_chunk(fd, p, 0);
	CHECK(relaxed(c->units[CHOICE_LAND]) == 0);
	fd_reset(fd); /* no landing_close: it is found by its generation */
	CHECK(fd_classify(fd, fd_entry(fd)) == STATS_KIND_FILE);
	pass_chunk(fd, p, 0);
	CHECK(relaxed(c->units[CHOICE_LAND]) == 1);
	pass_chunk(fd, p, FILE_SIZE); /* the end */
	CHECK(relaxed(c->units[CHOICE_LAND]) == 2);
	CHECK(meter_active > 0);
	landing_forked();
	is_off();
}

/* A trial for which nothing is read any more does not have the clock read for ever. */
static void forgotten(void)
{
	static char other[CHUNK];
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	begin_trial(lazy_fd, p);
	for (int i = 0; i < 262144; i++) {
		write_part(other, CHUNK, VERDICT_REWRITTEN);
		if (i % 1000 == 0)
			write_part(p, 1, VERDICT_REWRITTEN);
	}
	CHECK(meter_active > 0);
	for (int i = 0; i < 131072; i++)
		write_part(other, CHUNK, VERDICT_REWRITTEN);
	is_off();
}

/* `min` says what lands, and observing lands nothing. */
static void switched_off(void)
{
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	set_costs(2000, 12000, 5000, 7000);
	config.min = PAGE;
	for (int i = 0; i < 4 * CHOICE_FIRST; i++)
		CHECK(pass_chunk(lazy_fd, p, 0) == VERDICT_REWRITTEN);
	is_off();
	config.min = 0;
	config.mode = MODE_OBSERVE;
	for (int i = 0; i < 4 * CHOICE_FIRST; i++)
		CHECK(pass_chunk(lazy_fd, p, 0) == VERDICT_REWRITTEN);
	is_off();
}

/* The clock is read twice a read and twice a write in a trial, and not at all outside. */
static void mapped(void)
{
	struct choice *c = choice_of(lazy_site->caller, choice_class(CHUNK, 0) | CHOICE_MAPPED);
	char *p = lazy_memory(CHUNK);

	for (int i = 0; i < CHOICE_FIRST; i++)
		CHECK(meter_mapped((uintptr_t)p, CHUNK, lazy_site) == VERDICT_REWRITTEN);
	is_off();
	for (int i = 0; i < 10000 && (i < 2 || relaxed(c->measuring)); i++) {
		struct iovec piece = { p, CHUNK };
		enum verdict v;

		meter_start();
		v = meter_mapped((uintptr_t)p, CHUNK, lazy_site);
		lazy_clock += v == VERDICT_REWRITTEN ? 9000 : 8000;
		meter_written(&piece, 1, CHUNK);
	}
	CHECK(meter_mapped((uintptr_t)p, CHUNK, lazy_site) == VERDICT_WOULD_NOT_PAY);
	CHECK(relaxed(c->cost[CHOICE_LAND][0]) >= 8900 * 1000ull / CHUNK);
	CHECK(relaxed(c->cost[CHOICE_PLAIN][0]) == 8000 * 1000ull / CHUNK);
	is_off();
	/* what is let pass counts towards the next trial */
	set_relaxed(c->wait, 3);
	CHECK(!meter_mapped_passes(CHUNK, lazy_site) && !meter_mapped_passes(CHUNK, lazy_site));
	CHECK(meter_mapped_passes(CHUNK, lazy_site) && relaxed(c->wait) == 1);
	CHECK(meter_mapped((uintptr_t)p, CHUNK, lazy_site) == VERDICT_WOULD_NOT_PAY);
	CHECK(meter_mapped_passes(CHUNK, lazy_site) && !relaxed(c->measuring));
	CHECK(meter_mapped((uintptr_t)p, CHUNK, lazy_site) != VERDICT_WOULD_NOT_PAY);
	CHECK(relaxed(c->measuring) && meter_mapped_passes(CHUNK, lazy_site));
}

/* What it costs to adopt a mapping, and to let go of it, is in the units that land and in no other. */
static void adopted(void)
{
	struct choice *c = choice_of(lazy_site->caller, choice_class(CHUNK, 0) | CHOICE_MAPPED);
	char *p = lazy_memory(CHUNK);
	struct iovec piece = { p, CHUNK };

	CHECK(meter_clock() == 0);
	for (int i = 0; i < CHOICE_FIRST; i++)
		CHECK(meter_mapped((uintptr_t)p, CHUNK, lazy_site) == VERDICT_REWRITTEN);
	for (int i = 0; i < 10000 && (i < 2 || relaxed(c->measuring)); i++) {
		uint64_t since = meter_clock();

		lazy_clock += 500;
		meter_adopted(CHUNK, lazy_site, since);
		meter_start();
		meter_mapped((uintptr_t)p, CHUNK, lazy_site);
		lazy_clock += 8000;
		meter_written(&piece, 1, CHUNK);
	}
	CHECK(relaxed(c->cost[CHOICE_LAND][0]) >= 8900 * 1000ull / CHUNK);
	CHECK(relaxed(c->cost[CHOICE_PLAIN][0]) == 8000 * 1000ull / CHUNK);
}

static void read_stream(int fd, char *p, ssize_t ret)
{
	struct meter *m;

	meter_chunk(fd, fd_entry(fd), p, CHUNK, lazy_site, NULL, &m);
	CHECK(m);
	lazy_clock += 1000;
	meter_read(m, ret);
}

/* What is learned of a stream is not the files'; it may have nothing just now, and goes on. */
static void stream(void)
{
	struct choice *c = choice_of(lazy_site->caller, choice_class(CHUNK, 0) | CHOICE_STREAM);
	char *p = lazy_memory(CHUNK);
	struct meter *m;
	int ends[2];

	lazy_clock = 1000; /* 0 is no time */
	CHECK(pipe(ends) == 0);
	CHECK(fd_classify(ends[0], fd_entry(ends[0])) == STATS_KIND_PIPE);
	for (int i = 0; i < CHOICE_FIRST; i++)
		CHECK(meter_chunk(ends[0], fd_entry(ends[0]), p, CHUNK, lazy_site, NULL, &m) ==
		      VERDICT_REWRITTEN && !m);
	read_stream(ends[0], p, CHUNK);
	read_stream(ends[0], p, -1);
	CHECK(relaxed(c->measuring) && relaxed(c->units[CHOICE_LAND]) == 0);
	read_stream(ends[0], p, 0);
	CHECK(relaxed(c->units[CHOICE_LAND]) == 1);
	CHECK(relaxed(c->cost[CHOICE_LAND][0]) == 3000 * 1000ull / CHUNK);
}

LAZY_TEST(cannot_pay)
LAZY_TEST(pays)
LAZY_TEST(all_parts)
LAZY_TEST(turns_do_not_count)
LAZY_TEST(turn_is_forgotten)
LAZY_TEST(crowd)
LAZY_TEST(large_crowd)
LAZY_TEST(hurries)
LAZY_TEST(starves)
LAZY_TEST(crowd_wants_more)
LAZY_TEST(openings_count)
LAZY_TEST(ends)
LAZY_TEST(forgotten)
LAZY_TEST(switched_off)
LAZY_TEST(mapped)
LAZY_TEST(adopted)
LAZY_TEST(stream)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cannot_pay), cmocka_unit_test(test_pays),
		cmocka_unit_test(test_all_parts), cmocka_unit_test(test_turns_do_not_count),
		cmocka_unit_test(test_turn_is_forgotten),
		cmocka_unit_test(test_crowd), cmocka_unit_test(test_large_crowd),
		cmocka_unit_test(test_crowd_wants_more),
		cmocka_unit_test(test_hurries), cmocka_unit_test(test_starves),
		cmocka_unit_test(test_openings_count),
		cmocka_unit_test(test_ends), cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_switched_off), cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
