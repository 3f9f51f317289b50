/* SPDX-License-Identifier: MIT */
/* dontwait.c - what fits goes by reference, the kernel judges the rest; see dontwait.h. */
#include <errno.h>
#include <poll.h>

#include "arena.h"
#include "dontwait.h"
#include "engine.h"
#include "prim.h"
#include "sig.h"
#include "stall.h"
#include "thread.h"
#include "writers.h"

/* Less than that is not sent by reference, unless it is all; and so much is copied at once. */
enum { PIECE = 16 * 1024 };

struct call {
	int fd, flags;
	struct fd_entry *e;
	struct segments *s;
	size_t *sent;           /* of each segment */
	uint32_t generation;    /* of E when it began */
	unsigned i;             /* what is next: byte AT of segment I */
	size_t at, total;
};

/* PIECE bytes of this thread; blocked signals keep them from being used twice at a time. */
static char *place_for_copy(void)
{
	struct thread *t = thread_self();

	if (!t->piece)
		t->piece = arena_alloc(PIECE);
	return t->piece;
}

/* How much of LEFT bytes of a file goes by reference without a wait? 0: it is copied. */
static size_t fits(const struct call *c, size_t left)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	bool ask;
	ssize_t room = stall_room(c->fd, c->e, &ask);

	if (ask && (prim_poll(&p, 1, 0) <= 0 || !(p.revents & POLLOUT)))
		return 0;
	if (room >= (ssize_t)left)
		return left;
	return room >= PIECE ? (size_t)room : 0;
}

static ssize_t by_reference(const struct call *c, size_t n)
{
	const struct segment *g = &c->s->seg[c->i];
	off_t offset = g->offset + (off_t)c->at;

	return prim_sendfile(c->fd, g->fd, &offset, n);
}

/*
 * What is landed comes from the file once more; 0: that ends there. No send tells that a file can
 * not be read: it is as where the kernel cannot send it (engine_kernel_cannot).
 */
static ssize_t by_copy(struct call *c)
{
	struct segment *g = &c->s->seg[c->i];
	struct iovec v = { (void *)(g->p + c->at), g->n - c->at };
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t r;

	if (g->l) {
		char *copy = place_for_copy();

		if (!copy)
			return -ENOMEM;
		r = prim_pread(g->fd, copy, v.iov_len < PIECE ? v.iov_len : PIECE,
			       g->offset + (off_t)c->at);
		if (r <= 0)
			return r ? -EOPNOTSUPP : 0;
		v = (struct iovec){ copy, (size_t)r };
	}
	r = prim_sendmsg(c->fd, &msg, c->flags);
	if (r > 0)
		g->copied += (size_t)r;
	return r;
}

/* The memory before the next piece of a file. */
static ssize_t memory(const struct call *c)
{
	struct iovec iov[SEGMENTS_MEMORY];
	struct msghdr msg = { .msg_iov = iov };
	unsigned next = segments_gather(c->s, c->i, c->at, SIZE_MAX, false, iov, &msg.msg_iovlen);

	return prim_sendmsg(c->fd, &msg, next < c->s->count ? c->flags | MSG_MORE : c->flags);
}

/* Nothing more went, for R. A file is too short only where a chunk begins, as in stall.c. */
static ssize_t ended(const struct call *c, ssize_t r, enum verdict *why)
{
	const struct segment *g = &c->s->seg[c->i];

	if (r == 0 && g->l && c->at == 0)
		r = engine_end_truncated(c->fd, why);
	else if (segment_is_file(g) && engine_kernel_cannot(g, r)) {
		*why = VERDICT_KERNEL_REFUSED;
		r = c->total ? 0 : ENGINE_PLAINLY;
	}
	return c->total ? engine_stop_at(c->e, c->generation, c->total, r) : r;
}

/* Another thread may close the socket meanwhile, and the number come to mean another one. */
static bool is_same(const struct call *c)
{
	return c->e->generation == c->generation;
}

/* *CUT: perhaps by an error, and perhaps with SIGPIPE. */
static ssize_t send_pieces(struct call *c, bool *cut, enum verdict *why)
{
	for (*cut = false; !*cut && c->i < c->s->count && is_same(c);) {
		const struct segment *g = &c->s->seg[c->i];
		bool file = segment_is_file(g);
		size_t n = file ? fits(c, g->n - c->at) : 0;
		ssize_t r = n ? by_reference(c, n) : file ? by_copy(c) : memory(c);

		if (r <= 0) {
			*cut = true;
			return ended(c, r, why);
		}
		c->total += (size_t)r;
		segments_advance(c->s, &c->i, &c->at, (size_t)r, c->sent);
		*cut = n && (size_t)r < n;
	}
	if (*cut && is_same(c))
		engine_note_swallowed(c->fd, c->e);
	if (c->total)
		return (ssize_t)c->total;
	*why = VERDICT_SECOND_WRITER;
	return ENGINE_PLAINLY;
}

ssize_t dontwait_send(int fd, struct fd_entry *e, struct segments *s, int flags,
		      size_t sent[SEGMENTS], enum verdict *why)
{
	static const struct timespec now;
	struct call c = { .fd = fd, .flags = flags, .e = e, .s = s, .sent = sent,
			  .generation = e->generation };
	uint64_t set = prim_critical & ~sig_bit(SIGSYS), pipe = sig_bit(SIGPIPE), mask, pending = 0;
	ssize_t r = ENGINE_PLAINLY;
	bool cut = false;

	*why = VERDICT_SEND_FLAGS;
	if (s->streams || !stall_is_connected(fd, e))
		return ENGINE_PLAINLY;
	if (s->joint || (s->count == 1 && !writers_alone(e))) {
		*why = VERDICT_SECOND_WRITER; /* whose bytes could come between two pieces */
		return ENGINE_PLAINLY;
	}
	prim_sigprocmask(SIG_SETMASK, &set, &mask);
	if (mask & pipe)
		prim_sigpending(&pending);
	if (!(pending & pipe)) { /* one more could not be told apart */
		*why = VERDICT_REWRITTEN;
		r = send_pieces(&c, &cut, why);
	}
	/* a call of which a part went raises none */
	if (cut && (r > 0 || (flags & MSG_NOSIGNAL)))
		prim_sigtimedwait(&pipe, NULL, &now);
	prim_signals_restore(&mask);
	return r;
}
