/* SPDX-License-Identifier: MIT */
/* test_segment.c - a write cut into segments, over real landings of a real file. */
#include "lazy.h"

#include "prim.h"
#include "segment.h"
#include "source.h"
#include "thread.h"

enum { CHUNK = 8 * PAGE };

static struct segments s;

static bool build(const void *p, size_t n)
{
	struct iovec iov = { (void *)p, n };

	return segments_build(&s, &iov, 1);
}

/* Segment I is plain memory, [p, p + n). */
static bool is_memory(unsigned i, const void *p, size_t n)
{
	return i < s.count && !s.seg[i].l && s.seg[i].p == p && s.seg[i].n == n;
}

/* Segment I is N bytes of the file from OFFSET on, which L stands for at P. */
static bool is_landed(unsigned i, const struct landing *l, const void *p, size_t n, off_t offset)
{
	const struct segment *g = &s.seg[i];

	return i < s.count && g->l == l && g->p == p && g->n == n && g->offset == offset &&
	       g->at == (uintptr_t)p - l->base && g->length == l->length &&
	       g->source == l->source - 1 && g->fd == source_at(g->source)->fd && g->fd >= 0 &&
	       g->sequence == l->sequence && g->read_site == lazy_site && g->read_fd == lazy_fd &&
	       g->reader == prim_gettid() && g->lazy_from == landing_lo(l) - l->base &&
	       g->lazy_to == landing_hi(l) - l->base;
}

static bool counted(unsigned count, unsigned landed)
{
	return s.count == count && s.landed == landed;
}

static struct landing *start(char *p, size_t n, off_t offset)
{
	struct landing *l;

	CHECK(landing_init());
	l = lazy_land(p, n, offset);
	CHECK(l);
	return l;
}

static void whole(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l = start(p, CHUNK, 1000);

	errno = EXFULL;
	CHECK(build(p, CHUNK) && counted(1, 1) && is_landed(0, l, p, CHUNK, 1000));
	CHECK(errno == EXFULL && landing_armed == 1 && stats_get()->fills == 0);
}

static void part(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l = start(p, CHUNK, 1000);

	CHECK(build(p, 1) && counted(1, 1) && is_landed(0, l, p, 1, 1000));
	CHECK(build(p + 777, 5000) && counted(1, 1) && is_landed(0, l, p + 777, 5000, 1777));
	CHECK(build(p + CHUNK - 1, 1) && is_landed(0, l, p + CHUNK - 1, 1, 1000 + CHUNK - 1));
	/* in two pieces, the second first */
	CHECK(segments_build(&s, (struct iovec[]){ { p + 100, CHUNK - 100 }, { p, 100 } }, 2));
	CHECK(counted(2, 2) && is_landed(0, l, p + 100, CHUNK - 100, 1100));
	CHECK(is_landed(1, l, p, 100, 1000));
}

static void two_chunks(void)
{
	char *p = lazy_memory(4 * CHUNK);
	struct landing *a = start(p, CHUNK, 100), *b = lazy_land(p + CHUNK, CHUNK, 50000);

	CHECK(b && landing_armed == 2);
	CHECK(build(p + 10, 2 * CHUNK - 30) && counted(2, 2));
	CHECK(is_landed(0, a, p + 10, CHUNK - 10, 110));
	CHECK(is_landed(1, b, p + CHUNK, CHUNK - 20, 50000));
	/* with memory between them, and behind */
	b = lazy_land(p + 2 * CHUNK, CHUNK, 99);
	landing_open(p + CHUNK, 1);
	CHECK(b && landing_armed == 2 && build(p, 4 * CHUNK) && counted(4, 2));
	CHECK(is_landed(0, a, p, CHUNK, 100) && is_memory(1, p + CHUNK, CHUNK));
	CHECK(is_landed(2, b, p + 2 * CHUNK, CHUNK, 99) && is_memory(3, p + 3 * CHUNK, CHUNK));
	/* two pieces of different buffers, the higher first */
	CHECK(segments_build(&s, (struct iovec[]){ { p + 2 * CHUNK, CHUNK }, { p, CHUNK } }, 2));
	CHECK(counted(2, 2) && s.seg[0].l == b && s.seg[1].l == a);
}

static void header_and_trailer(void)
{
	char *p = lazy_memory(3 * CHUNK), header[] = "HTTP", trailer[] = "\r\n";
	struct landing *l = start(p + CHUNK, CHUNK, 64);
	struct iovec iov[] = { { header, 4 }, { p + CHUNK, CHUNK }, { trailer, 2 } };

	CHECK(segments_build(&s, iov, 3));
	CHECK(counted(3, 1) && is_memory(0, header, 4) && is_memory(2, trailer, 2));
	CHECK(is_landed(1, l, p + CHUNK, CHUNK, 64));
	/* in front of and behind the chunk in one buffer */
	CHECK(build(p + CHUNK - 7, CHUNK + 20) && counted(3, 1) && is_memory(0, p + CHUNK - 7, 7));
	CHECK(is_landed(1, l, p + CHUNK, CHUNK, 64) && is_memory(2, p + 2 * CHUNK, 13));
	CHECK(build(p, CHUNK) && counted(1, 0) && is_memory(0, p, CHUNK));
	CHECK(build(p + 2 * CHUNK, CHUNK) && counted(1, 0) && is_memory(0, p + 2 * CHUNK, CHUNK));
}

/* A chunk that begins and ends within pages; HEAD and TAIL bytes are real memory. */
enum { BEFORE = 1000, HEAD = PAGE - BEFORE, TAIL = 300, ODD = HEAD + 5 * PAGE + TAIL };

static void edges_unchanged(void)
{
	char *p = lazy_memory(CHUNK) + BEFORE, *hi = p + ODD - TAIL;
	struct landing *l = start(p, ODD, 12345);

	CHECK(l->head == HEAD && l->tail == TAIL);
	CHECK(build(p, ODD) && counted(1, 1) && is_landed(0, l, p, ODD, 12345));
	/* from within the head to within the tail */
	CHECK(build(p + 7, ODD - 17) && counted(1, 1) && is_landed(0, l, p + 7, ODD - 17, 12352));
	/* a header before the head, something behind the tail: what lies outside is memory */
	CHECK(build(p - 5, ODD + 11) && counted(3, 1) && is_memory(0, p - 5, 5));
	CHECK(is_landed(1, l, p, ODD, 12345) && is_memory(2, p + ODD, 6));
	/* the edges alone are memory */
	CHECK(build(p, HEAD) && counted(1, 0) && is_memory(0, p, HEAD));
	CHECK(build(hi, TAIL) && counted(1, 0) && is_memory(0, hi, TAIL));
	/* one byte of what is landed takes the head along */
	CHECK(build(p, HEAD + 1) && counted(1, 1) && is_landed(0, l, p, HEAD + 1, 12345));
	CHECK(build(hi - 1, TAIL + 1) && is_landed(0, l, hi - 1, TAIL + 1, 12345 + ODD - TAIL - 1));
}

static void edges_changed(void)
{
	char *p = lazy_memory(CHUNK) + BEFORE, *lo = p + HEAD, *hi = p + ODD - TAIL;
	struct landing *l = start(p, ODD, 12345);

	/* the first byte, one in the middle, the last but one */
	for (int i = 0; i < HEAD; i += i == 0 ? HEAD / 2 : HEAD / 2 - 1) {
		p[i] ^= 1;
		CHECK(build(p, ODD) && counted(2, 1) && is_memory(0, p, HEAD));
		CHECK(is_landed(1, l, lo, ODD - HEAD, 12345 + HEAD));
		/* who does not send the changed byte does not mind */
		CHECK(build(p + i + 1, ODD - i - 1) && counted(1, 1));
		CHECK(is_landed(0, l, p + i + 1, ODD - i - 1, 12345 + i + 1));
		p[i] ^= 1;
	}
	for (int i = 0; i < TAIL; i += TAIL / 3) {
		hi[i] ^= 1;
		CHECK(build(p, ODD) && counted(2, 1) && is_memory(1, hi, TAIL));
		CHECK(is_landed(0, l, p, ODD - TAIL, 12345));
		CHECK(build(p, ODD - TAIL + i) && counted(1, 1) &&
		      is_landed(0, l, p, ODD - TAIL + i, 12345));
		hi[i] ^= 1;
	}
	lo[-1] ^= 1;
	hi[TAIL - 1] ^= 1;
	CHECK(build(p, ODD) && counted(3, 1) && is_memory(0, p, HEAD) && is_memory(2, hi, TAIL));
	CHECK(is_landed(1, l, lo, hi - lo, 12345 + HEAD));
	lo[-1] ^= 1;
	hi[TAIL - 1] ^= 1;
	CHECK(build(p, ODD) && counted(1, 1));
	CHECK(stats_get()->fills == 0);
}

/* The program looked at one end: the copy does not reach to what is armed now. */
static void partly_opened(void)
{
	char *p = lazy_memory(3 * CHUNK);
	struct landing *l = start(p, CHUNK, 9);

	CHECK(p[0] == (char)lazy_byte(9) && landing_lo(l) == (uintptr_t)p + PAGE);
	memcpy(l->head_copy, p, PAGE); /* as if an earlier chunk had left the same there */
	CHECK(build(p, CHUNK) && counted(2, 1) && is_memory(0, p, PAGE));
	CHECK(is_landed(1, l, p + PAGE, CHUNK - PAGE, 9 + PAGE));
	l = lazy_land(p + CHUNK + PAGE + 100, CHUNK, 5);
	CHECK(l && l->tail == 100 && l->head > 0);
	CHECK(p[2 * CHUNK + PAGE - 1] == (char)lazy_byte(5 + CHUNK - 101));
	CHECK(landing_hi(l) == (uintptr_t)p + 2 * CHUNK);
	memcpy(l->tail_copy, p + 2 * CHUNK, PAGE + 100);
	CHECK(build(p + CHUNK + PAGE + 100, CHUNK) && counted(2, 1));
	CHECK(is_landed(0, l, p + CHUNK + PAGE + 100, CHUNK - PAGE - 100, 5));
	CHECK(is_memory(1, p + 2 * CHUNK, PAGE + 100));
}

static void empty_pieces(void)
{
	char *p = lazy_memory(CHUNK), header = 'h';
	struct landing *l = start(p, CHUNK, 0);
	struct iovec iov[] = { { NULL, 0 }, { &header, 1 }, { p, 0 }, { p, CHUNK }, { NULL, 0 } };

	CHECK(segments_build(&s, iov, 5) && counted(2, 1));
	CHECK(is_memory(0, &header, 1) && is_landed(1, l, p, CHUNK, 0));
	CHECK(segments_build(&s, iov, 1) && counted(0, 0));
	CHECK(segments_build(&s, NULL, 0) && counted(0, 0));
	CHECK(build(NULL, 0) && counted(0, 0));
}

static void too_many(void)
{
	enum { PLAIN = SEGMENTS + 1 };
	static char byte[PLAIN];
	char *p = lazy_memory(CHUNK + PAGE) + PAGE;
	char *q = lazy_memory((THREAD_HAZARDS + 1) * CHUNK);
	struct iovec iov[PLAIN];
	struct landing *l = start(p, CHUNK, 0);

	for (int i = 0; i < PLAIN; i++)
		iov[i] = (struct iovec){ &byte[i], 1 };
	CHECK(segments_build(&s, iov, SEGMENTS) && counted(SEGMENTS, 0));
	CHECK(is_memory(SEGMENTS - 1, &byte[SEGMENTS - 1], 1));
	CHECK(!segments_build(&s, iov, SEGMENTS + 1));
	CHECK(s.count <= SEGMENTS);
	/* a landing in the last place that is sure to do */
	iov[SEGMENTS - 2] = (struct iovec){ p, CHUNK };
	CHECK(segments_build(&s, iov, SEGMENTS - 1) && is_landed(SEGMENTS - 2, l, p, CHUNK, 0));
	iov[SEGMENTS] = (struct iovec){ p, CHUNK };
	CHECK(!segments_build(&s, iov, SEGMENTS + 1) && s.count <= SEGMENTS);
	/* memory and a landing where there is room for one of them */
	iov[SEGMENTS - 2] = (struct iovec){ &byte[0], 1 };
	iov[SEGMENTS - 1] = (struct iovec){ p - 1, CHUNK + 1 };
	CHECK(!segments_build(&s, iov, SEGMENTS) && s.count <= SEGMENTS);
	/* more landings than a thread can keep open */
	for (int i = 0; i <= THREAD_HAZARDS; i++)
		CHECK(lazy_land(q + i * CHUNK, CHUNK, i));
	CHECK(build(q, THREAD_HAZARDS * CHUNK) && counted(THREAD_HAZARDS, THREAD_HAZARDS));
	CHECK(!build(q, (THREAD_HAZARDS + 1) * CHUNK));
	/* pieces that the kernel would refuse */
	CHECK(!build(p, SIZE_MAX) && !build((char *)UINTPTR_MAX, 1 + (size_t)1));
}

static void landing_in_change(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l = start(p, CHUNK, 0);
	uint64_t touched = l->touched;
	int source = l->source, fd;

	CHECK(build(p, CHUNK));
	l->sequence++;
	CHECK(!build(p, CHUNK));
	l->sequence++;
	l->freed = true;
	CHECK(!build(p, CHUNK));
	l->freed = false;
	l->source = 0; /* armed, but it means nothing yet */
	CHECK(!build(p, CHUNK));
	l->source = source;
	fd = source_at(source - 1)->fd;
	source_at(source - 1)->fd = -1;
	CHECK(!build(p, CHUNK));
	source_at(source - 1)->fd = fd;
	CHECK(build(p, CHUNK) && counted(1, 1));
	/* after a long time the pages are looked at: here they became something else unheard */
	l->touched = touched - 1000000000;
	CHECK(build(p, CHUNK) && counted(1, 1));
	CHECK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0) == p + PAGE);
	CHECK(!build(p, CHUNK));
}

static void pinned(void)
{
	char *p = lazy_memory(2 * CHUNK);
	struct landing *a = start(p, CHUNK, 0), *b = lazy_land(p + CHUNK, CHUNK, 5);
	struct thread *t = thread_self();

	CHECK(b && build(p, 2 * CHUNK) && counted(2, 2));
	t->hazard[2] = 77; /* left by a call that a signal ended */
	t->pins = 3;
	CHECK(segments_pin(&s));
	CHECK(t->hazard[0] == a->source && t->hazard[1] == b->source && t->hazard[2] == 0);
	segments_unpin(&s);
	CHECK(t->hazard[0] == 0 && t->hazard[1] == 0);
	/* read into anew between the two: the bytes are others */
	CHECK(lazy_land(p + CHUNK, CHUNK, 6) == b && !segments_pin(&s));
	segments_unpin(&s);
	CHECK(build(p, 2 * CHUNK) && segments_pin(&s) && s.seg[1].offset == 6);
	segments_unpin(&s);
	landing_open(p, 1);
	CHECK(!segments_pin(&s));
	/* memory needs no pin, and its place in the list leaves no gap */
	CHECK(build(p, 2 * CHUNK) && counted(2, 1) && !s.seg[0].l && segments_pin(&s));
	CHECK(t->hazard[0] == b->source && t->hazard[1] == 0);
}

/*
 * A handler's write leaves pinned what the write that it came in has pinned; one that is not deeper on
 * the stack finds what was left for good.
 */
static void pinned_in_handler(void)
{
	static struct segments on_stack[2], *deep = &on_stack[0], *shallow = &on_stack[1];
	char *p = lazy_memory(2 * CHUNK);
	struct landing *a = start(p, CHUNK, 0), *b = lazy_land(p + CHUNK, CHUNK, 5);
	struct iovec first = { p, CHUNK }, second = { p + CHUNK, CHUNK };
	struct thread *t = thread_self();

	CHECK(b && segments_build(shallow, &first, 1) && segments_pin(shallow));
	CHECK(segments_build(deep, &second, 1) && segments_pin(deep));
	CHECK(t->hazard[0] == a->source && t->hazard[1] == b->source);
	segments_unpin(deep);
	CHECK(t->hazard[0] == a->source && t->hazard[1] == 0);
	segments_unpin(shallow);
	CHECK(t->hazard[0] == 0 && t->pins == 0);
	for (int i = 0; i < 100; i++) /* each of the deep ones is left by longjmp */
		CHECK(segments_pin(shallow) && segments_pin(deep));
	CHECK(t->hazard[0] == a->source && t->hazard[1] == b->source && t->hazard[2] == 0);
	for (int i = 0; i < 100; i++)
		CHECK(segments_pin(deep));
	CHECK(segments_pin(shallow) && t->hazard[0] == a->source && t->hazard[1] == 0);
}

/* A pinned source is not closed under the thread that sends. */
static void pin_keeps_open(void)
{
	char *p = lazy_memory(CHUNK);
	struct landing *l = start(p, CHUNK, 0);
	int index = l->source - 1, fd = source_at(index)->fd;

	CHECK(build(p, CHUNK) && segments_pin(&s));
	landing_open_all();
	fd_reset(lazy_fd);
	CHECK(source_at(index)->landings == 0 && source_at(index)->holders == 0);
	CHECK(source_at(index)->fd == fd && prim_fcntl(fd, F_GETFD, 0) >= 0);
	segments_unpin(&s);
	source_reap(index);
	CHECK(source_at(index)->fd == -1 && prim_fcntl(fd, F_GETFD, 0) == -EBADF);
}

/* The program puts a file of its own over the number that is sent from. */
static void number_taken(void)
{
	struct landing *l = start(lazy_memory(CHUNK), CHUNK, 0);
	struct pipe pipe = { .out = 1050 };
	struct segment of_stream = { .l = l, .source = -1, .pipe = &pipe, .fd = 1050 };

	CHECK(build((void *)l->base, CHUNK) && segments_pin(&s));
	CHECK(segment_is_pinned(&s.seg[0]) && segment_is_pinned(&of_stream));
	fd_evade(s.seg[0].fd);
	CHECK(source_at(s.seg[0].source)->fd >= 0 && !segment_is_pinned(&s.seg[0]));
	pipe.out = 1051;
	CHECK(!segment_is_pinned(&of_stream));
	/* the next write knows the new number */
	CHECK(!segments_pin(&s) && build((void *)l->base, CHUNK) && segments_pin(&s));
	CHECK(segment_is_pinned(&s.seg[0]));
}

LAZY_TEST(whole)
LAZY_TEST(part)
LAZY_TEST(two_chunks)
LAZY_TEST(header_and_trailer)
LAZY_TEST(edges_unchanged)
LAZY_TEST(edges_changed)
LAZY_TEST(partly_opened)
LAZY_TEST(empty_pieces)
LAZY_TEST(too_many)
LAZY_TEST(landing_in_change)
LAZY_TEST(pinned)
LAZY_TEST(pinned_in_handler)
LAZY_TEST(pin_keeps_open)
LAZY_TEST(number_taken)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole), cmocka_unit_test(test_part),
		cmocka_unit_test(test_two_chunks), cmocka_unit_test(test_header_and_trailer),
		cmocka_unit_test(test_edges_unchanged), cmocka_unit_test(test_edges_changed),
		cmocka_unit_test(test_partly_opened), cmocka_unit_test(test_empty_pieces),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_landing_in_change),
		cmocka_unit_test(test_pinned), cmocka_unit_test(test_pinned_in_handler), cmocka_unit_test(test_pin_keeps_open),
		cmocka_unit_test(test_number_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
