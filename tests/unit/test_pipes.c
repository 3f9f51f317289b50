/* SPDX-License-Identifier: MIT */
/* test_pipes.c - the pool of hidden pipes: how many, how large, and whose. */
#include "lazy.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "fd.h"
#include "pipes.h"
#include "prim.h"
#include "thread.h"

static struct pipe *all[8];

static void take_all(unsigned n)
{
	config.pipes = n;
	for (unsigned i = 0; i < n; i++)
		CHECK((all[i] = pipes_get()) != NULL);
	CHECK(!pipes_get());
}

static int lies_in(const struct pipe *p)
{
	int n = -1;

	CHECK(prim_ioctl(p->out, 0x541B, &n) == 0); /* FIONREAD */
	return n;
}

static void put_into(struct pipe *p, size_t n)
{
	static char bytes[PIPES_SIZE];

	CHECK(prim_write(p->in, bytes, n) == (ssize_t)n);
	p->bytes += n;
}

static void bounded(void)
{
	take_all(4);
	pipes_leave(all[2]);
	CHECK(pipes_get() == all[2] && !pipes_get());
	config.pipes = 0;
}

static void none(void)
{
	config.pipes = 0;
	CHECK(!pipes_get());
}

static void made_well(void)
{
	take_all(2);
	for (int i = 0; i < 2; i++) {
		CHECK(prim_fcntl(all[i]->in, F_GETPIPE_SZ, 0) == PIPES_SIZE);
		CHECK(prim_fcntl(all[i]->in, F_GETFL, 0) & O_NONBLOCK);
		CHECK(prim_fcntl(all[i]->out, F_GETFD, 0) & FD_CLOEXEC);
		CHECK(fd_is_ours(all[i]->in) && fd_is_ours(all[i]->out) && all[i]->out > 16);
		CHECK(all[i]->loose && all[i]->holder == thread_self()->tid);
	}
}

/* What was in it is gone when it is taken again. */
static void pooled_empty(void)
{
	take_all(1);
	put_into(all[0], 100000);
	pipes_leave(all[0]);
	CHECK(pipes_get() == all[0] && all[0]->bytes == 0 && all[0]->at == 0 && lies_in(all[0]) == 0);
}

/* A connection whose writes of N bytes arrive as segments of their own; [0] is written to. */
static void connect_segments(int pair[2], size_t n, int count)
{
	static char bytes[PAGE];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	for (int i = 0; i < count; i++)
		CHECK(write(pair[0], bytes, n) == (ssize_t)n);
}

static bool has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return prim_poll(&p, 1, 0) == 1;
}

/*
 * Why the program's own pipes are no sinks (doc/transparency.md): as many bytes fill a pipe by
 * splice that leave room in it by write.
 */
static void counts_slots(void)
{
	static char bytes[65536];
	int pair[2], spliced[2], written[2];
	ssize_t n;

	CHECK(pipe2(spliced, O_NONBLOCK) == 0 && pipe2(written, O_NONBLOCK) == 0);
	connect_segments(pair, 100, 64);
	n = prim_splice(pair[1], spliced[1], 6400, SPLICE_F_NONBLOCK);
	CHECK(n > 0 && n < 6400 && !has_room(spliced[1]));
	CHECK(write(written[1], bytes, (size_t)n) == n && has_room(written[1]));
	/* and a page that is read gives no page back */
	CHECK(read(spliced[0], bytes, 50) == 50 && !has_room(spliced[1]));
}

static void skipped(void)
{
	take_all(1);
	put_into(all[0], 100000);
	all[0]->at = 5;
	CHECK(pipes_skip(all[0], 30001) && all[0]->at == 30006 && lies_in(all[0]) == 69999);
	CHECK(!pipes_skip(all[0], 70000));
}

/* Who holds it keeps it, though the landing let it go; then it is free. */
static void dropped_while_held(void)
{
	take_all(1);
	all[0]->loose = false; /* attached */
	put_into(all[0], 10);
	pipes_drop(all[0]);
	CHECK(!pipes_get() && lies_in(all[0]) == 10 && all[0]->taken);
	pipes_leave(all[0]);
	CHECK(pipes_get() == all[0] && lies_in(all[0]) == 0);
}

static void left_attached(void)
{
	take_all(1);
	all[0]->loose = false;
	put_into(all[0], 10);
	pipes_leave(all[0]);
	CHECK(!pipes_get() && pipes_hold(all[0]) && !pipes_hold(all[0]));
	pipes_leave(all[0]);
	pipes_drop(all[0]);
	CHECK(pipes_get() == all[0]);
}

/* A longjmp left it held and loose; the next call of the thread that finds none takes it back. */
static void lost(void)
{
	take_all(2);
	put_into(all[0], 7);
	pipes_reclaim();
	CHECK(pipes_get() && pipes_get() && !pipes_get());
}

static void not_lost(void)
{
	take_all(2);
	all[0]->loose = false; /* a landing has it */
	all[1]->holder = 0;    /* it is being given back */
	pipes_reclaim();
	CHECK(!pipes_get());
}

static void rest(void)
{
	int out;

	take_all(2);
	out = all[0]->out;
	pipes_leave(all[0]);
	pipes_rest();
	CHECK(prim_fcntl(out, F_GETFD, 0) == -EBADF && !fd_is_ours(out));
	CHECK(prim_fcntl(all[1]->out, F_GETFD, 0) >= 0);
	CHECK(pipes_get() == all[0] && all[0]->open);
}

/* A dup2 of the program's over one of ours: the bytes are where they were. */
static void evaded(void)
{
	int out;

	take_all(1);
	put_into(all[0], 9);
	out = all[0]->out;
	fd_evade(out);
	CHECK(all[0]->out != out && fd_is_ours(all[0]->out) && !fd_is_ours(out) && lies_in(all[0]) == 9);
}

/* The child has none of the parent's, and may have as many of its own. */
static void in_child(void)
{
	int out;

	take_all(2);
	out = all[0]->out;
	pipes_forked();
	CHECK(prim_fcntl(out, F_GETFD, 0) == -EBADF);
	CHECK(pipes_get() && pipes_get() && !pipes_get());
}

LAZY_TEST(bounded)
LAZY_TEST(none)
LAZY_TEST(made_well)
LAZY_TEST(pooled_empty)
LAZY_TEST(skipped)
LAZY_TEST(counts_slots)
LAZY_TEST(dropped_while_held)
LAZY_TEST(left_attached)
LAZY_TEST(lost)
LAZY_TEST(not_lost)
LAZY_TEST(rest)
LAZY_TEST(evaded)
LAZY_TEST(in_child)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded), cmocka_unit_test(test_none),
		cmocka_unit_test(test_made_well), cmocka_unit_test(test_pooled_empty),
		cmocka_unit_test(test_skipped), cmocka_unit_test(test_counts_slots),
		cmocka_unit_test(test_dropped_while_held),
		cmocka_unit_test(test_left_attached), cmocka_unit_test(test_lost),
		cmocka_unit_test(test_not_lost), cmocka_unit_test(test_rest),
		cmocka_unit_test(test_evaded), cmocka_unit_test(test_in_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
