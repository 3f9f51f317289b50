/* SPDX-License-Identifier: MIT */
/*
 * same_inline.c - the kernel reads from a lazy buffer, or writes into it, by calls
 * that are made inline: no hook hears them, and without the guard they fail.
 */
#include "same.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "../guard/inline.h"

static char *middle(struct same_rig *r)
{
	return (char *)(((uintptr_t)r->buf + 5 * SAME_BLOCK) & ~(uintptr_t)(SAME_BLOCK - 1));
}

static void fresh(struct same_rig *r)
{
	same_write(r);
	same_read(r);
}

/* What the call left in the buffer is sent, and so is the next chunk. */
static void after(struct same_rig *r)
{
	same_say_buffer(r);
	same_write(r);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
}

static void write_file(struct same_rig *r)
{
	int out = open("out", O_RDWR | O_CREAT, 0644);

	fresh(r);
	same_say("write", INLINE3(write, out, r->buf, r->got));
	same_say("pwrite", INLINE4(pwrite64, out, r->buf + 5000, 20000, 100000));
	same_say_file("out");
	after(r);
}

static void write_sink(struct same_rig *r)
{
	fresh(r);
	same_say("write", INLINE3(write, r->sink, r->buf, r->got));
	same_read(r);
	same_say("sendto", INLINE(sendto, r->sink, r->buf, r->got, MSG_NOSIGNAL, 0, 0));
	same_read(r);
	same_write(r);
}

static void write_pieces(struct same_rig *r)
{
	int out = open("out", O_RDWR | O_CREAT, 0644);
	struct iovec iov[2] = { { "head", 4 }, { r->buf + 100, 30000 } };

	fresh(r);
	same_say("writev", INLINE3(writev, out, iov, 2));
	same_say_file("out");
	after(r);
}

static void to_pipe(struct same_rig *r)
{
	int p[2];
	struct iovec iov = { r->buf + 8192, 12000 };
	char *back = malloc(12000);

	if (pipe(p) != 0 || !back)
		return;
	fresh(r);
	same_say("vmsplice", INLINE4(vmsplice, p[1], &iov, 1, 0));
	same_say("read", read(p[0], back, 12000));
	same_say_memory("from the pipe", back, 12000);
	free(back);
	after(r);
}

static void stat_into(struct same_rig *r)
{
	struct stat *st = (struct stat *)middle(r);

	fresh(r);
	same_say("fstat", INLINE2(fstat, r->source, st));
	same_say("size", (ssize_t)st->st_size);
	memset(st, 0, sizeof(*st));
	after(r);
}

static void directory_into(struct same_rig *r)
{
	char *p = middle(r);

	fresh(r);
	same_say("getcwd", INLINE2(getcwd, p, 4000) > 0);
	memset(p, 0, 4096);
	after(r);
	same_read(r);
	same_say("getdents", INLINE3(getdents64, open(".", O_RDONLY), p, 8192) > 0);
	memset(p, 0, 8192);
	after(r);
}

static void random_into(struct same_rig *r)
{
	fresh(r);
	same_say("getrandom", INLINE3(getrandom, r->buf + 3000, 200, 0));
	memset(r->buf + 3000, 0, 200);
	same_say("far", INLINE3(getrandom, r->buf + 30000, 256, 0));
	memset(r->buf + 30000, 0, 256);
	after(r);
}

static void read_into(struct same_rig *r)
{
	int fd = open("../other", O_RDONLY);

	fresh(r);
	same_say("read", INLINE3(read, fd, middle(r) + 100, 10000));
	after(r);
	same_read(r);
	same_say("pread", INLINE4(pread64, fd, middle(r) + 30000, 10, 77));
	after(r);
}

static void receive_into(struct same_rig *r)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0 || write(s[0], "hello there", 11) != 11)
		return;
	fresh(r);
	same_say("recvfrom", INLINE(recvfrom, s[1], middle(r) + 10, 100, 0, 0, 0));
	after(r);
}

static void remember(struct same_rig *r)
{
	char *p = mmap(NULL, SAME_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fresh(r);
	same_say("mprotect", INLINE3(mprotect, middle(r), SAME_BLOCK, PROT_READ));
	same_say_buffer(r);
	same_say("mprotect", INLINE3(mprotect, middle(r), SAME_BLOCK, PROT_READ | PROT_WRITE));
	after(r);
	same_read(r);
	same_say("mremap", INLINE(mremap, p, SAME_BLOCK, SAME_BLOCK, 3, middle(r), 0) > 0);
	after(r);
}

static void *idle(void *arg)
{
	pause();
	return arg;
}

/* A mapping of which some was landed and looked at beside another thread is one to the program. */
static void remap_pieces(struct same_rig *r)
{
	size_t n = 8 * r->size;
	char *p = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;
	long to;

	same_write(r);
	same_say("thread", pthread_create(&thread, NULL, idle, NULL));
	memset(p, 'm', n);
	mprotect(p + n, n, PROT_NONE); /* it is in the way */
	r->buf = p + 2 * r->size;
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_buffer(r);
	same_loop(r, SAME_ROUNDS);
	same_read(r); /* landed again */
	to = INLINE(mremap, p, n, n + SAME_BLOCK, MREMAP_MAYMOVE, 0, 0);
	same_say("mremap", to > 0 || to < -4095 ? 0 : to);
	if (to > 0 || to < -4095)
		same_say_memory("all", (char *)to, n + SAME_BLOCK);
}

/* The page of the buffer's first bytes, which is not lazy. */
static void end_goes(struct same_rig *r)
{
	char *page = (char *)((uintptr_t)r->buf & ~(uintptr_t)(SAME_BLOCK - 1));

	fresh(r);
	same_say("mprotect", INLINE3(mprotect, page, SAME_BLOCK, PROT_NONE));
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("mprotect", INLINE3(mprotect, page, SAME_BLOCK, PROT_READ | PROT_WRITE));
	after(r);
}

static void change_source(struct same_rig *r)
{
	int fd = open("mine", O_WRONLY);
	off_t at;

	fresh(r);
	at = lseek(r->source, 0, SEEK_CUR) - (off_t)r->got;
	same_say("pwrite", INLINE4(pwrite64, fd, "changed", 7, at + 20000));
	same_say_buffer(r);
	same_write(r);
}

static const struct same_case cases[] = {
	{ "write_file", write_file, SAME_GUARD | SAME_LAZY, 0 },
	{ "write_sink", write_sink, SAME_GUARD | SAME_LAZY, 0 },
	{ "write_pieces", write_pieces, SAME_GUARD | SAME_LAZY, 0 },
	{ "to_pipe", to_pipe, SAME_GUARD | SAME_LAZY, 0 },
	{ "stat_into", stat_into, SAME_GUARD | SAME_LAZY, 0 },
	{ "directory_into", directory_into, SAME_GUARD | SAME_LAZY, 0 },
	{ "random_into", random_into, SAME_GUARD | SAME_LAZY, 0 },
	{ "read_into", read_into, SAME_GUARD | SAME_LAZY, 0 },
	{ "receive_into", receive_into, SAME_GUARD | SAME_LAZY, 0 },
	{ "remember", remember, SAME_GUARD | SAME_LAZY, 0 },
	{ "remap_pieces", remap_pieces, SAME_GUARD | SAME_LAZY, 0 },
	{ "end_goes", end_goes, SAME_GUARD | SAME_LAZY, 0 },
	{ "change_source", change_source, SAME_GUARD | SAME_LAZY | SAME_OWN, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
