/* SPDX-License-Identifier: MIT */
/*
 * same_kernel.c - the kernel reads from a lazy buffer, or writes into it, by
 * calls that are not a write to the sink. A protected page is EFAULT there, not a fault.
 */
#include "same.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

/* An address in the middle of the buffer, well inside whole pages, aligned for any object. */
static void *middle(struct same_rig *r)
{
	return (void *)(((uintptr_t)r->buf + 5 * SAME_BLOCK) & ~(uintptr_t)(SAME_BLOCK - 1));
}

/* The first whole block of the file in the buffer at or after 4 KiB. */
static char *text(struct same_rig *r, int which)
{
	off_t start = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;
	size_t skip = (size_t)(-start & (SAME_BLOCK - 1));

	return r->buf + skip + 3 * SAME_BLOCK + which;
}

/* A new chunk: what was opened and made before it cannot have made the buffer plain. */
static void fresh(struct same_rig *r)
{
	same_write(r);
	same_read(r);
}

static int new_file(int flags)
{
	return open("out", O_RDWR | O_CREAT | flags, 0644);
}

/* ---- the kernel reads from the buffer ---- */

static void write_to_file(struct same_rig *r)
{
	int out = new_file(0);

	fresh(r);
	same_say("write", write(out, r->buf, r->got));
	same_say_file("out");
	same_write(r);
}

static void write_after_send(struct same_rig *r)
{
	int out = new_file(0);
	size_t n = r->got;

	fresh(r);
	same_write(r);
	same_say("write", write(out, r->buf, n));
	same_say_file("out");
}

static void pwrite_to_file(struct same_rig *r)
{
	struct iovec iov[2] = { { r->buf + 100, 20000 }, { r->buf, 30000 } };
	int out = new_file(0);

	fresh(r);
	same_say("pwrite", pwrite(out, r->buf, r->got, 1000));
	same_say("pwritev", pwritev(out, iov, 2, 500));
	same_say("writev", writev(out, iov, 2));
	same_say_file("out");
	same_write(r);
}

static void append_to_file(struct same_rig *r)
{
	int out = new_file(O_APPEND);

	fresh(r);
	same_say("write", write(out, r->buf + 5000, 40000));
	same_say("write", write(out, r->buf, r->got));
	same_say_file("out");
	same_write(r);
}

static void write_to_pipe(struct same_rig *r)
{
	static char back[SAME_CHUNK];
	int p[2];

	if (pipe(p) != 0)
		return;
	fresh(r);
	same_say("write", write(p[1], r->buf, 60000));
	same_say("read", read(p[0], back, sizeof(back)));
	same_say_memory("pipe", back, 60000);
	same_write(r);
}

static void vmsplice_to_pipe(struct same_rig *r)
{
	static char back[SAME_CHUNK];
	struct iovec iov = { r->buf, 20000 };
	int p[2];

	if (pipe(p) != 0)
		return;
	fresh(r);
	same_say("vmsplice", vmsplice(p[1], &iov, 1, 0));
	same_say("read", read(p[0], back, sizeof(back)));
	same_say_memory("pipe", back, 20000);
	same_write(r);
}

/* A UDP socket that is bound to the loopback. */
static int udp(struct sockaddr_in *sin)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(*sin);

	*sin = (struct sockaddr_in){ .sin_family = AF_INET };
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)sin, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)sin, &n) != 0)
		exit(1);
	return fd;
}

static void send_datagram(struct same_rig *r)
{
	static char back[SAME_CHUNK];
	struct sockaddr_in sin;
	int fd = udp(&sin);

	fresh(r);
	same_say("sendto", sendto(fd, r->buf, 60000, 0, (struct sockaddr *)&sin, sizeof(sin)));
	same_say("recv", recv(fd, back, sizeof(back), 0));
	same_say_memory("datagram", back, 60000);
	same_say("sendto", sendto(fd, r->buf, r->got, 0, (struct sockaddr *)&sin, sizeof(sin)));
	same_write(r);
}

static void send_messages(struct same_rig *r)
{
	static char back[2][30000];
	struct iovec out[2] = { { r->buf, 30000 }, { r->buf + 30000, 30000 } };
	struct mmsghdr messages[2] = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		messages[i].msg_hdr.msg_iov = &out[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	fresh(r);
	same_say("sendmmsg", sendmmsg(pair[0], messages, 2, 0));
	same_say("recv", recv(pair[1], back[0], 30000, 0));
	same_say("recv", recv(pair[1], back[1], 30000, 0));
	same_say_memory("messages", back, sizeof(back));
	same_write(r);
}

/* More than the kernel takes in one call: it takes as many as it can. */
static void send_many_messages(struct same_rig *r)
{
	enum { MANY = 1025, EACH = 40 };
	static struct mmsghdr messages[MANY];
	static struct iovec out[MANY];
	static char back[SAME_CHUNK];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	for (int i = 0; i < MANY; i++) {
		out[i] = (struct iovec){ r->buf + i * EACH, EACH };
		messages[i].msg_hdr.msg_iov = &out[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	fresh(r);
	same_say("sendmmsg", sendmmsg(pair[0], messages, MANY, 0) > 0);
	same_say("recv", recv(pair[1], back, 100 * EACH, 0));
	same_say_memory("messages", back, 100 * EACH);
	same_write(r);
}

static void sequenced_packet(struct same_rig *r)
{
	static char back[SAME_CHUNK];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
		return;
	fresh(r);
	same_say("write", write(pair[0], r->buf, 50000));
	same_say("read", read(pair[1], back, sizeof(back)));
	same_say_memory("packet", back, 50000);
	same_write(r);
}

static void by_stdio(struct same_rig *r)
{
	FILE *f = fopen("out", "w");

	fresh(r);
	same_say("fwrite", (ssize_t)fwrite(r->buf, 1, r->got, f));
	same_say("fputs", fputs(text(r, SAME_TEXT_HELLO), f) < 0 ? -1 : 0);
	same_say("fclose", fclose(f));
	same_say_file("out");
	same_write(r);
}

static void open_path(struct same_rig *r)
{
	struct stat st;

	same_say("access", access(text(r, SAME_TEXT_PATH), R_OK));
	same_write(r);
	same_read(r);
	same_say("stat", stat(text(r, SAME_TEXT_PATH), &st));
	same_write(r);
	same_read(r);
	same_say("open", open(text(r, SAME_TEXT_PATH), O_RDONLY) < 0 ? -1 : 0);
	same_write(r);
	same_read(r);
	same_say("rename", rename(text(r, SAME_TEXT_HELLO), "elsewhere"));
	same_write(r);
}

/* Its bytes are random: refused, but for the right reason. */
static void odd_structures(struct same_rig *r)
{
	struct sockaddr_in sin;
	int fd = udp(&sin);

	fresh(r);
	same_say("nanosleep", nanosleep((struct timespec *)text(r, SAME_TEXT_HELLO), NULL));
	same_write(r);
	same_read(r);
	same_say("bind", bind(fd, (struct sockaddr *)text(r, SAME_TEXT_HELLO), 16));
	same_write(r);
	same_read(r);
	same_say("setsockopt", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO,
					  text(r, SAME_TEXT_HELLO), 16));
	same_write(r);
	same_read(r);
	same_say("setxattr", setxattr("received", text(r, SAME_TEXT_HELLO), "x", 1, 0));
	same_write(r);
}

/* A path that ends nowhere, and one that goes on into what cannot be read. */
static void endless_paths(struct same_rig *r)
{
	char block[SAME_BLOCK], *p;
	int out = new_file(O_TRUNC);

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 256; i++)
		if (write(out, block, sizeof(block)) != sizeof(block))
			return;
	same_write(r);
	close(r->source);
	close(out);
	r->source = open("out", O_RDONLY);
	p = mmap(NULL, r->size + SAME_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r->buf = p;
	mprotect(p + r->size, SAME_BLOCK, PROT_NONE);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("open", open(p, O_RDONLY));
	fresh(r);
	same_say("open", open(p + r->size - 100, O_RDONLY));
	fresh(r);
	same_say("access", access(p + r->size - 5000, F_OK));
	same_write(r);
}

/* ---- the program itself reads ---- */

static void copy_it(struct same_rig *r)
{
	static char copy[SAME_CHUNK];

	memcpy(copy, r->buf, r->got);
	same_say_memory("copy", copy, r->got);
	same_write(r);
}

static void string_length(struct same_rig *r)
{
	same_say("strlen", (ssize_t)strlen(text(r, SAME_TEXT_HELLO)));
	same_say("memchr", (char *)memchr(r->buf, 'h', r->got) - r->buf);
	same_write(r);
}

static void hash_it(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_say_buffer(r);
}

static void look_every_time(struct same_rig *r)
{
	for (int i = 0; i < 40; i++) {
		same_say_memory("chunk", r->buf, r->got);
		same_write(r);
		same_read(r);
	}
}

static void look_now_and_then(struct same_rig *r)
{
	for (int i = 0; i < 60; i++) {
		if (i % 9 == 4)
			same_say_memory("middle", r->buf + 30000, 100);
		same_write(r);
		same_read(r);
	}
}

/* ---- the kernel writes into the buffer ---- */

/* The end of these cases: the foreign bytes are there, all others are the file's. */
static void written_into(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void read_other_file(struct same_rig *r)
{
	int fd = open("../other", O_RDONLY);

	fresh(r);
	same_say("read", read(fd, (char *)middle(r) + 100, 10000));
	same_say("pread", pread(fd, (char *)middle(r) + 30000, 10, 77));
	written_into(r);
}

static void readv_other_file(struct same_rig *r)
{
	int fd = open("../other", O_RDONLY);
	struct iovec iov[2] = { { r->buf + 9000, 7000 }, { r->buf + 40000, 7000 } };

	fresh(r);
	same_say("readv", readv(fd, iov, 2));
	same_say("preadv", preadv(fd, iov, 1, 5));
	written_into(r);
}

static void receive_into(struct same_rig *r)
{
	struct iovec iov = { r->buf + 50000, 100 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	same_say("write", write(pair[0], "0123456789abcdefghij", 20));
	fresh(r);
	same_say("recv", recv(pair[1], (char *)middle(r), 8, 0));
	same_say("recvfrom", recvfrom(pair[1], (char *)middle(r) + 9000, 5, 0, NULL, NULL));
	same_say("recvmsg", recvmsg(pair[1], &msg, 0));
	written_into(r);
}

static void receive_messages(struct same_rig *r)
{
	struct iovec iov[2] = { { r->buf + 8000, 100 }, { r->buf + 50000, 100 } };
	struct mmsghdr messages[2] = { { { 0 }, 0 } };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	same_say("write", write(pair[0], "first", 5));
	same_say("write", write(pair[0], "second", 6));
	fresh(r);
	same_say("recvmmsg", recvmmsg(pair[1], messages, 2, 0, NULL));
	written_into(r);
}

static void receive_many_messages(struct same_rig *r)
{
	enum { MANY = 1025 };
	static struct mmsghdr messages[MANY];
	struct iovec iov = { r->buf + 8000, 100 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return;
	for (int i = 0; i < MANY; i++) {
		messages[i].msg_hdr.msg_iov = &iov;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	same_say("write", write(pair[0], "first", 5));
	same_say("write", write(pair[0], "second", 6));
	fresh(r);
	same_say("recvmmsg", recvmmsg(pair[1], messages, MANY, MSG_DONTWAIT, NULL));
	written_into(r);
}

static void read_event(struct same_rig *r)
{
	int fd = eventfd(41, EFD_NONBLOCK);

	fresh(r);
	same_say("read", read(fd, middle(r), 8));
	same_say("again", read(fd, middle(r), 8));
	written_into(r);
}

static void wait_status(struct same_rig *r)
{
	pid_t child;
	ssize_t got;

	child = fork();
	if (child == 0)
		_exit(7);
	same_write(r);
	same_read(r);
	same_write(r);
	same_read(r);
	got = waitpid(child, middle(r), 0);
	same_say("waitpid", got == child ? 0 : got);
	written_into(r);
}

static void stat_into(struct same_rig *r)
{
	struct stat *st = middle(r);

	same_say("fstat", fstat(r->source, st));
	same_say("size", (ssize_t)st->st_size);
	memset(st, 0, sizeof(*st));
	written_into(r);
	same_read(r);
	same_say("stat", stat("../data", middle(r)));
	memset(st, 0, sizeof(*st));
	written_into(r);
	same_read(r);
	same_say("statvfs", statvfs(".", middle(r)));
	memset(st, 0, sizeof(struct statvfs));
	written_into(r);
}

static void hint_into(struct same_rig *r)
{
	fresh(r);
	same_say("fcntl", fcntl(r->source, F_GET_RW_HINT, middle(r)));
	written_into(r);
}

static void names_into(struct same_rig *r)
{
	if (symlink("target of the link", "link") != 0)
		return;
	fresh(r);
	same_say("readlink", readlink("link", (char *)middle(r), 100));
	same_say("getcwd", getcwd((char *)middle(r) + 9000, 4000) == NULL ? -1 : 0);
	memset((char *)middle(r) + 9000, 0, 4000);
	same_say("uname", uname((struct utsname *)((char *)middle(r) + 20000)));
	memset((char *)middle(r) + 20000, 0, sizeof(struct utsname));
	written_into(r);
}

static void times_into(struct same_rig *r)
{
	same_say("clock_gettime", clock_gettime(CLOCK_REALTIME, middle(r)));
	memset(middle(r), 0, 64);
	same_write(r);
	same_read(r);
	same_say("gettimeofday", gettimeofday(middle(r), NULL));
	memset(middle(r), 0, 64);
	same_write(r);
	same_read(r);
	same_say("getrusage", getrusage(RUSAGE_SELF, middle(r)));
	memset(middle(r), 0, sizeof(struct rusage));
	same_write(r);
	same_read(r);
	same_say("getrlimit", getrlimit(RLIMIT_CORE, middle(r)));
	memset(middle(r), 0, sizeof(struct rlimit));
	same_write(r);
	same_read(r);
	same_say("times", times(middle(r)) == (clock_t)-1 ? -1 : 0);
	memset(middle(r), 0, sizeof(struct tms));
	written_into(r);
}

static void socket_words_into(struct same_rig *r)
{
	socklen_t n = sizeof(int);
	int pair[2], *where = middle(r);

	same_say("getsockopt", getsockopt(r->sink, SOL_SOCKET, SO_TYPE, where, &n));
	same_say("type", *where);
	same_write(r);
	same_read(r);
	n = sizeof(struct sockaddr_in);
	same_say("getpeername", getpeername(r->sink, middle(r), &n));
	memset(where, 0, sizeof(struct sockaddr_in));
	same_write(r);
	same_read(r);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	same_say("ioctl", ioctl(pair[0], FIONREAD, where));
	same_write(r);
	same_read(r);
	same_say("pipe", pipe(where));
	memset(where, 0, 8);
	written_into(r);
}

static void waiting_into(struct same_rig *r)
{
	struct epoll_event ev = { .events = EPOLLOUT };
	struct pollfd p = { r->sink, POLLOUT, 0 };
	int ep = epoll_create1(0);

	epoll_ctl(ep, EPOLL_CTL_ADD, r->sink, &ev);
	fresh(r);
	same_say("epoll_wait", epoll_wait(ep, middle(r), 4, 1000));
	same_write(r);
	same_read(r);
	memcpy(middle(r), &p, sizeof(p));
	same_write(r);
	same_read(r);
	memcpy(r->buf + 20000, &p, sizeof(p));
	same_say("poll", poll((struct pollfd *)(r->buf + 20000), 1, 1000));
	memset(r->buf + 20000, 0, sizeof(p));
	close(ep);
	written_into(r);
}

/* The kernel refuses them; what is read before it does is gone. */
static void bad_pointers(struct same_rig *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	struct sockaddr *from = (struct sockaddr *)&sin;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0), other, type;
	struct epoll_event ev;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, from, n) != 0 || listen(listener, 2) != 0 ||
	    getsockname(listener, from, &n) != 0 || connect(fd, from, n) != 0)
		return;
	fresh(r);
	same_say("accept", accept(listener, from, same_bad));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	same_say("connect", connect(fd, (struct sockaddr *)&sin, n));
	other = accept(listener, NULL, NULL);
	same_say("write", write(other, "ab", 2));
	same_write(r);
	fresh(r);
	same_say("recvfrom", recvfrom(fd, &type, 1, 0, from, same_bad));
	same_say("getsockopt", getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, same_bad));
	same_say("nanosleep", nanosleep(same_bad, NULL));
	same_say("epoll_pwait2", epoll_pwait2(epoll_create1(0), &ev, 1, same_bad, NULL));
	same_write(r);
}

static void stdio_into(struct same_rig *r)
{
	FILE *f = fopen("../other", "r");

	fresh(r);
	same_say("fread", (ssize_t)fread((char *)middle(r) + 10, 1, 20000, f));
	same_say("fgets", fgets((char *)middle(r) + 30000, 100, f) == NULL ? -1 : 0);
	fclose(f);
	written_into(r);
}

static void sendfile_offset_in(struct same_rig *r)
{
	off_t *offset = middle(r);

	*offset = 5;
	same_write(r);
	same_read(r);
	memset(r->buf + 8192, 0, 20000);
	same_say("sendfile", sendfile(r->sink, r->source, offset, 1000));
	written_into(r);
}

/* ---- calls that libc does not see ---- */

static void by_syscall(struct same_rig *r)
{
	int out = new_file(0), other = open("../other", O_RDONLY);

	fresh(r);
	same_say("write", syscall(SYS_write, out, r->buf, r->got));
	same_say_file("out");
	same_write(r);
	same_read(r);
	same_say("read", syscall(SYS_read, other, r->buf + 10000, 10000));
	written_into(r);
	same_read(r);
	same_say("write to the sink", syscall(SYS_write, r->sink, r->buf, r->got));
}

#ifdef __x86_64__
static long inline_call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static void by_inline_call(struct same_rig *r)
{
	int out = new_file(0);

	fresh(r);
	same_say("write", inline_call(SYS_write, out, (long)r->buf, (long)r->got));
	same_say_file("out");
	same_write(r);
}
#else
static void by_inline_call(struct same_rig *r)
{
	same_write(r);
}
#endif

static const struct same_case cases[] = {
	{ "write_to_file", write_to_file, SAME_LAZY, 0 },
	{ "write_after_send", write_after_send, SAME_LAZY, 0 },
	{ "pwrite_to_file", pwrite_to_file, SAME_LAZY, 0 },
	{ "append_to_file", append_to_file, SAME_LAZY, 0 },
	{ "write_to_pipe", write_to_pipe, SAME_LAZY, 0 },
	{ "vmsplice_to_pipe", vmsplice_to_pipe, SAME_LAZY, 0 },
	{ "send_datagram", send_datagram, SAME_LAZY, 0 },
	{ "send_messages", send_messages, SAME_LAZY, 0 },
	{ "send_many_messages", send_many_messages, SAME_LAZY, 0 },
	{ "sequenced_packet", sequenced_packet, SAME_LAZY, 0 },
	{ "by_stdio", by_stdio, SAME_LAZY, 0 },
	{ "open_path", open_path, SAME_LAZY, 0 },
	{ "endless_paths", endless_paths, SAME_LAZY, 0 },
	{ "odd_structures", odd_structures, SAME_LAZY, 0 },
	{ "copy_it", copy_it, SAME_LAZY, 0 },
	{ "string_length", string_length, SAME_LAZY, 0 },
	{ "hash_it", hash_it, SAME_LAZY, 0 },
	{ "hash_it_page", hash_it, SAME_PAGE | SAME_LAZY, 0 },
	{ "hash_it_1m", hash_it, SAME_LAZY, 1 << 20 },
	{ "look_every_time", look_every_time, SAME_LAZY, 0 },
	{ "look_now_and_then", look_now_and_then, SAME_LAZY, 0 },
	{ "read_other_file", read_other_file, SAME_LAZY, 0 },
	{ "readv_other_file", readv_other_file, SAME_LAZY, 0 },
	{ "receive_into", receive_into, SAME_LAZY, 0 },
	{ "receive_messages", receive_messages, SAME_LAZY, 0 },
	{ "receive_many_messages", receive_many_messages, SAME_LAZY, 0 },
	{ "read_event", read_event, SAME_LAZY, 0 },
	{ "wait_status", wait_status, SAME_LAZY, 0 },
	{ "stat_into", stat_into, SAME_LAZY, 0 },
	{ "hint_into", hint_into, SAME_LAZY, 0 },
	{ "names_into", names_into, SAME_LAZY, 0 },
	{ "times_into", times_into, SAME_LAZY, 0 },
	{ "socket_words_into", socket_words_into, SAME_LAZY, 0 },
	{ "waiting_into", waiting_into, SAME_LAZY, 0 },
	{ "bad_pointers", bad_pointers, SAME_LAZY, 0 },
	{ "stdio_into", stdio_into, SAME_LAZY, 0 },
	{ "sendfile_offset_in", sendfile_offset_in, SAME_LAZY, 0 },
	{ "by_syscall", by_syscall, SAME_LAZY, 0 },
	{ "by_inline_call", by_inline_call, SAME_GUARD, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
