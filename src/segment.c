/* SPDX-License-Identifier: MIT */
/* segment.c - a write as a list of segments; see segment.h. */
#include <limits.h>
#include <string.h>

#include "config.h"
#include "mapping.h"
#include "maps.h"
#include "meter.h"
#include "prim.h"
#include "segment.h"
#include "source.h"
#include "stream.h"
#include "thread.h"

/*
 * Below this a mapped piece is written plainly (measured, mapping -> TCP); before kernel 6.11 a
 * look at the address space takes 50 us, and is worth it for large pieces only.
 */
enum { MIN_MAPPED = 16 * 1024, MIN_WITHOUT_QUERY = 512 * 1024 };

/* MAX_RW_COUNT: the kernel writes no more in one call, with 4 KiB pages. */
enum { LARGEST_CALL = 0x7ffff000 };

static bool add_memory(struct segments *s, const char *p, size_t n)
{
	if (n == 0)
		return true;
	if (s->count == SEGMENTS)
		return false;
	s->seg[s->count++] = (struct segment){ .p = p, .n = n };
	return true;
}

/*
 * Where the landed part of [p, end) begins: earlier than the armed pages if the head is unchanged.
 */
static uintptr_t begin_of(const struct landing *l, uintptr_t p, uintptr_t base, uintptr_t lo)
{
	uintptr_t from = p > base ? p : base;

	if (from >= lo)
		return from;
	if (base + l->head != lo || memcmp((void *)from, l->head_copy + (from - base), lo - from) != 0)
		return lo;
	return from;
}

static uintptr_t end_of(const struct landing *l, uintptr_t end, uintptr_t chunk_end, uintptr_t hi)
{
	uintptr_t to = end < chunk_end ? end : chunk_end;
	if (to <= hi)
		return to;
	if (chunk_end - l->tail != hi || memcmp((void *)hi, l->tail_copy, to - hi) != 0)
		return hi;
	return to;
}

/* What of [p, end) landing L stands for; false if L changes just now. */
static bool read_landing(struct landing *l, uintptr_t p, uintptr_t end, struct segment *g)
{
	uint32_t sequence = atomic_load(&l->sequence);
	uintptr_t base = l->base, lo = landing_lo(l), hi = landing_hi(l), from, to;
	int source = l->source;
	bool stream = l->is_stream;

	if ((sequence & 1) || !(source || stream) || l->freed || !base || lo >= hi || lo >= end || hi <= p)
		return false;
	/* what was unmapped or opened by a call that no hook heard no longer means the file */
	if (!landing_still_armed(l, sequence, lo, hi))
		return false;
	from = begin_of(l, p, base, lo);
	to = end_of(l, end, base + (stream ? l->stream->image : l->length), hi);
	*g = (struct segment){
		.p = (const char *)from, .n = to - from, .l = l, .sequence = sequence,
		.source = source - 1, .fd = stream ? 0 : source_at(source - 1)->fd,
		.kind = stream ? l->stream->kind : STATS_KIND_FILE,
		.offset = l->offset + (off_t)(from - base), .at = from - base,
		.lazy_from = lo - base, .lazy_to = hi - base,
		.length = l->length, .read_site = l->site, .reader = l->reader, .read_fd = l->fd,
	};
	return atomic_load(&l->sequence) == sequence && !l->freed && g->fd >= 0;
}

/* ---- mappings ---- */

static size_t smallest_mapped(void)
{
	size_t least = config.min ? config.min : MIN_MAPPED;

	return maps_has_query() || least > MIN_WITHOUT_QUERY ? least : MIN_WITHOUT_QUERY;
}

/*
 * What of [p, end), which begins in mapping M, the file itself has: G gets it. The verdict says why
 * it must be written from memory. NEAR_END: the file does not reach as far as the pages that are
 * asked for, and the kernel has to say what it does then.
 */
static enum verdict read_mapping(const struct mapping *m, uintptr_t p, uintptr_t end,
				 struct segment *g)
{
	struct maps_file here = m->file;
	enum verdict v = m->why;
	struct stat st;
	off_t size;

	if (m->source < 0) {
		if (v == VERDICT_WOULD_NOT_PAY && meter_mapped_passes(end - p, m->site))
			set_relaxed(m->site->patience.wait, 0);
		return v;
	}
	if (end - p < smallest_mapped())
		return VERDICT_TOO_SMALL;
	v = meter_mapped(p, end - p, m->site);
	if (v != VERDICT_REWRITTEN)
		return v;
	v = source_fresh(m->source, &st);
	if (v != VERDICT_REWRITTEN)
		return v;
	here.offset += p - m->lo;
	size = st.st_size - (off_t)here.offset;
	if (size <= 0 || page_up((uintptr_t)size) < end - p)
		return VERDICT_NEAR_END;
	if ((off_t)(end - p) > size)
		end = p + (uintptr_t)size; /* behind the end its last page holds zeros */
	if (!maps_shows_file(p, end, &here) || (!here.shared && maps_has_copies(p, end)))
		return VERDICT_WRITABLE;
	*g = (struct segment){
		.p = (const char *)p, .n = end - p, .mapping = m->serial, .source = m->source,
		.fd = source_at(m->source)->fd, .offset = (off_t)here.offset, .length = end - p,
		.read_site = m->site,
	};
	return g->fd >= 0 ? VERDICT_REWRITTEN : VERDICT_DESCRIPTORS;
}

/* [p, end) holds nothing that is landed: mapped parts become segments of their own. */
static bool cut_memory(struct segments *s, uintptr_t p, uintptr_t end)
{
	uintptr_t at = p; /* [p, at) is memory that is not in S yet */
	struct mapping m;

	while (mapping_any() && at < end && mapping_find(at, end - at, &m)) {
		uintptr_t from = at > m.lo ? at : m.lo, to = end < m.hi ? end : m.hi;
		struct segment g;
		enum verdict v = read_mapping(&m, from, to, &g);

		at = to;
		if (v == VERDICT_NEAR_END) {
			s->why = VERDICT_CHANGED;
			return false;
		}
		if (v != VERDICT_REWRITTEN) {
			s->why = v;
			continue;
		}
		if (s->count + 2 > SEGMENTS || !add_memory(s, (const char *)p, from - p))
			return false;
		s->seg[s->count++] = g;
		s->mapped++;
		at = p = from + g.n;
	}
	return add_memory(s, (const char *)p, end - p);
}

/* ---- the whole ---- */

static bool cut_piece(struct segments *s, uintptr_t p, uintptr_t end)
{
	struct landing *l;

	while (p < end && (l = landing_first(p, end - p)) != NULL) {
		struct segment *g = &s->seg[s->count], behind;

		if (s->count + 2 > SEGMENTS || !read_landing(l, p, end, g))
			return false;
		if ((uintptr_t)g->p > p) {
			behind = *g;
			if (!cut_memory(s, p, (uintptr_t)behind.p) || s->count == SEGMENTS)
				return false;
			g = &s->seg[s->count];
			*g = behind;
		}
		s->count++;
		s->landed++;
		s->streams += g->source < 0;
		p = (uintptr_t)g->p + g->n;
	}
	return cut_memory(s, p, end);
}

bool segments_build(struct segments *s, const struct iovec *iov, size_t count)
{
	s->count = s->landed = s->mapped = s->streams = 0;
	s->fed = s->filled = s->joint = false;
	s->why = VERDICT_REWRITTEN;
	s->left = LARGEST_CALL;
	for (size_t i = 0; i < count; i++) {
		uintptr_t p = (uintptr_t)iov[i].iov_base;
		size_t n = iov[i].iov_len < s->left ? iov[i].iov_len : s->left;

		if (iov[i].iov_len > SSIZE_MAX || iov[i].iov_len > UINTPTR_MAX - p ||
		    !cut_piece(s, p, p + n))
			return false;
		s->left -= n;
	}
	return s->landed + s->mapped <= THREAD_HAZARDS;
}

void segments_advance(const struct segments *s, unsigned *i, size_t *at, size_t n, size_t *sent)
{
	while (n) {
		const struct segment *g = &s->seg[*i];
		size_t m = g->n - *at < n ? g->n - *at : n;

		if (sent)
			sent[*i] += m;
		*at += m;
		n -= m;
		if (*at == g->n) {
			(*i)++;
			*at = 0;
		}
	}
}

unsigned segments_gather(const struct segments *s, unsigned i, size_t at, size_t n, bool files,
			 struct iovec iov[SEGMENTS_MEMORY], size_t *count)
{
	for (*count = 0; n && i < s->count && *count < SEGMENTS_MEMORY; i++, at = 0) {
		const struct segment *g = &s->seg[i];
		size_t m = g->n - at < n ? g->n - at : n;

		if (!files && segment_is_file(g))
			break;
		iov[(*count)++] = (struct iovec){ (void *)(g->p + at), m };
		n -= m;
	}
	return i;
}

static bool still_means(const struct segment *g)
{
	if (g->source >= 0 && relaxed(source_at(g->source)->fd) != g->fd)
		return false;
	return g->l ? relaxed(g->l->sequence) == g->sequence
		    : mapping_still((uintptr_t)g->p, g->mapping);
}

/* ---- pins ---- */

static bool is_first(const struct segments *s, unsigned i)
{
	return s->seg[i].pipe && (i == 0 || s->seg[i - 1].pipe != s->seg[i].pipe);
}

/*
 * The pipe of the segment before G if G goes on where that ends: a chunk that was cut by the iovec.
 */
static struct pipe *same_pipe(const struct segments *s, unsigned i)
{
	const struct segment *g = &s->seg[i], *before = i ? &s->seg[i - 1] : NULL;

	if (!before || !before->pipe || before->l != g->l || before->at + before->n != g->at)
		return NULL;
	return stream_has(before->pipe, g->at, g->n) ? before->pipe : NULL;
}

static bool hold_pipes(struct segments *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct segment *g = &s->seg[i];

		if (!g->l || g->source >= 0)
			continue;
		g->pipe = same_pipe(s, i);
		if (!g->pipe)
			g->pipe = stream_hold(g->l->stream, g->at, g->n);
		if (!g->pipe)
			return false;
		g->fd = g->pipe->out;
	}
	return true;
}

static bool seek_pipes(const struct segments *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (is_first(s, i) && !stream_seek(s->seg[i].pipe, s->seg[i].at))
			return false;
	return true;
}

static void leave_pipes(const struct segments *s)
{
	for (unsigned i = s->count; i-- > 0;)
		if (is_first(s, i))
			stream_leave(s->seg[i].l->stream, s->seg[i].pipe);
}

/*
 * A write that is going on further down on the stack was cut short by the handler that this one is made
 * in: what it has pinned stays, since the kernel may repeat its call. Else it was left for good.
 */
static unsigned first_pin(const struct segments *s, const struct thread *t, unsigned needed)
{
	unsigned used = relaxed(t->pins);

	return (uintptr_t)s < t->pinner && used + needed <= THREAD_HAZARDS ? used : 0;
}

static unsigned sources_of(const struct segments *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += segment_is_file(&s->seg[i]) && s->seg[i].source >= 0;
	return n;
}

static void set_hazards(struct segments *s, struct thread *t)
{
	unsigned needed = sources_of(s), used = relaxed(t->pins), n = first_pin(s, t, needed);

	s->first_pin = n;
	s->pinner = n ? t->pinner : 0;
	t->pinner = (uintptr_t)s;
	atomic_signal_fence(memory_order_seq_cst);
	set_relaxed(t->pins, n + needed); /* a handler that comes now takes those behind */
	atomic_signal_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < s->count; i++)
		if (segment_is_file(&s->seg[i]) && s->seg[i].source >= 0)
			set_relaxed(t->hazard[n++], s->seg[i].source + 1);
	while (n < used)
		set_relaxed(t->hazard[n++], 0);
	if (!thread_single())
		atomic_thread_fence(memory_order_seq_cst);
}

static void clear_hazards(const struct segments *s, struct thread *t)
{
	for (unsigned i = s->first_pin; i < relaxed(t->pins); i++)
		atomic_store_explicit(&t->hazard[i], 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	t->pinner = s->pinner;
	set_relaxed(t->pins, s->first_pin);
}

static bool unchanged(const struct segments *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (segment_is_file(&s->seg[i]) && !still_means(&s->seg[i]))
			return false;
	return true;
}

bool segments_pin(struct segments *s)
{
	struct thread *t = thread_self();

	if (!t)
		return false;
	set_hazards(s, t);
	/*
	 * who lets a source go first takes its meaning from the landing, then looks at the hazards
	 */
	if (likely(!s->streams)) {
		if (likely(unchanged(s)))
			return true;
	} else {
		if (hold_pipes(s) && unchanged(s) && seek_pipes(s))
			return true;
		leave_pipes(s);
	}
	clear_hazards(s, t);
	return false;
}

bool segment_is_pinned(const struct segment *g)
{
	const struct thread *t = thread_self_record;

	if (g->pipe)
		return relaxed(g->pipe->out) == g->fd;
	if (!segment_is_file(g) || g->source < 0)
		return true;
	if (relaxed(source_at(g->source)->fd) != g->fd)
		return false;
	for (int i = 0; t && i < THREAD_HAZARDS; i++)
		if (relaxed(t->hazard[i]) == g->source + 1)
			return true;
	return false;
}

void segments_unpin(const struct segments *s)
{
	if (thread_self_record)
		clear_hazards(s, thread_self_record);
	if (s->streams)
		leave_pipes(s);
}
