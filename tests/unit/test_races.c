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

LAZY_TEST(sites)
LAZY_TEST(rows)
LAZY_TEST(landings)

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sites), cmocka_unit_test(test_rows),
					    cmocka_unit_test(test_landings) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
