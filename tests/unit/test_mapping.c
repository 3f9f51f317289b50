/* SPDX-License-Identifier: MIT */
/* test_mapping.c - the table of mappings, over real mappings of a real file. */
#include "lazy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mapping.h"
#include "prim.h"
#include "segment.h"
#include "source.h"

enum { PAGES = 64, FULL = 1024 };

static struct mapping m;

static uintptr_t map(size_t pages, off_t page, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE, lazy_fd, page * PAGE);

	CHECK(p != MAP_FAILED);
	mapping_made((uintptr_t)p, pages * PAGE, prot, MAP_PRIVATE, lazy_fd, p);
	return (uintptr_t)p;
}

/* [p, p + n pages) is one entry, of the file from PAGE on, as far as it is asked for. */
static bool is(uintptr_t p, size_t pages, off_t page)
{
	return mapping_find(p, 1, &m) && m.lo == p && m.hi == p + pages * PAGE && m.source >= 0 &&
	       m.why == VERDICT_REWRITTEN && m.file.offset == (uint64_t)page * PAGE && !m.file.shared;
}

static bool nothing(uintptr_t p, size_t pages)
{
	return !mapping_find(p, pages * PAGE, &m);
}

static int holds(void)
{
	struct stat st;

	CHECK(fstat(lazy_fd, &st) == 0);
	for (int i = 0; i < SOURCES; i++)
		if (source_at(i)->inode == st.st_ino)
			return source_at(i)->mappings;
	return 0;
}

static void made(void)
{
	uintptr_t p = map(8, 3, PROT_READ);
	uint64_t serial;

	CHECK(mapping_calls() > 2 && mapping_calls() == 0);
	errno = EXFULL;
	CHECK(is(p, 8, 3) && mapping_any() && mapping_count == 1 && holds() == 1);
	serial = m.serial;
	CHECK(mapping_find(p + 8 * PAGE - 1, 1, &m) && mapping_find(p - 5, 6, &m) && m.lo == p);
	CHECK(!mapping_find(p - PAGE, PAGE, &m) && !mapping_find(p + 8 * PAGE, PAGE, &m));
	CHECK(mapping_find(0, SIZE_MAX, &m) && mapping_still(p, serial) && !mapping_still(p, serial + 1));
	/* what is no file, or small, or not there */
	mapping_made(p + 64 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	mapping_made(p + 64 * PAGE, PAGE - 1, PROT_READ, MAP_PRIVATE, lazy_fd, NULL);
	mapping_made(p + 64 * PAGE, PAGE, PROT_READ, MAP_PRIVATE, -1, NULL);
	CHECK(mapping_count == 1 && errno == EXFULL);
	mapping_forget((void *)p, 8 * PAGE);
	CHECK(mapping_count == 0 && holds() == 0 && !mapping_any());
}

static void refused(void)
{
	uintptr_t p = map(8, 0, PROT_READ | PROT_WRITE);

	CHECK(mapping_find(p, 1, &m) && m.source < 0 && m.why == VERDICT_WRITABLE && holds() == 0);
	/* we have it open for writing ourselves, which no age makes settled */
	config.source = SOURCE_SETTLED;
	p = map(8, 0, PROT_READ);
	CHECK(mapping_find(p, 1, &m) && m.source < 0 && m.why == VERDICT_BEING_WRITTEN);
	config.source = SOURCE_TRUST;
	config.engines = ENGINE_SENDFILE;
	p = map(8, 0, PROT_READ);
	CHECK(mapping_find(p, 1, &m) && m.source < 0 && m.why == VERDICT_ENGINE_OFF && holds() == 0);
	CHECK(mapping_count == 3);
}

/* What is mapped here is let pass for a while, and then is not. */
static void let_pass(void)
{
	struct site *site;
	uintptr_t p = map(8, 0, PROT_READ);

	CHECK(mapping_find(p, 1, &m) && m.source >= 0);
	site = m.site;
	patience_lost(&site->patience, VERDICT_WOULD_NOT_PAY);
	for (int i = 0; i < 4; i++) {
		p += 8 * PAGE;
		mapping_made(p, 8 * PAGE, PROT_READ, MAP_PRIVATE, lazy_fd, (void *)site->caller);
		CHECK(mapping_find(p, 1, &m) && m.source < 0 && m.why == VERDICT_WOULD_NOT_PAY);
	}
	p = (uintptr_t)mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, lazy_fd, 0);
	mapping_made(p, 8 * PAGE, PROT_READ, MAP_PRIVATE, lazy_fd, (void *)site->caller);
	CHECK(mapping_find(p, 1, &m) && m.source >= 0 && m.site == site);
}

/* The number means another file by the time that it is asked. */
static void other_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *p = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, lazy_fd, 0);

	mapping_made((uintptr_t)p, 8 * PAGE, PROT_READ, MAP_SHARED, fd, p);
	CHECK(mapping_find((uintptr_t)p, 1, &m) && m.source < 0);
}

static void parts(void)
{
	uintptr_t p = map(16, 10, PROT_READ);

	mapping_forget((void *)(p + 4 * PAGE), 3 * PAGE);
	CHECK(is(p, 4, 10) && is(p + 7 * PAGE, 9, 17) && nothing(p + 4 * PAGE, 3) && holds() == 2);
	mapping_writable((void *)(p + 2 * PAGE), 8 * PAGE);
	CHECK(is(p, 2, 10) && is(p + 10 * PAGE, 6, 20) && nothing(p + 4 * PAGE, 3) && holds() == 2);
	CHECK(mapping_find(p + 2 * PAGE, 1, &m) && m.lo == p + 2 * PAGE && m.source < 0);
	CHECK(mapping_find(p + 8 * PAGE, 1, &m) && m.why == VERDICT_WRITABLE && mapping_count == 4);
	mapping_forget((void *)(p + PAGE + 5), 1);
	CHECK(is(p, 1, 10) && nothing(p + PAGE, 1));
	/* a new mapping in the place of what was unmapped unheard */
	mapping_made(p, 16 * PAGE, PROT_READ, MAP_PRIVATE, lazy_fd, NULL);
	CHECK(is(p, 16, 10) && mapping_count == 1 && holds() == 1);
	mapping_made(p + 5 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, NULL);
	CHECK(nothing(p + 5 * PAGE, 1) && is(p + 6 * PAGE, 10, 16) && holds() == 2);
	mapping_forget(NULL, SIZE_MAX);
	CHECK(mapping_count == 0 && holds() == 0);
}

static void moves(void)
{
	uintptr_t p = map(16, 10, PROT_READ), to = p + 100 * PAGE;
	struct mapping moving;

	mapping_take(&moving, p + 4 * PAGE, 4 * PAGE);
	CHECK(nothing(p + 4 * PAGE, 4) && is(p, 4, 10) && is(p + 8 * PAGE, 8, 18) && holds() == 3);
	mapping_give(&moving, to, 6 * PAGE);
	CHECK(is(to, 6, 14) && holds() == 3 && mapping_count == 3);
	/* a second mapping of the same pages */
	mapping_take(&moving, to + PAGE, 0);
	mapping_give(&moving, to + 50 * PAGE, 2 * PAGE);
	CHECK(is(to, 6, 14) && is(to + 50 * PAGE, 2, 15) && holds() == 4);
	/* the call failed; the range is not one entry's; it is none's */
	mapping_take(&moving, to, 6 * PAGE);
	mapping_give(&moving, 0, 8 * PAGE);
	CHECK(nothing(to, 6) && holds() == 3);
	mapping_take(&moving, p, 8 * PAGE);
	mapping_give(&moving, to, 8 * PAGE);
	CHECK(nothing(to, 8) && nothing(p, 8) && is(p + 8 * PAGE, 8, 18) && holds() == 2);
	mapping_take(&moving, p, PAGE);
	mapping_give(&moving, to, PAGE);
	CHECK(nothing(to, 8) && holds() == 2);
}

static void source_goes(void)
{
	uintptr_t p = map(16, 10, PROT_READ), q = map(4, 0, PROT_READ);
	int fd;

	CHECK(is(q, 4, 0) && is(p, 16, 10));
	fd = source_at(m.source)->fd;
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) >= 0 && holds() == 2);
	mapping_forget_source(m.source);
	CHECK(mapping_count == 0 && holds() == 0 && fcntl(fd, F_GETFD) < 0);
}

static void in_a_child(void)
{
	uintptr_t p = map(16, 10, PROT_READ);
	int fd;

	map(3, 0, PROT_READ);
	map(3, 0, PROT_READ | PROT_WRITE);
	CHECK(is(p, 16, 10));
	fd = source_at(m.source)->fd;
	source_forked();
	CHECK(is(p, 16, 10) && mapping_count == 3 && holds() == 2 && fcntl(fd, F_GETFD) >= 0);
	mapping_forget(NULL, SIZE_MAX);
	CHECK(holds() == 0 && fcntl(fd, F_GETFD) < 0);
}

/*
 * More entries than there is room for: what finds none is not remembered, what cannot be split is
 * dropped.
 */
static void full(void)
{
	uintptr_t p = map(2 * FULL, 0, PROT_READ);

	for (unsigned i = 0; i < FULL - 2; i++)
		mapping_forget((void *)(p + (2 * i + 1) * PAGE), PAGE);
	CHECK(mapping_count == FULL - 1 && holds() == FULL - 1 && is(p + 4 * PAGE, 1, 4));
	CHECK(is(p + (2 * FULL - 4) * PAGE, 4, 2 * FULL - 4));
	map(8, 0, PROT_READ);
	map(9, 0, PROT_READ);
	CHECK(mapping_count == FULL && holds() == FULL);
	mapping_forget((void *)(p + (2 * FULL - 3) * PAGE), PAGE);
	CHECK(nothing(p + (2 * FULL - 4) * PAGE, 4));
	CHECK(mapping_count == FULL - 1 && holds() == FULL - 1);
	mapping_writable((void *)(p + PAGE), 100 * PAGE);
	CHECK(mapping_count == FULL - 1 && holds() == FULL - 51);
	mapping_forget((void *)p, 1000 * PAGE);
	CHECK(mapping_count == FULL - 501 && holds() == FULL - 501);
}

/* Pages of one mapping are dropped and marked at random, against a plain array. */
static void against_a_model(void)
{
	enum { GONE = -1, WRITABLE = -2 };
	uintptr_t p = map(PAGES, 5, PROT_READ);
	int model[PAGES];
	unsigned random = 1;

	for (int i = 0; i < PAGES; i++)
		model[i] = 5 + i;
	for (int turn = 0; turn < 2000; turn++) {
		unsigned at, n;

		random = random * 1103515245 + 12345;
		at = random >> 16 & (PAGES - 1);
		n = 1 + (random >> 8 & 7);
		n = at + n > PAGES ? PAGES - at : n;
		if (turn % 100 == 99)
			mapping_made(p, PAGES * PAGE, PROT_READ, MAP_PRIVATE, lazy_fd, NULL);
		else if (random >> 28 & 1)
			mapping_forget((void *)(p + at * PAGE), n * PAGE);
		else
			mapping_writable((void *)(p + at * PAGE), n * PAGE);
		for (unsigned i = 0; i < PAGES; i++) {
			if (turn % 100 == 99)
				model[i] = 5 + (int)i;
			else if (i >= at && i < at + n)
				model[i] = random >> 28 & 1 || model[i] == GONE ? GONE : WRITABLE;
			if (model[i] == GONE)
				CHECK(nothing(p + i * PAGE, 1));
			else if (model[i] == WRITABLE)
				CHECK(mapping_find(p + i * PAGE, 1, &m) && m.source < 0);
			else
				CHECK(mapping_find(p + i * PAGE, 1, &m) && m.source >= 0 &&
				      m.file.offset + (p + i * PAGE - m.lo) == (uint64_t)model[i] * PAGE);
		}
	}
	mapping_forget((void *)p, PAGES * PAGE);
	CHECK(holds() == 0);
}

/* ---- as segments ---- */

static struct segments s;

static bool build(const void *p, size_t n)
{
	struct iovec iov = { (void *)p, n };

	return segments_build(&s, &iov, 1);
}

static void segments(void)
{
	char *p = (char *)map(32, 2, PROT_READ);

	CHECK(build(p + 100, 20000) && s.count == 1 && s.mapped == 1 && s.landed == 0);
	CHECK(s.seg[0].p == p + 100 && s.seg[0].n == 20000 && s.seg[0].offset == 2 * PAGE + 100);
	CHECK(s.seg[0].fd == source_at(s.seg[0].source)->fd && segments_pin(&s));
	segments_unpin(&s);
	CHECK(build(p, 16383) && s.count == 1 && s.mapped == 0 && s.why == VERDICT_TOO_SMALL);
	config.min = PAGE;
	CHECK(build(p, PAGE) && s.mapped == 1 && build(p, PAGE - 1) && s.mapped == 0);
	/* what begins in the mapping and ends behind it */
	CHECK(build(p + 30 * PAGE, 8 * PAGE) && s.count == 2 && s.mapped == 1);
	CHECK(s.seg[0].n == 2 * PAGE && !segment_is_file(&s.seg[1]) && s.seg[1].n == 6 * PAGE);
	/* what was found is gone, or is another, when it is to be sent */
	CHECK(build(p, PAGE));
	mapping_forget(p + 10 * PAGE, PAGE);
	CHECK(!segments_pin(&s) && build(p, PAGE) && segments_pin(&s));
	segments_unpin(&s);
	mapping_forget_source(s.seg[0].source);
	CHECK(!segments_pin(&s));
}

/* A file that somebody has open for writing is mapped, and written plainly until nobody has. */
static void settling(void)
{
	char *p, path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", lazy_fd);
	config.source = SOURCE_SETTLED;
	fd = open(path, O_RDONLY);
	p = mmap(NULL, 32 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	mapping_made((uintptr_t)p, 32 * PAGE, PROT_READ, MAP_SHARED, fd, p);
	CHECK(close(fd) == 0 && mapping_find((uintptr_t)p, 1, &m) && m.source >= 0 && holds() == 1);
	CHECK(build(p, 32 * PAGE) && s.mapped == 0);
	CHECK(s.why == VERDICT_BEING_WRITTEN || s.why == VERDICT_UNSETTLED ||
	      s.why == VERDICT_FILE_SYSTEM);
	config.source = SOURCE_TRUST;
	CHECK(build(p, 32 * PAGE) && s.mapped == 0);
	source_at(m.source)->retry = 0; /* its time has come */
	CHECK(build(p, 32 * PAGE) && s.mapped == 1);
	/* nobody held it for a while: it is judged again */
	mapping_forget(p, 32 * PAGE);
	CHECK(fcntl(source_at(m.source)->fd, F_GETFD) < 0);
	config.source = SOURCE_SETTLED;
	fd = open(path, O_RDONLY);
	mapping_made((uintptr_t)p, 32 * PAGE, PROT_READ, MAP_SHARED, fd, p);
	CHECK(build(p, 32 * PAGE) && s.mapped == 0);
	config.source = SOURCE_TRUST;
	source_at(m.source)->retry = 0;
	CHECK(build(p, 32 * PAGE) && s.mapped == 1);
	/* this process writes to it */
	config.source = SOURCE_SETTLED;
	source_written(lazy_fd);
	CHECK(build(p, 32 * PAGE) && s.mapped == 0 && s.why == VERDICT_BEING_WRITTEN);
}

/*
 * The duplicate was lost: another file does not get the place in the table while the mapping is
 * there.
 */
static void place_kept(void)
{
	uintptr_t p = map(8, 0, PROT_READ);
	int index, source, fd;
	struct stat st;
	char path[64];
	unsigned set;

	CHECK(is(p, 8, 0));
	index = m.source;
	set = source_identity(source_at(index)->device, source_at(index)->inode) % (SOURCES / 8);
	source_at(index)->fd = -1;
	for (int i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "/tmp/shunt-place-%d-%d", getpid(), i);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &st) == 0 && unlink(path) == 0);
		if (source_identity(st.st_dev, st.st_ino) % (SOURCES / 8) == set)
			break;
		/* kept open: the next gets another inode */
	}
	CHECK(source_adopt(fd, &st, &source) == VERDICT_REWRITTEN && source >= 0 && source != index);
}

/* One call writes no more than 2 GiB less a page. */
static void most(void)
{
	char *p = (char *)map(32, 2, PROT_READ);
	struct iovec iov[] = { { p, 32 * PAGE }, { (void *)PAGE, (size_t)3 << 30 }, { p, PAGE } };
	struct iovec bad[] = { { p, 32 * PAGE }, { p, (size_t)SSIZE_MAX + 1 } };

	CHECK(segments_build(&s, iov, 3) && s.count == 2 && s.seg[1].n == 0x7ffff000 - 32 * PAGE);
	CHECK(!segments_build(&s, bad, 2));
}

LAZY_TEST(made)
LAZY_TEST(refused)
LAZY_TEST(let_pass)
LAZY_TEST(other_file)
LAZY_TEST(parts)
LAZY_TEST(moves)
LAZY_TEST(source_goes)
LAZY_TEST(in_a_child)
LAZY_TEST(full)
LAZY_TEST(against_a_model)
LAZY_TEST(segments)
LAZY_TEST(settling)
LAZY_TEST(place_kept)
LAZY_TEST(most)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_let_pass),
		cmocka_unit_test(test_other_file),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_source_goes),
		cmocka_unit_test(test_in_a_child),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_place_kept),
		cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
