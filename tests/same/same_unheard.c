/* SPDX-License-Identifier: MIT */
/*
 * same_unheard.c - memory and descriptors that go away by calls of which no hook hears:
 * made in line, as runtimes and allocators of their own do, or inside libc. What a
 * lazy buffer was protected for is then asked anew; nothing of the old is sent or filled.
 *
 * A send within some milliseconds of such a call may still meet the old protection,
 * which only the guard can tell; so the cases wait where a write comes next.
 */
#include "same.h"

#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "inline.h"

/* The rig's buffer is new memory from here on, which is landed. */
static void use_mapping(struct same_rig *r)
{
	r->buf = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
}

/* Other memory takes the place of the buffer, full of 'n'. */
static void replace(struct same_rig *r, int more)
{
	long p = inline_call(SYS_munmap, (long)r->buf, (long)r->size, 0, 0, 0, 0);

	same_say("munmap", p);
	p = inline_call(SYS_mmap, (long)r->buf, (long)r->size, PROT_READ | PROT_WRITE,
			more | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	same_say("same place", p == (long)r->buf);
	memset(r->buf, 'n', r->size);
}

static void wait_a_little(void)
{
	usleep(100000);
}

static void then_write(struct same_rig *r)
{
	use_mapping(r);
	replace(r, MAP_PRIVATE);
	wait_a_little();
	same_write(r);
	same_say_memory("new", r->buf, r->size);
}

static void then_write_to_file(struct same_rig *r)
{
	int out = open("out", O_WRONLY | O_CREAT, 0644);

	use_mapping(r);
	replace(r, MAP_PRIVATE);
	same_say("write", write(out, r->buf, r->size));
	same_say_file("out");
	same_say_memory("new", r->buf, r->size);
}

static void then_read(struct same_rig *r)
{
	use_mapping(r);
	same_write(r);
	replace(r, MAP_PRIVATE);
	same_read(r);
	same_say_memory("chunk", r->buf, r->size);
	same_write(r);
	same_loop(r, 4);
}

static void then_short_read(struct same_rig *r)
{
	use_mapping(r);
	replace(r, MAP_PRIVATE);
	same_say("read", same_get(r->source, r->buf, 1000));
	same_say_memory("new", r->buf, r->size);
}

/* What lies there is shared with a child, which must see the chunk. */
static void then_read_shared(struct same_rig *r)
{
	pid_t child;
	int go[2];
	char c = 0;

	use_mapping(r);
	same_write(r);
	replace(r, MAP_SHARED);
	if (pipe(go) != 0)
		return;
	child = fork();
	if (child == 0) {
		if (read(go[0], &c, 1) == 1)
			same_say_memory("seen by the child", r->buf, r->size);
		_exit(0);
	}
	same_read(r);
	if (write(go[1], &c, 1) != 1)
		return;
	waitpid(child, NULL, 0);
	same_write(r);
}

static void then_fork(struct same_rig *r)
{
	pid_t child;

	use_mapping(r);
	replace(r, MAP_PRIVATE);
	child = fork();
	if (child == 0) {
		same_say_memory("new, child", r->buf, r->size);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	same_say_memory("new", r->buf, r->size);
}

static void then_close(struct same_rig *r)
{
	use_mapping(r);
	replace(r, MAP_PRIVATE);
	same_say("close", close(r->source));
	r->source = -1;
	same_say_memory("new", r->buf, r->size);
}

static void then_sleep(struct same_rig *r)
{
	use_mapping(r);
	replace(r, MAP_PRIVATE);
	sleep(1);
	same_say_memory("new", r->buf, r->size);
}

static void then_mprotect(struct same_rig *r)
{
	use_mapping(r);
	replace(r, MAP_PRIVATE);
	same_say("mprotect", mprotect(r->buf, r->size, PROT_READ));
	same_say_memory("new", r->buf, r->size);
}

static sigjmp_buf back;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* Where the buffer was the program wants a fault. */
static void then_forbidden(struct same_rig *r)
{
	pid_t child;

	use_mapping(r);
	replace(r, MAP_PRIVATE);
	same_say("mprotect", inline_call(SYS_mprotect, (long)r->buf, (long)r->size, PROT_READ, 0, 0, 0));
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	signal(SIGSEGV, jump);
	if (sigsetjmp(back, 1) == 0) {
		r->buf[20000] = 'x';
		same_say("written to read-only memory", 1);
	}
	same_say_memory("new", r->buf, r->size);
}

/* Pages of the middle are somebody else's now; those around are the chunk still. */
static void replace_part(struct same_rig *r, size_t at, size_t n, int prot)
{
	long p = (long)r->buf + (long)at;

	same_say("munmap", inline_call(SYS_munmap, p, (long)n, 0, 0, 0, 0));
	same_say("same place", inline_call(SYS_mmap, p, (long)n, prot,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	if (prot & PROT_WRITE)
		memset(r->buf + at, 'n', n);
}

static void then_part(struct same_rig *r)
{
	for (int i = 0; i < 4; i++) {
		use_mapping(r);
		replace_part(r, 20480, 8192, PROT_READ | PROT_WRITE);
		if (i == 0)
			same_say_memory("after", r->buf + 40000, 20000);
		else if (i == 1)
			same_say("close", close(dup(r->source)));
		else if (i == 2)
			wait_a_little();
		else
			same_say("mprotect", mprotect(r->buf, r->size, PROT_READ | PROT_WRITE));
		same_say_memory("chunk and new", r->buf, r->size);
		same_write(r);
	}
}

static void then_first_part(struct same_rig *r)
{
	use_mapping(r);
	replace_part(r, 0, 8192, PROT_READ | PROT_WRITE);
	same_say_memory("the first byte", r->buf + 5000, 1);
	same_say_memory("chunk and new", r->buf, r->size);
	wait_a_little();
	same_write(r);
}

/* Another's reserve of addresses, behind a hole, which must be empty when it comes to be used. */
static void then_reserve(struct same_rig *r)
{
	enum { ROOM = 4 << 20, PART = 8192 };
	char *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long reserve = (long)p + (long)r->size - PART, rest = (long)p + ROOM - reserve;

	r->buf = p;
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("munmap", inline_call(SYS_munmap, reserve - PART, rest + PART, 0, 0, 0, 0));
	same_say("mmap", inline_call(SYS_mmap, reserve, rest, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == reserve);
	r->got -= 2 * PART;
	same_say_memory("the chunk", r->buf, r->got);
	same_say("mprotect", inline_call(SYS_mprotect, reserve, rest, PROT_READ | PROT_WRITE, 0, 0, 0));
	same_say_memory("the reserve", (char *)reserve, (size_t)rest);
	same_write(r);
}

/* A hole: nothing there to be filled. */
static void then_hole(struct same_rig *r)
{
	pid_t child;

	use_mapping(r);
	same_say("munmap", inline_call(SYS_munmap, (long)r->buf, (long)r->size, 0, 0, 0, 0));
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	same_say("write", write(r->sink, r->buf, r->size));
	same_say("read", same_get(r->source, r->buf, r->size));
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
}

/* ---- descriptors ---- */

/* fclose closes inside libc, fopen opens there. */
static void file_by_stdio(struct same_rig *r)
{
	FILE *f;
	int fd;

	same_write(r);
	close(r->source);
	f = fopen("../data", "r");
	r->source = fileno(f);
	same_loop(r, SAME_ROUNDS);
	for (int i = 0; i < 4; i++) {
		fd = r->source;
		same_read(r);
		fclose(f);
		f = fopen(i % 2 ? "../data" : "../other", "r");
		r->source = fileno(f);
		same_say("same number", r->source == fd);
		same_write(r);
		same_read(r);
		same_write(r);
		r->got = (size_t)same_say("pread", pread(r->source, r->buf, r->size, 70000));
		same_write(r);
	}
}

static void reopen(struct same_rig *r, const char *path)
{
	long fd;

	inline_call(SYS_close, r->source, 0, 0, 0, 0, 0);
	fd = inline_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY, 0, 0, 0);
	same_say("same number", fd == r->source);
}

static void other_file(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 6; i++) {
		same_read(r);
		reopen(r, i % 2 ? "../data" : "../other");
		same_write(r);
		same_read(r);
		same_write(r);
	}
	same_say_buffer(r);
}

static void other_file_pread(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 6; i++) {
		r->got = (size_t)same_say("pread", pread(r->source, r->buf, r->size, i * 77777));
		same_write(r);
		reopen(r, i % 2 ? "../data" : "../other");
		r->got = (size_t)same_say("pread", pread(r->source, r->buf, r->size, i * 55555));
		same_say_buffer(r);
		same_write(r);
	}
}

/* A number that was a stream socket becomes one that keeps boundaries. */
static void packets(struct same_rig *r, int fd, int peer)
{
	static char packet[200000];

	same_write(r);
	same_read(r);
	same_say("write", write(fd, r->buf, r->got));
	same_say("packet", recv(peer, packet, sizeof(packet), MSG_DONTWAIT));
	same_say("no other", recv(peer, packet, sizeof(packet), MSG_DONTWAIT));
}

/* A stream socket that something landed was written to, which no hook saw close. */
static int closed_stream(struct same_rig *r, int *more)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	same_say("write", write(pair[0], r->buf, r->got));
	same_read(r);
	inline_call(SYS_close, pair[0], 0, 0, 0, 0, 0);
	*more = pair[1];
	return pair[0];
}

static void becomes_socketpair(struct same_rig *r)
{
	int more, fd = closed_stream(r, &more), pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	same_say("same number", pair[0] == fd);
	packets(r, pair[0], pair[1]);
}

static void becomes_dup(struct same_rig *r)
{
	int more, fd, pair[2], size = 1 << 20, number;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fd = closed_stream(r, &more);
	number = dup(pair[0]);
	same_say("same number", number == fd);
	packets(r, number, pair[1]);
	inline_call(SYS_close, number, 0, 0, 0, 0, 0);
	number = fcntl(pair[0], F_DUPFD, fd);
	same_say("same number", number == fd);
	packets(r, number, pair[1]);
}

static void becomes_passed(struct same_rig *r)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&msg);
	int more, fd, pair[2], way[2], size = 1 << 20, number = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, way) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(m), &pair[0], sizeof(int));
	same_say("sendmsg", sendmsg(way[0], &msg, 0));
	fd = closed_stream(r, &more);
	memset(&control, 0, sizeof(control));
	same_say("recvmsg", recvmsg(way[1], &msg, 0));
	memcpy(&number, CMSG_DATA(m), sizeof(int));
	same_say("same number", number == fd);
	packets(r, number, pair[1]);
}

/* ---- numbers that the program was never given, closed by syscall() ---- */

/* The first number from 256 on that is FILE, which the program does not have there. */
static int hidden(const char *file)
{
	char link[64], name[512];
	size_t length = strlen(file);

	for (int fd = 256; fd < 65536; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, name, sizeof(name));
		if (n > (ssize_t)length && memcmp(name + n - length, file, length) == 0)
			return fd;
	}
	return 1000; /* plain */
}

/* What was kept at that number would be another file's soon. */
static void then_other_files(struct same_rig *r)
{
	int other = open("../other", O_RDONLY), data = r->source;

	r->source = other;
	same_loop(r, SAME_ROUNDS);
	close(data);
	r->source = open("../data", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	r->source = other;
	same_loop(r, 4);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void close_hidden(struct same_rig *r)
{
	same_write(r);
	same_say("close", syscall(SYS_close, hidden("/data")));
	then_other_files(r);
}

static void dup_of_hidden(struct same_rig *r)
{
	same_write(r);
	same_say("dup3", syscall(SYS_dup3, hidden("/data"), 50, 0));
	then_other_files(r);
}

static void dup3_over_hidden(struct same_rig *r)
{
	int n = hidden("/data");

	same_allow_all_numbers();
	same_write(r);
	same_say("dup3", syscall(SYS_dup3, 0, n, 0) == n);
	then_other_files(r);
}

static void close_range_hidden(struct same_rig *r)
{
	same_write(r);
	same_say("close_range", syscall(SYS_close_range, hidden("/data"), ~0U, 0));
	same_say("of nothing", syscall(SYS_close_range, 5, 4, 0));
	same_say("with bad flags", syscall(SYS_close_range, 1000, ~0U, 1 << 20));
	then_other_files(r);
}

static const struct same_case cases[] = {
	{ "then_write", then_write, SAME_LAZY, 0 },
	{ "then_write_to_file", then_write_to_file, 0, 0 },
	{ "then_read", then_read, SAME_LAZY, 0 },
	{ "then_short_read", then_short_read, 0, 0 },
	{ "then_read_shared", then_read_shared, 0, 0 },
	{ "then_fork", then_fork, 0, 0 },
	{ "then_close", then_close, 0, 0 },
	{ "then_sleep", then_sleep, 0, 0 },
	{ "then_mprotect", then_mprotect, 0, 0 },
	{ "then_forbidden", then_forbidden, 0, 0 },
	{ "then_part", then_part, SAME_LAZY, 0 },
	{ "then_first_part", then_first_part, SAME_LAZY, 0 },
	{ "then_reserve", then_reserve, 0, 0 },
	{ "then_hole", then_hole, 0, 0 },
	{ "file_by_stdio", file_by_stdio, 0, 0 },
	{ "other_file", other_file, 0, 0 },
	{ "other_file_pread", other_file_pread, 0, 0 },
	{ "becomes_socketpair", becomes_socketpair, 0, 131072 },
	{ "becomes_dup", becomes_dup, 0, 131072 },
	{ "becomes_passed", becomes_passed, 0, 131072 },
	{ "close_hidden", close_hidden, 0, 0 },
	{ "dup_of_hidden", dup_of_hidden, 0, 0 },
	{ "dup3_over_hidden", dup3_over_hidden, 0, 0 },
	{ "close_range_hidden", close_range_hidden, 0, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
