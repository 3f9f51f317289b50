/* SPDX-License-Identifier: MIT */
/*
 * test_joint.c - a header and what follows it in one call: what fits, and that it arrives as one. A
 * socket that keeps records says how many calls there were.
 */
#include "lazy.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "joint.h"
#include "pipes.h"
#include "prim.h"
#include "thread.h"

enum { ALL = 16 * PAGE }; /* what goes in one call if all of it lies well */

static struct segments s;
static char header[4 * PAGE];

static void begin(void)
{
	CHECK(landing_init());
	config.pipes = 2;
	for (size_t i = 0; i < sizeof(header); i++)
		header[i] = (char)(i * 7 % 253);
	s.count = 0;
	s.streams = 0;
}

static void add_memory(const char *p, size_t n)
{
	s.seg[s.count++] = (struct segment){ .p = p, .n = n };
}

static void add_file(off_t offset, size_t n)
{
	s.seg[s.count++] = (struct segment){ .mapping = 1, .n = n, .fd = lazy_fd, .offset = offset };
}

static char expected(size_t at)
{
	unsigned i = 0;

	for (; at >= s.seg[i].n; i++)
		at -= s.seg[i].n;
	return s.seg[i].mapping ? (char)lazy_byte(s.seg[i].offset + (off_t)at) : s.seg[i].p[at];
}

/* N bytes of S go into a pipe, and leave it by one splice as one record of a socket. */
static bool goes_as_one(size_t n)
{
	static char got[2 * ALL];
	struct pipe *p = joint_make(&s);
	int pair[2];
	bool whole;

	CHECK(p && p->bytes == n);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	CHECK(prim_splice(p->out, pair[0], n, SPLICE_F_NONBLOCK) == (ssize_t)n);
	p->bytes = 0;
	pipes_leave(p);
	whole = recv(pair[1], got, sizeof(got), MSG_DONTWAIT) == (ssize_t)n;
	for (size_t i = 0; i < n && whole; i++)
		whole = got[i] == expected(i);
	close(pair[0]);
	close(pair[1]);
	return whole;
}

static bool is_impossible(void)
{
	return !joint_make(&s);
}

static void header_and_file(void)
{
	begin();
	add_memory(header, 200);
	add_file(3000, 20000);
	CHECK(goes_as_one(20200));
}

/* Sixteen buffers, the header's among them; the file goes on behind. */
static void rest_of_file(void)
{
	begin();
	add_memory(header, 1);
	add_file(0, 100 * PAGE);
	CHECK(goes_as_one(1 + 15 * PAGE));
}

static void rest_of_file_askew(void)
{
	begin();
	add_memory(header, PAGE + 1);
	add_file(4000, 100 * PAGE);
	CHECK(goes_as_one(PAGE + 1 + 14 * PAGE - 4000));
}

/* Two pieces that lie in a row in the file are one. */
static void row(void)
{
	begin();
	add_memory(header, 10);
	add_file(500, 3000);
	add_file(3500, 200000);
	CHECK(goes_as_one(10 + 15 * PAGE - 500));
}

static void pieces_of_memory(void)
{
	begin();
	for (int i = 0; i < SEGMENTS_MEMORY; i++)
		add_memory(header + 100 * i, 100);
	add_file(0, 5 * PAGE);
	add_memory(header, 2);
	add_file(70000, 10);
	CHECK(goes_as_one(1600 + 5 * PAGE + 12));
}

static void exactly(void)
{
	begin();
	add_memory(header, PAGE);
	add_file(PAGE, 14 * PAGE);
	add_memory(header, PAGE);
	CHECK(goes_as_one(ALL));
}

/* What would be left over is not the rest of one file. */
static void memory_behind(void)
{
	begin();
	add_memory(header, PAGE);
	add_file(0, 15 * PAGE);
	add_memory(header, 1);
	CHECK(is_impossible());
}

static void other_file_behind(void)
{
	begin();
	add_memory(header, PAGE);
	add_file(0, 15 * PAGE);
	add_file(0, PAGE);
	CHECK(is_impossible());
}

static void header_too_long(void)
{
	static char many[17 * PAGE];

	begin();
	add_memory(many, sizeof(many));
	add_file(0, PAGE);
	CHECK(is_impossible());
	begin();
	add_memory(many, 16 * PAGE);
	add_file(0, PAGE);
	CHECK(is_impossible());
}

static void stream_among_it(void)
{
	begin();
	add_memory(header, 10);
	add_file(0, PAGE);
	s.streams = 1;
	CHECK(is_impossible());
}

/* What could not be filled is given back empty. */
static void cannot_be_filled(void)
{
	struct pipe *all[2];

	begin();
	add_memory((const char *)1, 10);
	add_file(0, PAGE);
	CHECK(is_impossible());
	begin();
	add_memory(header, 10);
	add_file(FILE_SIZE - 100, PAGE);
	CHECK(is_impossible());
	for (int i = 0; i < 2; i++)
		CHECK((all[i] = pipes_get()) && all[i]->bytes == 0);
	for (int i = 0, n; i < 2; i++)
		CHECK(prim_ioctl(all[i]->out, 0x541B, &n) == 0 && n == 0); /* FIONREAD */
}

/* With pages of 64 KiB the pipe itself has no more than eight buffers. */
static void large_pages(void)
{
	struct pipe *p;

	begin();
	shunt_page = 16 * PAGE;
	add_memory(header, 1);
	add_file(1000, 15 * 16 * PAGE);
	CHECK((p = joint_make(&s)) && p->bytes == 1 + 7 * 16 * PAGE - 1000);
	pipes_leave(p);
	s.seg[1].n = 7 * 16 * PAGE - 1000;
	CHECK((p = joint_make(&s)) && p->bytes == 1 + 7 * 16 * PAGE - 1000);
	pipes_leave(p);
	add_memory(header, 1);
	CHECK(is_impossible());
}

/* Where there is no descriptor left it is not known what the kernel can do: it is asked again. */
static void asked_again(void)
{
	struct rlimit before, none = { 0, 0 };

	begin();
	add_memory(header, 10);
	add_file(0, PAGE);
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none.rlim_max = before.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0 && is_impossible());
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	CHECK(goes_as_one(10 + PAGE));
}

static void no_pipe(void)
{
	begin();
	add_memory(header, 10);
	add_file(0, PAGE);
	config.pipes = 0;
	CHECK(is_impossible());
}

LAZY_TEST(header_and_file)
LAZY_TEST(rest_of_file)
LAZY_TEST(rest_of_file_askew)
LAZY_TEST(row)
LAZY_TEST(pieces_of_memory)
LAZY_TEST(exactly)
LAZY_TEST(memory_behind)
LAZY_TEST(other_file_behind)
LAZY_TEST(header_too_long)
LAZY_TEST(stream_among_it)
LAZY_TEST(cannot_be_filled)
LAZY_TEST(large_pages)
LAZY_TEST(asked_again)
LAZY_TEST(no_pipe)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_and_file), cmocka_unit_test(test_rest_of_file),
		cmocka_unit_test(test_rest_of_file_askew), cmocka_unit_test(test_row),
		cmocka_unit_test(test_pieces_of_memory), cmocka_unit_test(test_exactly),
		cmocka_unit_test(test_memory_behind), cmocka_unit_test(test_other_file_behind),
		cmocka_unit_test(test_header_too_long), cmocka_unit_test(test_stream_among_it),
		cmocka_unit_test(test_cannot_be_filled), cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_asked_again),
		cmocka_unit_test(test_no_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
