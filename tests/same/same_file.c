/* SPDX-License-Identifier: MIT */
/* same_file.c - offsets, ends of files, and descriptors that come and go. */
#include "same.h"

#include <aio.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The descriptor's offset is said after each step. */
static void where(struct same_rig *r)
{
	same_say("offset", lseek(r->source, 0, SEEK_CUR));
}

static void until_the_end(struct same_rig *r)
{
	same_say("lseek", lseek(r->source, -200000, SEEK_END));
	for (int i = 0; i < 6; i++) {
		same_read(r);
		where(r);
		same_write(r);
	}
	same_say_buffer(r);
}

static void exact_end(struct same_rig *r)
{
	same_say("lseek", lseek(r->source, -2 * SAME_CHUNK, SEEK_END));
	for (int i = 0; i < 4; i++) {
		same_read(r);
		same_write(r);
	}
	same_say("lseek", lseek(r->source, 1000000, SEEK_END));
	same_read(r);
	where(r);
	same_say_buffer(r);
}

/* Another process appends: what was the end is none. */
static void grows_at_the_end(struct same_rig *r)
{
	same_say("lseek", lseek(r->source, -3 * SAME_CHUNK, SEEK_END));
	for (int i = 0; i < 3; i++) {
		same_read(r);
		same_write(r);
	}
	same_drain(r, 'a');
	same_read(r);
	where(r);
	same_read(r);
	where(r);
	same_say_buffer(r);
}

/* What lies in the buffer stays there when a read finds the end, of whatever kind it is. */
static void ends_and_looks(struct same_rig *r)
{
	struct stat st;

	same_say("fstat", fstat(r->source, &st));
	same_say("lseek", lseek(r->source, -2 * SAME_CHUNK, SEEK_END));
	for (int i = 0; i < 2; i++) {
		same_read(r);
		same_write(r);
	}
	same_say("read", read(r->source, r->buf, r->size));
	same_say("pread", pread(r->source, r->buf, r->size, st.st_size));
	same_say("pread", pread(r->source, r->buf, r->size, st.st_size + 5));
	where(r);
	same_say("all that was read", write(r->sink, r->buf, r->size));
	same_say("read", read(r->source, r->buf, r->size));
	same_say_buffer(r);
	same_say("pread", pread(r->source, r->buf, r->size, st.st_size - 5));
	same_say_buffer(r);
}

/* Two buffers by turns: each is at the end for itself. */
static void ends_by_turns(struct same_rig *r)
{
	char *other = malloc(SAME_CHUNK + 4096);

	same_say("lseek", lseek(r->source, -5 * SAME_CHUNK, SEEK_END));
	for (int i = 0; i < 16; i++) {
		char *p = i & 1 ? other + 100 : r->buf;
		ssize_t n = read(r->source, p, SAME_CHUNK);

		same_say("read", n);
		where(r);
		same_say("write", write(r->sink, p, n > 0 ? (size_t)n : 10));
		if (i == 7)
			same_say("lseek", lseek(r->source, -5 * SAME_CHUNK - 999, SEEK_END));
	}
	same_say_memory("other", other + 100, SAME_CHUNK);
	same_say_buffer(r);
	free(other);
}

static void seeks(struct same_rig *r)
{
	static const off_t to[] = { 0, 1, 4095, 4096, 65536, 100000, 3000001, 17 };

	same_write(r);
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		same_say("lseek", lseek(r->source, to[i], SEEK_SET));
		same_read(r);
		where(r);
		same_say("back", lseek(r->source, -1000, SEEK_CUR));
		same_write(r);
	}
}

static void seek_between(struct same_rig *r)
{
	for (int i = 0; i < 8; i++) {
		same_say("lseek", lseek(r->source, 12345 * i, SEEK_SET));
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
}

static void shared_by_dup(struct same_rig *r)
{
	int other = dup(r->source);

	same_write(r);
	for (int i = 0; i < 8; i++) {
		same_read(r);
		same_say("through the other", lseek(other, 0, SEEK_CUR));
		same_write(r);
		r->got = (size_t)same_say("read", same_get(other, r->buf, r->size));
		where(r);
		same_write(r);
	}
}

static void shared_by_fork(struct same_rig *r)
{
	pid_t child;

	same_write(r);
	for (int i = 0; i < 4; i++) {
		child = fork();
		if (child == 0) {
			same_read(r);
			same_write(r);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		where(r);
		same_read(r);
		same_write(r);
	}
}

/* One call for all, since what is learned hangs on it. */
static ssize_t __attribute__((noinline)) get_at(struct same_rig *r, off_t at)
{
	ssize_t n = pread(r->source, r->buf, r->size, at);

	__asm__ volatile("" : "+r"(n));
	return n;
}

/* No place in the file is before it, whatever shunt means by such a number. */
static void before_the_start(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 12; i++) {
		r->got = (size_t)same_say("pread", get_at(r, i * 70000));
		same_write(r);
	}
	for (off_t at = -4; at < 0; at++) {
		same_say("pread before the start", get_at(r, at));
		where(r);
	}
	same_say("pread", get_at(r, 5));
	same_say_buffer(r);
}

static void positioned(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 8; i++) {
		r->got = (size_t)same_say("pread", pread(r->source, r->buf, r->size, i * 99999));
		where(r);
		same_write(r);
	}
	same_say("pread at -1", pread(r->source, r->buf, r->size, -1));
	same_say("pread past the end", pread(r->source, r->buf, r->size, 1 << 30));
	same_say_buffer(r);
}

static void close_before_write(struct same_rig *r)
{
	same_say("close", close(r->source));
	r->source = -1;
	same_write(r);
	same_say_buffer(r);
}

static void other_at_its_number(struct same_rig *r)
{
	int number = r->source, fd;

	same_say("close", close(r->source));
	fd = open("../other", O_RDONLY);
	same_say("same number", fd == number);
	same_write(r);
	same_read(r);
	same_write(r);
	same_say_buffer(r);
}

static void many_files(struct same_rig *r)
{
	same_write(r);
	for (int i = 0; i < 30; i++) {
		close(r->source);
		r->source = open(i % 2 ? "../other" : "../data", O_RDONLY);
		same_read(r);
		if (i % 3 == 0)
			same_read(r);
		same_write(r);
	}
}

static void over_the_source(struct same_rig *r)
{
	int other = open("../other", O_RDONLY);

	same_say("dup2", dup2(other, r->source) == r->source);
	same_write(r);
	same_read(r);
	same_write(r);
}

static void over_the_sink(struct same_rig *r)
{
	int out = open("out", O_WRONLY | O_CREAT, 0644), kept = dup(r->sink);

	same_say("dup2", dup2(out, r->sink) == r->sink);
	same_write(r);
	same_read(r);
	same_write(r);
	same_say_file("out");
	same_say("dup2", dup2(kept, r->sink) == r->sink);
	same_read(r);
	same_write(r);
	close(kept);
}

static void sink_by_dup(struct same_rig *r)
{
	int other = dup(r->sink);

	for (int i = 0; i < 4; i++) {
		same_say("write", write(other, r->buf, r->got));
		same_read(r);
		same_write(r);
		same_read(r);
	}
	close(other);
}

/* What a daemon does at its start; here in the middle, with a landed buffer. */
static void close_all_but(int a, int b, int mine)
{
	int failed = 0;

	for (int fd = 3; fd < 1024; fd++)
		if (fd != a && fd != b && fd != mine && close(fd) != 0)
			failed++;
	same_say("numbers that were not open", failed);
}

static void close_loop(struct same_rig *r)
{
	close_all_but(r->sink, r->source, r->control);
	same_write(r);
	same_read(r);
	same_write(r);
	same_say_buffer(r);
}

static void close_loop_and_source(struct same_rig *r)
{
	close_all_but(r->sink, r->control, r->control);
	r->source = -1;
	same_write(r);
	same_say_buffer(r);
}

static void close_ranges(struct same_rig *r)
{
	int most = r->sink > r->control ? r->sink : r->control;

	most = most > r->source ? most : r->source;
	same_say("close_range", close_range((unsigned)most + 1, ~0u, 0));
	same_write(r);
	same_read(r);
	same_write(r);
	same_say("close_range", close_range((unsigned)most + 1, ~0u, CLOSE_RANGE_CLOEXEC));
	closefrom(most + 1);
	same_read(r);
	same_write(r);
	same_say("new descriptor", open("../other", O_RDONLY) <= most + 1);
}

static void lowest_numbers(struct same_rig *r)
{
	int fd = dup(0), other = open("../other", O_RDONLY);

	same_say("dup", fd);
	same_say("open", other);
	same_say("above 100", fcntl(0, F_DUPFD, 100));
	same_write(r);
}

static void high_numbers(struct same_rig *r)
{
	int open_ones = 0;

	for (int fd = 0; fd < 1024; fd++)
		open_ones += fcntl(fd, F_GETFD) >= 0;
	same_say("open below 1024", open_ones);
	same_say("close 1023", close(1023));
	same_write(r);
}

static void few_descriptors(struct same_rig *r)
{
	struct rlimit limit = { 16, 16 };
	int n = 0;

	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	same_write(r);
	for (int i = 0; i < 8; i++) {
		same_read(r);
		same_write(r);
	}
	while (dup(0) >= 0)
		n++;
	same_say("dups until the limit", n);
	same_say("one more", dup(0));
	same_read(r);
	same_write(r);
}

/* The same with a file that comes only then: our number would be one of the sixteen. */
static void few_descriptors_new_file(struct same_rig *r)
{
	struct rlimit limit = { 16, 16 };
	int n = 0;

	same_write(r);
	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	close(r->source);
	r->source = open("../other", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	for (int fd; (fd = dup(0)) >= 0; n++)
		same_say("dup", fd);
	same_say("dups until the limit", n);
	same_loop(r, 4);
	r->got = 0;
}

/*
 * A file, a close of everything above, and then others, which would get our number for
 * the first if it had not been spared.
 */
static void more_files(struct same_rig *r, bool from)
{
	static const char *const others[] = { "../other", "../large", "../medium", "../huge" };
	int most = r->sink > r->control ? r->sink : r->control, first = r->source;

	most = most > r->source ? most : r->source;
	same_write(r);
	if (from)
		closefrom(most + 1);
	else
		same_say("close_range", close_range((unsigned)most + 1, ~0u, 0));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		r->source = open(others[i], O_RDONLY);
		same_loop(r, 4);
	}
	r->source = first;
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void more_files_close_range(struct same_rig *r)
{
	more_files(r, false);
}

static void more_files_closefrom(struct same_rig *r)
{
	more_files(r, true);
}

static void unlinked(struct same_rig *r)
{
	same_say("unlink", unlink("mine"));
	same_write(r);
	same_read(r);
	same_write(r);
	same_say_buffer(r);
}

static void replaced(struct same_rig *r)
{
	same_copy_file("../other", "new");
	same_say("rename", rename("new", "mine"));
	same_write(r);
	same_read(r);
	same_write(r);
}

/* ---- files that are not candidates ---- */

static void loop_from(struct same_rig *r, const char *path, int flags)
{
	close(r->source);
	r->source = open(path, flags);
	same_say("open", r->source < 0 ? -1 : 0);
	same_loop(r, 12);
	same_read(r);
	same_write(r);
}

static void direct_io(struct same_rig *r)
{
	loop_from(r, "../data", O_RDONLY | O_DIRECT);
}

static void direct_io_later(struct same_rig *r)
{
	same_say("fcntl", fcntl(r->source, F_SETFL, O_DIRECT));
	same_write(r);
	same_read(r);
	same_write(r);
}

static void proc_file(struct same_rig *r)
{
	loop_from(r, "/proc/sys/kernel/ostype", O_RDONLY);
	loop_from(r, "/proc/filesystems", O_RDONLY);
}

static void devices(struct same_rig *r)
{
	loop_from(r, "/dev/zero", O_RDONLY);
	loop_from(r, "/dev/null", O_RDONLY);
}

static void write_only(struct same_rig *r)
{
	int fd = open("out", O_WRONLY | O_CREAT, 0644);

	same_say("read", read(fd, r->buf, r->size));
	same_say("pread", pread(fd, r->buf, r->size, 0));
	same_write(r);
}

static void directory(struct same_rig *r)
{
	int fd = open(".", O_RDONLY);

	same_say("read", read(fd, r->buf, r->size));
	fd = open("../data", O_PATH);
	same_say("read of a path", read(fd, r->buf, r->size));
	same_write(r);
}

static void memory_file(struct same_rig *r)
{
	int fd = memfd_create("x", MFD_CLOEXEC);

	for (int i = 0; i < 12; i++)
		same_say("write", write(fd, r->buf, r->got));
	same_write(r);
	close(r->source);
	r->source = fd;
	lseek(fd, 0, SEEK_SET);
	same_loop(r, 8);
	same_read(r);
	same_say("pwrite", pwrite(fd, "changed", 7, 9 * SAME_CHUNK + 30000));
	same_write(r);
	same_say_buffer(r);
}

static void bad_reads(struct same_rig *r)
{
	same_say("read of -1", read(-1, r->buf, r->size));
	same_say("read of 999", read(999, r->buf, r->size));
	same_say("read to nowhere", same_get(r->source, same_bad, r->size));
	where(r);
	same_say("read of 0", same_get(r->source, r->buf, 0));
	same_say("read of 0 to nowhere", same_get(r->source, same_bad, 0));
	where(r);
	same_write(r);
	same_say_buffer(r);
}

/* More is asked for than there is of the buffer; the end of the file saves it. */
static void huge_count(struct same_rig *r)
{
	static volatile size_t huge = (size_t)-1;

	same_write(r);
	lseek(r->source, -50000, SEEK_END);
	r->got = (size_t)same_say("read", same_get(r->source, r->buf, (size_t)1 << 40));
	where(r);
	same_write(r);
	same_say("read of -1 bytes", same_get(r->source, r->buf, huge));
	lseek(r->source, 0, SEEK_SET);
	same_say("write of -1 bytes", write(r->sink, r->buf, huge) < 0 ? -1 : 0);
	same_say_buffer(r);
}

/* ---- files that change ---- */

static void truncated_by_self(struct same_rig *r)
{
	same_say("truncate", truncate("mine", 1000));
	same_write(r);
	same_say_buffer(r);
	same_read(r);
}

/* A stream that is opened anew without a name empties the file that it is of. */
static void truncated_by_freopen(struct same_rig *r)
{
	FILE *f = fopen("mine", "r");

	same_write(r);
	same_read(r);
	f = freopen(NULL, "w", f);
	same_say("freopen", f != NULL);
	same_say_buffer(r);
	same_write(r);
	same_say("fclose", fclose(f));
}

static void truncated_by_descriptor(struct same_rig *r)
{
	int fd = open("mine", O_RDWR);

	same_say("ftruncate", ftruncate(fd, 1000));
	same_write(r);
	same_say_buffer(r);
	same_read(r);
}

static void overwritten_by_self(struct same_rig *r)
{
	int fd = open("mine", O_RDWR);

	for (int i = 0; i < 6; i++) {
		same_say("pwrite", pwrite(fd, "overwritten", 11, lseek(r->source, 0, SEEK_CUR) - 30000));
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
}

static const char *volatile some_text = "overwritten"; /* of a length that no compiler makes an fwrite of */

/* The chunk that lies in the buffer is written over in its file, through a stream. */
/*
 * Each by another function, until the buffer of the stream is full: libc writes then, and tells
 * nobody.
 */
static void print(FILE *f, int how)
{
	const char *volatile text = "overwritten"; /* or the compiler makes it an fwrite, which is heard */

	for (int i = 0; i < 200; i++) {
		if (how == 0)
			fputs(text, f);
		else if (how == 1)
			fprintf(f, "over%s", "written");
		else if (how == 2)
			fputc('o', f);
		else if (how == 3)
			putc_unlocked('w', f);
		else
			putw(12345, f);
	}
}

static void printed_over(struct same_rig *r, FILE *f, int fd)
{
	static char small[64];

	setvbuf(f, small, _IOFBF, sizeof(small));
	for (int i = 0; i < 10; i++) {
		same_write(r);
		lseek(fd, lseek(r->source, 0, SEEK_CUR) + SAME_CHUNK / 2, SEEK_SET);
		same_read(r);
		print(f, i % 5);
		same_write(r);
		same_read(r);
	}
	same_write(r);
}

static void overwritten_by_printing(struct same_rig *r)
{
	FILE *f = fopen("mine", "r+");

	printed_over(r, f, fileno(f));
	usleep(1100000); /* what was found of the file is asked again after a second */
	same_loop(r, 2);
	same_read(r);
	printed_over(r, f, fileno(f));
	same_say("fclose", fclose(f));
	same_say_file("mine");
	/* and when there is no stream any more it lands again, after a second */
	same_loop(r, SAME_ROUNDS);
}

static void overwritten_by_fdopen(struct same_rig *r)
{
	int fd = open("mine", O_WRONLY);
	FILE *f = fdopen(fd, "w");

	printed_over(r, f, fd);
	same_say("fclose", fclose(f));
	same_say_file("mine");
}

/* By a thread of libc's own, alone or in a list. */
static void overwritten_by_aio(struct same_rig *r)
{
	int fd = open("mine", O_WRONLY);
	struct aiocb cb = { .aio_fildes = fd, .aio_buf = "changed", .aio_nbytes = 7,
			    .aio_lio_opcode = LIO_WRITE };
	const struct aiocb *wait[] = { &cb };

	for (int i = 0; i < 2; i++) {
		same_loop(r, SAME_ROUNDS);
		same_read(r);
		cb.aio_offset = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got + 20000;
		if (i == 0)
			same_say("aio_write", aio_write(&cb));
		else
			same_say("lio_listio", lio_listio(LIO_WAIT, (struct aiocb *[]){ &cb }, 1, NULL));
		while (aio_error(&cb) == EINPROGRESS)
			aio_suspend(wait, 1, NULL);
		same_say("aio_return", aio_return(&cb));
		same_say_buffer(r);
		same_write(r);
		close(fd);
		cb.aio_fildes = fd = open("mine", O_WRONLY);
	}
	same_say_file("mine");
}

static void overwritten_by_list(struct same_rig *r)
{
	struct aiocb cb = { .aio_fildes = open("mine", O_WRONLY), .aio_buf = "changed",
			    .aio_nbytes = 7, .aio_lio_opcode = LIO_WRITE };

	same_loop(r, SAME_ROUNDS);
	same_read(r);
	cb.aio_offset = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got + 20000;
	same_say("lio_listio", lio_listio(LIO_WAIT, (struct aiocb *[]){ &cb }, 1, NULL));
	same_say("aio_return", aio_return(&cb));
	same_say_buffer(r);
	same_write(r);
	same_say_file("mine");
}

/* The standard streams were never opened by anybody. */
static void overwritten_by_stderr(struct same_rig *r)
{
	int fd = open("mine", O_WRONLY), kept = dup(2);

	dup2(fd, 2);
	printed_over(r, stderr, 2);
	fflush(stderr);
	dup2(kept, 2);
	same_say_file("mine");
}

static void overwritten_by_stream(struct same_rig *r)
{
	FILE *f = fopen("mine", "r+");
	int fd = open("mine", O_RDWR);

	for (int i = 0; i < 12; i++) {
		off_t middle = lseek(r->source, 0, SEEK_CUR) + SAME_CHUNK / 2;

		same_write(r);
		fseek(f, middle, SEEK_SET);
		lseek(fd, middle, SEEK_SET);
		same_read(r);
		if (i % 4 < 2) {
			fputs(some_text, f);
			same_say("fflush", fflush(i % 4 ? f : NULL));
		} else if (i % 4 == 2) {
			same_say("fwrite", (ssize_t)fwrite(r->area, 1, 12000, f));
		} else {
			same_say("dprintf", dprintf(fd, "over%s", "written"));
		}
	}
	same_write(r);
	fseek(f, lseek(r->source, 0, SEEK_CUR) + SAME_CHUNK / 2, SEEK_SET);
	fputs(some_text, f);
	same_read(r);
	same_say("fclose", fclose(f));
	same_write(r);
	same_say_file("mine");
}

static void opened_with_trunc(struct same_rig *r)
{
	same_say("open", open("mine", O_WRONLY | O_TRUNC) < 0 ? -1 : 0);
	same_write(r);
	same_say_buffer(r);
}

/*
 * Another process overwrites the file in place between read and write. The
 * contract leaves open which version is sent, but it is one or the other.
 */
static void overwritten_by_other(struct same_rig *r)
{
	static char was[SAME_CHUNK], is[SAME_CHUNK];
	off_t at = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;
	int foreign = 0;

	same_drain(r, 'o');
	same_say("outcome: write", write(r->sink, r->buf, r->got));
	same_finish(r);
	same_say("outcome: old", pread(open("../data", O_RDONLY), was, sizeof(was), at));
	same_say("outcome: received", pread(open("received", O_RDONLY), is, sizeof(is), at));
	for (size_t i = 0; i < sizeof(is); i++)
		foreign += is[i] != was[i] && is[i] != 0;
	same_say("outcome: foreign bytes", foreign);
}

/*
 * Another process cuts the file between read and write. The write may fail or
 * be short; but what the peer has got are bytes of the file, and no call hangs.
 */
static void truncated_by_other(struct same_rig *r)
{
	static char was[SAME_CHUNK], is[SAME_CHUNK];
	int data = open("../data", O_RDONLY), received;
	off_t at = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;
	ssize_t sent, n;

	same_drain(r, 't');
	sent = write(r->sink, r->buf, r->got);
	same_say("outcome: a result", sent <= (ssize_t)r->got);
	same_finish(r);
	received = open("received", O_RDONLY);
	n = pread(received, is, sizeof(is), at);
	same_say("outcome: no more than was written", n <= (sent > 0 ? sent : 0));
	same_say("outcome: all of the data", pread(data, was, sizeof(was), at) == SAME_CHUNK);
	same_say("outcome: foreign bytes", n > 0 ? memcmp(was, is, (size_t)n) : 0);
}

/* ---- locks ---- */

static void locks(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int other;
	pid_t child;

	same_say("flock", flock(r->source, LOCK_EX));
	same_write(r);
	same_read(r);
	same_say("fcntl", fcntl(r->source, F_SETLK, &l));
	same_write(r);
	same_read(r);
	child = fork();
	if (child == 0) {
		other = open("mine", O_RDWR);
		l.l_type = F_WRLCK;
		same_say("flock of the child", flock(other, LOCK_EX | LOCK_NB));
		same_say("fcntl of the child", fcntl(other, F_SETLK, &l));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	same_write(r);
}

/* When the program closes its last descriptor, its locks are gone. */
static void locks_end(struct same_rig *r)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t child;
	int other;

	same_say("flock", flock(r->source, LOCK_EX));
	same_say("close", close(r->source));
	r->source = -1;
	other = open("mine", O_RDWR);
	same_say("flock again", flock(other, LOCK_EX | LOCK_NB));
	same_say("fcntl", fcntl(other, F_SETLK, &l));
	child = fork();
	if (child == 0) {
		same_say("fcntl of the child", fcntl(open("mine", O_RDWR), F_SETLK, &l));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	same_write(r);
}

static void leases(struct same_rig *r)
{
	same_say("F_GETLEASE", fcntl(r->source, F_GETLEASE));
	same_say("F_GETOWN", fcntl(r->source, F_GETOWN));
	same_say("F_GETSIG", fcntl(r->source, F_GETSIG));
	same_say("F_GETFL", fcntl(r->source, F_GETFL));
	same_say("F_GETFD", fcntl(r->source, F_GETFD));
	same_say("F_SETLEASE", fcntl(r->source, F_SETLEASE, F_RDLCK));
	same_say("F_GETLEASE", fcntl(r->source, F_GETLEASE));
	same_write(r);
	same_say("F_SETLEASE", fcntl(r->source, F_SETLEASE, F_UNLCK));
}

/* ---- bytes of which the descriptor is gone ---- */

/* Another process overwrites the file after the close: what was read stays. */
static void overwritten_after(struct same_rig *r, int how)
{
	int fd = r->source, other = open("../other", O_RDONLY);

	if (how == 0)
		same_say("close", close(fd));
	else if (how == 1)
		same_say("dup2", dup2(other, fd) == fd);
	else if (how == 2)
		same_say("close_range", close_range((unsigned)fd, (unsigned)fd, 0));
	r->source = -1;
	same_drain(r, 'o');
	same_say_buffer(r);
	same_write(r);
}

static void overwritten_after_close(struct same_rig *r)
{
	overwritten_after(r, 0);
}

static void overwritten_after_dup2(struct same_rig *r)
{
	overwritten_after(r, 1);
}

static void overwritten_after_close_range(struct same_rig *r)
{
	overwritten_after(r, 2);
}

/* Half of the chunk is written when the descriptor is closed. */
static void overwritten_after_half(struct same_rig *r)
{
	same_say("write", write(r->sink, r->buf, 30000));
	same_say("close", close(r->source));
	r->source = -1;
	same_drain(r, 'o');
	same_say("write", write(r->sink, r->buf + 30000, r->got - 30000));
	same_say_buffer(r);
}

/*
 * The file was cut, and then the program looks. What is left of it is there; the
 * rest is nobody's: never bytes of another chunk.
 */
static void truncated_then_looked(struct same_rig *r)
{
	static char was[SAME_CHUNK];
	off_t at = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;
	int foreign = 0;

	same_drain(r, 't');
	same_say("outcome: the data", pread(open("../data", O_RDONLY), was, sizeof(was), at));
	for (size_t i = 0; i < r->got; i++)
		foreign += r->buf[i] != was[i] && r->buf[i] != 0;
	same_say("outcome: foreign bytes", foreign);
	r->got = 0;
}

/* ---- shunt's numbers ---- */

/* Numbers above the highest that this program has got. */
static int unknown_numbers(const struct same_rig *r, int *list, int room)
{
	int most = r->sink > r->control ? r->sink : r->control, n = 0, fd;
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	most = most > r->source ? most : r->source;
	while (d != NULL && (e = readdir(d)) != NULL) {
		fd = atoi(e->d_name);
		if (fd > most && fd != dirfd(d) && n < room)
			list[n++] = fd;
	}
	closedir(d);
	return n;
}

/* The program takes them for its own files, one after the other. */
static void over_unknown_numbers(struct same_rig *r)
{
	int list[64], n = unknown_numbers(r, list, 64), other = open("../other", O_RDONLY);
	int wrong = 0;
	char c[2], d[2];

	same_allow_all_numbers();
	for (int i = 0; i < n; i++)
		wrong += dup2(other, list[i]) != list[i];
	same_say("refused", wrong);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
	for (int i = 0; i < n; i++) {
		wrong += pread(list[i], c, 2, 5) != 2 || pread(other, d, 2, 5) != 2;
		wrong += memcmp(c, d, 2) != 0;
		wrong += close(list[i]) != 0;
	}
	same_say("wrong", wrong);
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static struct same_rig *held_up;
static int taken[64], to_take, refused, as_long;

/* The number may be the one that the call is sending from. */
static void take_numbers(int signal)
{
	struct pollfd p = { .fd = held_up->sink, .events = POLLOUT };

	(void)signal;
	for (int i = 0; i < to_take; i++)
		refused += dup2(as_long, taken[i]) != taken[i];
	same_drain(held_up, 'g');
	poll(&p, 1, 5000);
}

/* The same in the midst of a write, which waits for the peer. */
static void over_unknown_numbers_meanwhile(struct same_rig *r)
{
	struct itimerval once = { .it_value = { 0, 200000 } };
	struct sigaction sa = { .sa_flags = SA_RESTART };
	ssize_t n;

	held_up = r;
	as_long = open("zeros", O_RDWR | O_CREAT, 0600);
	same_say("ftruncate", ftruncate(as_long, lseek(r->source, 0, SEEK_CUR)));
	to_take = unknown_numbers(r, taken, 64);
	same_allow_all_numbers();
	sa.sa_handler = take_numbers;
	sigaction(SIGALRM, &sa, NULL);
	same_drain(r, 'p');
	setitimer(ITIMER_REAL, &once, NULL);
	for (size_t at = 0; at < r->got; at += (size_t)n) {
		n = write(r->sink, r->buf + at, r->got - at);
		if (n <= 0) {
			same_say("write", n);
			break;
		}
	}
	same_say("refused", refused);
	r->got = 0;
}

/* Where dup2 fails nothing is to be moved away, and left behind. */
static void over_unknown_numbers_in_vain(struct same_rig *r)
{
	struct rlimit limit;
	int list[64], n = unknown_numbers(r, list, 64), taken_over = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 300;
	for (int i = 0; i < n; i++)
		taken_over += dup2(200, list[i]) >= 0;
	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < n; i++)
		taken_over += list[i] >= 300 && dup2(r->source, list[i]) >= 0;
	same_say("taken over", taken_over);
	same_say("more than before", unknown_numbers(r, list, 64) - n);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
}

/* Files come and go: what is kept of them goes as well. */
static void numbers_do_not_grow(struct same_rig *r)
{
	int list[64];
	char name[16];

	same_write(r);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		same_copy_file("../medium", name);
		close(r->source);
		r->source = open(name, O_RDONLY);
		same_loop(r, 3);
	}
	close(r->source);
	r->source = -1;
	same_say("few", unknown_numbers(r, list, 64) < 12);
}

/* They are not there: neither for calls that use them nor for those that copy or close them. */
static void unknown_numbers_used(struct same_rig *r)
{
	int list[64], n = unknown_numbers(r, list, 64), open_ones = 0;

	for (int i = 0; i < n; i++) {
		open_ones += dup(list[i]) >= 0;
		open_ones += dup2(list[i], 50) >= 0;
		open_ones += fcntl(list[i], F_DUPFD, 0) >= 0;
		open_ones += close(list[i]) == 0;
	}
	same_say("that were open", open_ones);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
}

/* Between the reads of a chunk the limit is what the program set. */
static void limit_stays(struct same_rig *r)
{
	struct rlimit limit = { 300, 4096 }, now;
	int n = 0;

	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < 6; i++) {
		close(r->source);
		r->source = open(i % 2 ? "../data" : "../other", O_RDONLY);
		same_loop(r, 4);
		same_say("getrlimit", getrlimit(RLIMIT_NOFILE, &now));
		same_say("soft", (ssize_t)now.rlim_cur);
		same_say("hard", (ssize_t)now.rlim_max);
	}
	while (dup(0) >= 0)
		n++;
	same_say("dups until the limit", n);
	r->got = 0;
}

/* The same where the limits are one: a program gets most of the numbers. */
static void limit_is_hard(struct same_rig *r)
{
	struct rlimit limit = { 300, 300 };
	int n = 0, last = -1;

	same_say("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	close(r->source);
	r->source = open("../other", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	for (int fd; n < 250 && (fd = dup(0)) >= 0; n++)
		last = fd;
	same_say("dups", n);
	same_say("last", last);
	same_loop(r, 4);
	r->got = 0;
}

/* ---- what was set of a file before it landed ---- */

static void owner_stays(struct same_rig *r)
{
	same_say("F_SETOWN", fcntl(r->source, F_SETOWN, getpid()));
	same_say("F_SETSIG", fcntl(r->source, F_SETSIG, 34));
	same_loop(r, SAME_ROUNDS);
	same_say("F_GETOWN", fcntl(r->source, F_GETOWN) == getpid());
	same_say("F_GETSIG", fcntl(r->source, F_GETSIG));
	same_read(r);
	same_write(r);
}

static void signal_stays(struct same_rig *r)
{
	same_say("F_SETSIG", fcntl(r->source, F_SETSIG, 34));
	same_loop(r, SAME_ROUNDS);
	same_say("F_GETSIG", fcntl(r->source, F_GETSIG));
}

/* A lease from before the program was this program: no call tells of it. */
static void lease_stays(struct same_rig *r)
{
	int ret = fork();

	/* a raw call, as it would have come through exec */
	if (ret == 0)
		_exit(0);
	waitpid(ret, NULL, 0);
	same_say("F_SETLEASE", syscall(SYS_fcntl, r->source, F_SETLEASE, F_RDLCK));
	same_loop(r, SAME_ROUNDS);
	same_say("F_GETLEASE", fcntl(r->source, F_GETLEASE));
}

/* ---- locks that a second process asks for ---- */

static void say_locked(const char *what)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t child = fork();
	int other;

	if (child == 0) {
		other = open("mine", O_RDWR | O_NONBLOCK);
		same_say(what, fcntl(other, F_SETLK, &l));
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

enum lock_kind { WHOLE, PART, BY_LOCKF, BY_FLOCK, DESCRIPTION };

static int lock(int fd, enum lock_kind kind, int unlock)
{
	struct flock l = { .l_type = unlock ? F_UNLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (kind == PART)
		l.l_len = 1000;
	if (kind == BY_LOCKF)
		return lseek(fd, 0, SEEK_SET) ? -1 : lockf(fd, unlock ? F_ULOCK : F_TLOCK, 0);
	if (kind == BY_FLOCK)
		return flock(fd, unlock ? LOCK_UN : LOCK_EX | LOCK_NB);
	return fcntl(fd, kind == DESCRIPTION ? F_OFD_SETLK : F_SETLK, &l);
}

/*
 * The file is served, locked by a second descriptor of this process, served on,
 * written to (its landings and our duplicate of it go), and served on: the lock stays.
 */
static void lock_stays(struct same_rig *r, enum lock_kind kind)
{
	int fd = open("mine", O_RDWR);

	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("lock", lock(fd, kind, 0));
	same_write(r);
	same_loop(r, 4);
	say_locked("locked");
	same_read(r);
	same_say("pwrite", pwrite(fd, "x", 1, 3 << 20));
	same_write(r);
	same_loop(r, 4);
	say_locked("locked after a write");
	same_say("truncate", ftruncate(fd, 4 << 20));
	same_loop(r, 2);
	say_locked("locked after a change");
	same_say("unlock", lock(fd, kind, 1));
	say_locked("not locked");
	same_loop(r, 2);
	same_say("lock", lock(fd, kind, 0));
	same_loop(r, 4);
	say_locked("locked again");
	if (kind == BY_FLOCK || kind == DESCRIPTION) {
		same_say("close", close(fd));
		say_locked("not locked by the other");
		return;
	}
	same_say("close", close(r->source));
	r->source = -1;
	say_locked("gone with the first that closes");
}

static void lock_whole(struct same_rig *r)
{
	lock_stays(r, WHOLE);
}

static void lock_part(struct same_rig *r)
{
	lock_stays(r, PART);
}

static void lock_by_lockf(struct same_rig *r)
{
	lock_stays(r, BY_LOCKF);
}

static void lock_of_description(struct same_rig *r)
{
	lock_stays(r, DESCRIPTION);
}

static void lock_by_flock(struct same_rig *r)
{
	lock_stays(r, BY_FLOCK);
}

/* The lock is taken after the file was served and closed; what is kept of it goes later. */
static void lock_after_close(struct same_rig *r, enum lock_kind kind)
{
	int fd = open("mine", O_RDWR);

	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_write(r);
	same_say("close", close(r->source));
	same_say("lock", lock(fd, kind, 0));
	r->source = open("../other", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	say_locked("locked");
}

static void lock_whole_after_close(struct same_rig *r)
{
	lock_after_close(r, WHOLE);
}

static void lock_part_after_close(struct same_rig *r)
{
	lock_after_close(r, PART);
}

static void lockf_after_close(struct same_rig *r)
{
	lock_after_close(r, BY_LOCKF);
}

/* The same with a lock for reading, on a file that nobody has open for writing. */
static void read_lock_after_close(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1000 };
	int fd = open("mine", O_RDONLY);

	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_write(r);
	same_say("close", close(r->source));
	same_say("lock", fcntl(fd, F_SETLK, &l));
	r->source = open("../other", O_RDONLY);
	same_loop(r, SAME_ROUNDS);
	say_locked("locked");
}

/* What shunt has of the file goes when its flags change: not with a lock that no function took. */
static void lock_by_syscall(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1000 };

	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say("lock", syscall(SYS_fcntl, r->source, F_SETLK, &l));
	say_locked("locked");
	same_write(r);
	same_loop(r, SAME_ROUNDS);
	same_say("F_SETFL", fcntl(r->source, F_SETFL, O_NONBLOCK));
	say_locked("locked");
	same_loop(r, SAME_ROUNDS);
	same_say("unlock", syscall(SYS_fcntl, r->source, F_SETLK,
				   &(struct flock){ .l_type = F_UNLCK, .l_whence = SEEK_SET }));
	say_locked("not locked");
}

/*
 * A lock that belongs to the open file goes with its last descriptor, of which ours would be one.
 */
static void flock_after_write(struct same_rig *r)
{
	same_loop(r, SAME_ROUNDS);
	same_say("flock", flock(r->source, LOCK_EX));
	same_say("close", close(r->source));
	r->source = -1;
	same_say("flock", flock(open("mine", O_RDONLY), LOCK_EX | LOCK_NB));
}

static void lease_after_write(struct same_rig *r)
{
	signal(SIGIO, SIG_IGN);
	same_loop(r, SAME_ROUNDS);
	same_say("F_SETLEASE", fcntl(r->source, F_SETLEASE, F_RDLCK));
	same_say("close", close(r->source));
	r->source = -1;
	same_drain(r, 'o'); /* it does not wait for a lease to be given back */
	same_say_file("mine");
}

/* The file changes while it is locked and served, so that it is served plainly: the lock stays. */
static void locked_and_touched(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, SAME_ROUNDS);
	say_locked("locked");
	same_say("touch", utimensat(AT_FDCWD, "mine", NULL, 0));
	same_loop(r, 4);
	say_locked("locked");
	same_read(r);
	same_write(r);
}

/* Locked, served and closed, one after the other: nothing is kept. */
static void locked_come_and_go(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int list[64];
	char name[16];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		same_copy_file("../medium", name);
		close(r->source);
		r->source = open(name, O_RDONLY);
		same_say("lock", fcntl(r->source, F_SETLK, &l));
		same_loop(r, 3);
	}
	close(r->source);
	r->source = -1;
	same_say("few", unknown_numbers(r, list, 64) < 12);
}

/* Locked for reading before it is served, as FTP servers do; then unlocked with a chunk in hand. */
static void locked_download(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, SAME_ROUNDS);
	say_locked("locked");
	same_read(r);
	l.l_type = F_UNLCK;
	same_say("unlock", fcntl(r->source, F_SETLK, &l));
	same_drain(r, 'o'); /* who waited for the lock */
	same_say_buffer(r);
	same_write(r);
	l.l_type = F_RDLCK;
	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, 4);
	say_locked("locked");
}

/* The new program is a cat, which lasts until somebody else has tried the lock. */
static void exec_with_lock(struct same_rig *r, const char *what)
{
	int gone[2], ends[2];
	char c;

	(void)!pipe2(gone, O_CLOEXEC);
	(void)!pipe2(ends, O_CLOEXEC);
	if (fork() == 0) {
		close(gone[1]);
		(void)!read(gone[0], &c, 1); /* the exec closed it */
		say_locked(what);
		_exit(0);
	}
	same_say("no exec", execl("/no/such", "such", (char *)NULL));
	dup2(ends[0], 0);
	close(ends[1]);
	execl("/bin/cat", "cat", (char *)NULL);
}

/* Locked, served, and handed to another program: the lock lasts as long as the descriptor. */
static void locked_over_exec(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_write(r);
	exec_with_lock(r, "locked");
}

static void unlocked_by_exec(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	same_say("flag", fcntl(r->source, F_SETFD, FD_CLOEXEC));
	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, SAME_ROUNDS);
	exec_with_lock(r, "free");
}

/* A child has no lock of its parent's: what it starts is handed nothing. */
static void locked_by_the_parent(struct same_rig *r)
{
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	pid_t child;

	same_say("lock", fcntl(r->source, F_SETLK, &l));
	same_loop(r, SAME_ROUNDS);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		same_loop(r, 4);
		fflush(stdout);
		execl("/bin/sh", "sh", "-c", "ls /proc/self/fd | wc -l", (char *)NULL);
	}
	waitpid(child, NULL, 0);
	say_locked("locked");
}

static const struct same_case cases[] = {
	{ "until_the_end", until_the_end, 0, 0 },
	{ "exact_end", exact_end, 0, 0 },
	{ "grows_at_the_end", grows_at_the_end, SAME_OWN, 0 },
	{ "ends_and_looks", ends_and_looks, SAME_LAZY, 0 },
	{ "ends_by_turns", ends_by_turns, 0, 0 },
	{ "seeks", seeks, 0, 0 },
	{ "seek_between", seek_between, 0, 0 },
	{ "shared_by_dup", shared_by_dup, 0, 0 },
	{ "shared_by_fork", shared_by_fork, 0, 0 },
	{ "positioned", positioned, 0, 0 },
	{ "before_the_start", before_the_start, 0, 0 },
	{ "close_before_write", close_before_write, 0, 0 },
	{ "other_at_its_number", other_at_its_number, 0, 0 },
	{ "many_files", many_files, 0, 0 },
	{ "over_the_source", over_the_source, 0, 0 },
	{ "over_the_sink", over_the_sink, 0, 0 },
	{ "sink_by_dup", sink_by_dup, 0, 0 },
	{ "close_loop", close_loop, 0, 0 },
	{ "close_loop_and_source", close_loop_and_source, 0, 0 },
	{ "close_ranges", close_ranges, 0, 0 },
	{ "lowest_numbers", lowest_numbers, 0, 0 },
	{ "high_numbers", high_numbers, 0, 0 },
	{ "few_descriptors", few_descriptors, 0, 0 },
	{ "few_descriptors_new_file", few_descriptors_new_file, 0, 0 },
	{ "more_files_close_range", more_files_close_range, 0, 0 },
	{ "more_files_closefrom", more_files_closefrom, 0, 0 },
	{ "unlinked", unlinked, SAME_OWN, 0 },
	{ "replaced", replaced, SAME_OWN, 0 },
	{ "direct_io", direct_io, SAME_PAGE, 0 },
	{ "direct_io_later", direct_io_later, SAME_PAGE, 0 },
	{ "proc_file", proc_file, 0, 0 },
	{ "devices", devices, 0, 0 },
	{ "write_only", write_only, 0, 0 },
	{ "directory", directory, 0, 0 },
	{ "memory_file", memory_file, 0, 0 },
	{ "bad_reads", bad_reads, 0, 0 },
	{ "huge_count", huge_count, 0, 0 },
	{ "truncated_by_self", truncated_by_self, SAME_OWN, 0 },
	{ "truncated_by_freopen", truncated_by_freopen, SAME_OWN, 0 },
	{ "truncated_by_descriptor", truncated_by_descriptor, SAME_OWN, 0 },
	{ "overwritten_by_self", overwritten_by_self, SAME_OWN, 0 },
	{ "overwritten_by_stream", overwritten_by_stream, SAME_OWN, 0 },
	{ "overwritten_by_printing", overwritten_by_printing, SAME_OWN, 0 },
	{ "overwritten_by_fdopen", overwritten_by_fdopen, SAME_OWN, 0 },
	{ "overwritten_by_aio", overwritten_by_aio, SAME_OWN, 0 },
	{ "overwritten_by_list", overwritten_by_list, SAME_OWN, 0 },
	{ "overwritten_by_stderr", overwritten_by_stderr, SAME_OWN, 0 },
	{ "opened_with_trunc", opened_with_trunc, SAME_OWN, 0 },
	{ "overwritten_by_other", overwritten_by_other, SAME_OWN | SAME_OUTCOME, 0 },
	{ "truncated_by_other", truncated_by_other, SAME_OWN | SAME_OUTCOME, 0 },
	{ "locks", locks, SAME_OWN, 0 },
	{ "locks_end", locks_end, SAME_OWN, 0 },
	{ "leases", leases, SAME_OWN, 0 },
	{ "overwritten_after_close", overwritten_after_close, SAME_OWN | SAME_LAZY, 0 },
	{ "overwritten_after_dup2", overwritten_after_dup2, SAME_OWN | SAME_LAZY, 0 },
	{ "overwritten_after_close_range", overwritten_after_close_range, SAME_OWN | SAME_LAZY, 0 },
	{ "overwritten_after_half", overwritten_after_half, SAME_OWN | SAME_LAZY, 0 },
	{ "truncated_then_looked", truncated_then_looked, SAME_OWN | SAME_OUTCOME | SAME_LAZY, 0 },
	{ "over_unknown_numbers", over_unknown_numbers, 0, 0 },
	{ "unknown_numbers_used", unknown_numbers_used, 0, 0 },
	{ "numbers_do_not_grow", numbers_do_not_grow, 0, 0 },
	{ "limit_stays", limit_stays, 0, 0 },
	{ "over_unknown_numbers_in_vain", over_unknown_numbers_in_vain, 0, 0 },
	{ "over_unknown_numbers_meanwhile", over_unknown_numbers_meanwhile, SAME_UNIX, 1 << 19 },
	{ "limit_is_hard", limit_is_hard, 0, 0 },
	{ "owner_stays", owner_stays, SAME_BARE | SAME_OWN | SAME_SETTLED, 0 },
	{ "signal_stays", signal_stays, SAME_BARE | SAME_OWN | SAME_SETTLED, 0 },
	{ "lease_stays", lease_stays, SAME_BARE | SAME_OWN | SAME_SETTLED, 0 },
	{ "lock_whole", lock_whole, SAME_BARE | SAME_OWN, 0 },
	{ "lock_part", lock_part, SAME_BARE | SAME_OWN, 0 },
	{ "lock_by_lockf", lock_by_lockf, SAME_BARE | SAME_OWN, 0 },
	{ "lock_by_flock", lock_by_flock, SAME_BARE | SAME_OWN, 0 },
	{ "lock_by_syscall", lock_by_syscall, SAME_BARE | SAME_OWN, 0 },
	{ "lock_of_description", lock_of_description, SAME_BARE | SAME_OWN, 0 },
	{ "lock_whole_after_close", lock_whole_after_close, SAME_BARE | SAME_OWN, 0 },
	{ "lock_part_after_close", lock_part_after_close, SAME_BARE | SAME_OWN, 0 },
	{ "lockf_after_close", lockf_after_close, SAME_BARE | SAME_OWN, 0 },
	{ "read_lock_after_close", read_lock_after_close, SAME_BARE | SAME_OWN, 0 },
	{ "flock_after_write", flock_after_write, SAME_BARE | SAME_OWN, 0 },
	{ "lease_after_write", lease_after_write, SAME_BARE | SAME_OWN, 0 },
	{ "locked_and_touched", locked_and_touched, SAME_BARE | SAME_OWN, 0 },
	{ "locked_come_and_go", locked_come_and_go, SAME_BARE | SAME_NO_LEASE, 0 },
	{ "locked_download", locked_download, SAME_BARE | SAME_OWN, 0 },
	{ "locked_over_exec", locked_over_exec, SAME_BARE | SAME_OWN | SAME_DIES, 0 },
	{ "unlocked_by_exec", unlocked_by_exec, SAME_BARE | SAME_OWN | SAME_DIES, 0 },
	{ "locked_by_the_parent", locked_by_the_parent, SAME_BARE | SAME_OWN, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
