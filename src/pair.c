/* SPDX-License-Identifier: MIT */
/* pair.c - the pairs, in uthash; see pair.h. */
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
	int sink_fd;
	int source;
};

struct pair {
	struct pair_key key;
	struct stats_route *route;
	struct pair *next; /* of the same sink */
	UT_hash_handle hh;
};

enum { SHARDS = 16 };
static struct {
	struct lock lock;
	struct pair *pairs;
} shards[SHARDS];
static struct lock route_lock;

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
	       a->sink_fd == b->sink_fd && a->source == b->source;
}

static struct pair *make_pair(struct pair **table, const struct pair_key *key,
			      const struct pair_chunk *c, struct fd_entry *sink)
{
	struct pair *p = arena_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->key = *key;
	p->route = find_route(c, sink);
	HASH_ADD(hh, *table, key, sizeof(p->key), p);
	if (!p->hh.tbl) {
		arena_free(p, sizeof(*p));
		return NULL;
	}
	p->next = atomic_load(&sink->pairs);
	atomic_store(&sink->pairs, p);
	return p;
}

struct stats_route *pair_route(const struct pair_chunk *c, struct fd_entry *sink)
{
	struct pair_key key;
	struct pair *p = atomic_load_explicit(&sink->pairs, memory_order_acquire);
	struct lock_held held;
	unsigned shard = (unsigned)c->sink_fd % SHARDS;

	memset(&key, 0, sizeof(key));
	key.read_site = c->read_site;
	key.write_site = c->write_site;
	key.sink_fd = c->sink_fd;
	key.source = (int)c->source;
	/*
	 * The usual case takes no lock. Should another thread close the sink just
	 * now, the pair's memory may mean another pair: then a count goes to that
	 * one's row, which is all that depends on it. The memory itself stays.
	 */
	if (likely(p && same_key(&p->key, &key) && p->route))
		return p->route;
	lock_take(&shards[shard].lock, &held);
	HASH_FIND(hh, shards[shard].pairs, &key, sizeof(key), p);
	if (!p)
		p = make_pair(&shards[shard].pairs, &key, c, sink);
	lock_drop(&shards[shard].lock, &held);
	return p ? p->route : find_route(c, sink);
}

void pair_drop_sink(struct fd_entry *e)
{
	struct pair *p = atomic_load_explicit(&e->pairs, memory_order_relaxed), *next;
	struct lock_held held;
	unsigned shard;

	if (!p)
		return;
	shard = (unsigned)p->key.sink_fd % SHARDS;
	lock_take(&shards[shard].lock, &held);
	for (p = atomic_exchange(&e->pairs, NULL); p; p = next) {
		next = p->next;
		HASH_DEL(shards[shard].pairs, p);
		arena_free(p, sizeof(*p));
	}
	lock_drop(&shards[shard].lock, &held);
}

/* A thread that is not here was changing this shard: it is abandoned, with its memory. */
static void abandon_shard(int shard)
{
	shards[shard].pairs = NULL;
	for (int fd = 0; fd >= 0; fd = fd_next_known(fd + 1))
		if (fd % SHARDS == shard && fd_peek(fd))
			atomic_store(&fd_peek(fd)->pairs, NULL);
}

static void empty_shard(int shard)
{
	struct pair *p, *next;

	HASH_ITER(hh, shards[shard].pairs, p, next) {
		struct fd_entry *e = fd_peek(p->key.sink_fd);

		if (e)
			atomic_store(&e->pairs, NULL);
		HASH_DEL(shards[shard].pairs, p);
		arena_free(p, sizeof(*p));
	}
}

/* The rows that pairs point to are the parent's; every pair is dropped, and made anew when needed. */
void pair_forked(void)
{
	lock_reset(&route_lock);
	for (int i = 0; i < SHARDS; i++) {
		if (atomic_load(&shards[i].lock.word) != 0)
			abandon_shard(i);
		else
			empty_shard(i);
		lock_reset(&shards[i].lock);
	}
}
