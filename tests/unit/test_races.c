/* SPDX-License-Identifier: MIT */
/*
 * test_races.c - threads at the tables that they share: sites, pairs and rows of the counters, and
 * landings that one thread cuts into segments and pins while others open them and the source goes.
 *
 * Made for ThreadSanitizer (tests/sanitizers/run), which tells of what is shared without order;
 * without it the sums, and that what is pinned can be read.
 */
#include "lazy.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "fd.h"
#include "land.h"
#include "pipes.h"
#include "prim.h"
#include "segment.h"
#include "source.h"
#include "stats_table.h"
#include "thread.h"

enum { THREADS = 8, ROUNDS = 300, CHUNK = 16 * PAGE };

static void run_threads(void *(*body)(void *))
{
	pthread_t thread[THREADS];

	lazy_threads = true;
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, body, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
}

/* ---- the table of sites ---- */

static _Atomic(struct site *) found[64];

static void *look_up_sites(void *argument)
{
	for (uintptr_t i = 0; i < ROUNDS * 10; i++) {
		uintptr_t k = (i + (uintptr_t)argument * 7) % 64;
		struct site *site = site_of((void *)(0x1000 + k * 16)), *none = NULL;

		CHECK(atomic_compare_exchange_strong(&found[k], &none, site) || none == site);
		patience_lost(&site->patience, VERDICT_LOOKED_AT);
		site_ready(site, NULL, CHUNK, NULL);
		site_touched(site, &site->head, 1);
	}
	return NULL;
}

static void sites(void)
{
	run_threads(look_up_sites);
}

/* ---- rows and sites of the counters ---- */

static struct stats sum, part;

static void *add_up(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS / 10; i++)
		stats_add_all(&sum, &part);
	return NULL;
}

static void rows(void)
{
	uint64_t chunks = 0, rows = 0;

	for (unsigned i = 0; i < 12; i++) {
		part.site[i].frame_count = 1;
		part.site[i].frame[0].offset = i;
		part.site[i].state = 2;
		part.route[i].source = STATS_KIND_FILE;
		part.route[i].sink = STATS_KIND_TCP;
		part.route[i].read_site = part.route[i].write_site = (int)i;
		part.route[i].chunks = 1;
		part.route[i].state = 2;
	}
	run_threads(add_up);
	for (unsigned i = 0; i < STATS_ROUTES && sum.route[i].state; i++, rows++)
		chunks += sum.route[i].chunks;
	CHECK(chunks == UINT64_C(12) * THREADS * (ROUNDS / 10) && rows >= 12);
}

/* ---- landings: each thread has a buffer, looks at all, and sends from all ---- */

static char *buffers[THREADS];
static int files[THREADS]; /* one for each: the landing alone holds its source */

/* What segments_pin promises: the source stays open, and has these bytes. */
static void read_pinned(const struct segments *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct segment *g = &s->seg[i];
		unsigned char byte;

		for (int k = 0; g->l && k < 8; k++) {
			CHECK(prim_pread(g->fd, &byte, 1, g->offset) == 1);
			CHECK(byte == lazy_byte(g->offset));
			prim_yield(); /* others open it meanwhile, and let its source go */
		}
	}
}

static void send_from(char *p)
{
	struct segments s;
	struct iovec iov = { p, CHUNK };

	if (!landing_touches(p, CHUNK) || !segments_build(&s, &iov, 1) || !segments_pin(&s))
		return;
	read_pinned(&s);
	segments_unpin(&s);
}

static void *land_and_send(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument;

	for (unsigned i = 0; i < ROUNDS; i++) {
		off_t at = (off_t)((i * 37 + me * 101) % 900) * PAGE;
		struct stat unknown = { .st_mode = 0 };
		enum verdict why;

		if (me % 2 == 0) {
			land_read(files[me], fd_entry(files[me]), buffers[me], CHUNK, at, &unknown,
				  lazy_site, &why);
			source_unbind(fd_entry(files[me]), false);
		}
		send_from(buffers[(me + i) % THREADS]);
		if (i % 3 == me % 3)
			landing_fill(buffers[(me * 3 + i) % THREADS], CHUNK);
	}
	return NULL;
}

static int copy_of_file(void)
{
	char path[] = "/tmp/shunt-races-XXXXXX";
	int fd = mkstemp(path);
	off_t at = 0;

	CHECK(fd >= 0 && unlink(path) == 0 && sendfile(fd, lazy_fd, &at, FILE_SIZE) == FILE_SIZE);
	CHECK(fd_classify(fd, fd_entry(fd)) == STATS_KIND_FILE);
	return fd;
}

static void landings(void)
{
	for (int i = 0; i < THREADS; i++) {
		buffers[i] = lazy_memory(CHUNK);
		files[i] = copy_of_file();
	}
	CHECK(landing_init());
	run_threads(land_and_send);
	CHECK(stats_get()->arms > 0);
}

/*
 * ---- hidden pipes: a few that are read into, written from and dropped in turn. A pipe is one's
 * alone, and what a place names has been put there, and not anywhere else ----
 */

enum { PLACES = 3, PIPES = 4, PLACE_SHIFT = 32, RACE_NS = 700000000 };

static _Atomic(struct pipe *) waiting[PLACES];
static _Atomic bool busy_pipe[PIPES];
static struct pipe *first_pipe;

static void use(struct pipe *p)
{
	CHECK(p >= first_pipe && p < first_pipe + PIPES && p->open);
	CHECK(!atomic_exchange(&busy_pipe[p - first_pipe], true));
}

static void leave_used(struct pipe *p)
{
	CHECK(atomic_exchange(&busy_pipe[p - first_pipe], false));
	pipes_leave(p);
}

/* As a read lands there (stream.c), ... */
static void put_pipe(unsigned place, size_t i)
{
	struct pipe *p = pipes_get(), *old;

	if (!p)
		return;
	use(p);
	p->at = (size_t)place << PLACE_SHIFT | i;
	p->loose = false;
	old = atomic_exchange(&waiting[place], p);
	if (old)
		pipes_drop(old);
	leave_used(p);
}

/* ... a write sends it, ... */
static void send_pipe(unsigned place)
{
	struct pipe *p = atomic_load(&waiting[place]), *mine = p;

	if (!p || !pipes_hold(p))
		return;
	if (atomic_load(&waiting[place]) != p || p->loose) {
		pipes_leave(p);
		return;
	}
	use(p);
	CHECK(p->taken && p->at >> PLACE_SHIFT == place);
	if (atomic_compare_exchange_strong(&waiting[place], &mine, NULL))
		p->loose = true;
	leave_used(p);
}

/* ... and a look opens it. */
static void open_pipe(unsigned place)
{
	struct pipe *p = atomic_load(&waiting[place]);

	if (p && atomic_compare_exchange_strong(&waiting[place], &p, NULL))
		pipes_drop(p);
}

static void *relay(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument, place = me % PLACES;
	uint64_t begin = prim_now();

	/* by time, since valgrind is a hundred times as slow: enough to see a race nine times in ten */
	for (size_t i = 0; i % 1000 || prim_now() - begin < RACE_NS; i++) {
		switch ((i * 7 + me) % 4) {
		case 0:
			put_pipe(place, i);
			break;
		case 1:
			open_pipe(place);
			break;
		default:
			send_pipe(place);
		}
		if (i % 5000 == me)
			pipes_rest();
	}
	return NULL;
}

static void pipes(void)
{
	config.pipes = PIPES;
	first_pipe = pipes_get();
	CHECK(first_pipe);
	pipes_leave(first_pipe);
	run_threads(relay);
	for (unsigned i = 0; i < PLACES; i++)
		open_pipe(i);
	for (unsigned i = 0; i < PIPES; i++)
		CHECK(pipes_get());
	CHECK(!pipes_get());
}

LAZY_TEST(sites)
LAZY_TEST(rows)
LAZY_TEST(landings)
LAZY_TEST(pipes)

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sites), cmocka_unit_test(test_rows),
					    cmocka_unit_test(test_landings), cmocka_unit_test(test_pipes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
