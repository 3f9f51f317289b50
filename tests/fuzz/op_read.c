/* SPDX-License-Identifier: MIT */
/* op_read.c - operations that bring bytes into a buffer. */
#include "vm.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/*
 * What is learned of a loop hangs on the place of the call: one look, and the place is not
 * tried again for a while. So each call is there sixteen times.
 */
#define AT_SITE(site, call)                                                                        \
	switch ((unsigned)(site) % 16) {                                                           \
	case 0: call; __asm__ volatile("# 0"); break;                                              \
	case 1: call; __asm__ volatile("# 1"); break;                                              \
	case 2: call; __asm__ volatile("# 2"); break;                                              \
	case 3: call; __asm__ volatile("# 3"); break;                                              \
	case 4: call; __asm__ volatile("# 4"); break;                                              \
	case 5: call; __asm__ volatile("# 5"); break;                                              \
	case 6: call; __asm__ volatile("# 6"); break;                                              \
	case 7: call; __asm__ volatile("# 7"); break;                                              \
	case 8: call; __asm__ volatile("# 8"); break;                                              \
	case 9: call; __asm__ volatile("# 9"); break;                                              \
	case 10: call; __asm__ volatile("# 10"); break;                                            \
	case 11: call; __asm__ volatile("# 11"); break;                                            \
	case 12: call; __asm__ volatile("# 12"); break;                                            \
	case 13: call; __asm__ volatile("# 13"); break;                                            \
	case 14: call; __asm__ volatile("# 14"); break;                                            \
	default: call; __asm__ volatile("# 15"); break;                                            \
	}

ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t n, off_t at, size_t room);

/* P in three pieces of uneven length. */
static void in_three(struct iovec v[3], char *p, size_t n)
{
	size_t first = n / 3 + 1 < n ? n / 3 + 1 : n, second = (n - first) / 2;

	v[0] = (struct iovec){ p, first };
	v[1] = (struct iovec){ p + first, second };
	v[2] = (struct iovec){ p + first + second, n - first - second };
}

/* how: 0 read, 1 readv of one piece, 2 of three, 3 __read_chk, 4 syscall() */
ssize_t read_as(int fd, char *p, size_t n, int how, int site)
{
	struct iovec one = { p, n }, three[3];
	ssize_t ret = -1;

	switch ((unsigned)how % 5) {
	case 0:
		AT_SITE(site, ret = read(fd, p, n));
		break;
	case 1:
		AT_SITE(site, ret = readv(fd, &one, 1));
		break;
	case 2:
		in_three(three, p, n);
		ret = readv(fd, three, 3);
		break;
	case 3:
		AT_SITE(site, ret = __read_chk(fd, p, n, n));
		break;
	default:
		ret = syscall(SYS_read, fd, p, n);
	}
	return ret;
}

/* how: 0 pread, 1 preadv of one piece, 2 of three, 3 __pread_chk, 4 preadv2 */
static ssize_t pread_as(int fd, char *p, size_t n, off_t at, int how, int site)
{
	struct iovec one = { p, n }, three[3];
	ssize_t ret = -1;

	switch ((unsigned)how % 5) {
	case 0:
		AT_SITE(site, ret = pread(fd, p, n, at));
		break;
	case 1:
		AT_SITE(site, ret = preadv(fd, &one, 1, at));
		break;
	case 2:
		in_three(three, p, n);
		ret = preadv(fd, three, 3, at);
		break;
	case 3:
		AT_SITE(site, ret = __pread_chk(fd, p, n, at, n));
		break;
	default:
		ret = preadv2(fd, &one, 1, at, 0);
	}
	return ret;
}

/* While signals come: a handler may look at a byte in the middle, and knows what it is. */
static void offer_peek(int s, const char *p, ssize_t n, off_t end)
{
	if (!vm.timer || n <= 0 || vm.slot_file[s] == MUTABLE || end < n)
		return;
	vm.peek.p = (const volatile unsigned char *)p + n / 2;
	vm.peek.expected = file_byte(vm.slot_file[s], (uint64_t)(end - n + n / 2));
	vm.peek.valid = 1;
}

int op_read(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3];
	char *p = piece(op->a[1], op->a[2], &n);
	ssize_t ret;

	if (vm.slot[s] < 0)
		return 0;
	errno = NO_ERROR;
	ret = read_as(vm.slot[s], p, (size_t)n, op->a[4], op->a[5]);
	SAY("read", ret, errno);
	define(buffer_of(op->a[1]), p, ret > 0 ? (size_t)ret : 0);
	if (vm.timer)
		offer_peek(s, p, ret, lseek(vm.slot[s], 0, SEEK_CUR));
	return 0;
}

int op_pread(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3];
	char *p = piece(op->a[1], op->a[2], &n);
	ssize_t ret;

	if (vm.slot[s] < 0)
		return 0;
	errno = NO_ERROR;
	ret = pread_as(vm.slot[s], p, (size_t)n, op->a[4], op->a[5], op->a[6]);
	SAY("pread", ret, errno);
	define(buffer_of(op->a[1]), p, ret > 0 ? (size_t)ret : 0);
	offer_peek(s, p, ret, op->a[4] + ret);
	return 0;
}

size_t __fread_chk(void *p, size_t room, size_t size, size_t n, FILE *f);

static ssize_t stream_oddly(FILE **f, char *p, size_t n, int how)
{
	switch (how) {
	case 4:
		return fgets(p, (int)n, *f) ? (ssize_t)strlen(p) : -1;
	case 5:
		setvbuf(*f, NULL, _IONBF, 0);
		return (ssize_t)fread(p, 1, n, *f);
	case 6:
		return fseek(*f, 1234, SEEK_CUR) == 0 ? (ssize_t)fread(p, 1, n, *f) : -1;
	case 7:
		return fseek(*f, -100, SEEK_END) == 0 ? (ssize_t)fread(p, 33, n / 33, *f) : -1;
	case 8:
		*f = freopen("f1", "r", *f);
		return *f ? (ssize_t)fread(p, 1, n, *f) : -1;
	case 9:
		return (ssize_t)(fread(p, 0, n, *f) + fread(p, n, 0, *f));
	case 10:
		return (ssize_t)__fread_chk(p, n, 1, n, *f);
	default:
		return fgetc(*f) != EOF ? (ssize_t)fread(p, 1, n, *f) : -1;
	}
}

/*
 * A stream on the same descriptor. how: 0 fread of all, 1 of records, 2 with the buffer itself as
 * the stream's, 3 getline from it, 4 fgets, 5 unbuffered, 6 behind a seek, 7 records beyond the
 * end, 8 freopen to f1, 9 nothing, 10 __fread_chk, 11 fgetc and a large one behind it
 */
int op_stdio(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3], how = (int)((unsigned)op->a[4] % 12);
	char *p = piece(op->a[1], op->a[2], &n), *line = NULL;
	int fd = vm.slot[s] >= 0 ? dup(vm.slot[s]) : -1;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	size_t room = 0;

	if (!f || n < 64)
		return f ? fclose(f) * 0 : 0;
	if (how == 2) { /* N is at least 64 */
		long sum = 0;

		setvbuf(f, p, _IOFBF, (size_t)n);
		for (int i = 0; i < 100; i++)
			sum = sum * 31 + getc(f);
		SAY("getc", sum);
		undefine(buffer_of(op->a[1]));
	} else if (how == 3) {
		ssize_t got = getline(&line, &room, f);

		SAY("getline", got, got > 0 ? (long)fuzz_hash(line, (size_t)got) : 0);
		free(line);
	} else if (how > 3) {
		ssize_t got = stream_oddly(&f, p, (size_t)n, how);

		SAY("fread", got);
		if (!f)
			return 0;
		/* what a short one leaves behind its end is libc's */
		undefine(buffer_of(op->a[1]));
		if (how != 7)
			define(buffer_of(op->a[1]), p, got > 0 ? (size_t)got : 0);
	} else {
		size_t size = how ? 100 : 1, got = fread(p, size, (size_t)n / size, f);

		SAY("fread", (long)got);
		define(buffer_of(op->a[1]), p, got * size);
		if (got < (size_t)n / size)
			undefine(buffer_of(op->a[1])); /* a part of a record may be there */
	}
	SAY("ftell", ftell(f), feof(f));
	SAY("fclose", fclose(f), lseek(vm.slot[s], 0, SEEK_CUR));
	return 0;
}

/* The peer of feed J sends N bytes; they have all arrived. */
int op_feed(const struct op *op)
{
	int j = (int)((unsigned)op->a[0] % FEEDS), arrived = -1;
	long n = (long)((unsigned)op->a[1] % 30000), until = now_ms() + 5000;

	n = ask(PEER_FEED, j, n, 0);
	while (vm.feed[j] >= 0 && ioctl(vm.feed[j], FIONREAD, &arrived) == 0 && arrived < n &&
	       now_ms() < until)
		continue;
	SAY("fed", n, arrived);
	return 0;
}

/*
 * how: 0 recv, 1 read, 2 recvmsg of three, 3 readv, 4 recvfrom, 5 MSG_PEEK, 6 MSG_WAITALL of
 * what is there
 */
static ssize_t receive_as(int fd, char *p, size_t n, int how)
{
	struct iovec three[3];
	struct msghdr msg = { .msg_iov = three, .msg_iovlen = 3 };

	in_three(three, p, n);
	switch ((unsigned)how % 7) {
	case 0:
		return recv(fd, p, n, 0);
	case 1:
		return read(fd, p, n);
	case 2:
		return recvmsg(fd, &msg, MSG_DONTWAIT);
	case 3:
		return readv(fd, three, 3);
	case 4:
		return recvfrom(fd, p, n, 0, NULL, NULL);
	case 5:
		return recv(fd, p, n, MSG_PEEK);
	default:
		return recv(fd, p, n, MSG_WAITALL | MSG_DONTWAIT);
	}
}

int op_recv(const struct op *op)
{
	int j = (int)((unsigned)op->a[0] % FEEDS), n = op->a[3], arrived = 0;
	char *p = piece(op->a[1], op->a[2], &n);
	ssize_t ret;

	if (vm.feed[j] < 0 || n == 0 || ioctl(vm.feed[j], FIONREAD, &arrived) < 0 || arrived == 0)
		return 0;
	if (n > arrived)
		n = arrived;
	errno = NO_ERROR;
	ret = receive_as(vm.feed[j], p, (size_t)n, op->a[4]);
	SAY("recv", ret, errno);
	define(buffer_of(op->a[1]), p, ret > 0 ? (size_t)ret : 0);
	return 0;
}

/*
 * A loop without a pause: ROUNDS chunks from S to K, each read at the same place. how: as
 * op_read and op_write
 */
int op_copy(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3];
	char *p = piece(op->a[2], 0, &n);

	if (vm.slot[s] < 0)
		return 0;
	for (int i = 0; i < (int)((unsigned)op->a[4] % 8); i++) {
		ssize_t ret = read_as(vm.slot[s], p, (size_t)n, op->a[6], op->a[5]);

		SAY("copy", ret);
		define(buffer_of(op->a[2]), p, ret > 0 ? (size_t)ret : 0);
		if (ret <= 0)
			break;
		write_all(op->a[1], p, (size_t)ret, op->a[6] / 8, 0, 0);
	}
	return 0;
}
