/* SPDX-License-Identifier: MIT */
/* segment.c - a write as a list of segments; see segment.h. */
#include <string.h>

#include "maps.h"
#include "prim.h"
#include "segment.h"
#include "source.h"
#include "thread.h"

static bool add_memory(struct segments *s, const char *p, size_t n)
{
	if (n == 0)
		return true;
	if (s->count == SEGMENTS)
		return false;
	s->seg[s->count++] = (struct segment){ .p = p, .n = n };
	return true;
}

/* Where the landed part of [p, end) begins: earlier than the armed pages if the head is unchanged. */
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

	if ((sequence & 1) || !source || l->freed || !base || lo >= hi || lo >= end || hi <= p)
		return false;
	/* what was unmapped or opened by a call that no hook heard no longer means the file */
	if (!maps_still_armed(lo, hi))
		return false;
	from = begin_of(l, p, base, lo);
	to = end_of(l, end, base + l->length, hi);
	*g = (struct segment){
		.p = (const char *)from, .n = to - from, .l = l, .sequence = sequence,
		.source = source - 1, .fd = source_at(source - 1)->fd,
		.offset = l->offset + (off_t)(from - base), .at = from - base,
		.lazy_from = lo - base, .lazy_to = hi - base,
		.length = l->length, .read_site = l->site, .reader = l->reader, .read_fd = l->fd,
	};
	return atomic_load(&l->sequence) == sequence && !l->freed && g->fd >= 0;
}

static bool cut_piece(struct segments *s, uintptr_t p, uintptr_t end)
{
	struct landing *l;

	while (p < end && (l = landing_first(p, end - p)) != NULL) {
		struct segment *g = &s->seg[s->count];

		if (s->count + 2 > SEGMENTS || !read_landing(l, p, end, g))
			return false;
		if ((uintptr_t)g->p > p) {
			g[1] = g[0];
			add_memory(s, (const char *)p, (uintptr_t)g->p - p);
			g++;
		}
		s->count++;
		s->landed++;
		p = (uintptr_t)g->p + g->n;
	}
	return add_memory(s, (const char *)p, end - p);
}

bool segments_build(struct segments *s, const struct iovec *iov, size_t count)
{
	s->count = s->landed = 0;
	for (size_t i = 0; i < count; i++) {
		uintptr_t p = (uintptr_t)iov[i].iov_base;

		if (iov[i].iov_len > UINTPTR_MAX - p || !cut_piece(s, p, p + iov[i].iov_len))
			return false;
	}
	return s->landed <= THREAD_HAZARDS;
}

bool segments_pin(const struct segments *s)
{
	struct thread *t = thread_self();
	unsigned n = 0;

	if (!t)
		return false;
	for (unsigned i = 0; i < s->count; i++)
		if (s->seg[i].l)
			set_relaxed(t->hazard[n++], s->seg[i].source + 1);
	while (n < THREAD_HAZARDS && atomic_load_explicit(&t->hazard[n], memory_order_relaxed))
		set_relaxed(t->hazard[n++], 0);
	if (!thread_single())
		atomic_thread_fence(memory_order_seq_cst);
	/* who lets a source go first takes its meaning from the landing, then looks at the hazards */
	for (unsigned i = 0; i < s->count; i++)
		if (s->seg[i].l && relaxed(s->seg[i].l->sequence) != s->seg[i].sequence)
			return false;
	return true;
}

void segments_unpin(void)
{
	struct thread *t = thread_self_record;

	for (int i = 0; t && i < THREAD_HAZARDS && atomic_load_explicit(&t->hazard[i], memory_order_relaxed); i++)
		atomic_store_explicit(&t->hazard[i], 0, memory_order_release);
}
