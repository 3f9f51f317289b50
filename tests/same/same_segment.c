/* SPDX-License-Identifier: MIT */
/* same_segment.c - a chunk is written in every way but whole. */
#include "same.h"

#include <sys/socket.h>
#include <sys/uio.h>

static void whole(struct same_rig *r)
{
	same_write(r);
	same_say_buffer(r);
}

static void halves(struct same_rig *r)
{
	same_say("first", write(r->sink, r->buf, r->size / 2));
	same_say("second", write(r->sink, r->buf + r->size / 2, r->size / 2));
}

static void second_half_only(struct same_rig *r)
{
	same_say("second", write(r->sink, r->buf + r->size / 2, r->size / 2));
	same_read(r);
	same_write(r);
}

static void inner(struct same_rig *r)
{
	same_say("inner", write(r->sink, r->buf + 20000, 30001));
}

static void one_byte(struct same_rig *r)
{
	same_say("byte", write(r->sink, r->buf + 30000, 1));
	same_write(r);
}

static void pieces(struct same_rig *r)
{
	size_t done, n;

	for (done = 0; done < r->got; done += n) {
		n = r->got - done < 10007 ? r->got - done : 10007;
		same_say("piece", write(r->sink, r->buf + done, n));
	}
}

static void backwards(struct same_rig *r)
{
	for (int i = 7; i >= 0; i--)
		same_say("piece", write(r->sink, r->buf + i * 8192, 8192));
}

static void twice(struct same_rig *r)
{
	same_say("once", write(r->sink, r->buf, r->got));
	same_write(r);
}

/* The buffer takes two chunks one behind the other; the write covers parts of both. */
static void across(struct same_rig *r)
{
	for (int i = 0; i < 6; i++) {
		same_say("read", same_get(r->source, r->buf, r->size / 2));
		same_say("read", same_get(r->source, r->buf + r->size / 2, r->size / 2));
		same_say("front", write(r->sink, r->buf, 5000));
		same_say("across", write(r->sink, r->buf + 5000, r->size - 10000));
		same_say("back", write(r->sink, r->buf + r->size - 5000, 5000));
	}
}

static void header(struct same_rig *r)
{
	char head[] = "header in front\n";
	struct iovec iov[2] = { { head, sizeof(head) - 1 }, { r->buf, r->got } };

	same_say("writev", writev(r->sink, iov, 2));
}

static void trailer(struct same_rig *r)
{
	char tail[] = "trailer behind\n";
	struct iovec iov[2] = { { r->buf, r->got }, { tail, sizeof(tail) - 1 } };

	same_say("writev", writev(r->sink, iov, 2));
}

static void empty_pieces(struct same_rig *r)
{
	struct iovec iov[5] = { { NULL, 0 }, { r->buf, 1000 }, { NULL, 0 },
				{ r->buf + 1000, r->got - 1000 }, { r->buf, 0 } };

	same_say("writev", writev(r->sink, iov, 5));
}

static void repeated_pieces(struct same_rig *r)
{
	struct iovec iov[3] = { { r->buf + 9000, 9000 }, { r->buf, 9000 }, { r->buf + 9000, 9000 } };

	same_say("writev", writev(r->sink, iov, 3));
}

static volatile int minus_one = -1;

static void many_pieces(struct same_rig *r)
{
	struct iovec iov[1025];

	for (int i = 0; i < 1025; i++)
		iov[i] = (struct iovec){ r->buf + (i * 61) % 60000, 50 };
	same_say("writev", writev(r->sink, iov, 1024));
	same_say("writev of 1025", writev(r->sink, iov, 1025));
	same_say("writev of 0", writev(r->sink, iov, 0));
	same_say("writev of -1", writev(r->sink, iov, minus_one));
}

static void message(struct same_rig *r)
{
	struct iovec iov[3] = { { (char *)"head", 4 }, { r->buf, r->got }, { (char *)"tail", 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	same_say("sendmsg", sendmsg(r->sink, &msg, 0));
}

static void message_with_control(struct same_rig *r)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { r->buf, r->got };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &r->source, sizeof(int));
	same_say("sendmsg", sendmsg(r->sink, &msg, 0));
}

static void sends(struct same_rig *r)
{
	static const int flags[] = { 0, MSG_NOSIGNAL, MSG_MORE, MSG_EOR, 0 };

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		same_say("send", send(r->sink, r->buf, r->got, flags[i]));
		same_read(r);
	}
	same_say("sendto", sendto(r->sink, r->buf, r->got, MSG_NOSIGNAL, NULL, 0));
}

static void other_words(struct same_rig *r)
{
	struct iovec iov = { r->buf, r->got };

	same_say("pwrite", pwrite(r->sink, r->buf, r->got, 0));
	same_say("pwritev", pwritev(r->sink, &iov, 1, 0));
	same_say("pwritev2", pwritev2(r->sink, &iov, 1, -1, 0));
}

static void beyond_the_chunk(struct same_rig *r)
{
	same_say("write", write(r->sink, r->buf, r->got + 100));
	same_say("write", write(r->sink, r->buf - 100, r->got + 200));
}

static void nothing(struct same_rig *r)
{
	same_say("write of 0", write(r->sink, r->buf, 0));
	same_say("send of 0", send(r->sink, r->buf, 0, 0));
	same_write(r);
}

static void bad_pointers(struct same_rig *r)
{
	same_say("write", write(r->sink, same_bad, 100));
	same_say("writev", writev(r->sink, same_bad, 2));
	same_say("sendmsg", sendmsg(r->sink, same_bad, 0));
}

/* How much of the good piece goes out is the kernel's choice. */
static void bad_piece(struct same_rig *r)
{
	struct iovec iov[2] = { { r->buf, 30000 }, { same_bad, 100 } };
	ssize_t n = writev(r->sink, iov, 2);

	same_say("outcome: some or EFAULT", n > 0 ? n <= 30000 : errno == EFAULT);
	same_say_memory("outcome: buffer", r->buf, r->size);
}

static void bad_descriptors(struct same_rig *r)
{
	same_say("write to -1", write(-1, r->buf, r->got));
	same_say("write to 999", write(999, r->buf, r->got));
	same_say("write to the source", write(r->source, r->buf, r->got));
	same_say("send to the source", send(r->source, r->buf, r->got, 0));
	same_write(r);
}

static void two_sinks(struct same_rig *r)
{
	int other = same_second_sink();

	same_loop(r, SAME_ROUNDS);
	for (int i = 0; i < 8; i++) {
		same_read(r);
		same_say("other", write(other, r->buf, r->got));
		same_write(r);
	}
	close(other);
}

/* A buffer of sixteen chunks is filled by sixteen reads and leaves in one write. */
static void gathered(struct same_rig *r)
{
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < 16; i++)
			same_say("read", same_get(r->source, r->buf + i * SAME_CHUNK, SAME_CHUNK));
		r->got = 16 * SAME_CHUNK;
		same_write(r);
	}
}

static void say_errno(const char *after)
{
	int error = errno;

	same_say(after, error);
	errno = error;
}

/* Calls that succeed, and looks, leave errno as it was. */
static void errno_stays(struct same_rig *r)
{
	ssize_t n, m;

	for (int i = 0; i < 4; i++) {
		errno = EDOM;
		n = write(r->sink, r->buf, r->got);
		say_errno("errno after a write");
		m = same_get(r->source, r->buf, r->size);
		say_errno("errno after a read");
		if (i == 3)
			*(volatile char *)(r->buf + 30000);
		say_errno("errno after a look");
		same_say("write", n);
		same_say("read", m);
	}
	same_say_buffer(r);
}

static void vectored_read(struct same_rig *r)
{
	for (int i = 0; i < 8; i++) {
		struct iovec iov[3] = { { r->buf, 20000 }, { NULL, 0 }, { r->buf + 20000, 45536 } };

		r->got = (size_t)same_say("readv", readv(r->source, iov, 3));
		same_write(r);
	}
	same_say_buffer(r);
}

static void positioned_read(struct same_rig *r)
{
	for (int i = 0; i < 8; i++) {
		struct iovec iov = { r->buf, r->size };

		r->got = (size_t)same_say("pread", pread(r->source, r->buf, r->size, i * 777));
		same_write(r);
		same_say("offset", lseek(r->source, 0, SEEK_CUR));
		r->got = (size_t)same_say("preadv", preadv(r->source, &iov, 1, i * 70001));
		same_write(r);
	}
	same_say_buffer(r);
}

/* Loops that never write a chunk whole are learned all the same: nothing but such loops here. */
static void learned_in_parts(struct same_rig *r)
{
	for (int i = 0; i < SAME_ROUNDS; i++) {
		ssize_t n = same_get(r->source, r->buf, r->size);

		same_say("part", write(r->sink, r->buf, 30000));
		same_say("rest", write(r->sink, r->buf + 30000, (size_t)n - 30000));
	}
}

static void learned_in_pieces(struct same_rig *r)
{
	for (int i = 0; i < SAME_ROUNDS; i++) {
		ssize_t n = same_get(r->source, r->buf, r->size);
		struct iovec v[2] = { { r->buf, 30000 }, { r->buf + 30000, (size_t)n - 30000 } };

		same_say("writev", writev(r->sink, v, 2));
	}
}

/* As where the socket's buffer is full at the same place of each chunk. */
static void learned_but_for_a_little(struct same_rig *r)
{
	for (int i = 0; i < SAME_ROUNDS; i++) {
		ssize_t n = same_get(r->source, r->buf, r->size);

		same_say("most", write(r->sink, r->buf, (size_t)n - 256));
		same_say("rest", write(r->sink, r->buf + n - 256, 256));
	}
}

static const struct same_case cases[] = {
	{ "whole", whole, 0, 0 },
	{ "whole_unix", whole, SAME_UNIX, 0 },
	{ "whole_page", whole, SAME_PAGE, 0 },
	{ "whole_8k", whole, SAME_PLAIN, 8192 },
	{ "whole_1m", whole, 0, 1 << 20 },
	{ "halves", halves, 0, 0 },
	{ "halves_unix", halves, SAME_UNIX, 0 },
	{ "second_half_only", second_half_only, 0, 0 },
	{ "inner", inner, 0, 0 },
	{ "one_byte", one_byte, 0, 0 },
	{ "pieces", pieces, 0, 0 },
	{ "pieces_page", pieces, SAME_PAGE, 0 },
	{ "backwards", backwards, 0, 0 },
	{ "twice", twice, 0, 0 },
	{ "across", across, SAME_BARE | SAME_PLAIN, 0 },
	{ "across_page", across, SAME_BARE | SAME_PLAIN | SAME_PAGE, 131072 },
	{ "header", header, 0, 0 },
	{ "header_unix", header, SAME_UNIX, 0 },
	{ "trailer", trailer, 0, 0 },
	{ "empty_pieces", empty_pieces, 0, 0 },
	{ "repeated_pieces", repeated_pieces, 0, 0 },
	{ "many_pieces", many_pieces, 0, 0 },
	{ "message", message, 0, 0 },
	{ "message_with_control", message_with_control, SAME_UNIX, 0 },
	{ "sends", sends, 0, 0 },
	{ "sends_unix", sends, SAME_UNIX, 0 },
	{ "other_words", other_words, 0, 0 },
	{ "beyond_the_chunk", beyond_the_chunk, 0, 0 },
	{ "nothing", nothing, 0, 0 },
	{ "bad_pointers", bad_pointers, 0, 0 },
	{ "bad_piece", bad_piece, SAME_OUTCOME, 0 },
	{ "bad_descriptors", bad_descriptors, 0, 0 },
	{ "two_sinks", two_sinks, SAME_BARE, 0 },
	{ "gathered", gathered, SAME_BARE | SAME_PLAIN, 16 * SAME_CHUNK },
	{ "errno_stays", errno_stays, SAME_LAZY, 0 },
	{ "vectored_read", vectored_read, SAME_BARE | SAME_PLAIN, 0 },
	{ "positioned_read", positioned_read, SAME_BARE, 0 },
	{ "learned_in_parts", learned_in_parts, SAME_BARE, 0 },
	{ "learned_in_pieces", learned_in_pieces, SAME_BARE, 0 },
	{ "learned_but_for_a_little", learned_but_for_a_little, SAME_BARE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
