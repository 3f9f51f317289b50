/* SPDX-License-Identifier: MIT */
/* send.c - the writing side; see send.h. */
#include <errno.h>
#include <signal.h>

#include "config.h"
#include "dontwait.h"
#include "engine.h"
#include "hook_idle.h"
#include "mapping.h"
#include "pair.h"
#include "pieces.h"
#include "prim.h"
#include "send.h"
#include "sig.h"
#include "source.h"
#include "stall.h"
#include "thread.h"
#include "watch.h"
#include "writers.h"

/* Why the last write of this thread's that could have been rewritten was not, for send_watch. */
static __thread enum verdict refused;

#define PIPE_BIT (UINT64_C(1) << (SIGPIPE - 1))

static bool maps_piece(const struct iovec *piece)
{
	struct mapping m;

	return mapping_any() && piece->iov_len >= WATCH_SMALLEST &&
	       mapping_find((uintptr_t)piece->iov_base, piece->iov_len, &m);
}

bool send_touches(const struct iovec *iov, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (landing_touches(iov[i].iov_base, iov[i].iov_len) || maps_piece(&iov[i]))
			return true;
	return false;
}

bool send_owes(int fd)
{
	struct fd_entry *e = fd_peek(fd);
	int owed = e ? fd_pay(e) : 0;

	if (owed)
		errno = owed;
	return owed != 0;
}

/* How it goes: in one call; without a wait; in pieces, with waits in between that are ours. */
enum manner { AT_ONCE, WHAT_FITS, PIECES };

/*
 * May something be sent to FD by the engine, and in what MANNER? Flags that sendfile cannot honour: no.
 * A signal that must not come, and a time that one call would stretch: in pieces.
 */
static enum verdict judge_sink(int fd, struct fd_entry *e, int flags, enum manner *manner)
{
	enum stats_kind kind = fd_classify(fd, e);

	if (kind != STATS_KIND_TCP && kind != STATS_KIND_UNIX)
		return e->refusal != VERDICT_REWRITTEN ? e->refusal : VERDICT_SINK_KIND;
	if (flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE))
		return VERDICT_SEND_FLAGS;
	*manner = AT_ONCE;
	if ((!(flags & ~MSG_MORE) && !e->timeout) || fd_is_nonblocking(fd))
		return VERDICT_REWRITTEN;
	if (flags & MSG_DONTWAIT)
		*manner = WHAT_FITS;
	/* a handler that longjmps out of one blocked call would leave SIGPIPE blocked */
	else if (e->timeout || sig_pipe_disposition() != SIG_IGN)
		*manner = PIECES;
	return VERDICT_REWRITTEN;
}

/* ---- SIGPIPE that MSG_NOSIGNAL forbids ---- */

/*
 * Blocks SIGPIPE for a send that must not raise it. False: one is pending already, it cannot be
 * told apart.
 */
static bool pipe_block(uint64_t *old)
{
	uint64_t set = PIPE_BIT, pending = 0;

	prim_sigpending(&pending);
	if (pending & PIPE_BIT)
		return false;
	prim_sigprocmask(SIG_BLOCK, &set, old);
	return true;
}

static void pipe_restore(const uint64_t *old, bool raised)
{
	static const struct timespec now;
	uint64_t set = PIPE_BIT;

	if (raised)
		prim_sigtimedwait(&set, NULL, &now);
	prim_sigprocmask(SIG_SETMASK, old, NULL);
}

/*
 * Did the call that returned R raise SIGPIPE, perhaps? sendfile and splice do so as well where a part
 * went before the socket was found shut down, and then return that.
 */
static bool may_have_raised(const struct segments *s, ssize_t r)
{
	return r == -EPIPE || (r > 0 && (size_t)r < segments_length(s));
}

static ssize_t send_quietly(int fd, struct fd_entry *e, struct segments *s, int flags,
			    size_t sent[SEGMENTS], enum verdict *why)
{
	bool quiet = (flags & MSG_NOSIGNAL) && sig_pipe_disposition() != SIG_IGN;
	uint64_t old;
	ssize_t r;

	if (quiet && !pipe_block(&old)) {
		*why = VERDICT_SEND_FLAGS;
		return ENGINE_PLAINLY;
	}
	r = engine_send(fd, e, s, flags, sent, why);
	if (quiet)
		pipe_restore(&old, may_have_raised(s, r));
	return r;
}

/* A socket that is not connected yet waits for that, however little is sent. */
static ssize_t send_in_pieces(int fd, struct fd_entry *e, struct segments *s, int flags,
			      size_t sent[SEGMENTS], enum verdict *why)
{
	if (s->streams || !stall_is_connected(fd, e)) {
		*why = e->timeout ? VERDICT_SEND_TIMEOUT : VERDICT_SEND_FLAGS;
		return ENGINE_PLAINLY;
	}
	return stall_send(fd, e, s, flags, sent, why);
}

static ssize_t send_as(enum manner manner, int fd, struct fd_entry *e, struct segments *s, int flags,
		       size_t sent[SEGMENTS], enum verdict *why)
{
	switch (manner) {
	case WHAT_FITS:
		return dontwait_send(fd, e, s, flags, sent, why);
	case PIECES:
		return send_in_pieces(fd, e, s, flags, sent, why);
	default:
		return send_quietly(fd, e, s, flags & ~MSG_DONTWAIT, sent, why);
	}
}

/* ---- accounts ---- */

static size_t overlap(size_t a, size_t b, size_t c, size_t d)
{
	size_t lo = a > c ? a : c, hi = b < d ? b : d;

	return lo < hi ? hi - lo : 0;
}

/* The landing's own record of what was passed on; left alone if it means another chunk by now. */
static size_t advance(const struct segment *g, size_t n, struct stats_route *route)
{
	struct landing *l = g->l;
	size_t written = relaxed(l->written), end = g->at + n, saved;

	if (relaxed(l->sequence) != g->sequence || g->at > written || end <= written)
		return 0;
	saved = overlap(written, end, g->lazy_from, g->lazy_to);
	set_relaxed(l->written, end);
	set_relaxed(l->route, route);
	set_relaxed(l->credit, relaxed(l->credit) + saved);
	if (end == g->length) {
		patience_paid(&l->patience);
		patience_paid(&g->read_site->patience);
	} else {
		set_relaxed(l->touched, prim_now()); /* of a whole one the time of its read will do */
	}
	return saved;
}

/*
 * The next mmap there names a site with all its frames; if writes come first, its caller has to do.
 */
static void name_mmap(struct site *site)
{
	if (unlikely(site->wanted) && site_index(site) < 0)
		site_name(site);
}

/* N bytes of G were sent: all of them are seen, those that we did not copy are rewritten. */
static void count_bytes(struct stats_route *route, const struct segment *g, size_t n)
{
	stats_add(&route->bytes, n);
	stats_add(&route->bytes_rewritten, n - g->copied);
}

/* A chunk that begins with such bytes. Of one that was copied by us, nothing was rewritten. */
static void count_chunk(struct stats_route *route, const struct segment *g, size_t n)
{
	bool rewritten = g->copied < n;

	stats_add(&route->chunks_rewritten, rewritten);
	stats_add(&route->verdict[rewritten ? VERDICT_REWRITTEN : VERDICT_SEND_FLAGS], 1);
}

/* A mapped segment is a chunk for itself, and there was one copy, not two. */
static struct stats_route *account_mapped(int fd, struct fd_entry *e, const struct segment *g,
					  size_t n, struct site *write_site)
{
	struct pair_chunk c = { .source = STATS_KIND_MAPPING, .read_site = g->read_site,
				.write_site = write_site, .source_fd = g->fd, .sink_fd = fd };
	struct stats_route *route;

	name_mmap(g->read_site);
	patience_paid(&g->read_site->patience);
	route = pair_route(&c, e);
	route->engine = STATS_ENGINE_MAPPED;
	count_bytes(route, g, n);
	stats_add_signed(&route->copies_avoided, (int64_t)(n - g->copied));
	stats_add_signed(&route->calls_avoided, -(int64_t)mapping_calls());
	stats_add(&route->chunks, 1);
	count_chunk(route, g, n);
	return route;
}

static struct stats_route *account(int fd, struct fd_entry *e, const struct segment *g, size_t n,
				   struct site *write_site)
{
	struct pair_chunk c = { .source = g->kind, .read_site = g->read_site,
				.write_site = write_site, .source_fd = g->read_fd, .sink_fd = fd };
	struct stats_route *route = pair_route(&c, e);
	struct thread *t = thread_self();
	size_t saved = advance(g, n, route);

	route->engine = g->source < 0 ? STATS_ENGINE_SPLICE : STATS_ENGINE_SENDFILE;
	count_bytes(route, g, n);
	/* what we copied was read for it, and copied into the socket */
	stats_add_signed(&route->copies_avoided, (int64_t)(n + saved) - 2 * (int64_t)g->copied);
	if (g->at == 0) {
		pair_count_chunk(route);
		count_chunk(route, g, n);
		stats_add_signed(&route->calls_avoided, 1 - (int64_t)g->l->calls);
	}
	if (t && g->reader != relaxed(t->tid))
		set_relaxed(g->read_site->crosses, true);
	return g->l->route;
}

/*
 * CALLS system calls were made for the one call of the program's; it counts in the first file
 * segment's row.
 */
static void account_all(int fd, struct fd_entry *e, const struct segments *s,
			const size_t sent[SEGMENTS], struct site *write_site, unsigned long calls)
{
	bool first = true;

	for (unsigned i = 0; i < s->count; i++) {
		const struct segment *g = &s->seg[i];
		struct stats_route *route;

		if (!segment_is_file(g) || !sent[i])
			continue;
		route = g->l ? account(fd, e, g, sent[i], write_site)
			     : account_mapped(fd, e, g, sent[i], write_site);
		if (first && route)
			stats_add_signed(&route->calls_avoided, 1 - (int64_t)calls);
		first = false;
	}
}

/* The landed chunk at which the sending ended for good, for WHY. */
static void account_end(int fd, struct fd_entry *e, const struct segments *s,
			const size_t sent[SEGMENTS], struct site *write_site, enum verdict why)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct segment *g = &s->seg[i];
		struct pair_chunk c = { .source = STATS_KIND_FILE, .read_site = g->read_site,
					.write_site = write_site, .source_fd = g->read_fd,
					.sink_fd = fd };
		struct stats_route *route;

		if (!g->l || sent[i] == g->n)
			continue;
		route = pair_route(&c, e);
		if (g->at == 0 && sent[i] == 0)
			pair_count_chunk(route);
		stats_add(&route->verdict[why], 1);
		return;
	}
}

/* Of RET bytes those SENT by reference are accounted for; the rest of what is landed was filled. */
static COLD void account_filled(int fd, struct fd_entry *e, const struct segments *s,
				const size_t sent[SEGMENTS], struct site *write_site, size_t ret)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct segment *g = &s->seg[i];
		size_t n = g->n < ret ? g->n : ret;

		ret -= n;
		if (g->l && n > sent[i] && watch_knows(g->p + sent[i], n - sent[i]))
			watch_written(g->p + sent[i], n - sent[i], fd, e, write_site,
				      VERDICT_REWRITTEN);
	}
}

/* ---- the whole ---- */

/*
 * What is mapped says itself why it must be written plainly. Else too many pieces; or pages that
 * are opened just now, or were by a call that no hook heard: a look.
 */
static enum verdict not_cut(const struct segments *s)
{
	if (s->why != VERDICT_REWRITTEN && s->landed == 0)
		return s->why;
	return s->count > SEGMENTS - 2 || s->landed + s->mapped > THREAD_HAZARDS ? VERDICT_LIMIT
								     : VERDICT_LOOKED_AT;
}

/*
 * Under source:lease: who got what by reference, for when a writer comes; and what was opened while
 * it was being sent needs its lease no longer.
 */
static COLD void after_lease(struct fd_entry *e, const struct segments *s, const size_t sent[SEGMENTS])
{
	for (unsigned i = 0; i < s->count; i++) {
		if (!segment_is_file(&s->seg[i]) || s->seg[i].source < 0)
			continue;
		if (!s->fed)
			lease_fed(e, s->seg[i].source, sent[i] - s->seg[i].copied);
		lease_rest(source_at(s->seg[i].source));
	}
	lease_look(prim_now());
}

/*
 * Can all of S that is memory be read? Else the call is refused plainly (EFAULT), perhaps before any of
 * it has gone.
 */
static bool memory_is_there(const struct segments *s)
{
	if (s->count == s->landed + s->mapped)
		return true;
	for (unsigned i = 0; i < s->count; i++)
		if (!segment_is_file(&s->seg[i]) && !hook_readable(s->seg[i].p, s->seg[i].n))
			return false;
	return true;
}

static enum verdict try_engine(int fd, struct fd_entry *e, const struct iovec *iov, size_t count,
			       int flags, enum manner manner, struct site *write_site,
			       ssize_t *ret)
{
	unsigned long calls = prim_calls;
	size_t sent[SEGMENTS];
	struct segments s;
	enum verdict why;

	if (!segments_build(&s, iov, count) || s.landed + s.mapped == 0 || !memory_is_there(&s))
		return not_cut(&s);
	/* sendfile cannot say that there is more to come */
	if ((flags & MSG_MORE) && s.streams < s.landed + s.mapped)
		return VERDICT_SEND_FLAGS;
	if (!segments_pin(&s))
		return thread_self() ? VERDICT_LOOKED_AT : VERDICT_LIMIT;
	s.joint = s.count > 1 && !writers_alone(e);
	for (unsigned i = 0; i < s.count; i++)
		sent[i] = 0;
	why = VERDICT_REWRITTEN;
	*ret = send_as(manner, fd, e, &s, flags, sent, &why);
	writers_done();
	segments_unpin(&s);
	if (lease_any())
		after_lease(e, &s, sent);
	if (*ret == ENGINE_PLAINLY)
		return why;
	calls = prim_calls - calls;
	account_all(fd, e, &s, sent, write_site, calls);
	if (unlikely(s.filled) && *ret > 0)
		account_filled(fd, e, &s, sent, write_site, (size_t)*ret);
	if (why == VERDICT_TRUNCATED)
		account_end(fd, e, &s, sent, write_site, why);
	return VERDICT_REWRITTEN;
}

static void refuse_pieces(const struct iovec *iov, size_t count, enum verdict why)
{
	for (size_t i = 0; i < count; i++)
		landing_refuse(iov[i].iov_base, iov[i].iov_len, why);
}

/*
 * mode:observe: would something of it be sent from a mapping's file? Nothing is landed in that
 * mode.
 */
static enum verdict observe(const struct iovec *iov, size_t count)
{
	struct segments s;

	return segments_build(&s, iov, count) && s.mapped ? VERDICT_REWRITTEN : not_cut(&s);
}

bool send_landings(int fd, const struct iovec *iov, size_t count, int flags, const void *caller,
		   ssize_t *ret)
{
	struct fd_entry *e = fd_entry(fd);
	struct site *write_site = site_of(caller);
	int saved = errno;
	enum verdict why = VERDICT_LIMIT;
	enum manner manner = AT_ONCE;

	if (e)
		why = judge_sink(fd, e, flags, &manner);
	if (why == VERDICT_REWRITTEN && config.mode == MODE_OBSERVE) {
		refused = flags & MSG_MORE ? VERDICT_SEND_FLAGS : observe(iov, count);
		errno = saved;
		return false;
	}
	if (why == VERDICT_REWRITTEN) {
		site_name(write_site);
		site_walk(write_site);
		why = try_engine(fd, e, iov, count, flags, manner, write_site, ret);
	}
	if (why != VERDICT_REWRITTEN) {
		refused = why;
		refuse_pieces(iov, count, why);
		errno = saved;
		return false;
	}
	errno = *ret < 0 ? (int)-*ret : saved;
	if (*ret < 0)
		*ret = -1;
	return true;
}

static bool reported_sink(enum stats_kind kind)
{
	return kind == STATS_KIND_TCP || kind == STATS_KIND_UNIX || kind == STATS_KIND_PIPE ||
	       kind == STATS_KIND_DATAGRAM || kind == STATS_KIND_SOCKET;
}

static enum verdict sink_refusal(const struct fd_entry *e, enum stats_kind kind)
{
	if (fd_is_any_file(e))
		return VERDICT_WOULD_NOT_PAY; /* the kernel copies into a file in any case */
	if (e->refusal != VERDICT_REWRITTEN)
		return e->refusal;
	return kind == STATS_KIND_PIPE ? VERDICT_SINK_KIND : VERDICT_REWRITTEN;
}

/* Does one of these calls find out a name when it is made once more? */
static bool names_next(const struct site *mmap_site, const struct site *write_site)
{
	return (site_names_next(mmap_site) && site_index(mmap_site) < 0) || site_names_next(write_site);
}

/* N bytes of mapping M went plainly to ROUTE. Is the reason one that the next piece will have, too? */
static void know_way(const struct mapping *m, uint32_t changes, size_t n, const struct pair_chunk *c,
		     const struct fd_entry *sink, struct stats_route *route)
{
	bool small = refused == VERDICT_TOO_SMALL;
	struct pieces_way way = { .lo = m->lo, .hi = m->hi, .most = small ? n : SIZE_MAX,
				  .changes = changes, .generation = relaxed(sink->generation),
				  .fd = c->sink_fd, .why = (uint8_t)refused, .sink = sink,
				  .caller = (const void *)c->write_site->caller, .route = route };

	if ((small || (m->source < 0 && m->why == refused)) && !names_next(m->site, c->write_site))
		pieces_know(&way);
}

/*
 * Some of mapping M went plainly. Where that is cheaper, what is mapped there next need not be adopted,
 * which costs as much as the copy of some pages: for 4, 16, 64 mappings, unless another trial is due.
 */
static void lose_patience(const struct mapping *m)
{
	if (m->source >= 0 && refused == VERDICT_WOULD_NOT_PAY && relaxed(m->site->patience.wait) == 0)
		patience_lost(&m->site->patience, VERDICT_WOULD_NOT_PAY);
}

/* N bytes at P were written plainly: those that are mapped are counted, with the reason. */
static void watch_mapped(uintptr_t p, size_t n, int fd, const void *caller)
{
	struct fd_entry *e = fd_entry(fd);
	uint32_t changes = relaxed(mapping_changes);
	struct mapping m;

	if (!e || !reported_sink(fd_classify(fd, e)))
		return;
	for (uintptr_t end = p + n; p < end && mapping_find(p, end - p, &m); p = m.hi) {
		uintptr_t from = p > m.lo ? p : m.lo, to = end < m.hi ? end : m.hi;
		struct pair_chunk c = { .source = STATS_KIND_MAPPING, .read_site = m.site,
					.write_site = site_of(caller), .sink_fd = fd,
					.source_fd = m.source < 0 ? -1 : source_at(m.source)->fd };
		struct stats_route *route;

		lose_patience(&m);
		site_name(c.write_site);
		name_mmap(m.site);
		route = pair_route(&c, e);
		stats_add(&route->bytes, to - from);
		stats_add(&route->chunks, 1);
		stats_add(&route->verdict[refused], 1);
		if (refused == VERDICT_REWRITTEN) { /* mode:observe: what would be */
			stats_add(&route->bytes_rewritten, to - from);
			stats_add(&route->chunks_rewritten, 1);
		}
		if (to - from == n)
			know_way(&m, changes, n, &c, e, route);
	}
}

ssize_t send_watch_one(int fd, const void *buf, ssize_t ret, const void *caller)
{
	struct iovec piece = { (void *)buf, (size_t)ret };

	send_watch(fd, &piece, 1, ret, caller);
	return ret;
}

void send_watch(int fd, const struct iovec *iov, size_t count, ssize_t ret, const void *caller)
{
	struct fd_entry *e;
	enum stats_kind kind;

	for (size_t i = 0; i < count && ret >= WATCH_SMALLEST; i++) {
		size_t n = iov[i].iov_len < (size_t)ret ? iov[i].iov_len : (size_t)ret;

		ret -= (ssize_t)n;
		if (mapping_any() && n >= WATCH_SMALLEST)
			watch_mapped((uintptr_t)iov[i].iov_base, n, fd, caller);
		if (n < WATCH_SMALLEST || watch_wrote(iov[i].iov_base, n, fd, caller) ||
		    !watch_knows(iov[i].iov_base, n))
			continue;
		e = fd_entry(fd);
		kind = e ? fd_classify(fd, e) : STATS_KIND_UNKNOWN;
		if (!reported_sink(kind) && !(e && fd_is_any_file(e)))
			return;
		watch_written(iov[i].iov_base, n, fd, e, site_of(caller), sink_refusal(e, kind));
	}
}
