/* SPDX-License-Identifier: MIT */
/*
 * stall.c - a chunk in pieces that do not block; see stall.h.
 *
 * All signals are blocked but while it waits (ppoll puts the program's mask back for that long), so
 * that none is missed between two calls: a handler ends the call with what went, as it ends a
 * blocking write of which a part went, whatever SA_RESTART says (since sk_stream_wait_memory says
 * -ERESTARTSYS, and tcp_sendmsg_locked and unix_stream_sendmsg then return what was taken). Before
 * anything went the kernel alone knows whether the call goes on after a handler: so then we do not
 * wait where there are handlers.
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "lease.h"
#include "libc_version.h"
#include "prim.h"
#include "sig.h"
#include "sleep.h"
#include "source.h"
#include "stall.h"
#include "thread.h"
#include "writers.h"

enum { LEAST = 512, MS = 1000000, SECOND = 1000 * MS };

/*
 * Since then a thread that is cancelled in a call of which a part went gets to know how much, and
 * ends with the next: the signal that cancels is like any other that has a handler.
 */
enum { LIBC_KEEPS_PARTS = 41 };

struct call {
	int fd, flags;
	struct fd_entry *e;
	struct segments *s;
	size_t *sent;           /* of each segment, by reference */
	uint64_t mask;          /* the program's */
	uint32_t generation;
	unsigned i;             /* what is next: byte AT of segment I */
	size_t at, total, all;
	bool by_memory;         /* the rest is filled, and nothing is pinned */
	bool lost;              /* it cannot be: the kernel has ended the lease */
	bool changed;           /* something was opened, or read anew, while it waited */
	bool blocks;            /* an error queue keeps poll from waiting: the kernel is to wait */
	bool pipe_pending;      /* a SIGPIPE of the program's own */
	bool leased;            /* a writer of the file may wait for this call */
	uint64_t patience;      /* ns that it may wait yet, by SO_SNDTIMEO; FOREVER; UNASKED */
	enum verdict why;       /* why the rest is not sent by reference */
};

#define FOREVER UINT64_MAX
#define UNASKED (UINT64_MAX - 1)

enum outcome { GO_ON, END, PLAINLY };

/* ---- how much goes without a wait ---- */

/*
 * A segment begins while less than SNDBUF is queued: TCP counts sk_wmem_queued
 * (sk_stream_memory_free, asked for each new skb by tcp_sendmsg_locked), UNIX sockets sk_wmem_alloc
 * (sock_alloc_send_pskb). TCP_NOTSENT_LOWAT is a bound beside it (tcp_stream_memory_free), which
 * holds where poll says POLLOUT.
 */
ssize_t stall_room(int fd, const struct fd_entry *e, bool *ask)
{
	uint32_t mem[SK_MEMINFO_VARS] = { 0 }, used, low = 0;
	socklen_t n = sizeof(mem), low_n = sizeof(low);
	bool tcp = e->kind == STATS_KIND_TCP;
	ssize_t room = 0;

	*ask = false;
	if (prim_getsockopt(fd, SOL_SOCKET, SO_MEMINFO, mem, &n) < 0 ||
	    n <= SK_MEMINFO_WMEM_QUEUED * sizeof(*mem))
		return -1;
	used = mem[tcp ? SK_MEMINFO_WMEM_QUEUED : SK_MEMINFO_WMEM_ALLOC];
	if (used < mem[SK_MEMINFO_SNDBUF])
		room = (mem[SK_MEMINFO_SNDBUF] - used) / 2;
	if (tcp && prim_getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, &low_n) == 0 && low) {
		*ask = true;
		room = low / 2 < room ? low / 2 : room;
	}
	return room;
}

bool stall_is_connected(int fd, const struct fd_entry *e)
{
	uint8_t state = 0; /* the kernel cuts what it tells to one byte, which is that */
	socklen_t n = sizeof(state);

	if (e->kind != STATS_KIND_TCP)
		return true;
	return prim_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &n) == 0 &&
	       (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT);
}

static bool is_leased(const struct segment *g)
{
	return segment_is_file(g) && g->source >= 0 && relaxed(source_at(g->source)->leased);
}

static bool holds_lease(const struct segments *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (is_leased(&s->seg[i]))
			return true;
	return false;
}

COLD bool stall_threatens(int fd, const struct fd_entry *e, const struct segments *s, int flags)
{
	size_t all = segments_length(s);
	bool ask;
	ssize_t room;

	if (s->streams || (flags & MSG_DONTWAIT) || !holds_lease(s))
		return false;
	room = stall_room(fd, e, &ask);
	return room >= 0 && (ask || all > (size_t)room) && !fd_is_nonblocking(fd);
}

/* ---- the rest from memory ---- */

static bool is_landed(const struct call *c, unsigned i)
{
	const struct segment *g = &c->s->seg[i];

	return g->l && landing_touches(g->p, g->n);
}

/* The records say what went, before they are filled: the rest is counted as written plainly. */
static void note_progress(const struct call *c)
{
	for (unsigned i = 0; i <= c->i && i < c->s->count; i++) {
		const struct segment *g = &c->s->seg[i];

		if (!segment_is_file(g) || g->source < 0)
			continue;
		lease_fed(c->e, g->source, c->sent[i]);
		if (g->l && relaxed(g->l->sequence) == g->sequence && g->at <= relaxed(g->l->written))
			set_relaxed(g->l->written, g->at + c->sent[i]);
	}
	c->s->fed = true;
}

/*
 * What is left is filled, and the lease goes. Where it was too late for that (the kernel ended the
 * lease, and the file has changed) the file is all there is.
 */
static void give_way(struct call *c, bool fill)
{
	if (!c->s->fed)
		note_progress(c);
	for (unsigned i = c->i; i < c->s->count; i++) {
		const struct segment *g = &c->s->seg[i];

		if (fill && g->l)
			landing_fill(g->p, g->n);
		if (is_landed(c, i))
			c->lost = true;
	}
	if (c->lost)
		return;
	c->by_memory = c->s->filled = true;
	segments_unpin(c->s);
	for (unsigned i = 0; i < c->s->count; i++)
		if (segment_is_file(&c->s->seg[i]) && c->s->seg[i].source >= 0)
			lease_rest(source_at(c->s->seg[i].source));
}

/* Does somebody wait for the lease of something that is left? Then that is filled. */
static bool is_waited_for(struct call *c)
{
	bool waited = false;

	for (unsigned i = c->i; c->leased && i < c->s->count; i++) {
		const struct segment *g = &c->s->seg[i];

		if (g->l && g->source >= 0 && lease_wanted(g->source)) {
			if (!c->s->fed)
				note_progress(c);
			lease_let_in(g->source);
			c->why = VERDICT_BEING_WRITTEN;
			waited = true;
		}
	}
	return waited;
}

/* ---- waits ---- */

/*
 * But SIGSYS, which the guard needs should the thread be cancelled here: cleanup handlers run with
 * this mask.
 */
static void block_signals(struct call *c)
{
	uint64_t set = prim_critical & ~sig_bit(SIGSYS);

	prim_sigprocmask(SIG_SETMASK, &set, &c->mask);
}

/* How long the program lets its call wait: the kernel counts all waits of one call together. */
static void ask_patience(struct call *c)
{
	if (c->patience != UNASKED)
		return;
	c->patience = c->e->timeout ? fd_send_timeout(c->fd) : 0;
	if (c->patience == 0)
		c->patience = FOREVER;
}

static void spend(struct call *c, uint64_t ns)
{
	if (c->patience != FOREVER)
		c->patience -= ns < c->patience ? ns : c->patience;
}

/*
 * For MS at the most, or where that is negative, as long as it takes.
 * 1: there may be room, 0: the time is over, -EINTR. Nothing is pinned meanwhile, so that nothing
 * is left behind where a handler leaves by longjmp, or the thread is cancelled: a pin would hold
 * the lease.
 */
static int wait_once(struct call *c, int ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	uint64_t limit = ms < 0 ? FOREVER : (uint64_t)ms * MS, begun = prim_now();
	struct timespec t, *most = &t;
	int r;

	ask_patience(c);
	if (c->patience < limit)
		limit = c->patience;
	t = (struct timespec){ (time_t)(limit / SECOND), (long)(limit % SECOND) };
	if (limit == FOREVER)
		most = NULL;
	segments_unpin(c->s);
	if (c->total && libc_is(LIBC_KEEPS_PARTS))
		r = (int)PRIM5(SYS_ppoll, &p, 1, most, &c->mask, sizeof(c->mask));
	else
		r = (int)engine_cancellable(SYS_ppoll, (long)&p, 1, (long)most, (long)&c->mask,
					    sizeof(c->mask), 0);
	spend(c, r ? prim_now() - begun : limit);
	if (r > 0 && (p.revents & (POLLERR | POLLOUT | POLLHUP)) == POLLERR)
		c->blocks = true;
	if (!c->by_memory && !segments_pin(c->s))
		c->changed = true;
	return r;
}

/* An error after a part went raises no SIGPIPE: the next call does, if it is not told not to. */
static void take_back_sigpipe(const struct call *c)
{
	static const struct timespec now;
	uint64_t set = sig_bit(SIGPIPE);

	if (!c->pipe_pending && (c->total || (c->flags & MSG_NOSIGNAL)))
		prim_sigtimedwait(&set, NULL, &now);
}

static ssize_t send_memory(struct call *c, size_t n);
static void advance(struct call *c, size_t n);

/*
 * A handler ended the wait, or its time is over. The kernel would have filled the socket before: who
 * writes again finds it full.
 */
static enum outcome gives_up(struct call *c)
{
	ssize_t r = 0;

	if (c->total == 0)
		return PLAINLY;
	if (!c->by_memory)
		give_way(c, true);
	if (c->by_memory && !c->blocks)
		r = send_memory(c, c->all - c->total);
	if (r == -EPIPE)
		take_back_sigpipe(c);
	if (r > 0)
		advance(c, (size_t)r);
	return END;
}

/*
 * There is no room: waits for it, and for who waits for us. Where nothing went yet, and it is the kernel
 * alone who knows what a handler or the end of the time means, it is left to the program's own call.
 */
static enum outcome wait_for_room(struct call *c)
{
	int r, ms = 0;

	if (c->total == 0 && (c->e->timeout || sig_handlers_exist())) {
		sleep_settle_slow();
		return PLAINLY;
	}
	for (;; ms += LEASE_GRACE_MS) {
		r = wait_once(c, c->by_memory || c->lost ? -1 : LEASE_GRACE_MS);
		if (c->e->generation != c->generation)
			return c->total ? END : PLAINLY;
		if (r < 0 || (r == 0 && c->patience == 0))
			return gives_up(c);
		if ((c->blocks || c->changed) && !c->by_memory)
			give_way(c, true);
		if ((c->blocks || c->changed) && c->lost)
			return c->total ? END : PLAINLY;
		if (r > 0)
			break;
		if (is_waited_for(c)) {
			give_way(c, false);
		} else if (ms + LEASE_GRACE_MS >= SLEEP_GRACE_MS) {
			sleep_settle_slow();
			give_way(c, true);
		}
		lease_look(prim_now());
		if (c->by_memory)
			break; /* which may take more than poll says */
	}
	return c->by_memory && c->total == 0 ? PLAINLY : GO_ON;
}

/* How much of what is left may go now? 0: wait. */
static size_t next_piece(struct call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	size_t left = c->all - c->total;
	bool ask;
	ssize_t room;

	if (c->by_memory)
		return left;
	room = stall_room(c->fd, c->e, &ask);
	if (!ask && room >= (ssize_t)left)
		return left;
	if (prim_poll(&p, 1, 0) > 0 && p.revents != POLLERR)
		return room > LEAST ? (size_t)room : LEAST;
	/* something, so that a handler may end the call and need not go on with it */
	return c->total == 0 && !ask && room >= LEAST ? (size_t)room : 0;
}

/* ---- pieces ---- */

static ssize_t send_memory(struct call *c, size_t n)
{
	struct iovec iov[SEGMENTS_MEMORY];
	struct msghdr msg = { .msg_iov = iov };
	int flags = c->flags | (c->total ? MSG_NOSIGNAL : 0) | (c->blocks ? 0 : MSG_DONTWAIT);
	ssize_t r;

	if (segments_gather(c->s, c->i, c->at, n, c->by_memory, iov, &msg.msg_iovlen) < c->s->count)
		flags |= MSG_MORE;
	if (!c->blocks)
		return prim_sendmsg(c->fd, &msg, flags);
	prim_signals_restore(&c->mask);
	r = engine_cancellable(SYS_sendmsg, c->fd, (long)&msg, flags, 0, 0, 0);
	block_signals(c);
	return r;
}

static ssize_t send_piece(struct call *c, size_t n)
{
	const struct segment *g = &c->s->seg[c->i];
	off_t offset = g->offset + (off_t)c->at;

	if (c->by_memory || !segment_is_file(g))
		return send_memory(c, n);
	return prim_sendfile(c->fd, g->fd, &offset, n < g->n - c->at ? n : g->n - c->at);
}

static void advance(struct call *c, size_t n)
{
	c->total += n;
	segments_advance(c->s, &c->i, &c->at, n, c->by_memory ? NULL : c->sent);
}

/* A piece ended with R, which is not positive. */
static enum outcome failed(struct call *c, ssize_t *r, enum verdict *why)
{
	const struct segment *g = &c->s->seg[c->i];
	bool file = !c->by_memory && segment_is_file(g);

	if (*r == -EAGAIN && !file)
		return wait_for_room(c);
	if (*r == 0 && file && g->l && c->at == 0)
		*r = engine_end_truncated(c->fd, why);
	else if (file && engine_kernel_cannot(g, *r)) {
		*why = VERDICT_KERNEL_REFUSED;
		return c->total ? END : PLAINLY;
	}
	if (*r == -EPIPE)
		take_back_sigpipe(c);
	return END;
}

/*
 * R bytes of a piece of N went. A short one of a file is what it always is: an error that was eaten,
 * or the end.
 */
static enum outcome progress(struct call *c, size_t n, size_t r)
{
	const struct segment *g = &c->s->seg[c->i];
	bool file = !c->by_memory && segment_is_file(g);
	size_t asked = n < g->n - c->at ? n : g->n - c->at;

	advance(c, r);
	if (!file || r == asked)
		return GO_ON;
	take_back_sigpipe(c);
	if (c->e->generation == c->generation)
		engine_note_swallowed(c->fd, c->e);
	return END;
}

static ssize_t send_pieces(struct call *c, enum verdict *why)
{
	enum outcome o = GO_ON;
	ssize_t r = 0;

	while (o == GO_ON && c->total < c->all) {
		size_t n = next_piece(c);

		if (n == 0) {
			o = wait_for_room(c);
			continue;
		}
		r = send_piece(c, n);
		if (r <= 0) {
			o = failed(c, &r, why);
			continue;
		}
		o = progress(c, n, (size_t)r);
		r = 0;
	}
	if (o == PLAINLY) {
		if (*why == VERDICT_REWRITTEN)
			*why = c->why;
		return ENGINE_PLAINLY;
	}
	return engine_stop_at(c->e, c->generation, c->total, r);
}

ssize_t stall_send(int fd, struct fd_entry *e, struct segments *s, int flags, size_t sent[SEGMENTS],
		   enum verdict *why)
{
	struct call c = { .fd = fd, .flags = flags, .e = e, .s = s, .sent = sent,
			  .generation = e->generation, .why = VERDICT_FILLED,
			  .all = segments_length(s), .leased = holds_lease(s),
			  .patience = UNASKED };
	uint64_t pending = 0;
	ssize_t r = ENGINE_PLAINLY;

	/* another thread's bytes could come in between */
	if (s->joint || (s->count == 1 && !writers_alone(e))) {
		*why = VERDICT_SECOND_WRITER;
		return ENGINE_PLAINLY;
	}
	block_signals(&c);
	if (c.mask & sig_bit(SIGPIPE))
		prim_sigpending(&pending);
	c.pipe_pending = pending & sig_bit(SIGPIPE);
	if (c.pipe_pending && (flags & MSG_NOSIGNAL))
		*why = VERDICT_SEND_FLAGS; /* one more could not be told apart */
	else
		r = send_pieces(&c, why);
	prim_signals_restore(&c.mask);
	return r;
}
