/* SPDX-License-Identifier: MIT */
/* op_write.c - operations that send or store the bytes of a buffer, and what is done to sinks. */
#include "vm.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { WAIT_MS = 8000 };

/* A write in pieces, of which some may have gone. */
struct pieces {
	struct iovec v[PIECES_MOST];
	int count;
};

static size_t left_of(const struct pieces *p)
{
	size_t n = 0;

	for (int i = 0; i < p->count; i++)
		n += p->v[i].iov_len;
	return n;
}

static void advance(struct pieces *p, size_t n)
{
	int i = 0;

	for (; i < p->count && n >= p->v[i].iov_len; i++)
		n -= p->v[i].iov_len;
	if (n) {
		p->v[i].iov_base = (char *)p->v[i].iov_base + n;
		p->v[i].iov_len -= n;
	}
	memmove(p->v, p->v + i, (size_t)(p->count - i) * sizeof(*p->v));
	p->count -= i;
}

static const int flag_sets[] = { 0, MSG_NOSIGNAL, MSG_DONTWAIT, MSG_NOSIGNAL | MSG_DONTWAIT,
				 MSG_MORE, MSG_EOR, MSG_MORE | MSG_NOSIGNAL };

/*
 * how: 0 write, 1 writev, 2 send, 3 sendto, 4 sendmsg, 5 syscall(), 6 writev of all pieces,
 * 7 sendmsg of all pieces, 8 write of half. Those without pieces send the first.
 */
static ssize_t write_as(int fd, struct pieces *p, int how, int flags)
{
	struct msghdr msg = { .msg_iov = p->v, .msg_iovlen = how == 7 ? (size_t)p->count : 1 };
	void *base = p->v[0].iov_base;
	size_t n = p->v[0].iov_len;

	switch (how) {
	case 0:
		return write(fd, base, n);
	case 1:
		return writev(fd, p->v, 1);
	case 2:
		return send(fd, base, n, flags);
	case 3:
		return sendto(fd, base, n, flags, NULL, 0);
	case 4:
	case 7:
		return sendmsg(fd, &msg, flags);
	case 5:
		return syscall(SYS_write, fd, base, n);
	case 6:
		return writev(fd, p->v, p->count);
	default:
		return write(fd, base, n > 1 ? n / 2 : n);
	}
}

/*
 * Between two parts of one write, where a full socket took less than all: 1 look at what is
 * left, 2 overwrite what went, 3 read what is left by a call, 4 send a copy of what is left
 */
static void between_parts(struct pieces *p, char *whole, int between)
{
	static char copy[512 * 1024];
	char *left = p->v[0].iov_base;
	size_t n = p->v[0].iov_len;

	if (between == 1)
		(void)*(volatile char *)left;
	else if (between == 2)
		memset(whole, 'w', (size_t)(left - whole));
	else if (between == 3)
		(void)*(volatile char *)(left + n - 1);
	else if (between == 4 && n <= sizeof(copy)) {
		memcpy(copy, left, n);
		p->v[0].iov_base = copy;
	}
}

/* Only sockets know send, and of a pipe's flags there is none. */
static int fitting(int k, int how)
{
	bool socket = vm.program->sink[vm.target[k]].kind != SINK_PIPE;

	how = (int)((unsigned)how % 9);
	if (!socket && (how == 2 || how == 3 || how == 4))
		return 0;
	return !socket && how == 7 ? 6 : how;
}

static void send_pieces(int k, struct pieces *p, int how, int flags, int between)
{
	size_t all = left_of(p);
	char *whole = p->v[0].iov_base;
	bool single = p->count == 1;
	struct pollfd poll_out = { .fd = vm.sink[k], .events = POLLOUT };
	long until = now_ms() + WAIT_MS;
	ssize_t ret = 0;

	if (vm.sink[k] < 0 || all > vm.budget || all == 0)
		return;
	if (between)
		vm.peek.valid = 0;
	vm.budget -= all;
	how = fitting(k, how);
	flags = flag_sets[(unsigned)flags % 7];
	while (p->count && now_ms() < until) {
		errno = NO_ERROR;
		ret = write_as(vm.sink[k], p, how, flags);
		if (ret > 0) {
			atomic_fetch_add(&vm.shared->sent[vm.target[k]], (uint64_t)ret);
			advance(p, (size_t)ret);
			if (single && p->count && between > 0)
				between_parts(p, whole, between % 5);
		} else if (ret < 0 && (errno == EAGAIN || errno == EINTR)) {
			poll(&poll_out, 1, WAIT_MS);
		} else {
			break;
		}
	}
	/* how much of it went before the last part differs */
	if (single && between > 0 && between % 5 == 2)
		memset(whole, 'w', all);
	SAY("written", (long)(all - left_of(p)), ret < 0 ? -1 : 0, ret < 0 ? errno : 0,
	    ret > 0 ? errno : 0);
}

void write_all(int k, char *p, size_t n, int how, int flags, int between)
{
	struct pieces pieces = { { { p, n } }, 1 };

	send_pieces(sink_of(k), &pieces, how, flags, between);
}

void write_pieces(int k, const struct iovec *v, int count, int how)
{
	struct pieces pieces = { .count = 0 };

	for (int i = 0; i < count; i++)
		if (v[i].iov_len)
			pieces.v[pieces.count++] = v[i];
	send_pieces(sink_of(k), &pieces, how & 1 ? 7 : 6, 0, 0);
}

static char header[] = "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n";
static char trailer[] = "\r\n0\r\n\r\n";

/*
 * how: 0..8 as above; from 9 on with a header in front, from 18 on with a trailer as well; all
 * in one call if 6 or 7
 */
int op_write(const struct op *op)
{
	int n = op->a[3], how = (int)((unsigned)op->a[4] % 27), k = sink_of(op->a[0]);
	char *p = piece_defined(op->a[1], op->a[2], &n);
	struct pieces pieces = { .count = 0 };

	if (n == 0)
		return 0;
	if (how >= 9)
		pieces.v[pieces.count++] = (struct iovec){ header, sizeof(header) - 1 };
	pieces.v[pieces.count++] = (struct iovec){ p, (size_t)n / 2 };
	pieces.v[pieces.count++] = (struct iovec){ p + n / 2, (size_t)(n - n / 2) };
	if (how % 9 < 6 || how % 9 == 8) {
		pieces.v[--pieces.count - 1].iov_len = (size_t)n;
	}
	if (how >= 18)
		pieces.v[pieces.count++] = (struct iovec){ trailer, sizeof(trailer) - 1 };
	send_pieces(k, &pieces, how % 9, op->a[5], op->a[6]);
	return 0;
}

/* Pieces of two buffers in one call. how: 0 writev, 1 sendmsg, 2 with a header between */
int op_pair(const struct op *op)
{
	int n = op->a[3], m = op->a[6], how = (int)((unsigned)op->a[7] % 3);
	char *p = piece_defined(op->a[1], op->a[2], &n), *q = piece_defined(op->a[4], op->a[5], &m);
	struct pieces pieces = { { { p, (size_t)n } }, 1 };

	if (n == 0 || m == 0)
		return 0;
	if (how == 2)
		pieces.v[pieces.count++] = (struct iovec){ header, sizeof(header) - 1 };
	pieces.v[pieces.count++] = (struct iovec){ q, (size_t)m };
	send_pieces(sink_of(op->a[0]), &pieces, how == 1 ? 7 : 6, 0, 0);
	return 0;
}

/* ---- the program's own ways without a copy ---- */

/* All of N bytes: a signal that comes meanwhile makes it short, at one place or another. */
static void copy_range(int from, size_t n)
{
	size_t done = 0;
	ssize_t ret = 1;

	while (done < n && ret > 0) {
		ret = copy_file_range(from, NULL, vm.out, NULL, n - done, 0);
		if (ret > 0)
			done += (size_t)ret;
		else if (ret < 0 && errno == EINTR)
			ret = 1;
	}
	SAY("copy_file_range", done ? (ssize_t)done : ret);
}

/* how: 0 from the offset, 1 from 1000 on, 2 splice (to a pipe), 3 copy_file_range (to "out") */
int op_sendfile(const struct op *op)
{
	int k = sink_of(op->a[0]), s = slot_of(op->a[1]), how = (int)((unsigned)op->a[3] % 4);
	size_t n = (unsigned)op->a[2] % 200000, done = 0;
	struct pollfd poll_out = { .fd = vm.sink[k], .events = POLLOUT };
	off_t from = 1000;
	ssize_t ret = 0;

	if (vm.slot[s] < 0 || vm.sink[k] < 0 || n > vm.budget || vm.slot_file[s] == MUTABLE)
		return 0;
	vm.budget -= n;
	if (how == 3) {
		if (vm.out >= 0)
			copy_range(vm.slot[s], n);
		return 0;
	}
	while (done < n) {
		if (how == 2 && vm.program->sink[vm.target[k]].kind == SINK_PIPE)
			ret = splice(vm.slot[s], NULL, vm.sink[k], NULL, n - done, 0);
		else
			ret = sendfile(vm.sink[k], vm.slot[s], how == 1 ? &from : NULL, n - done);
		if (ret > 0)
			atomic_fetch_add(&vm.shared->sent[vm.target[k]], (uint64_t)ret);
		else if (ret == 0 || (errno != EAGAIN && errno != EINTR))
			break;
		else
			poll(&poll_out, 1, WAIT_MS);
		done += ret > 0 ? (size_t)ret : 0;
	}
	SAY("sendfile", (long)done, ret < 0 ? errno : 0);
	return 0;
}

/*
 * A file is mapped, written, looked at. how: 0 write, 1 a look first, 2 whole pages, 3
 * unmapped before the peer has it
 */
int op_mapped(const struct op *op)
{
	int f = (int)((unsigned)op->a[1] % MUTABLE), how = (int)((unsigned)op->a[4] % 4);
	static const char *const names[] = { "f0", "f1", "f2", "f3", "f4" };
	size_t length = file_length[f], at, n;
	int fd = length ? open(names[f], O_RDONLY) : -1;
	char *p = fd >= 0 ? mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return 0;
	at = (unsigned)op->a[2] % length;
	if (how == 2)
		at &= ~(size_t)4095;
	n = (unsigned)op->a[3] % 200000;
	if (n > length - at)
		n = length - at;
	if (how == 1)
		SAY("mapped", (long)fuzz_hash(p + at, n));
	write_all(op->a[0], p + at, n, op->a[4] / 4, 0, 0);
	munmap(p, length);
	return 0;
}

/* The buffer into the file "out". how: 0 write, 1 pwrite at 100, 2 writev, 3 pwritev; 4 fwrite */
int op_out(const struct op *op)
{
	int n = op->a[2], how = (int)((unsigned)op->a[3] % 5);
	char *p = piece_defined(op->a[0], op->a[1], &n);
	struct iovec v[2] = { { p, (size_t)n / 2 }, { p + n / 2, (size_t)(n - n / 2) } };
	ssize_t ret;
	FILE *f;

	if (vm.out < 0)
		vm.out = open("out", O_RDWR | O_CREAT, 0600);
	errno = NO_ERROR;
	if (how == 0)
		ret = write(vm.out, p, (size_t)n);
	else if (how == 1)
		ret = pwrite(vm.out, p, (size_t)n, 100);
	else if (how == 2)
		ret = writev(vm.out, v, 2);
	else if (how == 3)
		ret = pwritev(vm.out, v, 2, 333);
	else {
		f = fopen("out", "r+");
		ret = f ? (ssize_t)fwrite(p, 1, (size_t)n, f) : -1;
		if (f)
			fclose(f);
		errno = NO_ERROR;
	}
	SAY("out", ret, errno, lseek(vm.out, 0, SEEK_CUR));
	return 0;
}

/* ---- sinks ---- */

/*
 * which: 0 TCP_NODELAY, 1 TCP_CORK, 2 SO_SNDBUF, 3 O_NONBLOCK by fcntl, 4 by ioctl, 5
 * SO_SNDTIMEO
 */
int op_sinkopt(const struct op *op)
{
	int k = sink_of(op->a[0]), on = op->a[2] & 1, room = 20000, fd = vm.sink[k], ret = 0;
	struct timeval long_time = { on ? 20 : 0, 0 };

	if (fd < 0)
		return 0;
	switch ((unsigned)op->a[1] % 6) {
	case 0:
		ret = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		break;
	case 1:
		ret = setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
		break;
	case 2:
		ret = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		break;
	case 3:
		ret = fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
		break;
	case 4:
		ret = ioctl(fd, FIONBIO, &on);
		break;
	default:
		ret = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &long_time, sizeof(long_time));
	}
	SAY("sinkopt", ret, ret < 0 ? errno : 0, fcntl(fd, F_GETFL) & O_NONBLOCK);
	return 0;
}

/* Sink T becomes another number of K's; what it was is closed. */
int op_sinkdup(const struct op *op)
{
	int k = sink_of(op->a[0]), t = sink_of(op->a[1]);

	if (vm.sink[k] < 0 || vm.sink[t] < 0 || k == t)
		return 0;
	SAY("dup2", dup2(vm.sink[k], vm.sink[t]));
	vm.target[t] = vm.target[k];
	return 0;
}

/* how: 0 close, 1 shutdown, 2 close; and then a write to what is closed */
int op_sinkclose(const struct op *op)
{
	int k = sink_of(op->a[0]), fd = vm.sink[k];

	if (fd < 0)
		return 0;
	if (op->a[1] == 1 && vm.program->sink[vm.target[k]].kind != SINK_PIPE) {
		if (vm.program->sigpipe == PIPE_DEFAULT)
			return 0;
		SAY("shutdown", shutdown(fd, SHUT_WR));
		SAY("write", write(fd, "x", 1), errno);
		return 0;
	}
	SAY("close", close(fd));
	vm.sink[k] = -1;
	if (op->a[1] == 2)
		SAY("write", write(fd, header, 10), errno);
	return 0;
}

int op_sync(const struct op *op)
{
	synchronise(op->a[0] < 0 ? -1 : sink_of(op->a[0]));
	return 0;
}

/* The peer takes little at a time. */
int op_slow(const struct op *op)
{
	ask(PEER_SLOW, sink_of(op->a[0]), op->a[1] & 1, 0);
	return 0;
}

/* The peer has all and closes: the next write knows it. */
int op_reset(const struct op *op)
{
	int k = vm.target[sink_of(op->a[0])];

	synchronise(k);
	ask(PEER_RESET, k, 0, 0);
	SAY("reset", k);
	return 0;
}
