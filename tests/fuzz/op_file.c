/* SPDX-License-Identifier: MIT */
/* op_file.c - descriptors of files, offsets, locks, and changes of the one file that changes. */
#include "vm.h"

#include <aio.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static const char *const names[FILES] = { "f0", "f1", "f2", "f3", "f4", "m" };

void descriptor_close_slot(int s)
{
	if (vm.slot[s] >= 0)
		SAY("close", close(vm.slot[s]));
	vm.slot[s] = -1;
}

int op_open(const struct op *op)
{
	static const int flags[] = { O_RDONLY, O_RDONLY | O_CLOEXEC, O_RDONLY,
				     O_RDONLY | O_NONBLOCK };
	int s = slot_of(op->a[0]), f = (int)((unsigned)op->a[1] % FILES);
	int how = f == MUTABLE && (op->a[2] & 4) ? O_RDWR : flags[op->a[2] & 3];

	descriptor_close_slot(s);
	errno = NO_ERROR;
	vm.slot[s] = open(names[f], how);
	vm.slot_file[s] = f;
	SAY("open", vm.slot[s], errno);
	return 0;
}

int op_close(const struct op *op)
{
	descriptor_close_slot(slot_of(op->a[0]));
	return 0;
}

/*
 * T becomes a copy of S. how: 0 dup, 1 dup2 onto T's number, 2 dup3, 3 F_DUPFD, 4
 * F_DUPFD_CLOEXEC, 5 dup2 onto itself
 */
int op_dup(const struct op *op)
{
	int s = slot_of(op->a[0]), t = slot_of(op->a[1]), how = (int)((unsigned)op->a[2] % 6);
	int fd = vm.slot[s], to = vm.slot[t], ret;

	if (fd < 0 || s == t)
		return 0;
	if (to < 0 && (how == 1 || how == 2))
		how = 0;
	if (how != 1 && how != 2)
		descriptor_close_slot(t);
	errno = NO_ERROR;
	if (how == 0)
		ret = dup(fd);
	else if (how == 1)
		ret = dup2(fd, to);
	else if (how == 2)
		ret = dup3(fd, to, O_CLOEXEC);
	else if (how < 5)
		ret = fcntl(fd, how == 3 ? F_DUPFD : F_DUPFD_CLOEXEC, 20);
	else
		ret = dup2(fd, fd) == fd ? dup(fd) : -1;
	SAY("dup", ret, errno);
	vm.slot[t] = ret;
	vm.slot_file[t] = vm.slot_file[s];
	return 0;
}

int op_seek(const struct op *op)
{
	int s = slot_of(op->a[0]), whence = (int)((unsigned)op->a[1] % 3);

	if (vm.slot[s] < 0)
		return 0;
	errno = NO_ERROR;
	SAY("seek", lseek(vm.slot[s], op->a[2], whence), errno);
	return 0;
}

/* ---- changes of the file ---- */

/* By a mapping of it, or a stream. */
static long own_unheard(int how, off_t at, const char *bytes, size_t n)
{
	off_t page = at & ~4095L;
	FILE *f;
	char *p;

	if (how == 0) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vm.mine, page);
		if (p != MAP_FAILED && lseek(vm.mine, 0, SEEK_END) >= page + 4096)
			memset(p, 'm', 4096);
		return munmap(p, 4096);
	}
	f = how == 1 ? fopen("m", "r+") : freopen("m", "r+", fopen("f1", "r"));
	if (how == 2)
		setvbuf(f, NULL, _IONBF, 0);
	fseek(f, at, SEEK_SET);
	return (long)fwrite(bytes, 1, n, f) + fclose(f);
}

/* By a thread of libc's own. */
static long own_by_thread(off_t at, char *bytes, size_t n)
{
	struct aiocb cb = { .aio_fildes = vm.mine, .aio_buf = bytes, .aio_nbytes = n,
			    .aio_offset = at };
	const struct aiocb *wait[] = { &cb };

	if (aio_write(&cb) != 0)
		return -1;
	while (aio_error(&cb) == EINPROGRESS)
		aio_suspend(wait, 1, NULL);
	return aio_return(&cb);
}

/* N bytes into the file that is changed: from its beginning, or what a pipe holds. */
static long moved(int how, int from, off_t at, size_t n)
{
	off_t zero = 0;

	if (how == 0)
		return sendfile(vm.mine, from, &zero, n);
	if (how == 1)
		return copy_file_range(from, &zero, vm.mine, &at, n, 0);
	return splice(from, NULL, vm.mine, &at, n, 0);
}

/*
 * From another file, or a pipe. A signal may end each of these calls before anything went, plainly, too:
 * the kernel looks for one before it takes from a pipe, its own one as well.
 */
static long own_from_other(int how, off_t at, const char *bytes, size_t n)
{
	int ends[2] = { -1, -1 };
	long ret = 0;

	if (how < 2)
		ends[0] = open("f1", O_RDONLY);
	else if (pipe(ends) == 0)
		ret = write(ends[1], bytes, n < 4000 ? n : 4000);
	if (how == 2 && ret > 0)
		n = (size_t)ret;
	do
		ret = moved(how, ends[0], at, n);
	while (ret < 0 && errno == EINTR);
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return ret;
}

/* By calls of other kinds. */
static long own_oddly(int how, off_t at, char *bytes, size_t n)
{
	struct iovec v = { bytes, n };
	int fd = vm.mine;

	lseek(fd, at, SEEK_SET);
	switch (how) {
	case 0:
	case 1:
	case 2:
		return own_from_other(how, at, bytes, n);
	case 3:
	case 4:
	case 5:
		return own_unheard(how - 3, at, bytes, n);
	case 6:
		return dprintf(fd, "%s %d", "some text", 12345);
	case 7:
		return own_by_thread(at, bytes, n);
	case 8:
		return fallocate(fd, FALLOC_FL_ZERO_RANGE, at, (off_t)n + 1);
	case 9:
		return truncate("m", at);
	case 10:
		return posix_fallocate(fd, at, (off_t)n + 1);
	case 11:
		return pwritev2(fd, &v, 1, 0, RWF_APPEND);
	case 12:
		return syscall(SYS_pwrite64, fd, bytes, n, at);
	default:
		return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 8192);
	}
}

/*
 * By this process itself; what was sent has arrived, what was read stays as it was read.
 * At an offset, or that far before where slot S is.
 * how: 0 pwrite, 1 write, 2 shorter, 3 longer, 4 appended to, 5 a hole in it, 6 emptied by an open
 * and written anew, 7 made anew under its name, from 8 on of other kinds
 */
static long own_change(int how, off_t at, size_t n)
{
	static char bytes[65536];
	int fd = vm.mine;

	if (n > sizeof(bytes))
		n = sizeof(bytes);
	file_bytes(MUTABLE, 3, (uint64_t)at, bytes, n);
	switch (how) {
	case 0:
		return pwrite(fd, bytes, n, at);
	case 1:
		return lseek(fd, at, SEEK_SET) < 0 ? -1 : write(fd, bytes, n);
	case 2:
	case 3:
		return ftruncate(fd, how == 2 ? at : at + 100000);
	case 4:
		return lseek(fd, 0, SEEK_END) < 0 ? -1 : write(fd, bytes, n);
	case 5:
		return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)n + 1);
	case 6:
		fd = open("m", O_WRONLY | O_TRUNC);
		at = write(fd, bytes, n);
		close(fd);
		return at;
	default:
		if (how > 7)
			return own_oddly(how - 8, at, bytes, n);
		close(vm.mine);
		unlink("m");
		vm.mine = open("m", O_RDWR | O_CREAT, 0600);
		return write(vm.mine, bytes, n);
	}
}

int op_own(const struct op *op)
{
	unsigned at = (unsigned)op->a[1] % 200000, n = (unsigned)op->a[2] % 65536;
	int s = slot_of(op->a[3]);
	off_t here = op->a[3] >= 0 && vm.slot[s] >= 0 ? lseek(vm.slot[s], 0, SEEK_CUR) : -1;

	if (vm.shared->loose)
		return 0;
	if (here >= 0)
		at = here > at % 65536 ? (unsigned)here - at % 65536 : 0;
	if (vm.mine < 0)
		vm.mine = open("m", O_RDWR);
	synchronise(-1);
	SAY("own", own_change((int)((unsigned)op->a[0] % 22), at, n));
	return 0;
}

/* By another process, when nothing that was read or sent can show it. how: see peer.c */
int op_other(const struct op *op)
{
	if (vm.shared->loose)
		return 0;
	synchronise(-1);
	for (int i = 0; i < BUFFERS; i++)
		if (vm.buffer[i].used) {
			memset(vm.buffer[i].p, 'e' + i, vm.buffer[i].size);
			define(&vm.buffer[i], vm.buffer[i].p, vm.buffer[i].size);
		}
	ask(PEER_CHANGE, op->a[0], (long)((unsigned)op->a[1] % 200000), (unsigned)op->a[2] % 65536);
	return 0;
}

/* ---- locks ---- */

/*
 * how: 0 the whole file, 1 a part, 2 unlocked, 3 flock, 4 its end, 5 nothing; what another
 * process finds
 */
int op_lock(const struct op *op)
{
	int s = slot_of(op->a[0]), how = (int)((unsigned)op->a[1] % 6), ret = 0;
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (vm.slot[s] < 0)
		return 0;
	if (how == 1) {
		lock.l_start = 100;
		lock.l_len = 5000;
	}
	if (how == 2)
		lock.l_type = F_UNLCK;
	errno = NO_ERROR;
	if (how < 3)
		ret = fcntl(vm.slot[s], F_SETLK, &lock);
	else if (how < 5)
		ret = flock(vm.slot[s], how == 3 ? LOCK_SH | LOCK_NB : LOCK_UN);
	SAY("lock", ret, errno, ask(PEER_LOCKED, vm.slot_file[s], 0, 0));
	return 0;
}

/* ---- many at once, and what is told of them ---- */

/*
 * how: 0 close_range above all that is used, 1 of the numbers of slots, 2 closefrom, 3 dup2
 * over each of 64 .. 67
 */
int op_range(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 4);

	if (how == 0) {
		SAY("close_range", close_range(FD_FREE, ~0u, 0));
	} else if (how == 1) {
		SAY("close_range", close_range(3, FD_SINK - 1, 0));
		for (int i = 0; i < SLOTS; i++)
			vm.slot[i] = -1;
		vm.out = vm.mine = -1;
	} else if (how == 2) {
		closefrom(FD_FREE);
	} else {
		for (int fd = FD_FREE; fd < FD_FREE + 4; fd++)
			SAY("dup2", dup2(FD_ALIVE, fd), close(fd));
	}
	return 0;
}

/* how: 0 offsets, 1 limits, 2 what stat says, 3 flags, 4 numbers far up */
int op_state(const struct op *op)
{
	int how = (int)((unsigned)op->a[0] % 5);
	struct rlimit limit;
	struct stat st;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (how == 1)
		SAY("limits", (long)limit.rlim_cur, (long)limit.rlim_max);
	for (int i = 0; i < SLOTS && how != 1 && how != 4; i++) {
		if (vm.slot[i] < 0)
			continue;
		if (how == 0)
			SAY("offset", i, lseek(vm.slot[i], 0, SEEK_CUR));
		else if (how == 2 && fstat(vm.slot[i], &st) == 0)
			SAY("size", i, st.st_size, (long)st.st_nlink);
		else
			SAY("flags", i, fcntl(vm.slot[i], F_GETFD), fcntl(vm.slot[i], F_GETFL),
			    fcntl(vm.slot[i], F_GETOWN), fcntl(vm.slot[i], F_GETLEASE));
	}
	for (int fd = 1000; fd < 1100 && how == 4; fd++)
		if (close(fd) == 0)
			SAY("open", fd);
	return 0;
}
