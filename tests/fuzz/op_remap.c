/* SPDX-License-Identifier: MIT */
/* op_remap.c - pages in all forms of the calls, and numbers of descriptors. */
#include "vm.h"

#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static size_t whole_pages(char **p, size_t n)
{
	uintptr_t lo = ((uintptr_t)*p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t hi = ((uintptr_t)*p + n) & ~(uintptr_t)(PAGE - 1);

	*p = (char *)lo;
	return hi > lo ? hi - lo : 0;
}

/* What does not change what is there. */
static int advise(char *p, size_t n, int how)
{
	static const int advices[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_COLD,
				       MADV_PAGEOUT, MADV_DONTDUMP, MADV_DODUMP, MADV_HUGEPAGE,
				       MADV_NOHUGEPAGE, MADV_POPULATE_READ, MADV_POPULATE_WRITE, 12345 };
	struct iovec v = { p, n };

	if (how < 12)
		return madvise(p, n, advices[how]);
	if (how == 12)
		return posix_madvise(p, n, POSIX_MADV_DONTNEED);
	return (int)syscall(SYS_madvise, v.iov_base, v.iov_len, MADV_WILLNEED);
}

/* Refused, or of no effect. */
static void odd(char *p, size_t n, int how)
{
	switch (how) {
	case 0:
		SAY("munmap", munmap(p + 1, n), errno);
		break;
	case 1:
		SAY("munmap", munmap(p, 0), errno);
		break;
	case 2:
		SAY("mprotect", mprotect(p, 0, PROT_NONE), mprotect(p + 7, n, PROT_NONE));
		break;
	case 3:
		SAY("mremap", mremap(p, n, 0, 0) == MAP_FAILED, errno);
		break;
	case 4:
		SAY("mremap", mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED, errno);
		break;
	case 5:
		SAY("mmap", mmap(p, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				 -1, 0) == MAP_FAILED, errno);
		break;
	case 6:
		SAY("mmap", mmap(p, n, PROT_READ, MAP_PRIVATE | MAP_FIXED, FD_FREE + 900, 0) ==
		    MAP_FAILED, errno);
		break;
	case 7:
		SAY("msync", msync(p, n, MS_SYNC), msync(p, n, MS_INVALIDATE | MS_ASYNC));
		break;
	case 8:
		SAY("mlock2", mlock2(p, n, MLOCK_ONFAULT), mlock2(p, n, 77), munlock(p, n));
		break;
	default:
		SAY("mlockall", mlockall(MCL_CURRENT | MCL_ONFAULT), munlockall());
	}
}

/* Of a mapping of the program's own: what changes where it is, or what it holds. */
static void move(struct buffer *b, char *p, size_t n, int how)
{
	struct iovec here = { p, n < 3000 ? n : 3000 }, there = { b->p, here.iov_len };
	char *to;

	switch (how) {
	case 0: /* smaller, and as large as it was: what is behind is new */
		SAY("mremap", mremap(b->p, b->size, b->size / 2, 0) == b->p);
		mmap(b->p + b->size / 2, b->size / 2, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 1: /* what was there is empty afterwards */
		to = mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL); /* libc takes it from there */
		SAY("mremap", to != MAP_FAILED, to != MAP_FAILED ? (long)fuzz_hash(to, n) : 0);
		if (to != MAP_FAILED)
			munmap(to, n);
		break;
	case 2: /* larger, elsewhere */
		to = mremap(b->p, b->size, b->size + PAGE, MREMAP_MAYMOVE);
		SAY("mremap", to != MAP_FAILED);
		b->p = to;
		munmap(to + b->size, PAGE);
		break;
	case 3:
		SAY("mmap", mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
				 MAP_POPULATE | MAP_NORESERVE, -1, 0) == p);
		break;
	case 4:
		SAY("readv", process_vm_readv(getpid(), &there, 1, &here, 1, 0));
		define(b, b->p, there.iov_len);
		break;
	case 5:
		SAY("writev", process_vm_writev(getpid(), &there, 1, &here, 1, 0));
		break;
	case 6:
		SAY("madvise", madvise(p, n, MADV_FREE));
		memset(p, 'v', n);
		break;
	default:
		SAY("mprotect", mprotect(p, n, PROT_READ | PROT_WRITE | PROT_EXEC),
		    mprotect(p, n, PROT_READ | PROT_WRITE));
	}
}

/* how: 0..13 advice, 14..23 odd, 24..31 what moves */
int op_remap(const struct op *op)
{
	int n = op->a[2], how = (int)((unsigned)op->a[3] % 32);
	struct buffer *b = buffer_of(op->a[0]);
	char *p = piece_defined(op->a[0], op->a[1], &n);
	size_t size = whole_pages(&p, (size_t)n);

	if (size == 0 || b->kind == BUFFER_STACK || (how >= 24 && b->kind != BUFFER_MAP) ||
	    (b->kind == BUFFER_HEAP && (n < 2 * PAGE || how == 12)) ||
	    (b->kind == BUFFER_SHARED && how > 14))
		return 0;
	errno = NO_ERROR;
	if (how < 14) {
		int ret = advise(p, size, how);

		SAY("advice", ret, errno);
	} else if (how < 24) {
		odd(p, size, how - 14);
	} else {
		move(b, p, size, how - 24);
	}
	return 0;
}

/* ---- numbers ---- */

static void of_lock(int fd, int how)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (how == 0)
		SAY("ofd", fcntl(fd, F_OFD_SETLK, &lock), errno);
	else if (how == 1)
		SAY("lockf", lockf(fd, F_TEST, 100), errno);
	else if (how == 2)
		SAY("lease", fcntl(fd, F_SETLEASE, F_RDLCK), fcntl(fd, F_SETLEASE, F_UNLCK), errno);
	else
		SAY("flock", flock(fd, LOCK_SH), flock(fd, LOCK_UN), errno);
}

static void far_up(int how)
{
	struct rlimit limit, low;

	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	if (how == 0) {
		low.rlim_cur = 100;
		SAY("limit", setrlimit(RLIMIT_NOFILE, &low), fcntl(0, F_DUPFD, 100) < 0 ? errno : 0);
		SAY("limit", setrlimit(RLIMIT_NOFILE, &limit));
	} else if (how == 1) {
		for (int fd = 1000; fd < 1060; fd++)
			if (dup2(FD_ALIVE, fd) != fd || close(fd) != 0)
				SAY("number", fd, errno);
	} else if (how == 2) {
		SAY("close_range", close_range(1000, 5000, 0), close_range(9, 8, 0), errno);
		SAY("close_range", close_range(1000, 5000, CLOSE_RANGE_CLOEXEC));
	} else {
		SAY("close_range", syscall(SYS_close_range, 1000, 5000, 0));
		for (int fd = 1000; fd < 1010; fd++)
			SAY("close", close(fd), errno);
	}
}

/*
 * how: 0..3 locks of other kinds, 4..7 numbers far up, 8 ESPIPE, 9 hole and data, 10 far beyond the
 * end, 11 O_APPEND and back, 12 close-on-exec, 13 fadvise, 14 readahead, 15 O_DIRECT, where it is
 */
int op_number(const struct op *op)
{
	int s = slot_of(op->a[0]), how = (int)((unsigned)op->a[1] % 16), fd = vm.slot[s], flags;
	off_t at;

	if (fd < 0)
		return 0;
	errno = NO_ERROR;
	at = lseek(fd, 0, SEEK_CUR);
	flags = fcntl(fd, F_GETFL);
	if (how < 4)
		of_lock(fd, how);
	else if (how < 8)
		far_up(how - 4);
	else if (how == 8)
		SAY("seek", lseek(FD_ALIVE, 0, SEEK_CUR), errno);
	else if (how == 9)
		SAY("seek", lseek(fd, 10, SEEK_DATA), lseek(fd, 10, SEEK_HOLE), lseek(fd, at, SEEK_SET));
	else if (how == 10)
		SAY("seek", lseek(fd, INT64_MAX - 4096, SEEK_SET), lseek(fd, 1 << 20, SEEK_CUR), errno);
	else if (how == 11)
		SAY("append", fcntl(fd, F_SETFL, flags | O_APPEND), fcntl(fd, F_SETFL, flags));
	else if (how == 12)
		SAY("cloexec", fcntl(fd, F_SETFD, FD_CLOEXEC), ioctl(fd, FIONCLEX), fcntl(fd, F_GETFD));
	else if (how == 13)
		SAY("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	else if (how == 14)
		SAY("readahead", readahead(fd, 0, 100000));
	else
		SAY("direct", fcntl(fd, F_SETFL, flags | O_DIRECT) < 0 ? errno : 0,
		    fcntl(fd, F_SETFL, flags));
	return 0;
}
