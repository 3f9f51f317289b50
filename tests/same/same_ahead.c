/* SPDX-License-Identifier: MIT */
/*
 * same_ahead.c - in a loop over a file the first bytes of the next chunk are read along
 * with the last of this one. They must be what a read at that time would give; a write
 * would hide it if they were not, since it sends what is in the file, so the cases look.
 */
#include "inline.h"
#include "same.h"

#include <sys/mman.h>
#include <sys/syscall.h>

enum { HEAD = 1000, SOME = 20000 };

/* mprotect of the page in which the buffer begins, by a call that no hook hears. */
static void protect_head(struct same_rig *r, int protection)
{
	long page = (long)r->buf & -4096L;
	long ret = inline_call(SYS_mprotect, page, 4096, protection, 0, 0, 0);

	same_say("mprotect", ret);
}

static void go_on(struct same_rig *r)
{
	for (int i = 0; i < 3; i++) {
		same_read(r);
		same_write(r);
	}
	same_read(r);
	same_say_buffer(r);
	same_write(r);
	same_loop(r, 2);
}

static void in_a_row(struct same_rig *r)
{
	same_loop(r, 2 * SAME_ROUNDS);
	go_on(r);
}

static void to_the_end(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	lseek(r->source, -3 * SAME_CHUNK - SOME, SEEK_END);
	for (int i = 0; i < 4; i++) {
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
	same_say("read", same_get(r->source, r->buf, r->size));
}

static void look(struct same_rig *r)
{
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void seek_back(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	lseek(r->source, -30000, SEEK_CUR);
	look(r);
	go_on(r);
}

static void seek_a_little(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	lseek(r->source, 100, SEEK_CUR);
	look(r);
	go_on(r);
}

static void other_lengths(struct same_rig *r)
{
	static const size_t length[] = { 40000, 65536, 50001, 33000, 65536, 65536, 36864 };

	same_loop(r, SAME_ROUNDS);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(length) / sizeof(length[0]); i++) {
			ssize_t n = same_get(r->source, r->buf, length[i]);

			same_say("read", n);
			if (round == 2)
				same_say_memory("chunk", r->buf, (size_t)n);
			same_say("write", write(r->sink, r->buf, (size_t)n));
		}
	go_on(r);
}

/* Two files in turn through one buffer. */
static void two_files(struct same_rig *r)
{
	int first = r->source, second = open("../other", O_RDONLY);

	same_loop(r, SAME_ROUNDS);
	lseek(second, 3 * SAME_CHUNK, SEEK_SET);
	r->source = second;
	look(r);
	go_on(r);
	r->source = first;
	look(r);
	close(second);
}

/* This process changes what was read ahead. */
static void written_here(struct same_rig *r)
{
	int fd = open("mine", O_RDWR);
	char bytes[HEAD];

	memset(bytes, 'w', sizeof(bytes));
	same_loop(r, SAME_ROUNDS);
	same_drain(r, 'g');
	for (int i = 0; i < 3; i++) {
		same_say("pwrite", pwrite(fd, bytes, sizeof(bytes), lseek(r->source, 0, SEEK_CUR)));
		same_read(r);
		same_say_buffer(r);
		same_write(r);
		same_drain(r, 'g');
	}
	go_on(r);
}

/* The same by a shared mapping of the file, of which no call tells. */
static void written_in_mapping(struct same_rig *r)
{
	int fd = open("mine", O_RDWR);
	char *map = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	same_loop(r, SAME_ROUNDS);
	same_drain(r, 'g');
	memset(map + lseek(r->source, 0, SEEK_CUR), 'v', HEAD);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
	same_drain(r, 'g');
	go_on(r);
}

/* Another process does. */
static void written_there(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	same_drain(r, 'o');
	same_read(r);
	same_say_buffer(r);
	same_write(r);
	go_on(r);
}

/* There is no page where the buffer begins: the kernel refuses the read, and nothing moves. */
static void no_page(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	protect_head(r, PROT_NONE);
	same_say("read", same_get(r->source, r->buf, r->size));
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
	protect_head(r, PROT_READ | PROT_WRITE);
	go_on(r);
	protect_head(r, PROT_READ);
	same_say("read", same_get(r->source, r->buf, r->size));
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
	protect_head(r, PROT_READ | PROT_WRITE);
	go_on(r);
}

static const struct same_case cases[] = {
	{ "in_a_row", in_a_row, 0, 0 },
	{ "in_a_row_unix", in_a_row, SAME_UNIX, 0 },
	{ "to_the_end", to_the_end, 0, 0 },
	{ "seek_back", seek_back, 0, 0 },
	{ "seek_a_little", seek_a_little, 0, 0 },
	{ "other_lengths", other_lengths, 0, 0 },
	{ "two_files", two_files, 0, 0 },
	{ "written_here", written_here, SAME_OWN, 0 },
	{ "written_in_mapping", written_in_mapping, SAME_OWN, 0 },
	{ "written_there", written_there, SAME_OWN | SAME_NO_LEASE, 0 },
	{ "no_page", no_page, 0, 0 },
	{ 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
