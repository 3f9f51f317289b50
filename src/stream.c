/* SPDX-License-Identifier: MIT */
/*
 * stream.c - landings of sockets and pipes; see stream.h.
 *
 * What is queued is asked first (FIONREAD): a chunk that would not fill the buffer, or
 * nearly, is not worth the calls, and what the socket says is what the read returns.
 * From the splice on the bytes are nowhere but in our pipe: whatever fails after it
 * ends in `deliver`, which reads them into the buffer as the program's own call would have.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "arena.h"
#include "config.h"
#include "fill.h"
#include "guard.h"
#include "land.h"
#include "maps.h"
#include "meter.h"
#include "prim.h"
#include "stream.h"
#include "thread.h"

/* Measured per route (bytes in one read): below these an exact landing costs more than it saves. */
enum {
	TCP_TCP_ODD = 64 * 1024, TCP_TCP_ALIGNED = 32 * 1024,
	TCP_UNIX_ODD = 128 * 1024, TCP_UNIX_ALIGNED = 64 * 1024,
	UNIX_UNIX = 256 * 1024,
	PIPE_SOCKET = 64 * 1024,
	LEAST = 32 * 1024, /* of all of these */
};

/*
 * More than this might not find room in our pipes, which count slots, not bytes: 128 of
 * them, half of which a chunk in fragments of 4 KiB needs.
 */
enum { LARGEST = PIPES_SIZE / 2 };

enum { SHORTEST = 4096, SHORTS = 2, PAUSE = 64 };

/* A read in the making. */
struct attempt {
	int fd;
	struct landing *l;
	struct site *site;
	uintptr_t base, lo, hi; /* the buffer; the pages that are, or are to be, armed */
	size_t n, count;        /* asked for; and what the read is to return */
	struct pipe *in;        /* the chunk, for the write */
	struct pipe *copy;      /* a tee of it; empty again when the read is over */
	struct pipe *keep;      /* for a landing that has none yet */
	uint8_t kind;
	bool fresh;             /* armed just now: the pages mean nothing yet */
	bool stopped;           /* recv too would have ended where the splice did */
};

HOT size_t stream_least;

void stream_init(void)
{
	if (stream_on())
		stream_least = config.min ? config.min : LEAST;
}

/* ---- may it be tried? ---- */

static bool option_is_not(int fd, int level, int name, int wanted)
{
	int value = wanted;
	socklen_t n = sizeof(value);

	return prim_getsockopt(fd, level, name, &value, &n) < 0 || value != wanted;
}

static bool has_upper_protocol(int fd)
{
	char name[16] = "";
	socklen_t n = sizeof(name);

	return prim_getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &n) < 0 || (n > 0 && name[0]);
}

/* SO_PEEK_OFF: splice does not move it, but our look at a drained socket would. */
static bool has_peek_offset(int fd)
{
	int value = -1;
	socklen_t n = sizeof(value);

	return prim_getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, &n) == 0 && value >= 0;
}

/* What splice reads otherwise than recv does. */
static enum verdict judge_source(int fd, struct fd_entry *e)
{
	switch (fd_classify(fd, e)) {
	case STATS_KIND_PIPE:
		return VERDICT_LEARNING; /* see no_packets */
	case STATS_KIND_TCP:
		if (option_is_not(fd, SOL_SOCKET, SO_PROTOCOL, IPPROTO_TCP) ||
		    option_is_not(fd, SOL_SOCKET, SO_RCVLOWAT, 1) ||
		    option_is_not(fd, SOL_SOCKET, SO_OOBINLINE, 0) || has_peek_offset(fd) ||
		    has_upper_protocol(fd))
			return VERDICT_SOURCE_OPTIONS;
		return VERDICT_REWRITTEN;
	case STATS_KIND_UNIX:
		if (option_is_not(fd, SOL_SOCKET, SO_RCVLOWAT, 1) || has_peek_offset(fd))
			return VERDICT_SOURCE_OPTIONS;
		return VERDICT_REWRITTEN;
	default:
		return VERDICT_WOULD_NOT_PAY;
	}
}

void stream_options_changed(struct fd_entry *e)
{
	atomic_store(&e->stream, 0);
}

/* The verdict plus 1 is kept, since entries are made of zeros. */
static enum verdict source_verdict(int fd, struct fd_entry *e)
{
	uint8_t known = atomic_load_explicit(&e->stream, memory_order_relaxed);

	if (unlikely(known == 0)) {
		known = (uint8_t)(judge_source(fd, e) + 1);
		atomic_store(&e->stream, known);
	}
	return (enum verdict)(known - 1);
}

static size_t smallest(uint8_t kind, const struct site *site, const void *buf)
{
	bool aligned = ((uintptr_t)buf & (shunt_page - 1)) == 0;

	if (kind == STATS_KIND_UNIX && site->sink != STATS_KIND_UNIX && site->sink != STATS_KIND_UNKNOWN)
		return SIZE_MAX; /* never paid, of whatever size */
	if (config.min)
		return config.min;
	if (kind == STATS_KIND_PIPE)
		return PIPE_SOCKET;
	if (kind == STATS_KIND_UNIX)
		return UNIX_UNIX;
	if (site->sink == STATS_KIND_UNIX)
		return aligned ? TCP_UNIX_ALIGNED : TCP_UNIX_ODD;
	return aligned ? TCP_TCP_ALIGNED : TCP_TCP_ODD;
}

/*
 * Is N bytes at BUF a part of a buffer that is landed? Then it is cheaper to go on than to open it.
 */
static bool goes_on(const struct landing *l, size_t n, const struct site *site)
{
	return l && l->is_stream && l->site == site && n >= SHORTEST && n <= l->stream->size;
}

/* Why no read of N bytes into BUF from E lands, whatever was learned. ON: it is landed already. */
static enum verdict refuse(int fd, struct fd_entry *e, const void *buf, size_t n,
			   const struct site *site, bool on)
{
	enum verdict v;

	if (likely(stream_is_small(n)) && !on)
		return VERDICT_TOO_SMALL;
	if (!(config.engines & ENGINE_SPLICE))
		return VERDICT_ENGINE_OFF;
	v = source_verdict(fd, e);
	if (v == VERDICT_REWRITTEN && !on && n < smallest(e->kind, site, buf))
		return VERDICT_TOO_SMALL;
	return v == VERDICT_REWRITTEN && n > LARGEST ? VERDICT_LIMIT : v;
}

/* A read of N bytes is to land in L, the buffer's own landing, or NULL: what was learned there? */
static enum verdict judge_landing(struct landing *l, size_t n, struct pass *pass,
				  const struct meter *m)
{
	if (l && l->stream && l->stream->pause) {
		l->stream->pause--;
		if (!m) /* else each of them is measured */
			l->stream->pause -= (uint8_t)pass_take(pass, l->stream->pause, n);
		return VERDICT_NOT_FULL;
	}
	return fill_possible() ? VERDICT_REWRITTEN : VERDICT_LIMIT;
}

/* A chunk for which nothing stands in the way: what was learned at SITE, and what it costs. */
static enum verdict judge_chunk(int fd, struct fd_entry *e, const void *buf, size_t n,
				struct site *site, struct pass *pass, struct meter **m)
{
	struct landing *l = landing_find((uintptr_t)buf);
	enum verdict v = site_ready(site, l && l->site == site ? &l->patience : NULL, n, pass);

	if (v == VERDICT_REWRITTEN)
		v = meter_chunk(fd, e, buf, n, site, pass, m);
	return v == VERDICT_REWRITTEN ? judge_landing(l, n, pass, *m) : v;
}

enum verdict stream_wanted(int fd, struct fd_entry *e, const void *buf, size_t n, struct site *site,
			   struct pass *pass, struct meter **m)
{
	struct landing *l = landing_any() ? landing_find((uintptr_t)buf) : NULL;
	enum verdict v = refuse(fd, e, buf, n, site, goes_on(l, n, site));

	switch (v) {
	case VERDICT_REWRITTEN:
		return judge_chunk(fd, e, buf, n, site, pass, m);
	case VERDICT_TOO_SMALL:
		pass_give(pass, n, true);
		return VERDICT_WOULD_NOT_PAY; /* of streams: it is not the chunk alone that is too small */
	case VERDICT_LEARNING: /* a pipe that may carry packets: the read will tell */
		return v;
	default:
		pass_give(pass, n, false);
		return v;
	}
}

static int self_tid(void)
{
	struct thread *t = thread_self();

	return t ? t->tid : 0;
}

/*
 * A pipe may carry packets (O_DIRECT), which are read one at a time, and only its writer's
 * flags tell. A packet is a page at most: what has given more in one read has none.
 */
static void no_packets(int fd, ssize_t ret)
{
	struct fd_entry *e = fd_peek(fd);

	if (ret > (ssize_t)shunt_page && e && e->kind == STATS_KIND_PIPE &&
	    e->stream == VERDICT_LEARNING + 1)
		e->stream = VERDICT_REWRITTEN + 1;
}

void stream_read_plainly(int fd, size_t n, ssize_t ret, enum verdict *why)
{
	no_packets(fd, ret);
	if (*why == VERDICT_REWRITTEN && ret != (ssize_t)n)
		*why = VERDICT_NOT_FULL; /* mode:observe */
}

/* ---- the plan ---- */

static bool plan_pages(struct attempt *a)
{
	size_t tail;

	if (unlikely(a->site->head | a->site->tail))
		site_edge_landed(a->site);
	tail = a->site->tail * shunt_page;
	a->lo = page_up(a->base) + a->site->head * shunt_page;
	a->hi = page_down(a->base + a->n);
	if (a->hi < a->base + tail)
		return false;
	a->hi -= tail;
	if (goes_on(a->l, a->n, a->site) && landing_lo(a->l) == a->lo)
		a->hi = landing_hi(a->l);
	return a->lo + shunt_page <= a->hi;
}

static bool is_armed(const struct attempt *a)
{
	const struct landing *l = a->l;

	return l->is_stream && !l->freed && landing_lo(l) == a->lo && landing_hi(l) == a->hi;
}

/* Is what is queued worth a landing? */
static enum verdict judge_count(const struct attempt *a)
{
	if (!is_armed(a))
		return a->count == a->n ? VERDICT_REWRITTEN : VERDICT_NOT_FULL;
	if (a->count < SHORTEST || a->base + a->count <= a->lo)
		return VERDICT_NOT_FULL;
	if (a->l->stream->shorts >= SHORTS && a->count < a->n - a->n / 4) {
		a->l->stream->pause = PAUSE;
		return VERDICT_NOT_FULL;
	}
	return VERDICT_REWRITTEN;
}

static size_t queued(int fd)
{
	int n = 0;

	return prim_ioctl(fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (size_t)n;
}

/* ---- pipes ---- */

static void leave(struct pipe *p)
{
	if (p)
		pipes_leave(p);
}

static bool take_pipes(struct attempt *a)
{
	a->in = pipes_get_first();
	a->copy = a->in ? pipes_get() : NULL;
	a->keep = a->copy && !is_armed(a) ? pipes_get() : NULL;
	return a->copy && (a->keep || is_armed(a));
}

/* Moves N bytes from FROM to TO, which are ours; the bytes that went. */
static size_t move(struct pipe *from, struct pipe *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = prim_splice(from->out, to->in, n - done, SPLICE_F_NONBLOCK);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	from->bytes -= done;
	to->bytes += done;
	return done;
}

static bool copy_all(struct pipe *from, struct pipe *to)
{
	ssize_t r;

	do
		r = prim_tee(from->out, to->in, from->bytes, SPLICE_F_NONBLOCK);
	while (r == -EINTR);
	to->bytes += r > 0 ? (size_t)r : 0;
	return r == (ssize_t)from->bytes;
}

/* Reads N bytes of P to TO; how many came. */
static size_t read_out(struct pipe *p, uintptr_t to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = prim_read(p->out, (void *)(to + done), n - done);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			break;
		done += (size_t)r;
	}
	p->bytes -= done;
	return done;
}

static bool is_full(const struct pipe *p)
{
	struct pollfd room = { .fd = p->in, .events = POLLOUT };

	return prim_poll(&room, 1, 0) == 0;
}

/*
 * What is queued goes into a->in. It cannot wait: the bytes are there, and the pipe is
 * empty. False: nothing came, whatever the reason; the program's own call finds it out.
 *
 * Of a UNIX socket recv takes no more once it has met descriptors, other credentials or an urgent
 * mark, nor does one splice; where that stopped short of what is queued, and not for want of room,
 * the read ends there.
 */
static bool splice_in(struct attempt *a)
{
	while (a->in->bytes < a->count) {
		ssize_t r = prim_splice(a->fd, a->in->in, a->count - a->in->bytes, SPLICE_F_NONBLOCK);

		if (r <= 0)
			break;
		a->in->bytes += (size_t)r;
		if (a->kind == STATS_KIND_UNIX) {
			a->stopped = a->in->bytes < a->count && !is_full(a->in);
			break;
		}
		if (a->in->bytes < a->count && queued(a->fd) == 0)
			break;
	}
	return a->in->bytes > 0;
}

/* ---- the read ---- */

/* Sees to it that exactly a->lo .. a->hi are armed, with a->l locked and not armed so. */
static enum verdict arm(struct attempt *a)
{
	struct landing *l = a->l;
	enum verdict v;

	if (!landing_open_locked(l))
		return VERDICT_HOST_LIMITS;
	if (!l->edge)
		l->edge = l->tail_copy = arena_alloc(2 * EDGE_ROOM * shunt_page);
	if (!l->stream)
		l->stream = arena_alloc(sizeof(*l->stream));
	if (!l->edge || !l->stream)
		return VERDICT_LIMIT;
	if (a->count < a->n || !a->keep || a->hi > a->base + a->n)
		return VERDICT_NOT_FULL; /* it was armed when this was asked first */
	v = maps_can_land(page_down(a->base), page_up(a->base + a->n));
	if (v == VERDICT_REWRITTEN)
		v = landing_arm(l, a->lo, a->hi);
	if (v != VERDICT_REWRITTEN)
		return v;
	a->fresh = true;
	l->stream->entries = 0;
	l->stream->shorts = 0;
	l->stream->size = a->n;
	l->stream->image = 0;
	l->stream->keep = a->keep;
	return v;
}

static bool read_edge(struct pipe *p, uintptr_t to, size_t n, unsigned char *copy)
{
	if (n == 0)
		return true;
	if (read_out(p, to, n) != n)
		return false;
	memcpy(copy, (void *)to, n);
	return true;
}

/*
 * Makes room in the log for the bytes of the armed pages. A chunk that covers them all
 * is alone in it; before another one a log that is long means that the landing is to be opened.
 */
static bool make_room(const struct attempt *a, struct stream *s)
{
	if (a->base + a->count >= a->hi) {
		s->entries = 0;
		return pipes_skip(s->keep, s->keep->bytes);
	}
	return s->entries < STREAM_LOG && s->keep->bytes + a->count <= PIPES_SIZE;
}

/* N bytes of a->copy, or a tee of a->in if that is all of it, go to the log. */
static bool log_bytes(struct attempt *a, struct stream *s, size_t n)
{
	size_t before = s->keep->bytes;
	bool whole;

	if (n == a->count)
		whole = copy_all(a->in, s->keep);
	else
		whole = move(a->copy, s->keep, n) == n;
	if (s->keep->bytes > before) {
		s->log[s->entries].at = (uint32_t)(a->lo - a->base);
		s->log[s->entries++].n = (uint32_t)(s->keep->bytes - before);
	}
	return whole;
}

/* The bytes for a look: the edges into the buffer, the rest into the log. */
static bool keep_bytes(struct attempt *a)
{
	struct landing *l = a->l;
	uintptr_t chunk_end = a->base + a->count, end = chunk_end < a->hi ? chunk_end : a->hi;
	size_t head = a->lo - a->base, tail = chunk_end - end;
	unsigned char *tail_copy = l->edge + EDGE_ROOM * shunt_page;

	if (!make_room(a, l->stream))
		return false;
	if ((head || tail) && !copy_all(a->in, a->copy))
		return false;
	if (!read_edge(a->copy, a->base, head, l->edge) || !log_bytes(a, l->stream, end - a->lo) ||
	    !read_edge(a->copy, end, tail, tail_copy))
		return false;
	l->head = head;
	l->head_copy = l->edge;
	l->tail_copy = tail_copy;
	l->ahead = 0;
	if (end == a->hi || chunk_end >= a->base + l->stream->image)
		l->tail = tail;
	return true;
}

/* What is pending of the first N bytes of the buffer is not written by a splice any more. */
static void part_pending(struct stream *s, size_t n)
{
	for (int i = 0; i < STREAM_PENDING; i++) {
		struct pipe *p = atomic_load(&s->pending[i]);

		/* its start only ever moves on */
		if (p && p->at < n && atomic_compare_exchange_strong(&s->pending[i], &p, NULL))
			pipes_drop(p);
	}
}

/* P is pending; the older of those that there is no room for is not any more. */
static void add_pending(struct stream *s, struct pipe *p)
{
	struct pipe *old = NULL;

	atomic_store(&p->loose, false);
	if (!atomic_compare_exchange_strong(&s->pending[0], &old, p)) {
		old = atomic_exchange(&s->pending[1], p);
		if (old)
			pipes_drop(old);
	}
}

/* How far the buffer is what was read: the chunk, or what is pending behind it. */
static size_t image_of(const struct attempt *a, const struct stream *s)
{
	for (int i = 0; i < STREAM_PENDING; i++)
		if (atomic_load(&s->pending[i]) && s->image > a->count)
			return s->image;
	return a->count;
}

/* The landing now means this chunk, and its stream has the pipes. */
static void mean(struct attempt *a)
{
	struct landing *l = a->l;
	struct stream *s = l->stream;

	landing_change_begin(l);
	l->length = a->count;
	l->offset = 0;
	l->is_stream = true;
	l->fd = a->fd;
	l->reader = self_tid();
	if (l->site != a->site)
		l->patience = (struct patience){ 0 };
	l->site = a->site;
	l->written = 0;
	l->credit = 0;
	l->route = NULL;
	l->looks = 0;
	l->freed = false;
	l->read = prim_now();
	set_relaxed(l->touched, l->read);
	s->kind = a->kind;
	s->shorts = a->count < a->n - a->n / 4 ? (uint8_t)(s->shorts + 1) : 0;
	s->image = image_of(a, s);
	add_pending(s, a->in);
	landing_change_end(l);
	if (a->keep && a->fresh) {
		atomic_store(&a->keep->loose, false);
		pipes_leave(a->keep);
		a->keep = NULL;
	}
	pipes_leave(a->in);
	a->in = NULL;
}

static enum verdict land_locked(struct attempt *a)
{
	struct landing *l = a->l;
	enum verdict v = VERDICT_REWRITTEN;

	if (l->base != a->base)
		return VERDICT_LIMIT;
	if (!is_armed(a) || !(landing_is_sure(a->l) || maps_still_armed(a->lo, a->hi)))
		v = arm(a);
	if (v != VERDICT_REWRITTEN)
		return v;
	part_pending(l->stream, a->count);
	if (keep_bytes(a)) {
		mean(a);
		return VERDICT_REWRITTEN;
	}
	if (a->fresh) {
		l->stream->keep = NULL;
		landing_unarm(l);
	}
	return VERDICT_NO_PIPE;
}

/*
 * What came meanwhile, or did not fit into the pipe: a read never returns less than is queued.
 * Where nothing is, nothing is asked for: an error of the connection is for the program's next call,
 * not for this one, and a call of ours that met it would take it away.
 */
static size_t read_rest(const struct attempt *a, size_t done)
{
	size_t n = a->n - done, there = queued(a->fd);
	void *to = (void *)(a->base + done);
	ssize_t r;

	if (there == 0)
		return 0;
	if (n > there)
		n = there;
	if (a->kind == STATS_KIND_PIPE)
		r = prim_read(a->fd, to, n);
	else
		r = prim_recv(a->fd, to, n, MSG_DONTWAIT);
	return r > 0 ? (size_t)r : 0;
}

/* It cannot land, and the bytes are in our pipe: they are read into the buffer, which is opened. */
static ssize_t deliver(struct attempt *a)
{
	size_t done;

	landing_fill((void *)a->base, a->n);
	done = read_out(a->in, a->base, a->in->bytes);
	if (a->in->bytes == 0 && done < a->n && !a->stopped)
		done += read_rest(a, done);
	if (done)
		return (ssize_t)done;
	errno = EFAULT;
	return -1;
}

static ssize_t read_on(struct attempt *a, enum verdict *why)
{
	struct lock_held held;
	ssize_t ret;

	*why = VERDICT_NO_PIPE;
	if (!take_pipes(a) || !splice_in(a))
		return LAND_PLAINLY;
	if (a->in->bytes < a->count)
		return deliver(a);
	lock_take(&a->l->lock, &held);
	*why = land_locked(a);
	ret = *why == VERDICT_REWRITTEN ? (ssize_t)a->count : 0;
	lock_drop(&a->l->lock, &held);
	return ret ? ret : deliver(a);
}

/*
 * Nothing is queued. On a socket that does not block the answer is had without the
 * buffer, which can so stay armed: what a look at the first byte says is what recv would.
 */
static ssize_t read_nothing(struct attempt *a)
{
	char byte;
	ssize_t r;

	if (!is_armed(a) || a->kind == STATS_KIND_PIPE || !fd_is_nonblocking(a->fd))
		return LAND_PLAINLY;
	r = prim_recv(a->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (r > 0)
		return LAND_PLAINLY; /* it came just now, or lies behind an urgent mark */
	if (r < 0)
		errno = (int)-r;
	return r < 0 ? -1 : 0;
}

/* Before anything is taken from the socket: may the buffer land at all? */
static enum verdict judge_memory(const struct attempt *a)
{
	/* what is armed was asked about, and will be again should it have to be armed anew */
	if (landing_lo(a->l) < landing_hi(a->l))
		return VERDICT_REWRITTEN;
	/* with the pages of the edges: they are read into when there is no way back */
	return maps_can_land(page_down(a->base), page_up(a->base + a->n));
}

ssize_t stream_read(int fd, struct fd_entry *e, void *buf, size_t n, struct site *site,
		    enum verdict *why, bool *there)
{
	struct attempt a = { .fd = fd, .site = site, .base = (uintptr_t)buf, .n = n, .kind = e->kind };
	unsigned long calls = prim_calls;
	ssize_t ret;

	*why = VERDICT_LIMIT;
	a.l = landing_claim(a.base);
	if (!a.l)
		return LAND_PLAINLY;
	*why = VERDICT_NO_WHOLE_PAGE;
	if (!plan_pages(&a))
		return LAND_PLAINLY;
	a.count = queued(fd);
	*there = a.count > 0;
	if (a.count > n)
		a.count = n;
	*why = VERDICT_NOT_FULL;
	if (a.count == 0)
		return read_nothing(&a);
	*why = judge_count(&a);
	if (*why == VERDICT_REWRITTEN) {
		landing_retire_overlaps(a.l, a.base, n);
		*why = judge_memory(&a);
	}
	if (*why != VERDICT_REWRITTEN)
		return LAND_PLAINLY;
	guard_enter(); /* with the program's own mask, so before any lock */
	guard_landed();
	ret = read_on(&a, why);
	leave(a.in);
	leave(a.copy);
	leave(a.keep);
	if (*why == VERDICT_REWRITTEN)
		a.l->calls = (unsigned)(prim_calls - calls);
	return ret;
}

/* ---- opening ---- */

/* Plays the log into memory that has SHIFT added to its addresses. */
static bool play(struct stream *s, uintptr_t base)
{
	for (unsigned i = 0; i < s->entries; i++) {
		size_t done = read_out(s->keep, base + s->log[i].at, s->log[i].n);

		s->log[i].at += (uint32_t)done;
		s->log[i].n -= (uint32_t)done;
		if (s->log[i].n)
			return false;
	}
	s->entries = 0;
	return true;
}

static bool fill_in_place(struct stream *s, uintptr_t base, uintptr_t lo, uintptr_t hi)
{
	if (prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE) < 0)
		return false;
	if (play(s, base))
		return true;
	prim_mprotect((void *)lo, hi - lo, PROT_NONE);
	return false;
}

/*
 * The log begins with a chunk that covers all of the pages, so that new ones take
 * nothing from the old. Once it was played it is gone: should the pages not move, they are copied.
 */
static bool fill_by_move(struct stream *s, uintptr_t base, uintptr_t lo, uintptr_t hi)
{
	size_t n = hi - lo;
	char *staging = prim_mmap(NULL, n, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (prim_mmap_failed(staging))
		return fill_in_place(s, base, lo, hi);
	if (!play(s, (uintptr_t)staging - (lo - base))) {
		prim_munmap(staging, n);
		return false;
	}
	if (!prim_mmap_failed(prim_mremap(staging, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)lo))) {
		fill_moved();
		return true;
	}
	if (prim_mprotect((void *)lo, n, PROT_READ | PROT_WRITE) == 0)
		memcpy((void *)lo, staging, n);
	prim_munmap(staging, n);
	return true;
}

bool stream_fill(struct stream *s, uintptr_t base, uintptr_t lo, uintptr_t hi)
{
	if (s->entries == 0) /* a read that failed half-way: its bytes follow */
		return prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE) == 0;
	return thread_single() ? fill_in_place(s, base, lo, hi) : fill_by_move(s, base, lo, hi);
}

void stream_forget(struct stream *s)
{
	struct pipe *keep = s->keep;

	s->keep = NULL;
	s->entries = 0;
	part_pending(s, SIZE_MAX);
	if (keep)
		pipes_drop(keep);
}

void stream_forked(struct stream *s)
{
	s->keep = NULL;
	s->entries = 0;
	for (int i = 0; i < STREAM_PENDING; i++)
		atomic_store(&s->pending[i], NULL);
}

/* ---- the write ---- */

struct pipe *stream_hold(struct stream *s, size_t at, size_t n)
{
	for (int i = 0; i < STREAM_PENDING; i++) {
		struct pipe *p = atomic_load(&s->pending[i]);

		if (!p || !stream_has(p, at, n) || !pipes_hold(p))
			continue;
		if (atomic_load(&s->pending[i]) == p && !p->loose && stream_has(p, at, n))
			return p;
		pipes_leave(p);
	}
	return NULL;
}

bool stream_seek(struct pipe *p, size_t at)
{
	return pipes_skip(p, at - p->at);
}

void stream_leave(struct stream *s, struct pipe *p)
{
	for (int i = 0; p->bytes == 0 && i < STREAM_PENDING; i++) {
		struct pipe *mine = p;

		if (atomic_compare_exchange_strong(&s->pending[i], &mine, NULL))
			atomic_store(&p->loose, true);
	}
	pipes_leave(p);
}
