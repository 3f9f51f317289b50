/* SPDX-License-Identifier: MIT */
/* op_memory.c - looks into a buffer, changes of it, and what becomes of its memory. */
#include "vm.h"

#include <limits.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

/* no larger than what a pipe or a socket takes at once */
enum { SMALL = 4000, PAGE = 4096 };

static char copy[512 * 1024];

/* ---- looks ---- */

/* By a call: through a pipe and back. */
static long by_pipe(char *p, size_t n, int how)
{
	struct iovec v[2] = { { p, n / 2 }, { p + n / 2, n - n / 2 } };
	int fd[2];
	long sum = 0;
	ssize_t ret;

	if (pipe(fd) < 0)
		return -1;
	if (how == 2)
		ret = vmsplice(fd[1], v, 2, 0);
	else
		ret = how == 0 ? write(fd[1], p, n) : writev(fd[1], v, 2);
	if (ret > 0 && read(fd[0], copy, (size_t)ret) == ret)
		sum = (long)fuzz_hash(copy, (size_t)ret);
	close(fd[0]);
	close(fd[1]);
	return sum + ret;
}

static long by_socket(char *p, size_t n)
{
	int fd[2];
	long sum = -1;
	ssize_t ret;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) < 0)
		return -1;
	ret = send(fd[0], p, n, 0);
	if (ret > 0 && recv(fd[1], copy, sizeof(copy), 0) == ret)
		sum = (long)fuzz_hash(copy, (size_t)ret);
	close(fd[0]);
	close(fd[1]);
	return sum + ret;
}

static long compare_with_file(char *p, size_t n)
{
	file_bytes(0, 0, 0, copy, n);
	return memcmp(p, copy, n) == 0;
}

/*
 * how: 0 all of it, 1 memcpy out, 2 first and last byte, 3 memchr, 4 memcmp, 5 write, 6 writev,
 * 7 vmsplice (a few bytes, by calls), 8 a datagram, 9 strnlen, 10 one byte, 11 as a path
 */
static long look_as(char *p, size_t n, int how)
{
	size_t few = n < SMALL ? n : SMALL;
	char *found;

	switch (how) {
	case 0:
		return (long)fuzz_hash(p, n);
	case 1:
		memcpy(copy, p, n);
		return (long)fuzz_hash(copy, n);
	case 2:
		return p[0] + 256 * p[n - 1];
	case 3:
		found = memchr(p, 0, n);
		return found ? found - p : -1;
	case 4:
		return compare_with_file(p, few);
	case 5:
	case 6:
	case 7:
		return by_pipe(p, few, how - 5);
	case 8:
		return by_socket(p, few);
	case 9:
		return (long)strnlen(p, n);
	case 10:
		return *(volatile char *)p;
	default:
		return memchr(p, 0, few) ? access(p, R_OK) : 0;
	}
}

int op_look(const struct op *op)
{
	int n = op->a[2];
	char *p = piece_defined(op->a[0], op->a[1], &n);

	if (n > 0)
		SAY("look", look_as(p, (size_t)n, (int)((unsigned)op->a[3] % 12)));
	return 0;
}

/* ---- changes ---- */

/* By a call that fills the buffer. */
static ssize_t change_by_call(char *p, size_t n, int how)
{
	struct stat *st = (struct stat *)copy;
	int fd[2];
	ssize_t ret = -1;

	switch (how) {
	case 0: {
		int zero = open("/dev/zero", O_RDONLY);
		size_t done = 0;

		/* a signal that comes meanwhile makes it short, behind one page or another */
		while (done < n && ((ret = read(zero, p + done, n - done)) > 0 || errno == EINTR))
			done += ret > 0 ? (size_t)ret : 0;
		close(zero);
		return done ? (ssize_t)done : ret;
	}
	case 1:
		ret = n >= sizeof(struct utsname) ? uname((void *)p) : 0;
		return ret;
	case 2:
		ret = n >= sizeof(*st) ? stat("f0", (void *)p) : 0;
		memset(p, 's', n < sizeof(*st) ? n : sizeof(*st)); /* times differ */
		return ret;
	case 3:
		ret = getrandom(p, n < 256 ? n : 256, 0);
		memset(p, 'r', n < 256 ? n : 256);
		return ret;
	case 4:
		return readlink("link", p, n);
	default:
		if (pipe(fd) < 0)
			return -1;
		memset(copy, 'p', SMALL);
		ret = write(fd[1], copy, n < SMALL ? n : SMALL);
		ret = read(fd[0], p, (size_t)ret);
		close(fd[0]);
		close(fd[1]);
		return ret;
	}
}

/*
 * how: 0 memset, 1 one byte, 2 memcpy in, 3 memmove by a few bytes, 4 every byte, 5 to 10 by calls,
 * 11 the first and the last byte, 12 memmove of the second half to the front, 13 bytes as they were
 */
static void change_as(char *p, size_t n, int how, int value)
{
	switch (how) {
	case 0:
		memset(p, value, n);
		break;
	case 1:
		p[0] = (char)value;
		break;
	case 2:
		file_bytes(1, 1, 0, copy, n < 20000 ? n : 20000);
		memcpy(p, copy, n < 20000 ? n : 20000);
		break;
	case 3:
		if (n > 100)
			memmove(p + 50, p, n - 100);
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			p[i] ^= (char)value;
		break;
	case 11:
		p[0] ^= 1;
		p[n - 1] ^= 1;
		break;
	case 12:
		memmove(p, p + n / 2, n - n / 2);
		break;
	case 13:
		((volatile char *)p)[0] = ((volatile char *)p)[0];
		break;
	default:
		SAY("change", change_by_call(p, n, how - 5));
	}
}

int op_change(const struct op *op)
{
	int n = op->a[2];
	char *p = piece_defined(op->a[0], op->a[1], &n);

	if (n > 0)
		change_as(p, (size_t)n, (int)((unsigned)op->a[3] % 14), op->a[4]);
	return 0;
}

/* ---- the heap ---- */

static void other_block(size_t n)
{
	char *p = malloc(n);

	if (p) {
		memset(p, 'o', n);
		free(p);
	}
}

static void renew(struct buffer *b, char *p, size_t n)
{
	b->p = p;
	b->size = n;
	undefine(b);
}

static void resize(struct buffer *b, size_t n)
{
	char *p = realloc(b->p, n);

	if (!p)
		_exit(98);
	b->p = p;
	b->size = n;
	if (b->hi > n)
		b->hi = n;
	if (b->lo >= b->hi)
		undefine(b);
}

/*
 * how: 0 free and malloc, 1 free and calloc, 2 another block of that size between, 3 realloc,
 * 4 realloc much larger, 5 malloc_trim, 6 posix_memalign, 7 reallocarray,
 * 8 a small block takes a part
 */
static void heap_as(struct buffer *b, size_t n, int how)
{
	void *p = NULL;

	if (how == 3 || how == 7)
		return resize(b, n);
	if (how == 4)
		return resize(b, n + 400000);
	if (how == 5) {
		malloc_trim(0);
		return;
	}
	free(b->p);
	if (how == 2)
		other_block(n);
	if (how == 8)
		other_block(n / 3);
	if (how == 6 && posix_memalign(&p, PAGE, n) != 0)
		_exit(98);
	renew(b, how == 6 ? p : how == 1 ? calloc(1, n) : malloc(n), n);
	if (!b->p)
		_exit(98);
	if (how == 1)
		define(b, b->p, n);
}

int op_heap(const struct op *op)
{
	struct buffer *b = buffer_of(op->a[0]);
	size_t n = 50000 + (unsigned)op->a[2] % 300000;

	if (b->kind != BUFFER_HEAP)
		return 0;
	heap_as(b, op->a[2] & 1 ? b->size : n, (int)((unsigned)op->a[1] % 9));
	SAY("heap", (long)b->size);
	return 0;
}

/* ---- pages ---- */

/* The whole pages of [p, p + n). */
static size_t whole_pages(char **p, size_t n)
{
	uintptr_t lo = ((uintptr_t)*p + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t hi = ((uintptr_t)*p + n) & ~(uintptr_t)(PAGE - 1);

	*p = (char *)lo;
	return hi > lo ? hi - lo : 0;
}

static void map_file(char *p, size_t n)
{
	int fd = open("f1", O_RDONLY);

	if (n > 200000)
		n = 200000 & ~(size_t)(PAGE - 1);
	SAY("mmap", mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == p);
	close(fd);
}

/* To another place and back; the second time over what was put where it had been. */
static void move_away(char *p, size_t n)
{
	char *to = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SAY("mremap", mremap(p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	SAY("moved", to[0], (long)fuzz_hash(to, n));
	mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	SAY("mremap", mremap(to, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
}

static void protect(char *p, size_t n, int prot)
{
	SAY("mprotect", mprotect(p, n, prot));
	if (prot & PROT_READ)
		SAY("look", (long)fuzz_hash(p, n));
	else
		SAY("write", write(FD_FREE + 900, p, n), errno);
	SAY("mprotect", mprotect(p, n, PROT_READ | PROT_WRITE));
}

/*
 * A read into pages that may not be written to, and a write of pages that may not be read: the
 * kernel refuses.
 */
static void refused(char *p, size_t n)
{
	int fd = open("f0", O_RDONLY);

	mprotect(p, n, PROT_READ);
	errno = NO_ERROR;
	SAY("read", read(fd, p, n), errno, lseek(fd, 0, SEEK_CUR));
	mprotect(p, n, PROT_NONE);
	errno = NO_ERROR;
	SAY("pread", pread(fd, p, n, 5), errno);
	mprotect(p, n, PROT_READ | PROT_WRITE);
	close(fd);
}

/* Before 6.11 a kernel does not tell what such calls did: doc/transparency.md. */
static bool kernel_tells(void)
{
	struct {
		uint64_t size, flags, address, rest[10];
	} query = { .size = sizeof(query), .address = (uintptr_t)&query };
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	bool tells = fd >= 0 && ioctl(fd, _IOWR(0x66, 17, query), &query) == 0;

	if (fd >= 0)
		close(fd);
	return tells;
}

/* These need memory of the program's own making. */
static void map_own(char *p, size_t n, int how)
{
	if (how == 0) {
		munmap(p, n);
		SAY("mmap", mmap(p, n, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	} else if (how == 1) {
		SAY("mmap", mmap(p, n, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	} else if (how == 2) {
		move_away(p, n);
	} else if (how == 3) {
		map_file(p, n);
	} else {
		/* libc's own free does so too, and no hook hears of that */
		if (how == 12)
			raw_call(SYS_munmap, (long)p, (long)n, 0, 0);
		SAY("mmap", raw_call(SYS_mmap, (long)p, (long)n, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) == (long)p);
	}
}

/*
 * how: 0 munmap and again, 1 a new mapping over it, 2 mremap there and back, 3 a file over it,
 * 4 readable only for a while, 5 not even that, 6 MADV_DONTNEED, 7 MADV_WILLNEED,
 * 8 mlock and munlock, 9 refused reads, 10 mincore,
 * 11 a new mapping over all of the buffer past libc, 12 the same after a munmap
 */
int op_map(const struct op *op)
{
	int n = op->a[2], how = (int)((unsigned)op->a[3] % 13);
	struct buffer *b = buffer_of(op->a[0]);
	char *p = piece_defined(op->a[0], op->a[1], &n);
	size_t size = whole_pages(&p, (size_t)n);
	static unsigned char there[256];

	/* where a page begins in a block of the heap is not the same in every run */
	if (size == 0 || b->kind == BUFFER_STACK ||
	    ((how < 4 || how > 10) && b->kind != BUFFER_MAP) ||
	    (b->kind == BUFFER_HEAP && (n < 2 * PAGE || how < 7 || how == 9)) ||
	    (how == 9 && b->kind == BUFFER_SHARED))
		return 0;
	if (how > 10 && kernel_tells())
		map_own(b->p, b->size, how);
	else if (how < 4)
		map_own(p, size, how);
	else if (how < 6)
		protect(p, size, how == 4 ? PROT_READ : PROT_NONE);
	else if (how == 6 && b->kind != BUFFER_STATIC)
		SAY("madvise", madvise(p, size, MADV_DONTNEED));
	else if (how == 7)
		SAY("madvise", madvise(p, size, MADV_WILLNEED));
	else if (how == 8)
		SAY("mlock", mlock(p, size), munlock(p, size));
	else if (how == 9)
		refused(p, size);
	else if (how == 10)
		SAY("mincore", mincore(p, size, there));
	return 0;
}
