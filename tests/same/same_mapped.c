/* SPDX-License-Identifier: MIT */
/*
 * same_mapped.c - bytes that are written from a mapping of a file, when the mapping, the file
 * or its descriptor is not what it was.
 *
 * Each case first writes some of the mapping as it is, which must be rewritten.
 */
#include "same.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "inline.h"

enum { PAGE = 4096, SIZE = 64 * PAGE, HALF = SIZE / 2, WHOLE = 3 * 1048576 + 999 };

static int data_fd = -1;

static char *map_at(const char *path, void *where, size_t n, int prot, int flags, off_t at)
{
	int fd = data_fd >= 0 ? dup(data_fd) : open(path, O_RDONLY);
	char *p = mmap(where, n, prot, flags, fd, at);

	close(fd);
	if (p == MAP_FAILED)
		_exit(95);
	return p;
}

static char *map(const char *path, int flags)
{
	return map_at(path, NULL, SIZE, PROT_READ, flags, 0);
}

/* All of it, and what it returned. */
static void send_some(struct same_rig *r, const void *p, size_t n)
{
	same_say("write", write(r->sink, p, n));
}

static char *begin(struct same_rig *r, const char *path, int flags)
{
	char *p = map(path, flags);

	send_some(r, p, SIZE);
	return p;
}

/* ---- shapes of writes ---- */

static void offsets(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED);

	send_some(r, p + 1, SIZE - 2);
	send_some(r, p + 5000, 20000);
	send_some(r, p + SIZE - 16384, 16384);
	send_some(r, p + 70, 100);
	send_some(r, p, 0);
	same_say("send", send(r->sink, p + 3, 100000, MSG_NOSIGNAL));
	same_say("sendto", sendto(r->sink, p + 4, 100000, 0, NULL, 0));
	same_say("MSG_MORE", send(r->sink, p + 9, 100000, MSG_MORE));
	same_say("bad flags", send(r->sink, p + 9, 100000, 0x40000000));
}

static void not_at_start(struct same_rig *r)
{
	char *p = map_at("../data", NULL, SIZE, PROT_READ, MAP_SHARED, 300 * PAGE);

	send_some(r, p, SIZE);
	send_some(r, p + 777, SIZE - 777);
}

/*
 * A header, a mapping, memory, what was just read, the end of one mapping and the start of the
 * next.
 */
static void mixed(struct same_rig *r)
{
	char *p = map("../data", MAP_PRIVATE), *q = map("../other", MAP_SHARED);
	char head[] = "a header\r\n", tail[] = "the end\r\n";
	struct iovec iov[] = {
		{ head, 10 }, { p + 9, SIZE - 9 }, { NULL, 0 }, { tail, 9 }, { r->buf, r->size },
		{ p + HALF, HALF }, { q, SIZE }, { q + 40000, 100 }, { tail, 9 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 9 };

	for (int i = 0; i < 8; i++) {
		same_say("read", same_get(r->source, r->buf, r->size));
		if (i % 2)
			same_say("sendmsg", sendmsg(r->sink, &msg, 0));
		else
			same_say("writev", writev(r->sink, iov, 9));
	}
	same_say("bad pieces", writev(r->sink, same_bad, 3));
	same_say("bad message", sendmsg(r->sink, same_bad, 0));
	msg.msg_iov = same_bad;
	same_say("bad pieces", sendmsg(r->sink, &msg, 0));
	iov[3].iov_base = same_bad;
	same_say("bad piece", writev(r->sink, iov + 3, 1));
}

/* Pages that hold the file, and one that does not exist, in one piece. */
static void beyond_mapping(struct same_rig *r)
{
	char *room = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = map_at("../data", room, SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, 0);

	send_some(r, p, SIZE);
	munmap(room + SIZE, SIZE);
	same_say("EFAULT", write(r->sink, room + SIZE, 20000));
	same_say("again", write(r->sink, p + HALF, HALF));
}

static void whole_file(struct same_rig *r)
{
	char *p = map_at("../other", NULL, WHOLE, PROT_READ, MAP_SHARED, 0);
	int out = open("out", O_WRONLY | O_CREAT, 0644);

	send_some(r, p, WHOLE);
	send_some(r, p, (WHOLE + PAGE - 1) & ~(PAGE - 1)); /* zeros behind the end */
	same_say("to a file", write(out, p, WHOLE));
	close(out);
	same_say_file("out");
	munmap(p, WHOLE);
}

/* ---- the file changes ---- */

static void truncated(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED);

	same_drain(r, 't');
	same_say("write", write(r->sink, p + HALF, HALF));
	send_some(r, p, 1000);
	send_some(r, p, PAGE);
	same_say("EFAULT", write(r->sink, p + 5 * PAGE, SIZE - 5 * PAGE));
}

/* The whole range is asked for, of which the first page is there. */
static void truncated_whole(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_PRIVATE);
	struct iovec iov[] = { { (char *)"head", 4 }, { p + PAGE, SIZE - PAGE } };

	same_drain(r, 't');
	same_say("short", write(r->sink, p, SIZE));
	same_say("short", writev(r->sink, iov, 2));
}

/* More is there than one part of what the kernel copies at a time: exact, over a UNIX socket. */
static void truncated_middle(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED);
	struct iovec iov[] = { { p, 90000 }, { p + 90000, SIZE - 90000 } };

	same_drain(r, 'g');
	same_say("truncate", truncate("mine", 150123));
	same_say("short", write(r->sink, p, SIZE));
	same_say("by a page", write(r->sink, p, 37 * PAGE + 1000));
	same_say("in two pieces", writev(r->sink, iov, 2));
	same_say("short", write(r->sink, p + 100, SIZE - 100));
	same_say("whole", write(r->sink, p, 150123));
}

/*
 * The same over TCP. Where such a write stops depends on how much of the sender's page
 * fragment is left, and so on when the kernel frees what the peer has read: two plain runs differ.
 * So here the count must be possible, and the bytes must be as many as were counted. It may reach
 * beyond the file's new end, to the end of that page, where zeros are.
 */
static void truncated_part(struct same_rig *r, off_t at, struct iovec *iov, int count)
{
	static char part[SIZE];
	const ssize_t left = 150123 - at, readable = 37 * PAGE - at;
	int data = open("../data", O_RDONLY);
	int expected = open("expected", O_WRONLY | O_CREAT | O_APPEND, 0644);
	ssize_t n = count == 1 ? write(r->sink, iov->iov_base, iov->iov_len) : writev(r->sink, iov, count);

	ssize_t had = n < left ? n : left;

	memset(part, 0, sizeof(part));
	if (n < 60000 || n > readable || pread(data, part, (size_t)had, at) != had ||
	    write(expected, part, (size_t)n) != n)
		same_say("outcome: a count that cannot be", n);
	close(data);
	close(expected);
	same_drain(r, 'g');
}

static bool received_as_expected(void)
{
	static char got[8 * SIZE], wanted[8 * SIZE];
	int a = open("received", O_RDONLY), b = open("expected", O_RDONLY);
	ssize_t n = read(a, got, sizeof(got)), m = read(b, wanted, sizeof(wanted));

	close(a);
	close(b);
	return n == SIZE + m && memcmp(got + SIZE, wanted, (size_t)m) == 0;
}

static void truncated_middle_tcp(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED);
	struct iovec whole = { p, SIZE }, page = { p, 37 * PAGE + 1000 }, later = { p + 100, SIZE - 100 };
	struct iovec two[] = { { p, 90000 }, { p + 90000, SIZE - 90000 } }, last = { p, 150123 };

	same_drain(r, 'g');
	same_say("outcome: truncate", truncate("mine", 150123));
	truncated_part(r, 0, &whole, 1);
	truncated_part(r, 0, &page, 1);
	truncated_part(r, 0, two, 2);
	truncated_part(r, 100, &later, 1);
	truncated_part(r, 0, &last, 1);
	same_say("outcome: received as expected", received_as_expected());
}

static sigjmp_buf back;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void truncated_touch(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED);

	same_drain(r, 't');
	signal(SIGBUS, jump);
	if (sigsetjmp(back, 1) == 0)
		same_say("read", p[10 * PAGE]);
	else
		same_say("SIGBUS", 0);
}

static void overwritten(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED);

	same_drain(r, 'o');
	send_some(r, p, SIZE);
	same_say_memory("seen", p, SIZE);
}

/* This process changes the file in each way there is, when nothing is under way. */
static void own_changes(struct same_rig *r)
{
	char *p = begin(r, "mine", MAP_SHARED), *shared;
	int fd;

	same_drain(r, 'g');
	fd = open("mine", O_RDWR);
	same_say("pwrite", pwrite(fd, "changed here", 12, 5000));
	send_some(r, p, SIZE);
	same_drain(r, 'g');
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(shared + 100, 'z', 30000);
	send_some(r, p, SIZE);
	close(fd);
	same_drain(r, 'g');
	memset(shared + 200, 'y', 30000);
	send_some(r, p, SIZE);
	send_some(r, shared, SIZE);
	/* the writable one is copied: what comes after is not sent */
	memset(shared, 'x', SIZE);
}

/* ---- the mapping changes ---- */

static void became_writable(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);

	same_say("mprotect", mprotect(p + 2 * PAGE, 10 * PAGE, PROT_READ | PROT_WRITE));
	memset(p + 3 * PAGE, 'w', 20000);
	send_some(r, p, SIZE);
	same_say("mprotect", mprotect(p + 2 * PAGE, 10 * PAGE, PROT_READ));
	send_some(r, p, SIZE);
	send_some(r, p + 20 * PAGE, SIZE - 20 * PAGE);
	same_say("madvise", madvise(p, SIZE, MADV_DONTNEED));
	send_some(r, p, SIZE);
}

static void was_writable(struct same_rig *r)
{
	char *q = begin(r, "../data", MAP_SHARED);
	char *p = map_at("../data", NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

	memset(p + 50000, 'w', 20000);
	mprotect(p, SIZE, PROT_READ);
	send_some(r, p, SIZE);
	send_some(r, q, SIZE);
}

static void writable_unheard(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);

	inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ | PROT_WRITE, 0, 0, 0);
	memset(p + 60000, 'u', 20000);
	send_some(r, p, SIZE);
	inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ, 0, 0, 0);
	send_some(r, p, SIZE);
}

static void still_writable(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);

	inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ | PROT_WRITE, 0, 0, 0);
	memset(p + 60000, 'u', 20000);
	send_some(r, p, SIZE);
}

/* By a call of libc's that is none of a mapping. */
static void writable_by_number(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);

	syscall(SYS_mprotect, p, (size_t)SIZE, PROT_READ | PROT_WRITE);
	memset(p + 60000, 'u', 20000);
	syscall(SYS_mprotect, p, (size_t)SIZE, PROT_READ);
	send_some(r, p, SIZE);
}

/* As debuggers do it: no protection stands in the way. */
static void written_by_force(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);
	int fd = open("/proc/self/mem", O_RDWR);

	same_say("forced", pwrite(fd, "forced", 6, (off_t)(uintptr_t)(p + 70000)) == 6 &&
				   memcmp(p + 70000, "forced", 6) == 0);
	send_some(r, p, SIZE);
	close(fd);
}

/* What shunt opened with more rights must not be there for one that has fewer. */
static int pagemaps_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char path[64];
	int count = 0;
	ssize_t n;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		n = readlinkat(dirfd(dir), entry->d_name, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = 0;
		count += strstr(path, "pagemap") != NULL;
	}
	if (dir != NULL)
		closedir(dir);
	return count;
}

/*
 * Now with rights by which /proc/self/pagemap cannot be opened: that nobody has written
 * to a private mapping is known from what the hooks have heard alone.
 */
static void without_rights(struct same_rig *r, void (*run)(struct same_rig *))
{
	/* the file must have been judged with the rights that a lease takes */
	char *p = begin(r, "../data", MAP_PRIVATE);

	data_fd = open("../data", O_RDONLY);
	if (geteuid() == 0)
		same_say("seteuid", seteuid(65534));
	else
		prctl(PR_SET_DUMPABLE, 0);
	same_say("pagemap", open("/proc/self/pagemap", O_RDONLY));
	run(r);
	if (getuid() == 0)
		same_say("seteuid", seteuid(0));
	same_say("kept open", pagemaps_open());
	munmap(p, SIZE);
}

static void became_writable_blind(struct same_rig *r)
{
	without_rights(r, became_writable);
}

static void writable_by_number_blind(struct same_rig *r)
{
	without_rights(r, writable_by_number);
}

static void still_writable_blind(struct same_rig *r)
{
	without_rights(r, still_writable);
}

static void was_writable_blind(struct same_rig *r)
{
	without_rights(r, was_writable);
}

static void unreadable(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED);

	same_say("mprotect", mprotect(p, HALF, PROT_NONE));
	same_say("write", write(r->sink, p, HALF));
	send_some(r, p + HALF, HALF);
	inline_call(SYS_mprotect, (long)p, SIZE, PROT_NONE, 0, 0, 0);
	same_say("write", write(r->sink, p + HALF, HALF));
	same_say("mprotect", mprotect(p, SIZE, PROT_READ));
	send_some(r, p, SIZE);
}

static void part_unmapped(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED), *q;

	same_say("munmap", munmap(p + 20 * PAGE, 10 * PAGE));
	same_say("hole", write(r->sink, p + 20 * PAGE, 10 * PAGE));
	q = mmap(p + 20 * PAGE, 10 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	same_say("same place", q == p + 20 * PAGE);
	memset(q, 'a', 10 * PAGE);
	send_some(r, p, SIZE);
	send_some(r, p + 30 * PAGE, SIZE - 30 * PAGE);
	same_say("munmap", munmap(p, SIZE));
}

static void replaced(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED);

	map_at("../other", p + 16 * PAGE, 16 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, 7 * PAGE);
	send_some(r, p, SIZE);
	map_at("../data", p + 20 * PAGE, 4 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, 0);
	send_some(r, p, SIZE);
	mmap(p + 40 * PAGE, 10 * PAGE, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(p + 40 * PAGE, 'r', 10 * PAGE);
	send_some(r, p, SIZE);
}

/*
 * Unheard, other things come to lie there: memory, another file, the same from another place,
 * writable.
 */
static void replaced_unheard(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE);
	int other = open("../other", O_RDONLY), same = open("../data", O_RDONLY);
	long fixed = MAP_PRIVATE | MAP_FIXED;

	inline_call(SYS_munmap, (long)p, 16 * PAGE, 0, 0, 0, 0);
	same_say("hole", write(r->sink, p, 16 * PAGE));
	inline_call(SYS_mmap, (long)p, 16 * PAGE, PROT_READ | PROT_WRITE, fixed | MAP_ANONYMOUS, -1, 0);
	memset(p, 'n', 16 * PAGE);
	send_some(r, p, SIZE);
	inline_call(SYS_mmap, (long)p, SIZE, PROT_READ, fixed, other, 0);
	send_some(r, p, SIZE);
	inline_call(SYS_mmap, (long)p, SIZE, PROT_READ, fixed, same, 5 * PAGE);
	send_some(r, p, SIZE);
	inline_call(SYS_mmap, (long)p, SIZE, PROT_READ | PROT_WRITE, fixed, same, 0);
	memset(p + 9000, 'm', 9000);
	inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ, 0, 0, 0);
	send_some(r, p, SIZE);
	close(other);
	close(same);
}

/* In the place of a shared mapping, a private one of the same pages, which was written to. */
static void replaced_by_private(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED);
	int fd = open("../data", O_RDONLY);

	inline_call(SYS_mmap, (long)p, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
	memset(p + 9000, 'p', 9000);
	inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ, 0, 0, 0);
	send_some(r, p, SIZE);
	close(fd);
}

/* A private mapping was replaced unheard, by one that libc's mmap made writable. */
static void replaced_half_heard(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE), *q;

	inline_call(SYS_munmap, (long)p, SIZE, 0, 0, 0, 0);
	q = map_at("../data", p, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	same_say("same place", p == q);
	memset(q + 8000, 'h', 50000);
	mprotect(q, SIZE, PROT_READ);
	send_some(r, q, SIZE);
}

static void moved(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED), *q;

	q = mremap(p, SIZE, 4 * SIZE, MREMAP_MAYMOVE);
	send_some(r, q, 4 * SIZE);
	q = mremap(q, 4 * SIZE, SIZE, 0);
	send_some(r, q, SIZE);
	same_say("cut off", write(r->sink, q + SIZE, 16384));
	p = mremap(q, 0, SIZE, MREMAP_MAYMOVE);
	send_some(r, p, SIZE);
	send_some(r, q, SIZE);
	q = mremap(p + 10 * PAGE, 20 * PAGE, 20 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	send_some(r, q, SIZE);
	same_say("hole", write(r->sink, p + 10 * PAGE, 20 * PAGE));
}

/* Written to, then moved: what moves is the copy. */
static void moved_copies(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_PRIVATE), *q;

	mprotect(p, HALF, PROT_READ | PROT_WRITE);
	memset(p + 100, 'c', 40000);
	mprotect(p, HALF, PROT_READ);
	q = mremap(p, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	send_some(r, q == MAP_FAILED ? p : q, SIZE);
}

static void replaced_half_heard_blind(struct same_rig *r)
{
	without_rights(r, replaced_half_heard);
}

static void moved_copies_blind(struct same_rig *r)
{
	without_rights(r, moved_copies);
}

/*
 * Pages that may not be touched, which no protection shows (MADV_GUARD_INSTALL, kernel 6.15 for
 * files).
 */
static void guarded(struct same_rig *r)
{
	char *p = begin(r, "../data", MAP_SHARED);

	same_say("madvise", madvise(p + 20 * PAGE, 10 * PAGE, 102));
	same_say("write", write(r->sink, p + 20 * PAGE, 10 * PAGE));
	same_say("madvise", madvise(p, SIZE, MADV_SEQUENTIAL));
	send_some(r, p, 20 * PAGE);
}

/* ---- processes, modules, descriptors ---- */

static void forked(struct same_rig *r)
{
	int second = same_second_sink();
	char *p = begin(r, "../data", MAP_PRIVATE), *q = begin(r, "../other", MAP_SHARED);
	pid_t child;

	madvise(q, SIZE, MADV_DONTFORK);
	child = fork();
	if (child == 0) {
		same_say("write, child", write(second, p, SIZE));
		same_say("write, child", write(second, q, SIZE));
		/* a copy of the child's own, of which the parent knows nothing */
		inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ | PROT_WRITE, 0, 0, 0);
		memset(p + 60000, 'c', 20000);
		inline_call(SYS_mprotect, (long)p, SIZE, PROT_READ, 0, 0, 0);
		same_say("write, child", write(second, p, SIZE));
		munmap(p, SIZE);
		same_say("write, child", write(second, p, SIZE));
		q = map("../other", MAP_SHARED);
		same_say("write, child", write(second, q, SIZE));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	close(second);
	send_some(r, p, SIZE);
	send_some(r, q, SIZE);
}

static void other_modules(struct same_rig *r)
{
	const char *path = getenv("SAME_MODULE");
	char *p = begin(r, "../data", MAP_PRIVATE);
	void *module;

	for (int i = 0; i < 3; i++) {
		module = path != NULL ? dlopen(path, RTLD_NOW) : NULL;
		same_say("module", module != NULL);
		send_some(r, p, SIZE);
		if (module != NULL)
			dlclose(module);
		send_some(r, p, SIZE);
	}
}

/* Another file gets the number that the mapped one had. */
static void number_reused(struct same_rig *r)
{
	int fd = open("../data", O_RDONLY), other;
	char *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0), *q;

	send_some(r, p, SIZE);
	close(fd);
	other = open("../other", O_RDONLY);
	same_say("same number", other == fd);
	send_some(r, p, SIZE);
	q = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, other, 0);
	send_some(r, q, SIZE);
	send_some(r, p, SIZE);
	close(other);
	unlink("mine");
	send_some(r, q, SIZE);
}

/* Can another process lock the file? */
static bool another_can_lock(const char *path, bool whole)
{
	struct flock lock = { .l_type = F_WRLCK };
	int status;
	pid_t child = fork();

	if (child == 0) {
		int fd = open(path, O_RDWR);

		_exit(whole ? flock(fd, LOCK_EX | LOCK_NB) == 0 : fcntl(fd, F_SETLK, &lock) == 0);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void posix_lock(struct same_rig *r)
{
	struct flock lock = { .l_type = F_RDLCK };
	int fd = open("mine", O_RDONLY);
	char *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0), *q;

	send_some(r, p, SIZE);
	same_say("lock", fcntl(fd, F_SETLK, &lock));
	same_say("another may", another_can_lock("mine", false));
	send_some(r, p, SIZE);
	q = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	send_some(r, q, SIZE);
	munmap(p, SIZE);
	munmap(q, SIZE);
	same_say("another may", another_can_lock("mine", false));
	close(fd);
	same_say("another may", another_can_lock("mine", false));
}

static void file_lock(struct same_rig *r)
{
	int fd = open("mine", O_RDONLY);
	char *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

	send_some(r, p, SIZE);
	same_say("lock", flock(fd, LOCK_SH));
	send_some(r, p, SIZE);
	same_say("another may", another_can_lock("mine", true));
	close(fd);
	/* what is mapped keeps the lock, as any descriptor would */
	same_say("another may", another_can_lock("mine", true));
	send_some(r, p, SIZE);
	munmap(p, SIZE);
	same_say("another may", another_can_lock("mine", true));
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 300 };

static int ends[THREADS][2];
static uint64_t sums[THREADS];

/* Windows that come and go at each other's addresses. */
static void *windows(void *argument)
{
	long me = (long)argument;

	for (int i = 0; i < TURNS; i++) {
		off_t at = (off_t)((i * 7 + me * 13) % 40) * 16 * PAGE;
		char *p = map_at(me % 2 ? "../data" : "../other", NULL, SIZE, PROT_READ, MAP_SHARED,
				 me % 2 ? at : at % (20 * 16 * PAGE));
		size_t n = (size_t)(i % 3 + 1) * 16 * PAGE;

		if (write(ends[me][0], p, n) != (ssize_t)n)
			_exit(94);
		munmap(p, SIZE);
	}
	close(ends[me][0]);
	return NULL;
}

static void *collect(void *argument)
{
	static char part[THREADS][65536];
	long me = (long)argument;
	ssize_t n;

	while ((n = read(ends[me][1], part[me], sizeof(part[me]))) > 0)
		for (ssize_t i = 0; i < n; i++)
			sums[me] = (sums[me] ^ (unsigned char)part[me][i]) * UINT64_C(0x100000001b3);
	return NULL;
}

static void many_threads(struct same_rig *r)
{
	pthread_t thread[2 * THREADS];

	(void)r;
	for (long i = 0; i < THREADS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]) != 0)
			return;
		pthread_create(&thread[2 * i], NULL, windows, (void *)i);
		pthread_create(&thread[2 * i + 1], NULL, collect, (void *)i);
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(thread[i], NULL);
	same_say_memory("sums", sums, sizeof(sums));
}

static const struct same_case cases[] = {
	{ "offsets", offsets, SAME_BARE, 0 },
	{ "not_at_start", not_at_start, SAME_BARE, 0 },
	{ "mixed", mixed, SAME_BARE, 0 },
	{ "beyond_mapping", beyond_mapping, SAME_BARE, 0 },
	{ "whole_file", whole_file, SAME_BARE, 0 },
	{ "whole_file_unix", whole_file, SAME_BARE | SAME_UNIX, 0 },
	{ "truncated", truncated, SAME_BARE | SAME_OWN, 0 },
	{ "truncated_whole", truncated_whole, SAME_BARE | SAME_OWN, 0 },
	{ "truncated_unix", truncated_whole, SAME_BARE | SAME_OWN | SAME_UNIX, 0 },
	{ "truncated_middle", truncated_middle_tcp, SAME_BARE | SAME_OWN | SAME_OUTCOME, 0 },
	{ "truncated_middle_unix", truncated_middle, SAME_BARE | SAME_OWN | SAME_UNIX, 0 },
	{ "truncated_touch", truncated_touch, SAME_BARE | SAME_OWN, 0 },
	{ "overwritten", overwritten, SAME_BARE | SAME_OWN, 0 },
	{ "own_changes", own_changes, SAME_BARE | SAME_OWN, 0 },
	{ "became_writable", became_writable, SAME_BARE, 0 },
	{ "became_writable_blind", became_writable_blind, SAME_BARE, 0 },
	{ "was_writable", was_writable, SAME_BARE, 0 },
	{ "was_writable_blind", was_writable_blind, SAME_BARE, 0 },
	{ "writable_unheard", writable_unheard, SAME_BARE, 0 },
	{ "still_writable", still_writable, SAME_BARE, 0 },
	{ "still_writable_blind", still_writable_blind, SAME_BARE, 0 },
	{ "writable_by_number", writable_by_number, SAME_BARE, 0 },
	{ "writable_by_number_blind", writable_by_number_blind, SAME_BARE, 0 },
	{ "written_by_force", written_by_force, SAME_BARE, 0 },
	{ "unreadable", unreadable, SAME_BARE, 0 },
	{ "part_unmapped", part_unmapped, SAME_BARE, 0 },
	{ "replaced", replaced, SAME_BARE, 0 },
	{ "replaced_unheard", replaced_unheard, SAME_BARE, 0 },
	{ "replaced_by_private", replaced_by_private, SAME_BARE, 0 },
	{ "replaced_half_heard", replaced_half_heard, SAME_BARE, 0 },
	{ "replaced_half_heard_blind", replaced_half_heard_blind, SAME_BARE, 0 },
	{ "moved", moved, SAME_BARE, 0 },
	{ "moved_copies", moved_copies, SAME_BARE, 0 },
	{ "moved_copies_blind", moved_copies_blind, SAME_BARE, 0 },
	{ "guarded", guarded, SAME_BARE, 0 },
	{ "forked", forked, SAME_BARE, 0 },
	{ "other_modules", other_modules, SAME_BARE, 0 },
	{ "number_reused", number_reused, SAME_BARE, 0 },
	{ "posix_lock", posix_lock, SAME_BARE | SAME_OWN, 0 },
	{ "file_lock", file_lock, SAME_BARE | SAME_OWN, 0 },
	{ "many_threads", many_threads, SAME_BARE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
