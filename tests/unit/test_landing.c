/* SPDX-License-Identifier: MIT */
/*
 * test_landing.c - the table of landings, on real memory and a real file: landing.c with
 * what it fills, asks and closes by, and land.c, which gives a landing its meaning.
 */
#include "lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "land.h"
#include "maps.h"
#include "prim.h"
#include "source.h"
#include "thread.h"

enum { CHUNK = 16 * PAGE };

static uint64_t fills(void)
{
	return stats_get()->fills;
}

static uint64_t arms(void)
{
	return stats_get()->arms;
}

static bool armed(const struct landing *l, const char *lo, const char *hi)
{
	return landing_lo(l) == (uintptr_t)lo && landing_hi(l) == (uintptr_t)hi;
}

/* Landings that name a source. */
static int naming(void)
{
	int n = 0;

	for (int i = 0; i < SOURCES; i++)
		n += source_at(i)->landings;
	return n;
}

static bool unarmed(const struct landing *l)
{
	return landing_lo(l) >= landing_hi(l);
}

/* ---- arming and finding ---- */

static void armed_and_found(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init() && !landing_any() && !landing_touches(p, CHUNK));
	memset(p, 0x55, CHUNK);
	l = lazy_land(p, CHUNK, 3 * PAGE);
	CHECK(l && landing_armed == 1 && arms() == 1 && armed(l, p, p + CHUNK));
	CHECK(landing_find((uintptr_t)p) == l && !landing_find((uintptr_t)p + PAGE));
	CHECK(l->length == CHUNK && l->offset == 3 * PAGE && l->size == FILE_SIZE &&
	      !(l->sequence & 1));
	CHECK(l->head == 0 && l->tail == 0 && l->fd == lazy_fd && l->site == lazy_site);
	CHECK(naming() == 1);
	CHECK(lazy_protected(p) && lazy_protected(p + CHUNK - 1));
	CHECK(landing_touches(p, 1) && landing_touches(p + CHUNK - 1, 1));
	CHECK(landing_touches(p - 1, 2) && landing_touches(p - PAGE, 3 * CHUNK));
	CHECK(!landing_touches(p - 1, 1) && !landing_touches(p + CHUNK, PAGE));
	CHECK(!landing_touches(p, 0) && landing_touches(p, SIZE_MAX));
	CHECK(fills() == 0);
	CHECK(lazy_holds(p, CHUNK, 3 * PAGE) && fills() == 2); /* the head alone, then the rest */
	CHECK(unarmed(l) && landing_armed == 0 && !landing_touches(p, CHUNK));
	CHECK(l->source == 0 && naming() == 0);
}

/* What is known of a page without a scan is a hint: pages 128 MiB apart share one. */
static void hints_are_shared(void)
{
	enum { DISTANCE = 128 << 20 };
	char *a = mmap(NULL, DISTANCE + 2 * CHUNK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *b = a + DISTANCE;
	struct landing *one, *two;

	CHECK(a != MAP_FAILED && landing_init());
	CHECK(madvise(a, DISTANCE + 2 * CHUNK, MADV_NOHUGEPAGE) == 0);
	one = lazy_land(a, CHUNK, 0);
	two = lazy_land(b, CHUNK, 3 * PAGE);
	CHECK(one && two && one != two);
	CHECK(landing_first((uintptr_t)a + CHUNK / 2, PAGE) == one);
	CHECK(landing_first((uintptr_t)b + CHUNK / 2, PAGE) == two);
	CHECK(landing_first((uintptr_t)a + CHUNK / 2, DISTANCE) == one);
	CHECK(landing_touches(a + CHUNK / 2, 1) && landing_touches(b + CHUNK / 2, 1));
	CHECK(((volatile char *)a)[CHUNK / 2] == (char)lazy_byte(CHUNK / 2) && unarmed(one));
	CHECK(!landing_touches(a, CHUNK) && !landing_first((uintptr_t)a + PAGE, CHUNK));
	CHECK(lazy_holds(a, CHUNK, 0) && lazy_holds(b, CHUNK, 3 * PAGE));
}

static ssize_t land_next(char *p, enum verdict *why)
{
	static const struct stat unknown;

	return land_read(lazy_fd, fd_entry(lazy_fd), p, CHUNK, LAND_AT_OFFSET, &unknown, lazy_site, why);
}

/* Behind a last piece that is no chunk the read of the end arms nothing. */
static void end_arms_nothing(void)
{
	char *p = lazy_memory(CHUNK);
	enum verdict why;

	CHECK(landing_init());
	CHECK(lseek(lazy_fd, FILE_SIZE - CHUNK - 100, SEEK_SET) > 0);
	CHECK(land_next(p, &why) == CHUNK && arms() == 1);
	CHECK(land_next(p, &why) == LAND_PLAINLY && why == VERDICT_NEAR_END);
	landing_fill(p, CHUNK);
	CHECK(read(lazy_fd, p, CHUNK) == 100);
	CHECK(land_next(p, &why) == LAND_PLAINLY && why == VERDICT_NEAR_END && arms() == 1);
	CHECK(lseek(lazy_fd, 0, SEEK_CUR) == FILE_SIZE && lazy_holds(p, 100, FILE_SIZE - 100));
	CHECK(lseek(lazy_fd, 0, SEEK_SET) == 0);
	CHECK(land_next(p, &why) == CHUNK && arms() == 2 && lazy_holds(p, CHUNK, 0));
}

/* The partial pages are real memory, with a copy. */
static void edges(void)
{
	char *p = lazy_memory(CHUNK + 2 * PAGE), *base = p + 100;
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(base, CHUNK + 50, 777);
	CHECK(l && armed(l, p + PAGE, p + CHUNK));
	CHECK(l->head == PAGE - 100 && l->tail == 150);
	CHECK(!lazy_protected(base) && !lazy_protected(p + CHUNK) && lazy_protected(p + CHUNK - 1));
	CHECK(lazy_holds(base, l->head, 777) && lazy_holds(l->head_copy, l->head, 777));
	CHECK(lazy_holds(p + CHUNK, 150, 777 + CHUNK - 100));
	CHECK(lazy_holds(l->tail_copy, 150, 777 + CHUNK - 100));
	CHECK(landing_armed == 1 && fills() == 0);
	CHECK(lazy_holds(base, CHUNK + 50, 777) && fills() == 2);
}

/* The same buffer again and again: the pages stay protected, nothing is armed anew. */
static void chunk_after_chunk(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l = NULL;

	CHECK(landing_init());
	for (int i = 0; i < 8; i++) {
		struct landing *now = lazy_land(p, CHUNK, i * CHUNK);

		CHECK(now && (!l || now == l) && now->offset == i * CHUNK);
		l = now;
	}
	CHECK(arms() == 1 && fills() == 0 && landing_armed == 1);
	CHECK(naming() == 1);
	/* another length: other pages */
	CHECK(lazy_land(p, CHUNK / 2, 5) == l && arms() == 2 && armed(l, p, p + CHUNK / 2));
	CHECK(lazy_holds(p, CHUNK / 2, 5) &&
	      lazy_holds(p + CHUNK / 2, CHUNK / 2, 7 * CHUNK + CHUNK / 2));
}

static void filter_with_many(void)
{
	enum { GRANULE = 1 << 16, AROUND = 256 << 20 };
	char *area = mmap(NULL, 2 * AROUND, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *g, *big;
	struct landing *a, *b, *c;

	CHECK(landing_init() && area != MAP_FAILED);
	g = (char *)(((uintptr_t)area + GRANULE) & ~(uintptr_t)(GRANULE - 1));
	/* two in one granule, one over sixteen and a half */
	big = g + 4 * GRANULE + 8 * PAGE;
	c = lazy_land(big, 16 * GRANULE, 2 * PAGE);
	b = lazy_land(g + 8 * PAGE, 4 * PAGE, PAGE);
	a = lazy_land(g, 4 * PAGE, 0);
	CHECK(a && b && c && landing_armed == 3);
	CHECK(!landing_touches(g + 4 * PAGE, 4 * PAGE) && !landing_touches(g + 12 * PAGE, GRANULE));
	CHECK(landing_touches(g + 4 * PAGE, 4 * PAGE + 1));
	for (int i = 0; i < 16; i++)
		CHECK(landing_touches(big + i * GRANULE, 1) &&
		      landing_touches(big + (i + 1) * GRANULE - 1, 1));
	CHECK(!landing_touches(big + 16 * GRANULE, PAGE) && !landing_touches(big - 1, 1));
	/* so far that the filter does not look: from before the first, and past the last */
	CHECK(landing_touches(area, 2 * AROUND) &&
	      !landing_touches(big + 16 * GRANULE, AROUND / 2));
	/* an address that the filter takes for another */
	CHECK(!landing_touches(g + AROUND, 4 * PAGE));
	CHECK(landing_first((uintptr_t)area, 2 * AROUND) == a);
	CHECK(landing_first((uintptr_t)g + 4 * PAGE, 2 * AROUND - GRANULE) == b);
	CHECK(landing_first((uintptr_t)g + 12 * PAGE, 32 * GRANULE) == c);
	CHECK(!landing_first((uintptr_t)g + 12 * PAGE, GRANULE) && !landing_first((uintptr_t)g, 0));
	landing_open(g, 1);
	CHECK(unarmed(a) && !landing_touches(g, 8 * PAGE) && landing_touches(g + 8 * PAGE, 1));
	landing_open(big + 5 * GRANULE, 1);
	CHECK(unarmed(c) && landing_armed == 1);
	for (int i = 0; i < 16; i++)
		CHECK(!landing_touches(big + i * GRANULE, GRANULE));
	CHECK(lazy_land(g, 4 * PAGE, 7) == a && landing_first((uintptr_t)area, 2 * AROUND) == a);
	landing_open_all();
	CHECK(landing_armed == 0 && !landing_touches(area, 2 * AROUND));
	CHECK(lazy_holds(g, 4 * PAGE, 7) && lazy_holds(g + 8 * PAGE, 4 * PAGE, PAGE));
	CHECK(lazy_holds(big, 16 * GRANULE, 2 * PAGE));
}

/* Where pages may not be protected. */
static void refused(void)
{
	char here[CHUNK + PAGE], *p = lazy_memory(CHUNK), *q = lazy_memory(CHUNK);
	char *shared = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *file = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE, lazy_fd, 0);

	CHECK(landing_init() && shared != MAP_FAILED && file != MAP_FAILED);
	CHECK(!lazy_land(here, sizeof(here), 0) && lazy_why == VERDICT_STACK);
	CHECK(!lazy_land(shared, CHUNK, 0) && lazy_why == VERDICT_SHARED_MEMORY);
	CHECK(!lazy_land(file, CHUNK, 0) && lazy_why == VERDICT_SHARED_MEMORY);
	CHECK(!lazy_land(p + 1, PAGE, 0) && lazy_why == VERDICT_NO_WHOLE_PAGE);
	CHECK(!lazy_land(p, CHUNK, FILE_SIZE - CHUNK + 1) && lazy_why == VERDICT_NEAR_END);
	CHECK(mprotect(q + PAGE, PAGE, PROT_READ) == 0);
	CHECK(!lazy_land(q, CHUNK, 0) && lazy_why == VERDICT_SHARED_MEMORY);
	CHECK(lazy_land(q, PAGE, 0));
	maps_taint(p + 5 * PAGE, 10);
	CHECK(!lazy_land(p, CHUNK, 0) && lazy_why == VERDICT_SHARED_MEMORY);
	CHECK(lazy_land(p, 5 * PAGE, 0) && landing_armed == 2);
	landing_open_all();
	CHECK(munmap(p + PAGE, PAGE) == 0 && munmap(p, PAGE) == 0);
	CHECK(!lazy_land(p, 4 * PAGE, 0) && landing_armed == 0);
}

/* ---- opening ---- */

static void head_alone_is_opened(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 100);
	CHECK(l && p[PAGE + 5] == (char)lazy_byte(100 + PAGE + 5));
	CHECK(armed(l, p + 2 * PAGE, p + CHUNK) && lazy_site->head == 2 && lazy_site->tail == 0);
	CHECK(fills() == 1 && landing_armed == 1 && l->source && l->patience.level == 0);
	CHECK(!landing_touches(p, 2 * PAGE) && landing_touches(p + 2 * PAGE, 1));
	CHECK(lazy_holds(p, 2 * PAGE, 100) && !lazy_protected(p) && lazy_protected(p + 2 * PAGE));
	/* the second look opens the rest, and is learned from */
	CHECK(lazy_holds(p, CHUNK, 100) && unarmed(l) && fills() == 2);
	CHECK(l->patience.level == 1 && lazy_site->patience.level == 1 && l->source == 0);
	/* the next chunk has these pages in its edge */
	CHECK(lazy_land(p, CHUNK, 300) == l && armed(l, p + 2 * PAGE, p + CHUNK) &&
	      l->head == 2 * PAGE);
	CHECK(lazy_holds(p, 2 * PAGE, 300) && landing_armed == 1);
	/* pages are counted from what is armed: this is one */
	CHECK(p[2 * PAGE] == (char)lazy_byte(300 + 2 * PAGE));
	CHECK(armed(l, p + 3 * PAGE, p + CHUNK) && lazy_site->head == 2);
	CHECK(lazy_holds(p, CHUNK, 300));
}

/* A page that was touched once is not filled for ever. */
static void edges_are_lazy_again(void)
{
	char *p = lazy_memory(CHUNK);
	int expected = 64, n = 0;
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, n);
	for (int i = 0; i < 3; i++, expected *= 4) {
		size_t at = i == 1 ? CHUNK - 10 : 10;

		CHECK(l && p[at] == (char)lazy_byte(n + (off_t)at));
		CHECK(lazy_site->head == (i != 1) && lazy_site->tail == (i == 1));
		for (n = 1; lazy_land(p, CHUNK, n) == l && !armed(l, p, p + CHUNK); n++)
			CHECK(n <= expected && lazy_site->patience.level == 0);
		CHECK(n == expected + 1 && lazy_site->head == 0 && lazy_site->tail == 0);
	}
	CHECK(lazy_holds(p, CHUNK, n));
}

static void tail_alone_is_opened(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 100);
	CHECK(l && p[CHUNK - PAGE] == (char)lazy_byte(100 + CHUNK - PAGE));
	CHECK(armed(l, p, p + CHUNK - PAGE) && lazy_site->tail == 1 && lazy_site->head == 0);
	CHECK(lazy_holds(p + CHUNK - PAGE, PAGE, 100 + CHUNK - PAGE) && fills() == 1);
	CHECK(lazy_protected(p + CHUNK - PAGE - 1) && landing_armed == 1);
	CHECK(lazy_land(p, CHUNK, 50) == l && armed(l, p, p + CHUNK - PAGE) && l->tail == PAGE);
	CHECK(p[CHUNK - 3 * PAGE] == (char)lazy_byte(50 + CHUNK - 3 * PAGE));
	CHECK(armed(l, p, p + CHUNK - 3 * PAGE) && lazy_site->tail == 2);
	CHECK(lazy_holds(p, CHUNK, 50) && unarmed(l));
}

/* A look into the middle, or into what is small, opens all. */
static void middle_opens_all(void)
{
	char *p = lazy_memory(CHUNK), *q = lazy_memory(4 * PAGE);
	struct landing *l, *m;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 1);
	CHECK(l && p[8 * PAGE] == (char)lazy_byte(1 + 8 * PAGE) && unarmed(l));
	CHECK(lazy_holds(p, CHUNK, 1) && fills() == 1 && l->patience.level == 1);
	m = lazy_land(q, 4 * PAGE, 2);
	CHECK(m && q[0] == (char)lazy_byte(2) && unarmed(m) && fills() == 2);
	CHECK(lazy_site->head == 0 && lazy_site->tail == 0 && lazy_filled == 2);
}

/* What is claimed at the read is taken back by the fill, as far as it was claimed. */
static void credit(void)
{
	struct stats_route *r = stats_get()->route;
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	CHECK(l);
	l->route = r;
	l->credit = CHUNK - PAGE;
	r->copies_avoided = 1000000;
	CHECK(p[0] == (char)lazy_byte(0) && r->copies_avoided == 1000000 - PAGE);
	CHECK(l->credit == CHUNK - 2 * PAGE && r->looks == 0);
	CHECK(lazy_holds(p, CHUNK, 0) && r->copies_avoided == 1000000 - (CHUNK - PAGE));
	CHECK(l->credit == 0 && r->looks == 1);
}

/* With other threads about, pages are filled aside; what lies beyond the end is zeros. */
static void filled_by_move(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	lazy_threads = true;
	CHECK(landing_init());
	l = lazy_land(p, CHUNK, FILE_SIZE - CHUNK);
	CHECK(l && ftruncate(lazy_fd, FILE_SIZE - 3 * PAGE - 10) == 0);
	CHECK(p[0] == (char)lazy_byte(FILE_SIZE - CHUNK) && armed(l, p + PAGE, p + CHUNK));
	CHECK(lazy_holds(p, CHUNK - 3 * PAGE - 10, FILE_SIZE - CHUNK) && unarmed(l));
	for (int i = CHUNK - 3 * PAGE - 10; i < CHUNK; i++)
		CHECK(p[i] == 0);
	p[CHUNK - 1] = 1;
}

static void beyond_the_end_in_place(void)
{
	char *p = lazy_memory(CHUNK);

	CHECK(landing_init());
	memset(p, 0x55, CHUNK);
	CHECK(lazy_land(p, CHUNK, FILE_SIZE - CHUNK) &&
	      ftruncate(lazy_fd, FILE_SIZE - PAGE - 10) == 0);
	CHECK(lazy_holds(p, CHUNK - PAGE - 10, FILE_SIZE - CHUNK));
	for (int i = CHUNK - PAGE - 10; i < CHUNK; i++)
		CHECK(p[i] == 0);
}

/* A file that cannot be read: the pages stay as they are, and the fault is told. */
static void unreadable(void)
{
	char *p = lazy_memory(CHUNK), *none;
	struct source *s;
	struct landing *l;
	bool failed = false;
	int fd;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	CHECK(l);
	s = source_at(l->source - 1);
	fd = s->fd;
	s->fd = 1 << 20;
	CHECK(!landing_fault((uintptr_t)p + 8 * PAGE, PROT_READ, &failed) && failed);
	CHECK(armed(l, p, p + CHUNK) && lazy_protected(p) && l->source);
	s->fd = fd;
	CHECK(landing_fault((uintptr_t)p + 8 * PAGE, PROT_READ, &failed) && !failed && unarmed(l));
	/* opened meanwhile by another thread: the access goes on; else the fault is not ours */
	failed = true;
	CHECK(landing_fault((uintptr_t)p, PROT_READ | PROT_WRITE, &failed) && !failed);
	none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!landing_fault((uintptr_t)none, PROT_READ, &failed) && !failed);
	CHECK(mprotect(none, PAGE, PROT_READ) == 0 &&
	      landing_fault((uintptr_t)none, PROT_READ, &failed));
	CHECK(!landing_fault((uintptr_t)none, PROT_READ | PROT_WRITE, &failed));
	CHECK(!landing_fault((uintptr_t)none, PROT_EXEC, &failed));
}

/* A fault that no landing explains goes to the program. */
static void foreign_fault(void)
{
	CHECK(landing_init() && lazy_land(lazy_memory(CHUNK), CHUNK, 0));
	*(volatile char *)mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

static void opened_by_the_program(void)
{
	char *p = lazy_memory(CHUNK), *q = lazy_memory(CHUNK);
	struct landing *l, *m;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	m = lazy_land(q, CHUNK, PAGE);
	CHECK(l && m);
	landing_open(p + CHUNK, PAGE);
	landing_open(p, 0);
	CHECK(armed(l, p, p + CHUNK));
	landing_open(p + CHUNK - 1, 1);
	CHECK(unarmed(l) && l->patience.level == 1 && lazy_holds(p, CHUNK, 0));
	/* the program's own read into it: filled, and nothing learned */
	landing_fill(q + PAGE, 1);
	CHECK(unarmed(m) && m->patience.level == 0 && lazy_holds(q, CHUNK, PAGE));
	CHECK(landing_armed == 0 && fills() == 2);
}

/* ---- void and freed ---- */

static void voided(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	memset(p, 0x55, CHUNK);
	l = lazy_land(p, CHUNK, 0);
	CHECK(l);
	landing_void(p, CHUNK);
	CHECK(unarmed(l) && fills() == 0 && landing_armed == 0 && l->source == 0);
	CHECK(naming() == 0 && !lazy_protected(p) && !lazy_protected(p + CHUNK - 1));
	CHECK(p[0] == 0x55 && p[CHUNK - 1] == 0x55);
	/* a part of it is void: the rest is the program's still */
	CHECK(lazy_land(p, CHUNK, 10) == l);
	landing_void(p + PAGE, CHUNK);
	CHECK(unarmed(l) && fills() == 1 && lazy_holds(p, PAGE, 10));
}

static void free_block(char *p, size_t n)
{
	landing_before_free(p, n);
	landing_after_free(p, n);
}

/* The first free opens; where the block comes back, the pages stay. */
static void freed_and_back(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	memset(p, 0x55, CHUNK);
	l = lazy_land(p, CHUNK, 0);
	CHECK(l && !l->returns);
	free_block(p, CHUNK);
	CHECK(l->freed && unarmed(l) && fills() == 0 && p[0] == 0x55);
	for (int i = 1; i < 5; i++) {
		CHECK(lazy_land(p, CHUNK, i) == l && l->returns && !l->freed && l->offset == i);
		CHECK(arms() == 2);
		free_block(p, CHUNK);
		CHECK(l->freed && armed(l, p, p + CHUNK) && lazy_protected(p));
	}
	/* somebody else gets the block: no fill, and it is not kept next time */
	p[9 * PAGE] = 1;
	CHECK(unarmed(l) && fills() == 0 && p[0] == 0x55 && !l->returns && !lazy_protected(p));
	CHECK(lazy_filled == 0 && l->patience.level == 0);
	CHECK(lazy_land(p, CHUNK, 3) == l && lazy_holds(p, CHUNK, 3));
}

/* The allocator links a free block where it begins: that page alone. */
static void allocator_links(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	memset(p, 0x55, CHUNK);
	l = lazy_land(p, CHUNK, 0);
	free_block(p, CHUNK);
	CHECK(l && lazy_land(p, CHUNK, 1) == l);
	free_block(p, CHUNK);
	*(void **)(p + 16) = p;
	CHECK(armed(l, p + PAGE, p + CHUNK) && l->returns && l->freed && fills() == 0);
	CHECK(lazy_site->head == 1 && p[0] == 0x55 && lazy_protected(p + PAGE));
	CHECK(lazy_land(p, CHUNK, 2) == l && armed(l, p + PAGE, p + CHUNK) && l->head == PAGE);
	CHECK(arms() == 2 && lazy_holds(p, CHUNK, 2));
}

/* free gave a part of the block back to the kernel. */
static void freed_and_unmapped(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	free_block(p, CHUNK);
	CHECK(l && lazy_land(p, CHUNK, 1) == l);
	landing_before_free(p, CHUNK);
	CHECK(l->freed && munmap(p + 4 * PAGE, 8 * PAGE) == 0);
	landing_after_free(p, CHUNK);
	CHECK(unarmed(l) && landing_armed == 0 && !lazy_protected(p) &&
	      !lazy_protected(p + CHUNK - 1));
	CHECK(l->source == 0 && naming() == 0);
	CHECK(lazy_protected(p + 4 * PAGE) && p[0] == 0 && p[CHUNK - 1] == 0);
}

static bool is_void(struct landing *l)
{
	return unarmed(l) || l->freed;
}

/* Two buffers in one block, and a block that is more than the buffer: nothing of it is overlooked. */
static void freed_with_more(void)
{
	char *p = lazy_memory(2 * CHUNK);
	struct landing *l, *behind;

	CHECK(landing_init());
	for (int odd = 0; odd < 2; odd++) {
		l = lazy_land(p + odd * 100, CHUNK - odd * 200, 0);
		behind = lazy_land(p + CHUNK, CHUNK, 0);
		CHECK(l && behind && !l->freed && !behind->freed && landing_armed == 2);
		free_block(p, 2 * CHUNK);
		CHECK(is_void(l) && is_void(behind));
	}
	behind = lazy_land(p + CHUNK, CHUNK, 0);
	CHECK(behind && !behind->freed);
	free_block(p, 2 * CHUNK);
	CHECK(is_void(behind));
	/* the first page is another's; what the block has of that is void, too */
	l = lazy_land(p, CHUNK, 0);
	behind = lazy_land(p + CHUNK, CHUNK, 0);
	free_block(p + CHUNK - 100, CHUNK + 100);
	CHECK(is_void(l) && is_void(behind));
}

static void freed_but_not_kept(void)
{
	enum { LARGE = 1 << 20 };
	char *p = lazy_memory(LARGE);
	struct landing *l;

	CHECK(landing_init());
	for (int i = 0; i < 3; i++) { /* so large that malloc maps it */
		l = lazy_land(p, LARGE, i);
		CHECK(l && l->returns == (i > 0));
		free_block(p, LARGE);
		CHECK(unarmed(l));
	}
	l = lazy_land(p, LARGE, 7); /* a block that begins within it: the rest lives */
	free_block(p + CHUNK, LARGE);
	CHECK(l && !l->freed && unarmed(l) && fills() == 1 && lazy_holds(p, CHUNK, 7));
}

/* ---- landings that meet ---- */

static void overlaps_are_retired(void)
{
	char *p = lazy_memory(4 * CHUNK);
	struct landing *a, *b, *c;

	CHECK(landing_init());
	a = lazy_land(p, CHUNK, 0);
	b = lazy_land(p + CHUNK, CHUNK, 5);
	CHECK(a && b && landing_armed == 2 && fills() == 0); /* side by side */
	c = lazy_land(p + CHUNK / 2, CHUNK, 9);
	CHECK(c && unarmed(a) && unarmed(b) && landing_armed == 1 && fills() == 2);
	CHECK(lazy_holds(p, CHUNK / 2, 0) && armed(c, p + CHUNK / 2, p + CHUNK / 2 + CHUNK));
	CHECK(lazy_holds(p + CHUNK + CHUNK / 2, CHUNK / 2, 5 + CHUNK / 2) && landing_armed == 1);
	/* one that shares the partial page in front only */
	a = lazy_land(p + CHUNK / 2 + CHUNK - 100, CHUNK, 77);
	CHECK(a && unarmed(c) && landing_armed == 1);
	CHECK(lazy_holds(p + CHUNK / 2, CHUNK - 100, 9) && landing_armed == 1);
	CHECK(lazy_holds(p + CHUNK / 2 + CHUNK - 100, CHUNK, 77));
	CHECK(a->patience.level + c->patience.level == 1); /* retiring is nothing to learn from */
}

/* Whoever lands between the look for overlaps and the arming wins. */
static void arming_sees_overlaps(void)
{
	char *p = lazy_memory(2 * CHUNK);
	struct landing *a, *b;

	CHECK(landing_init());
	a = lazy_land(p, CHUNK, 0);
	b = landing_claim((uintptr_t)p + PAGE);
	CHECK(a && b && a != b);
	/* the pages of A are about to be protected, but are not yet */
	CHECK(mprotect(p, CHUNK, PROT_READ | PROT_WRITE) == 0);
	CHECK(landing_arm(b, (uintptr_t)p + PAGE, (uintptr_t)p + 2 * PAGE) == VERDICT_OVERLAP);
	CHECK(mprotect(p, CHUNK, PROT_NONE) == 0);
	CHECK(unarmed(b) && landing_armed == 1);
	landing_open_all();
	CHECK(landing_arm(b, (uintptr_t)p + PAGE, (uintptr_t)p + 2 * PAGE) == VERDICT_REWRITTEN);
	CHECK(lazy_protected(p + PAGE) && !lazy_protected(p) && landing_armed == 1);
	landing_unarm(b);
	CHECK(!lazy_protected(p + PAGE) && landing_armed == 0 && fills() == 1);
	landing_unarm(b);
	CHECK(landing_armed == 0 && lazy_holds(p, CHUNK, 0));
}

static void full_table_evicts(void)
{
	enum { SLOTS = 4 };
	struct landing *l[SLOTS], *m;
	char *p[SLOTS + 1];

	config.landings = SLOTS;
	CHECK(landing_init());
	for (int i = 0; i <= SLOTS; i++)
		p[i] = lazy_memory(CHUNK);
	for (int i = 0; i < SLOTS; i++) {
		l[i] = lazy_land(p[i], CHUNK, i);
		CHECK(l[i]);
		l[i]->touched = (uint64_t)(i == 1 ? 1 : 100 + i); /* the second is the oldest */
	}
	CHECK(landing_armed == SLOTS && fills() == 0);
	m = lazy_land(p[SLOTS], CHUNK, 99);
	CHECK(m == l[1] && m->base == (uintptr_t)p[SLOTS] && landing_armed == SLOTS &&
	      fills() == 1);
	CHECK(!landing_find((uintptr_t)p[1]) && landing_find((uintptr_t)p[SLOTS]) == m);
	CHECK(!lazy_protected(p[1]) && lazy_holds(p[1], CHUNK, 1) && landing_armed == SLOTS);
	CHECK(m->patience.level == 0 && armed(m, p[SLOTS], p[SLOTS] + CHUNK));
	for (int i = 0; i < SLOTS; i++)
		CHECK(lazy_holds(p[i], CHUNK, i));
	CHECK(lazy_holds(p[SLOTS], CHUNK, 99) && landing_armed == 0);
}

/* ---- fork and the like ---- */

static void held(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, CHUNK, 0);
	CHECK(l);
	landing_hold();
	landing_hold();
	CHECK(armed(l, p, p + CHUNK)); /* what is armed stays */
	landing_open_all();
	CHECK(unarmed(l) && lazy_holds(p, CHUNK, 0) && l->patience.level == 0);
	CHECK(!lazy_land(p, CHUNK, 5) && lazy_why == VERDICT_FILLED);
	landing_release();
	CHECK(!lazy_land(p, CHUNK, 5) && lazy_why == VERDICT_FILLED);
	CHECK(landing_armed == 0 && naming() == 0 && lazy_holds(p, CHUNK, 0));
	landing_release();
	CHECK(lazy_land(p, CHUNK, 5) == l && landing_armed == 1);
	landing_open_all();
	landing_hold();
	l->lock.word = 1; /* a thread that the child does not have */
	l->sequence |= 1;
	landing_forked();
	CHECK(lazy_land(p, CHUNK, 6) == l && !(l->sequence & 1) && lazy_holds(p, CHUNK, 6));
}

static void settled(void)
{
	char *p = lazy_memory(CHUNK), *q = lazy_memory(CHUNK), *r = lazy_memory(CHUNK);
	struct landing *a, *b, *c;

	CHECK(landing_init());
	a = lazy_land(p, CHUNK, 0);
	b = lazy_land(q, CHUNK, 1);
	c = lazy_land(r, CHUNK, 2);
	CHECK(a && b && c);
	a->touched = 1000;
	b->touched = 1001;
	c->touched = 2000;
	landing_settle(999);
	CHECK(landing_armed == 3);
	landing_settle(1001);
	CHECK(unarmed(a) && unarmed(b) && armed(c, r, r + CHUNK) && a->patience.level == 0);
	CHECK(lazy_holds(p, CHUNK, 0) && lazy_holds(q, CHUNK, 1) && landing_armed == 1);
	CHECK(lazy_land(p, CHUNK, 3) == a);
	c->reader = prim_gettid() + 1;
	landing_settle_thread(prim_gettid());
	CHECK(unarmed(a) && landing_armed == 1);
	landing_settle_thread(c->reader);
	CHECK(landing_armed == 0 && lazy_holds(r, CHUNK, 2));
}

/* What was read from a descriptor and not yet written is made safe when it is closed. */
static void closed(void)
{
	char *p = lazy_memory(CHUNK), *q = lazy_memory(CHUNK);
	struct landing *a, *b;

	CHECK(landing_init());
	a = lazy_land(p, CHUNK, 0);
	b = lazy_land(q, CHUNK, 1);
	CHECK(a && b);
	a->written = CHUNK;
	b->written = CHUNK - 1;
	landing_close(lazy_fd + 1);
	CHECK(landing_armed == 2);
	landing_close(lazy_fd);
	CHECK(armed(a, p, p + CHUNK) && unarmed(b) && lazy_holds(q, CHUNK, 1));
	landing_open_source(a->source);
	CHECK(landing_armed == 1);
	landing_open_source(a->source - 1);
	CHECK(landing_armed == 0 && lazy_holds(p, CHUNK, 0));
}

/* What a file is that was opened with FLAGS, as its hook says, or found so later. */
static struct fd_entry *opened(const char *path, int flags, int *fd)
{
	*fd = open(path, flags);
	if (*fd < 0)
		return NULL;
	fd_entry(*fd);
	fd_opened(*fd, flags);
	return fd_entry(*fd);
}

static void how_opened(void)
{
	char path[64];
	struct fd_entry *e;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", lazy_fd);
	e = opened(path, O_RDONLY, &fd);
	CHECK(e && e->readable && fd_classify(fd, e) == STATS_KIND_FILE);
	CHECK(e->refusal == VERDICT_REWRITTEN && e->identity);
	e = opened(path, O_RDWR, &fd);
	CHECK(e && e->readable && fd_classify(fd, e) == STATS_KIND_FILE);
	e = opened(path, O_WRONLY, &fd);
	CHECK(e && !e->readable && fd_classify(fd, e) == STATS_KIND_OTHER);
	e = opened(path, O_PATH, &fd);
	CHECK(e && !e->readable && fd_classify(fd, e) == STATS_KIND_OTHER);
	e = opened(path, O_RDONLY | O_DIRECT, &fd);
	CHECK(e || errno == EINVAL);
	CHECK(!e || (fd_classify(fd, e) == STATS_KIND_FILE && e->refusal == VERDICT_DIRECT_IO));
	/* the flags change before it was looked at */
	e = opened(path, O_RDONLY, &fd);
	CHECK(e && e->kind == STATS_KIND_UNKNOWN);
	if (fcntl(fd, F_SETFL, O_DIRECT) == 0) {
		fd_reset_file(fd);
		CHECK(fd_classify(fd, e) == STATS_KIND_FILE && e->refusal == VERDICT_DIRECT_IO);
	}
	/* the number is another's, of which nothing is told */
	fd_reset(fd);
	CHECK(!e->readable);
}

static char *no_further; /* from here on */

static bool readable(const void *p, size_t n)
{
	return !no_further || (char *)p + n <= no_further;
}

static void strings(void)
{
	char *p = lazy_memory(4 * CHUNK);
	struct landing *l[4];
	off_t end = 2 * CHUNK - 1; /* the last byte of the second landing's chunk */

	CHECK(landing_init());
	for (int round = 0; round < 2; round++) {
		/* the string ends at the last byte of the second, then at the first of the third */
		CHECK(pwrite(lazy_fd, "", 1, end + round) == 1);
		for (int i = 0; i < 4; i++) {
			l[i] = lazy_land(p + i * CHUNK, CHUNK, i * CHUNK);
			CHECK(l[i]);
		}
		landing_open_string(p + CHUNK - 3, readable);
		CHECK(unarmed(l[0]) && unarmed(l[1]) && unarmed(l[2]) == (round == 1) &&
		      !unarmed(l[3]));
		CHECK(landing_armed == (round ? 1 : 2));
		CHECK(strlen(p + CHUNK - 3) == (size_t)(CHUNK + 2 + round));
		landing_open_all();
		CHECK(pwrite(lazy_fd, "x", 1, end + round) == 1);
	}
	landing_open_string(NULL, readable);
	CHECK(lazy_land(p, CHUNK, 0));
	landing_open_string("elsewhere", readable);
	landing_open_string(NULL, readable);
	CHECK(landing_armed == 1);
	/* one that goes on into what cannot be read */
	no_further = p + CHUNK;
	CHECK(mprotect(no_further, CHUNK, PROT_NONE) == 0);
	landing_open_string(p + CHUNK - 3, readable);
	CHECK(landing_armed == 0);
	no_further = NULL;
	CHECK(mprotect(p + CHUNK, CHUNK, PROT_READ | PROT_WRITE) == 0);
}

static void test_foreign_fault(void **state)
{
	(void)state;
	assert_int_equal(lazy_run(foreign_fault), FOREIGN);
}

LAZY_TEST(armed_and_found)
LAZY_TEST(hints_are_shared)
LAZY_TEST(end_arms_nothing)
LAZY_TEST(edges)
LAZY_TEST(chunk_after_chunk)
LAZY_TEST(filter_with_many)
LAZY_TEST(refused)
LAZY_TEST(head_alone_is_opened)
LAZY_TEST(tail_alone_is_opened)
LAZY_TEST(edges_are_lazy_again)
LAZY_TEST(middle_opens_all)
LAZY_TEST(credit)
LAZY_TEST(filled_by_move)
LAZY_TEST(beyond_the_end_in_place)
LAZY_TEST(unreadable)
LAZY_TEST(opened_by_the_program)
LAZY_TEST(voided)
LAZY_TEST(freed_and_back)
LAZY_TEST(allocator_links)
LAZY_TEST(freed_and_unmapped)
LAZY_TEST(freed_with_more)
LAZY_TEST(freed_but_not_kept)
LAZY_TEST(overlaps_are_retired)
LAZY_TEST(arming_sees_overlaps)
LAZY_TEST(full_table_evicts)
LAZY_TEST(held)
LAZY_TEST(settled)
LAZY_TEST(closed)
LAZY_TEST(strings)
LAZY_TEST(how_opened)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_armed_and_found),
		cmocka_unit_test(test_hints_are_shared),
		cmocka_unit_test(test_end_arms_nothing),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_chunk_after_chunk),
		cmocka_unit_test(test_filter_with_many),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_head_alone_is_opened),
		cmocka_unit_test(test_tail_alone_is_opened),
		cmocka_unit_test(test_edges_are_lazy_again),
		cmocka_unit_test(test_middle_opens_all),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_filled_by_move),
		cmocka_unit_test(test_beyond_the_end_in_place),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_foreign_fault),
		cmocka_unit_test(test_opened_by_the_program),
		cmocka_unit_test(test_voided),
		cmocka_unit_test(test_freed_and_back),
		cmocka_unit_test(test_allocator_links),
		cmocka_unit_test(test_freed_and_unmapped),
		cmocka_unit_test(test_freed_with_more),
		cmocka_unit_test(test_freed_but_not_kept),
		cmocka_unit_test(test_overlaps_are_retired),
		cmocka_unit_test(test_arming_sees_overlaps),
		cmocka_unit_test(test_full_table_evicts),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_how_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
