/* SPDX-License-Identifier: MIT */
/* joint.c - a header and what follows it in one call of the kernel's; see joint.h. */
#include <errno.h>
#include <fcntl.h>

#include "joint.h"
#include "prim.h"

enum { BUFFERS = 16 }; /* splice_to_socket: as many go with one sendmsg */

/* ---- can the kernel do it? ---- */

/*
 * Two buffers of a pipe (O_DIRECT: each write has one), spliced to a socket that keeps records: do
 * they come as one?
 */
static bool try_kernel(const int socket[2], const int pipe[2])
{
	char two[2] = { 0 };
	struct iovec one = { two, 1 };

	for (int i = 0; i < 2; i++)
		if (PRIM3(SYS_writev, pipe[1], &one, 1) != 1)
			return false;
	return prim_splice(pipe[0], socket[0], sizeof(two), SPLICE_F_NONBLOCK) == sizeof(two) &&
	       prim_recv(socket[1], two, sizeof(two), MSG_DONTWAIT) == sizeof(two);
}

static void close_both(const int fd[2])
{
	prim_close(fd[0]);
	prim_close(fd[1]);
}

enum answer { UNKNOWN, YES, NO };

/* Where descriptors or memory are short just now it is asked again. */
static enum answer not_asked(long error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM ? UNKNOWN : NO;
}

static enum answer ask_kernel(void)
{
	int socket[2], pipe[2];
	enum answer answer;
	long r;

	r = PRIM4(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, socket);
	if (r < 0)
		return not_asked(r);
	r = prim_pipe(pipe, O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	if (r < 0) {
		answer = not_asked(r);
	} else {
		answer = try_kernel(socket, pipe) ? YES : NO;
		close_both(pipe);
	}
	close_both(socket);
	return answer;
}

static bool kernel_joins(void)
{
	static _Atomic unsigned char known;

	if (unlikely(relaxed(known) == UNKNOWN))
		set_relaxed(known, (unsigned char)ask_kernel());
	return relaxed(known) == YES;
}

/* ---- what fits ---- */

/*
 * How many bytes of S go in one call. 0: more than the rest of a file would be left over. With pages of
 * 64 KiB a pipe has eight buffers.
 */
static size_t fits(const struct segments *s)
{
	size_t left = PIPES_SIZE / shunt_page, total = 0;

	if (left > BUFFERS)
		left = BUFFERS;
	for (unsigned i = 0, next; i < s->count; i = next) {
		const struct segment *g = &s->seg[i];
		bool file = segment_is_file(g);
		size_t n = file ? segments_row(s, i, &next) : segments_memory(s, i, &next);
		size_t skew = file ? (size_t)g->offset & (shunt_page - 1) : 0;
		size_t pages = page_up(skew + n) / shunt_page;

		if (pages > left)
			return file && next == s->count && left ? total + left * shunt_page - skew : 0;
		total += n;
		left -= pages;
	}
	return total;
}

/* ---- filling ---- */

/* R is the answer to putting something into P. Did N bytes go in? */
static bool put(struct pipe *p, ssize_t r, size_t n)
{
	if (r > 0)
		p->bytes += (size_t)r;
	return r > 0 && (size_t)r == n;
}

/* The memory from segment I to NEXT. */
static bool put_memory(struct pipe *p, const struct segments *s, unsigned i, unsigned next)
{
	struct iovec iov[SEGMENTS_MEMORY];
	size_t n = 0;
	int count = 0;

	for (; i < next; i++) {
		iov[count++] = (struct iovec){ (void *)s->seg[i].p, s->seg[i].n };
		n += s->seg[i].n;
	}
	return put(p, PRIM3(SYS_writev, p->in, iov, count), n);
}

/* N bytes of the source of G, from where that begins. */
static bool put_file(struct pipe *p, const struct segment *g, size_t n)
{
	off_t offset = g->offset;

	while (n > 0) {
		ssize_t r = PRIM6(SYS_splice, g->fd, &offset, p->in, 0, n, 0);

		if (r == -EINTR)
			continue;
		if (!put(p, r, (size_t)r))
			return false;
		n -= (size_t)r;
	}
	return true;
}

static bool put_all(struct pipe *p, const struct segments *s, size_t n)
{
	bool ok = true;

	for (unsigned i = 0, next; ok && p->bytes < n; i = next) {
		size_t rest = n - p->bytes, row;

		if (segment_is_file(&s->seg[i])) {
			row = segments_row(s, i, &next);
			ok = put_file(p, &s->seg[i], row < rest ? row : rest);
		} else {
			segments_memory(s, i, &next);
			ok = put_memory(p, s, i, next);
		}
	}
	return ok;
}

struct pipe *joint_make(const struct segments *s)
{
	size_t n = s->streams || !kernel_joins() ? 0 : fits(s);
	struct pipe *p = n ? pipes_get_first() : NULL;

	if (p && !put_all(p, s, n)) {
		pipes_leave(p);
		p = NULL;
	}
	return p;
}
