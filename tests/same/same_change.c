/* SPDX-License-Identifier: MIT */
/* same_change.c - the program changes the bytes between read and write. */
#include "same.h"

static void change(struct same_rig *r, size_t at, size_t n)
{
	for (int i = 0; i < 12; i++) {
		memset(r->buf + at, 'A' + i, n);
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
	same_write(r);
}

static void first_byte(struct same_rig *r)
{
	change(r, 0, 1);
}

static void head_edge(struct same_rig *r)
{
	change(r, 2000, 1);
}

static void last_of_head_edge(struct same_rig *r)
{
	change(r, 4096 - 1233 - 1, 1);
}

static void first_of_first_page(struct same_rig *r)
{
	change(r, 4096 - 1233, 1);
}

static void middle_byte(struct same_rig *r)
{
	change(r, 30000, 1);
}

static void over_a_border(struct same_rig *r)
{
	change(r, 5 * 4096 - 1233 - 4, 8);
}

static void tail_edge(struct same_rig *r)
{
	change(r, SAME_CHUNK - 1000, 1);
}

static void last_byte(struct same_rig *r)
{
	change(r, SAME_CHUNK - 1, 1);
}

static void both_edges(struct same_rig *r)
{
	for (int i = 0; i < 12; i++) {
		r->buf[0]++;
		r->buf[r->size - 1]++;
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
}

static void all_of_it(struct same_rig *r)
{
	change(r, 0, SAME_CHUNK);
}

static void just_after(struct same_rig *r)
{
	change(r, SAME_CHUNK, 16);
}

static void just_before(struct same_rig *r)
{
	for (int i = 0; i < 12; i++) {
		memset(r->buf - 16, 'a' + i, 16);
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
}

static void once_only(struct same_rig *r)
{
	r->buf[20000] ^= 1;
	same_write(r);
	for (int i = 0; i < 12; i++) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
}

static void after_the_write(struct same_rig *r)
{
	for (int i = 0; i < 12; i++) {
		same_write(r);
		memset(r->buf + 10000, 'z', 20000);
		same_say_buffer(r);
		same_read(r);
	}
	same_say_buffer(r);
}

static void between_two_writes(struct same_rig *r)
{
	same_say("write", write(r->sink, r->buf, 30000));
	r->buf[40000] = 'x';
	r->buf[10] = 'y';
	same_say("write", write(r->sink, r->buf + 30000, 30000));
	same_say("write", write(r->sink, r->buf, 30000));
	same_say_buffer(r);
}

static void there_and_back(struct same_rig *r)
{
	char old = r->buf[30000];

	r->buf[30000] = (char)~old;
	r->buf[30000] = old;
	same_write(r);
}

/* The bytes behind a shorter chunk are those of the longer one before it. */
static void shorter_chunk(struct same_rig *r)
{
	r->got = (size_t)same_say("read", same_get(r->source, r->buf, 20000));
	same_say_buffer(r);
	same_say("write of both", write(r->sink, r->buf, r->size));
}

/* The same with pages only: no partial page tells. */
static void fewer_pages(struct same_rig *r)
{
	r->got = (size_t)same_say("read", same_get(r->source, r->buf, 20480));
	same_say_memory("after the chunk", r->buf + 20480, r->size - 20480);
	same_say_buffer(r);
	same_say("write of both", write(r->sink, r->buf, r->size));
}

static void shorter_after_write(struct same_rig *r)
{
	for (int n = 60000; n > 1000; n -= 7000) {
		same_write(r);
		r->got = (size_t)same_say("read", same_get(r->source, r->buf, (size_t)n));
	}
	same_say_buffer(r);
	same_say("write of all", write(r->sink, r->buf, r->size));
}

/* Each read goes to another place of the same memory. */
static void sliding(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 20; i++) {
		char *p = r->buf + i * 777;

		r->got = (size_t)same_say("read", same_get(r->source, p, 40000));
		same_say("write", write(r->sink, p, r->got));
	}
	same_say_buffer(r);
}

static void into_the_middle(struct same_rig *r)
{
	same_say("read", same_get(r->source, r->buf + 20000, 20000));
	same_say_memory("before it", r->buf, 20000);
	same_say("write", write(r->sink, r->buf, r->size));
	same_say_buffer(r);
}

static void moved(struct same_rig *r)
{
	memmove(r->buf, r->buf + 10000, r->got - 10000);
	same_say("write", write(r->sink, r->buf, r->got - 10000));
	same_say_buffer(r);
}

static const struct same_case cases[] = {
	{ "first_byte", first_byte, SAME_LAZY, 0 },
	{ "first_byte_page", first_byte, SAME_PAGE | SAME_LAZY, 0 },
	{ "head_edge", head_edge, SAME_LAZY, 0 },
	{ "last_of_head_edge", last_of_head_edge, SAME_LAZY, 0 },
	{ "first_of_first_page", first_of_first_page, SAME_LAZY, 0 },
	{ "middle_byte", middle_byte, SAME_LAZY, 0 },
	{ "middle_byte_page", middle_byte, SAME_PAGE | SAME_LAZY, 0 },
	{ "over_a_border", over_a_border, SAME_LAZY, 0 },
	{ "tail_edge", tail_edge, SAME_LAZY, 0 },
	{ "last_byte", last_byte, SAME_LAZY, 0 },
	{ "last_byte_page", last_byte, SAME_PAGE | SAME_LAZY, 0 },
	{ "both_edges", both_edges, SAME_LAZY, 0 },
	{ "all_of_it", all_of_it, SAME_LAZY, 0 },
	{ "just_after", just_after, SAME_LAZY, 0 },
	{ "just_after_page", just_after, SAME_PAGE | SAME_LAZY, 0 },
	{ "just_before", just_before, SAME_LAZY, 0 },
	{ "just_before_page", just_before, SAME_PAGE | SAME_LAZY, 0 },
	{ "once_only", once_only, SAME_LAZY, 0 },
	{ "after_the_write", after_the_write, SAME_LAZY, 0 },
	{ "between_two_writes", between_two_writes, SAME_LAZY, 0 },
	{ "there_and_back", there_and_back, SAME_LAZY, 0 },
	{ "shorter_chunk", shorter_chunk, SAME_LAZY, 0 },
	{ "shorter_chunk_page", shorter_chunk, SAME_PAGE | SAME_LAZY, 0 },
	{ "fewer_pages", fewer_pages, SAME_PAGE | SAME_LAZY, 0 },
	{ "shorter_after_write", shorter_after_write, SAME_LAZY, 0 },
	{ "sliding", sliding, SAME_LAZY, 0 },
	{ "into_the_middle", into_the_middle, SAME_LAZY, 0 },
	{ "moved", moved, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
