/* SPDX-License-Identifier: MIT */
/*
 * pair.c - the pairs, in uthash; see pair.h.
 *
 * A pair is made once and stays: connections come and go, but there are as many pairs as
 * there are rows, more or less. Sinks and reading sites remember the pair that they were
 * last in, so that a new connection of a loop that is known takes no lock.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "format.h"
#include "peer.h"
#include "lock.h"
#include "pair.h"
#include "prim.h"

#define uthash_malloc(size) arena_alloc(size)
#define uthash_free(p, size) arena_free(p, size)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct pair_key {
	struct site *read_site, *write_site;
	int source, sink; /* enum stats_kind */
};

struct pair {
	struct pair_key key;
	_Atomic(struct stats_route *) route; /* NULL: to be found anew, since a fork */
	struct pair *next;                   /* of all */
	UT_hash_handle hh;
};

enum { SHARDS = 16 };
static struct {
	struct lock lock;
	struct pair *pairs;
} shards[SHARDS];
static struct lock route_lock;
static _Atomic(struct pair *) all;

/* readlink of /proc/self/fd/N, for the report's example; "" where it cannot be had */
static void source_path(int fd, char *to, size_t size)
{
	char link[32];
	struct format f = format_into(link, sizeof(link));
	ssize_t length;

	format_text(&f, "/proc/self/fd/");
	format_u64(&f, (unsigned)fd);
	format_char(&f, 0);
	length = prim_readlinkat(AT_FDCWD, link, to, size - 1);
	to[length > 0 ? length : 0] = 0;
}

static uint8_t sink_kind(const struct pair_chunk *c, const struct fd_entry *sink)
{
	return c->sink != STATS_KIND_UNKNOWN ? (uint8_t)c->sink : sink->kind;
}

static void fill_route(struct stats_route *r, const struct pair_chunk *c, const struct fd_entry *sink)
{
	r->source = (uint8_t)c->source;
	r->sink = sink_kind(c, sink);
	r->read_site = site_index(c->read_site);
	r->write_site = site_index(c->write_site);
	r->read_caller = c->read_site->caller;
	r->write_caller = c->write_site->caller;
	if (c->source == STATS_KIND_TCP)
		peer_name(c->source_fd, r->example_source, sizeof(r->example_source));
	else
		source_path(c->source_fd, r->example_source, sizeof(r->example_source));
	peer_name(c->sink_fd, r->example_sink, sizeof(r->example_sink));
	atomic_store_explicit(&r->state, 2, memory_order_release);
}

/* Is R, which is complete, the row for C? */
static bool is_route(const struct stats_route *r, const struct pair_chunk *c,
		     const struct fd_entry *sink)
{
	return r->source == c->source && r->sink == sink_kind(c, sink) &&
	       r->read_caller == c->read_site->caller && r->write_caller == c->write_site->caller;
}

/*
 * The lock is among our threads; processes of one family may count in the same table, and
 * among those a row is taken by its state word (stats_table.h).
 */
static struct stats_route *find_route(const struct pair_chunk *c, const struct fd_entry *sink)
{
	struct stats *s = stats_get();
	struct stats_route *r = s->route, *last = s->route + STATS_ROUTES - 1;
	struct lock_held held;

	lock_take(&route_lock, &held);
	for (; r < last; r++) {
		uint32_t state = atomic_load_explicit(&r->state, memory_order_acquire);

		if (state == 2 && is_route(r, c, sink))
			break;
		if (state == 0 && atomic_compare_exchange_strong(&r->state, &state, 1))
			break;
	}
	if (r->state != 2) {
		r->rest = r == last;
		fill_route(r, c, sink);
	}
	if (r->read_site < 0)
		c->read_site->wanted = true;
	lock_drop(&route_lock, &held);
	return r;
}

void pair_site_named(const struct site *site, int index)
{
	struct stats *s = stats_get();

	for (struct stats_route *r = s->route; r < s->route + STATS_ROUTES && r->state != 0; r++) {
		if (r->state != 2)
			continue;
		if (r->read_site < 0 && r->read_caller == site->caller)
			r->read_site = index;
		if (r->write_site < 0 && r->write_caller == site->caller)
			r->write_site = index;
	}
}

static bool same_key(const struct pair_key *a, const struct pair_key *b)
{
	return a->read_site == b->read_site && a->write_site == b->write_site &&
	       a->source == b->source && a->sink == b->sink;
}

/* The row of P, if P is the pair of KEY and knows it. */
static struct stats_route *route_of(const struct pair *p, const struct pair_key *key)
{
	return p && same_key(&p->key, key) ? relaxed(p->route) : NULL;
}

static struct pair *make_pair(struct pair **table, const struct pair_key *key)
{
	struct pair *p = arena_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->key = *key;
	HASH_ADD(hh, *table, key, sizeof(p->key), p);
	if (!p->hh.tbl) {
		arena_free(p, sizeof(*p));
		return NULL;
	}
	p->next = atomic_load(&all);
	while (!atomic_compare_exchange_weak(&all, &p->next, p))
		;
	return p;
}

/* The pair of KEY, with its row; NULL where memory is short. */
static struct pair *find_pair(const struct pair_key *key, const struct pair_chunk *c,
			      const struct fd_entry *sink)
{
	unsigned shard = (unsigned)(((uintptr_t)key->read_site / sizeof(struct site)) % SHARDS);
	struct lock_held held;
	struct pair *p;

	lock_take(&shards[shard].lock, &held);
	HASH_FIND(hh, shards[shard].pairs, key, sizeof(*key), p);
	if (!p)
		p = make_pair(&shards[shard].pairs, key);
	if (p && !relaxed(p->route))
		atomic_store(&p->route, find_route(c, sink));
	lock_drop(&shards[shard].lock, &held);
	return p;
}

static struct stats_route *row_of(const struct pair_chunk *c, struct fd_entry *sink)
{
	struct pair_key key;
	struct pair *p = atomic_load_explicit(&sink->pair, memory_order_acquire);
	struct stats_route *r;

	memset(&key, 0, sizeof(key));
	key.read_site = c->read_site;
	key.write_site = c->write_site;
	key.source = (int)c->source;
	key.sink = sink_kind(c, sink);
	r = route_of(p, &key);
	if (likely(r != NULL))
		return r;
	p = atomic_load_explicit(&c->read_site->pair, memory_order_acquire);
	if (!route_of(p, &key))
		p = find_pair(&key, c, sink);
	if (!p)
		return find_route(c, sink);
	atomic_store_explicit(&sink->pair, p, memory_order_release);
	if (relaxed(c->read_site->pair) != p)
		atomic_store_explicit(&c->read_site->pair, p, memory_order_release);
	return relaxed(p->route);
}

struct stats_route *pair_route(const struct pair_chunk *c, struct fd_entry *sink)
{
	struct stats_route *r = row_of(c, sink);

	if (unlikely(relaxed(c->write_site->alone) || relaxed(c->read_site->alone)))
		site_counted(c->read_site, c->write_site, relaxed(r->chunks));
	return r;
}

/*
 * The rows that pairs point to are the parent's. A table that a thread was changing which is not
 * here is abandoned; its pairs, which others may remember, have no row from now on.
 */
FORKS void pair_forked(void)
{
	lock_reset(&route_lock);
	for (int i = 0; i < SHARDS; i++) {
		if (atomic_load(&shards[i].lock.word) != 0)
			shards[i].pairs = NULL;
		lock_reset(&shards[i].lock);
	}
	for (struct pair *p = atomic_load(&all); p; p = p->next)
		set_relaxed(p->route, NULL);
}
