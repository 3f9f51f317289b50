/* SPDX-License-Identifier: MIT */
/* op_edge.c - reads and writes with arguments at the edges of what a call takes. */
#include "vm.h"

#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t at, size_t room);

enum { MANY = IOV_MAX + 1, PAGE = 4096, BRINK = 64 * PAGE };

static struct iovec many[MANY];
static struct mmsghdr messages[MANY];

/* What no program has: the kernel refuses it. */
static char *const wild = (char *)0x123456789000;
static volatile int minus = -1; /* the compiler would not let it pass */

/* P in COUNT pieces of one length; the last has the rest. */
static void in_many(char *p, size_t n, int count)
{
	size_t each = n / (size_t)count;

	for (int i = 0; i < count; i++)
		many[i] = (struct iovec){ p + each * (size_t)i, each };
	many[count - 1].iov_len += n - each * (size_t)count;
}

/* ---- reads ---- */

/* What refuses, or gives nothing; the offset is said by who calls. */
static ssize_t read_refused(int fd, char *p, size_t n, int how)
{
	struct iovec v[2] = { { p, n }, { p, 0 } };

	switch (how) {
	case 0:
		return read(fd, p, 0);
	case 1:
		return read(fd, NULL, n);
	case 2:
		return read(fd, wild, n);
	case 3:
		return readv(fd, v, 0);
	case 4:
		return readv(fd, v, minus);
	case 5:
		in_many(p, n, MANY);
		return readv(fd, many, MANY);
	case 6:
		v[1].iov_len = (size_t)minus;
		return readv(fd, v, 2);
	case 7:
		return pread(fd, p, n, -1);
	case 8:
		return pread(fd, p, n, INT64_MAX);
	case 9:
		return pread(fd, p, n, INT64_MAX - (off_t)n);
	case 10:
		return preadv2(fd, v, 1, 0, 0x40000000);
	case 11:
		return readv(fd, (void *)wild, 1);
	case 12:
		return read(FD_FREE + 900, p, n);
	case 13:
		return preadv(fd, v, 1, -1);
	default:
		return read(fd, p, (size_t)minus);
	}
}

/* Is what is left of the file no more than N bytes? Then a read of any length is no longer. */
static bool rest_fits(int s, size_t n)
{
	off_t at = lseek(vm.slot[s], 0, SEEK_CUR);
	struct stat st;

	return fstat(vm.slot[s], &st) == 0 && at >= 0 && st.st_size - at <= (off_t)n;
}

/* What brings bytes, all into [p, p + n). */
static ssize_t read_oddly(int s, char *p, size_t n, int how)
{
	struct iovec v[3] = { { p, n / 3 }, { NULL, n / 3 }, { p, n / 3 } };
	int fd = vm.slot[s];

	switch (how) {
	case 0: /* up to the piece that is not there */
		return readv(fd, v, 3);
	case 1: /* one over the other */
		v[1].iov_base = p;
		return readv(fd, v, 3);
	case 2:
		v[0] = (struct iovec){ NULL, 0 };
		v[1] = (struct iovec){ p, n };
		return readv(fd, v, 2);
	case 3:
		in_many(p, n, IOV_MAX);
		return readv(fd, many, IOV_MAX);
	case 4:
		v[0].iov_len = n;
		return preadv2(fd, v, 1, -1, 0);
	case 5:
		v[0].iov_len = n;
		return preadv2(fd, v, 1, 77, RWF_HIPRI);
	case 6:
		return rest_fits(s, n) ? read(fd, p, INT_MAX) : -2;
	case 7:
		return rest_fits(s, n) ? read(fd, p, (size_t)INT_MAX + 7) : -2;
	case 8:
		return __pread64_chk(fd, p, n, 4000, n);
	case 9:
		return syscall(SYS_pread64, fd, p, n, 5L);
	case 10:
		v[0].iov_len = n;
		return syscall(SYS_readv, fd, v, 1);
	case 11:
		v[0].iov_len = n;
		return syscall(SYS_preadv2, fd, v, 1, -1L, -1L, 0);
	default:
		v[0].iov_len = n;
		return pread(fd, p, n, (off_t)file_length[vm.slot_file[s]] - (off_t)n + 1);
	}
}

/* how: 0..14 what is refused, 15..27 what is odd; see above */
int op_readedge(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3], how = (int)((unsigned)op->a[4] % 28);
	char *p = piece(op->a[1], op->a[2], &n);
	ssize_t ret;

	if (vm.slot[s] < 0 || n < 3 || buffer_of(op->a[1])->kind == BUFFER_STACK)
		return 0;
	errno = NO_ERROR;
	ret = how < 15 ? read_refused(vm.slot[s], p, (size_t)n, how)
		       : read_oddly(s, p, (size_t)n, how - 15);
	SAY("readedge", ret, errno, lseek(vm.slot[s], 0, SEEK_CUR));
	if (how == 16) /* the third over the first two: how much of it came where is the kernel's */
		define(buffer_of(op->a[1]), p, ret > n / 3 ? (size_t)n / 3 : ret > 0 ? (size_t)ret : 0);
	else
		define(buffer_of(op->a[1]), p, ret > 0 ? (size_t)ret : 0);
	return 0;
}

/* ---- writes ---- */

static ssize_t write_refused(int fd, char *p, size_t n, int how)
{
	struct iovec v[2] = { { p, n }, { p, 0 } };
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = 1 };

	switch (how) {
	case 0:
		return write(fd, p, 0);
	case 1:
		return write(fd, wild, n);
	case 2:
		return writev(fd, v, 0);
	case 3:
		return writev(fd, v, minus);
	case 4:
		in_many(p, n, MANY);
		return writev(fd, many, MANY);
	case 5:
		v[1].iov_len = (size_t)minus;
		return writev(fd, v, 2);
	case 6:
		in_many(p, n, MANY);
		msg = (struct msghdr){ .msg_iov = many, .msg_iovlen = MANY };
		return sendmsg(fd, &msg, MSG_NOSIGNAL);
	case 7:
		return sendmsg(fd, (void *)wild, MSG_NOSIGNAL);
	case 8:
		msg.msg_iov = (void *)wild;
		return sendmsg(fd, &msg, MSG_NOSIGNAL);
	case 9:
		return pwrite(fd, p, n, 0);
	case 10:
		return sendmmsg(fd, messages, 0, MSG_NOSIGNAL);
	case 11:
		return sendmmsg(fd, (void *)wild, 3, MSG_NOSIGNAL);
	case 12:
		return writev(fd, (void *)wild, 2);
	case 13:
		return pwritev2(fd, v, 1, -1, 0x40000000);
	default:
		return write(FD_FREE + 900, p, n);
	}
}

static ssize_t sum_of(int count)
{
	ssize_t n = 0;

	for (int i = 0; i < count; i++)
		n += messages[i].msg_len;
	return n;
}

/* COUNT messages of pieces that are there in MANY. */
static ssize_t send_many(int fd, int count, bool by_number)
{
	int ret;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < count; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &many[i], .msg_iovlen = 1 };
	ret = by_number ? (int)syscall(SYS_sendmmsg, fd, messages, count, MSG_NOSIGNAL)
			: sendmmsg(fd, messages, (unsigned)count, MSG_NOSIGNAL);
	return ret > 0 ? sum_of(ret) : ret;
}

/* A number goes along; the driver takes none, and the kernel closes it. */
static ssize_t send_rights(int fd, struct iovec *v)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), &(int){ FD_ALIVE }, sizeof(int));
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* Sends from the pieces in MANY, of which there are *COUNT, in one call. */
static ssize_t write_oddly(int fd, int how, int *count)
{
	static const int flags[] = { MSG_CONFIRM, MSG_DONTROUTE, MSG_ZEROCOPY, MSG_TRUNC,
				     MSG_CTRUNC, MSG_WAITALL, MSG_SYN, MSG_RST };
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct msghdr msg = { .msg_iov = many, .msg_iovlen = (size_t)*count };

	switch (how) {
	case 0:
		return writev(fd, many, *count);
	case 1:
		return sendmsg(fd, &msg, MSG_NOSIGNAL);
	case 2:
		return send_many(fd, *count, false);
	case 3:
		return send_many(fd, *count, true);
	case 4:
		return pwritev2(fd, many, *count, -1, 0);
	case 5:
		return syscall(SYS_writev, fd, many, *count);
	case 6:
		return syscall(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
	case 7:
		*count = 1;
		return send_rights(fd, many);
	case 8:
		*count = 1;
		return sendto(fd, many[0].iov_base, many[0].iov_len, MSG_NOSIGNAL, (void *)&any,
			      sizeof(any));
	default:
		*count = 1;
		return send(fd, many[0].iov_base, many[0].iov_len, MSG_NOSIGNAL | flags[how - 9]);
	}
}

/* After a call that sent DONE bytes of COUNT pieces, or had no room, the rest; how it ended. */
static void write_rest(int k, int count, ssize_t done)
{
	size_t n = done > 0 ? (size_t)done : 0, all = 0;
	struct pollfd room = { .fd = vm.sink[k], .events = POLLOUT };
	bool goes_on = done > 0 || errno == EAGAIN || errno == EINTR;

	for (int i = 0; i < count && goes_on; i++)
		while (many[i].iov_len && goes_on) {
			size_t part = n < many[i].iov_len ? n : many[i].iov_len;

			n -= part;
			all += part;
			many[i].iov_base = (char *)many[i].iov_base + part;
			many[i].iov_len -= part;
			if (many[i].iov_len == 0)
				break;
			errno = NO_ERROR;
			done = write(vm.sink[k], many[i].iov_base, many[i].iov_len);
			n = done > 0 ? (size_t)done : 0;
			atomic_fetch_add(&vm.shared->sent[vm.target[k]], n);
			if (done < 0 && errno == EAGAIN)
				poll(&room, 1, 8000);
			goes_on = done > 0 || errno == EAGAIN || errno == EINTR;
		}
	SAY("writeedge", (long)all, goes_on ? 0 : errno);
}

/* how: 0..14 what is refused, 15..31 what is odd, of 1, 3, 16 or IOV_MAX pieces; see above */
int op_writeedge(const struct op *op)
{
	static const int counts[4] = { 1, 3, 16, IOV_MAX };
	int k = sink_of(op->a[0]), n = op->a[3], how = (int)((unsigned)op->a[4] % 128);
	char *p = piece_defined(op->a[1], op->a[2], &n);
	int fd = vm.sink[k], count = counts[how / 32];
	ssize_t ret;

	how %= 32;
	if (fd < 0 || n < 2 * IOV_MAX || vm.shared->loose & (1u << vm.target[k]) ||
	    (size_t)n * 2 > vm.budget || vm.program->sigpipe != 0)
		return 0;
	errno = NO_ERROR;
	if (how < 15) {
		synchronise(k); /* or it is said first that there is no room */
		errno = NO_ERROR;
		ret = write_refused(fd, p, (size_t)n, how);
		SAY("writeedge", ret, errno);
		return 0;
	}
	in_many(p, (size_t)n, count);
	ret = write_oddly(fd, how - 15, &count);
	if (ret > 0) {
		vm.budget -= (size_t)ret;
		atomic_fetch_add(&vm.shared->sent[vm.target[k]], (uint64_t)ret);
	}
	write_rest(k, count, ret);
	return 0;
}

/* ---- sockets that are read ---- */

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *from,
		       socklen_t *from_n);

/* By way of a pipe of the program's own. */
static ssize_t splice_through(int fd, char *p, size_t n)
{
	int ends[2];
	ssize_t ret;

	if (pipe(ends) < 0)
		return -1;
	ret = splice(fd, NULL, ends[1], NULL, n < 4000 ? n : 4000, 0);
	if (ret > 0)
		ret = read(ends[0], p, (size_t)ret);
	close(ends[0]);
	close(ends[1]);
	return ret;
}

static ssize_t receive_many(int fd, char *p, size_t n, int count)
{
	int ret;

	in_many(p, n, count);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < count; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &many[i], .msg_iovlen = 1 };
	ret = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, NULL);
	return ret > 0 ? sum_of(ret) : ret;
}

/* What brings nothing, or is refused. */
static ssize_t receive_refused(int fd, char *p, size_t n, int how)
{
	struct iovec v = { p, n };
	struct msghdr msg = { .msg_iov = many, .msg_iovlen = MANY };

	switch (how) {
	case 0:
		return recv(fd, p, 0, 0);
	case 1:
		return recv(fd, wild, n, MSG_DONTWAIT);
	case 2:
		return read(fd, wild, n);
	case 3:
		return recvmmsg(fd, messages, 0, MSG_DONTWAIT, NULL);
	case 4:
		in_many(p, n, MANY);
		return recvmsg(fd, &msg, MSG_DONTWAIT);
	case 5:
		return preadv(fd, &v, 1, 0);
	case 6:
		return sendfile(fd, fd, NULL, n);
	default:
		return recv(fd, p, n, MSG_OOB | MSG_DONTWAIT);
	}
}

static ssize_t receive_oddly(int fd, char *p, size_t n, int how)
{
	struct iovec v = { p, n };
	char control[64];
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);

	switch (how) {
	case 0:
		return receive_many(fd, p, n, 3);
	case 1:
		return recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	case 2:
		return recvfrom(fd, p, n, 0, (void *)&from, &from_n);
	case 3:
		in_many(p, n, n < IOV_MAX ? 1 : IOV_MAX);
		return readv(fd, many, n < IOV_MAX ? 1 : IOV_MAX);
	case 4:
		return preadv2(fd, &v, 1, -1, 0);
	case 5:
		return recv(fd, p, n, MSG_PEEK) == recv(fd, p, n, 0) ? (ssize_t)n : -5;
	case 6:
		return __recv_chk(fd, p, n, n, 0);
	case 7:
		return __recvfrom_chk(fd, p, n, n, 0, NULL, NULL);
	case 8:
		return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
	case 9:
		return syscall(SYS_recvmsg, fd, &msg, 0);
	case 10:
		return recv(fd, p, n, MSG_WAITALL);
	case 11:
		return preadv2(fd, &v, 1, -1, RWF_NOWAIT);
	default:
		return splice_through(fd, p, n);
	}
}

/* how: 0..7 what is refused, 8..23 what is odd; see above */
int op_recvedge(const struct op *op)
{
	int j = (int)((unsigned)op->a[0] % FEEDS), n = op->a[3], arrived = 0;
	int how = (int)((unsigned)op->a[4] % 24), fd = vm.feed[j];
	char *p = piece(op->a[1], op->a[2], &n);
	ssize_t ret;

	if (fd < 0 || n == 0 || ioctl(fd, FIONREAD, &arrived) < 0 || arrived == 0)
		return 0;
	if (n > arrived)
		n = arrived;
	errno = NO_ERROR;
	ret = how < 8 ? receive_refused(fd, p, (size_t)n, how)
		      : receive_oddly(fd, p, (size_t)n, how - 8);
	SAY("recvedge", ret, errno);
	if (how >= 8)
		define(buffer_of(op->a[1]), p, ret > 0 ? (size_t)ret : 0);
	return 0;
}

/* ---- memory with an end ---- */

/* BRINK bytes with content, behind which there is nothing. */
static char *make_brink(void)
{
	char *p = mmap(NULL, BRINK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		_exit(99);
	memset(p, 'n', BRINK);
	mprotect(p + BRINK, PAGE, PROT_NONE);
	return p;
}

/* What a call sees of P, whose end is near or behind. */
static void look_over(char *end, size_t n, int how)
{
	struct iovec v[2] = { { end - n, n }, { end - 1, 2 } };
	int fd = memfd_create("brink", 0);

	errno = NO_ERROR;
	if (how == 0)
		SAY("write", write(fd, end - n, n + 100), errno);
	else if (how == 1)
		SAY("writev", writev(fd, v, 2), errno);
	else if (how == 2)
		SAY("access", access(end - 9, R_OK), errno);
	else if (how == 3)
		SAY("writev", writev(fd, (void *)(end - 24), 2), errno);
	else if (how == 4)
		SAY("pwrite", pwrite(fd, end - n, n + 1, 3), errno);
	else if (how == 5)
		SAY("stat", stat("f0", (void *)(end - 20)), errno);
	else if (how == 6)
		SAY("madvise", madvise(end - PAGE, 2 * PAGE, MADV_WILLNEED), errno);
	else
		SAY("mprotect", mprotect(end - PAGE, PAGE, PROT_READ | PROT_WRITE), errno);
	SAY("size", lseek(fd, 0, SEEK_END));
	close(fd);
}

/*
 * Chunks of N bytes from S that end with the memory go to K, then one is read over the end. how:
 * what looks over it meanwhile, and in eights: 0 read, 1 pread, 2 readv, 3 nothing
 */
int op_brink(const struct op *op)
{
	int s = slot_of(op->a[0]), how = (int)((unsigned)op->a[3] % 32), fd = vm.slot[s];
	size_t n = PAGE + (unsigned)op->a[2] % (BRINK - PAGE);
	struct iovec over;
	char *p, *end;
	ssize_t ret = 0;

	if (fd < 0 || vm.timer)
		return 0;
	p = make_brink();
	end = p + BRINK;
	for (int i = 0; i < 3; i++) {
		ret = read_as(fd, end - n, n, 0, op->a[4]);
		SAY("brink", ret);
		if (i < 2 && ret > 0)
			write_all(op->a[1], end - n, (size_t)ret, 0, 0, 0);
	}
	look_over(end, n, how % 8);
	errno = NO_ERROR;
	over = (struct iovec){ end - n, n + 50 };
	ret = how / 8 == 0 ? read(fd, end - n, n + 50)
	      : how / 8 == 1 ? pread(fd, end - n, n + 50, 11)
	      : how / 8 == 2 ? readv(fd, &over, 1) : 0;
	SAY("over", ret, errno, lseek(fd, 0, SEEK_CUR), (long)fuzz_hash(p, BRINK));
	munmap(p, BRINK + PAGE);
	return 0;
}
