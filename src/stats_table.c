/* SPDX-License-Identifier: MIT */
/* stats_table.c - see stats_table.h. */
#include "stats_table.h"

#include <string.h>

#include "report_walk.h"

uint32_t stats_module(struct stats *s, const char *path, size_t max)
{
	size_t length = strnlen(path, max < STATS_PATH - 1 ? max : STATS_PATH - 1);
	uint32_t count = atomic_load(&s->module_count), i;

	for (i = 0; i < count && i < STATS_MODULES; i++)
		if (strncmp(s->module[i], path, length) == 0 && s->module[i][length] == '\0')
			return i;
	if (count >= STATS_MODULES)
		return UINT32_MAX;
	i = atomic_fetch_add(&s->module_count, 1);
	if (i >= STATS_MODULES)
		return UINT32_MAX;
	memcpy(s->module[i], path, length);
	return i;
}

struct stats_site *stats_site_take(struct stats *s)
{
	for (int i = 0; i < STATS_SITES; i++) {
		uint32_t expected = 0;

		if (atomic_load_explicit(&s->site[i].state, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&s->site[i].state, &expected, 1))
			return &s->site[i];
	}
	return NULL;
}

void stats_site_publish(struct stats_site *site, bool alone)
{
	atomic_store_explicit(&site->state, alone ? STATS_SITE_ALONE : 2, memory_order_release);
}

bool stats_site_claim(struct stats_site *site)
{
	uint32_t alone = STATS_SITE_ALONE;

	return atomic_load_explicit(&site->state, memory_order_relaxed) == alone &&
	       atomic_compare_exchange_strong(&site->state, &alone, 2);
}

static void copy_frame(struct stats *to, struct stats_frame *frame, const struct stats *from)
{
	const char *path = walk_module(from, frame->module);

	frame->module = *path ? stats_module(to, path, STATS_PATH) : UINT32_MAX;
	frame->symbol[STATS_SYMBOL - 1] = '\0';
}

/* All frames of SITE from the one of number FIRST on. */
static void copy_frames(struct stats *to, struct stats_site *copy, const struct stats *from,
			const struct stats_site *site, unsigned first)
{
	unsigned count = walk_frames(site);

	memcpy(copy->frame + first, site->frame + first, (count - first) * sizeof(copy->frame[0]));
	for (unsigned i = first; i < count; i++)
		copy_frame(to, &copy->frame[i], from);
	atomic_store_explicit(&copy->frame_count, count, memory_order_release);
}

int stats_site_copy(struct stats *to, const struct stats *from, const struct stats_site *site)
{
	struct stats_site *copy;

	if (!site)
		return -1;
	for (int i = 0; i < STATS_SITES && walk_used(&to->site[i].state); i++) {
		copy = &to->site[i];
		if (!walk_same_site(to, walk_site(to, i), from, site))
			continue;
		if (!walk_is_alone(site) && stats_site_claim(copy))
			copy_frames(to, copy, from, site, 1);
		return i;
	}
	copy = stats_site_take(to);
	if (!copy)
		return -1;
	copy_frames(to, copy, from, site, 0);
	stats_site_publish(copy, walk_is_alone(site));
	return (int)(copy - to->site);
}

static bool same_route(const struct stats *sa, const struct stats_route *a, const struct stats *sb,
		       const struct stats_route *b)
{
	return a->source == b->source && a->sink == b->sink && a->engine == b->engine &&
	       walk_same_site(sa, walk_site(sa, a->read_site), sb, walk_site(sb, b->read_site)) &&
	       walk_same_site(sa, walk_site(sa, a->write_site), sb, walk_site(sb, b->write_site));
}

static void publish_route(struct stats *to, struct stats_route *copy, const struct stats *from,
			  const struct stats_route *r)
{
	copy->source = r->source;
	copy->sink = r->sink;
	copy->engine = r->engine;
	copy->read_site = stats_site_copy(to, from, walk_site(from, r->read_site));
	copy->write_site = stats_site_copy(to, from, walk_site(from, r->write_site));
	copy->read_caller = r->read_caller;
	copy->write_caller = r->write_caller;
	memcpy(copy->example_source, r->example_source, sizeof(copy->example_source) - 1);
	memcpy(copy->example_sink, r->example_sink, sizeof(copy->example_sink) - 1);
	atomic_store_explicit(&copy->state, 2, memory_order_release);
}

/* The row of TO for R: one that is the same, a free one, or the last. */
static struct stats_route *route_for(struct stats *to, const struct stats *from,
				     const struct stats_route *r)
{
	struct stats_route *last = &to->route[STATS_ROUTES - 1];

	for (struct stats_route *there = to->route; there <= last; there++) {
		uint32_t now = atomic_load_explicit(&there->state, memory_order_acquire);

		if (now == 2 && (there == last || same_route(to, there, from, r)))
			return there;
		if (now == 0 && atomic_compare_exchange_strong(&there->state, &now, 1)) {
			publish_route(to, there, from, r);
			return there;
		}
	}
	return last;
}

#define ADD(to, from, name) \
	atomic_fetch_add_explicit(&(to)->name, \
				  atomic_load_explicit(&(from)->name, memory_order_relaxed), \
				  memory_order_relaxed)
#define TAKE(to, from, name, any) \
	do { \
		__typeof__(atomic_load(&(from)->name)) n_ = \
			atomic_load_explicit(&(from)->name, memory_order_relaxed) ? \
				atomic_exchange(&(from)->name, 0) : 0; \
		(any) |= n_ != 0; \
		atomic_fetch_add_explicit(&(to)->name, n_, memory_order_relaxed); \
	} while (0)

static void add_route(struct stats *to, const struct stats *from, const struct stats_route *r)
{
	struct stats_route *sum = route_for(to, from, r);

#define F(name, type) ADD(sum, r, name);
	STATS_ROUTE_COUNTERS(F)
#undef F
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		ADD(sum, r, verdict[v]);
}

void stats_add_all(struct stats *to, const struct stats *from)
{
	for (int i = 0; i < STATS_ROUTES && walk_used(&from->route[i].state); i++)
		if (atomic_load_explicit(&from->route[i].state, memory_order_acquire) == 2)
			add_route(to, from, &from->route[i]);
#define F(name, type) ADD(to, from, name);
	STATS_TOTAL_COUNTERS(F)
#undef F
}

static bool take_route(struct stats *to, const struct stats *from, struct stats_route *r)
{
	struct stats_route *sum = route_for(to, from, r);
	bool any = false;

#define F(name, type) TAKE(sum, r, name, any);
	STATS_ROUTE_COUNTERS(F)
#undef F
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		TAKE(sum, r, verdict[v], any);
	return any;
}

bool stats_take_all(struct stats *to, struct stats *from)
{
	bool any = false;

	for (int i = 0; i < STATS_ROUTES && walk_used(&from->route[i].state); i++)
		if (atomic_load_explicit(&from->route[i].state, memory_order_acquire) == 2)
			any |= take_route(to, from, &from->route[i]);
#define F(name, type) TAKE(to, from, name, any);
	STATS_TOTAL_COUNTERS(F)
#undef F
	return any;
}
