/* SPDX-License-Identifier: MIT */
/*
 * test_engine.c - segments of files and memory to a socket, where the file ends before the
 * segment does. Doubles for what the engine asks of the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine.h"
#include "hook.h"
#include "joint.h"
#include "lease.h"
#include "prim.h"
#include "sig.h"
#include "stall.h"
#include "thread.h"

enum { FILE_SIZE = 50000 };

size_t shunt_page = 4096;

int (*real_pthread_setcanceltype)(int type, int *old) = pthread_setcanceltype;

void hook_find(void **real, const char *name)
{
	(void)real, (void)name;
}

bool thread_single(void)
{
	return true;
}

bool segment_is_pinned(const struct segment *g)
{
	return g != NULL;
}

bool fd_is_nonblocking(int fd)
{
	return false;
}

sighandler_t sig_pipe_disposition(void)
{
	return SIG_DFL;
}

void fd_owe(struct fd_entry *e, int error)
{
}

_Atomic int lease_count; /* none: nobody asks the next two */

ssize_t stall_room(int fd, const struct fd_entry *e, bool *ask)
{
	*ask = false;
	return FILE_SIZE;
}

bool stall_threatens(int fd, const struct fd_entry *e, const struct segments *all, int flags)
{
	return false;
}

ssize_t stall_send(int fd, struct fd_entry *e, struct segments *all, int flags, size_t went[SEGMENTS],
		   enum verdict *reason)
{
	return ENGINE_PLAINLY;
}

/* No list of these tests asks for it: test_joint.c. */
struct pipe *joint_make(const struct segments *all)
{
	return NULL;
}

void pipes_leave(struct pipe *p)
{
}

static int file, ends[2];
static struct landing landed;
static struct fd_entry sink = { .kind = STATS_KIND_UNIX };
static struct segments s;
static size_t sent[SEGMENTS];
static enum verdict why;

static int start(void **state)
{
	static char data[FILE_SIZE];
	char path[] = "/tmp/shunt-engine-XXXXXX";
	int size = 1 << 20;

	file = mkstemp(path);
	for (int i = 0; i < FILE_SIZE; i++)
		data[i] = (char)(i % 251);
	if (file < 0 || unlink(path) != 0 || write(file, data, FILE_SIZE) != FILE_SIZE ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		return -1;
	return setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int finish(void **state)
{
	close(file);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static struct segment mapped(off_t offset, size_t n)
{
	return (struct segment){ .p = "", .n = n, .mapping = 7, .fd = file, .offset = offset };
}

static ssize_t send_all(unsigned count)
{
	s.count = count;
	why = VERDICT_REWRITTEN;
	memset(sent, 0, sizeof(sent));
	return engine_send(ends[0], &sink, &s, 0, sent, &why);
}

/*
 * N bytes have arrived, of which those from AT on are the file's from OFFSET on; and the socket is
 * open.
 */
static void arrived(size_t n, size_t at, size_t offset)
{
	static char got[1 << 20];

	assert_int_equal(recv(ends[1], got, sizeof(got), MSG_DONTWAIT), n);
	for (size_t i = at; i < n; i++)
		assert_int_equal(got[i], (char)((offset + i - at) % 251));
	assert_int_equal(recv(ends[1], got, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_in_a_row(void **state)
{
	unsigned long calls = prim_calls;

	/* two windows that meet go by one call, one that does not by another */
	s.seg[0] = mapped(100, 10000);
	s.seg[1] = mapped(10100, 20000);
	assert_int_equal(send_all(2), 30000);
	assert_int_equal(prim_calls - calls, 1);
	assert_int_equal(sent[0], 10000);
	assert_int_equal(sent[1], 20000);
	arrived(30000, 0, 100);
	s.seg[1] = mapped(10101, 500);
	assert_int_equal(send_all(2), 10500);
	assert_int_equal(recv(ends[1], (char[20000]){ 0 }, 10000, 0), 10000);
	arrived(500, 0, 10101);
}

static void test_gone(void **state)
{
	s.seg[0] = mapped(FILE_SIZE + 10, 20000);
	assert_int_equal(send_all(1), ENGINE_PLAINLY);
	assert_int_equal(why, VERDICT_KERNEL_REFUSED);
	s.seg[0] = mapped(100, 300);
	assert_int_equal(send_all(1), 300);
	arrived(300, 0, 100);
}

/*
 * What follows a header, or the file's last bytes, is not there: so far is what the call has
 * written.
 */
static void test_short(void **state)
{
	s.seg[0] = (struct segment){ .p = "head", .n = 4 };
	s.seg[1] = mapped(FILE_SIZE, 20000);
	assert_int_equal(send_all(2), 4);
	assert_int_equal(sent[1], 0);
	arrived(4, 4, 0);
	s.seg[1] = mapped(FILE_SIZE - 500, 20000);
	s.seg[2] = (struct segment){ .p = "never", .n = 5 };
	assert_int_equal(send_all(3), 504);
	assert_int_equal(sent[1], 500);
	assert_int_equal(sent[2], 0);
	arrived(504, 4, FILE_SIZE - 500);
}

/* Of a landing the bytes cannot be had in another way: the connection ends. */
static void test_landing_gone(void **state)
{
	s.seg[0] = mapped(FILE_SIZE + 10, 20000);
	s.seg[0].mapping = 0;
	s.seg[0].l = &landed;
	assert_int_equal(send_all(1), -EIO);
	assert_int_equal(why, VERDICT_TRUNCATED);
	assert_int_equal(recv(ends[1], (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_a_row, start, finish),
		cmocka_unit_test_setup_teardown(test_gone, start, finish),
		cmocka_unit_test_setup_teardown(test_short, start, finish),
		cmocka_unit_test_setup_teardown(test_landing_gone, start, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
