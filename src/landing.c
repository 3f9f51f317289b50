/* SPDX-License-Identifier: MIT */
/*
 * landing.c - the table of landings: find, arm, open; see landing.h.
 *
 * The armed ranges stand in two flat arrays that are scanned without a lock,
 * after a filter by 64 KiB of address, and if no hint tells which one it is. A
 * range is published before its pages are protected and taken back after they are
 * open, so that a fault always finds it; whoever finds one takes its lock and looks
 * again. No lock is taken under a landing's lock but arm_lock, and no landing's lock
 * under another's.
 */
#include <sys/mman.h>

#include "config.h"
#include "fill.h"
#include "host.h"
#include "landing.h"
#include "lease.h"
#include "maps.h"
#include "meter.h"
#include "prim.h"
#include "source.h"
#include "stream.h"
#include "thread.h"
#include "watch.h"

enum { GRANULE_SHIFT = 16, GRANULES = 4096, HINTS = 4096, EVICT_SAMPLE = 16, WIDE = 64,
       ALLOCATOR_LINKS = 64, KEEP_FREED = 1024 * 1024 };

/* Who armed a piece of 4 KiB last is kept for 128 MiB; of an armed range, for so many. */
enum { PIECE_SHIFT = 12, PIECES = 32768, PIECES_A_RANGE = 1024 };

HOT _Atomic int landing_armed;

static struct landing *slots;
static _Atomic uintptr_t *armed_lo, *armed_hi;
static _Atomic unsigned used;              /* slots ever used: scans end here */
static LARGE_TABLE _Atomic uint16_t granule[GRANULES]; /* armed ranges that touch it */
static LARGE_TABLE _Atomic uint16_t hint[HINTS];       /* base -> slot + 1 */
static LARGE_TABLE _Atomic uint16_t armer[PIECES];     /* piece -> slot */
static FORK_WRITES struct lock arm_lock, table_lock;
static FORK_WRITES int held; /* under arm_lock: > 0 forbids arming */
static _Atomic uint32_t generation; /* changes whenever a range is armed */

static unsigned slot_of(const struct landing *l)
{
	return (unsigned)(l - slots);
}

static unsigned hint_of(uintptr_t base)
{
	return (unsigned)(base * UINT64_C(0x9e3779b97f4a7c15) >> 44) % HINTS;
}

uintptr_t landing_lo(const struct landing *l)
{
	return atomic_load_explicit(&armed_lo[slot_of(l)], memory_order_relaxed);
}

uintptr_t landing_hi(const struct landing *l)
{
	return atomic_load_explicit(&armed_hi[slot_of(l)], memory_order_relaxed);
}

COLD bool landing_init(void)
{
	size_t n = config.landings, size = n * (sizeof(*slots) + 2 * sizeof(*armed_lo));
	char *p = prim_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prim_mmap_failed(p))
		return false;
	slots = (struct landing *)p;
	armed_lo = (_Atomic uintptr_t *)(p + n * sizeof(*slots));
	armed_hi = armed_lo + n;
	return true;
}

/* ---- finding ---- */

static bool overlaps(unsigned i, uintptr_t lo, uintptr_t hi)
{
	uintptr_t a = atomic_load_explicit(&armed_lo[i], memory_order_relaxed);
	uintptr_t b = atomic_load_explicit(&armed_hi[i], memory_order_relaxed);

	return a < hi && b > lo && a < b;
}

static bool filter_passes(uintptr_t lo, uintptr_t hi)
{
	uintptr_t first = lo >> GRANULE_SHIFT, last = (hi - 1) >> GRANULE_SHIFT;

	if (last - first >= WIDE)
		return true;
	for (; first <= last; first++)
		if (atomic_load_explicit(&granule[first % GRANULES], memory_order_relaxed))
			return true;
	return false;
}

/* The first slot at or after FROM whose armed pages touch [lo, hi), or -1. */
static int next_slot(unsigned from, uintptr_t lo, uintptr_t hi)
{
	unsigned n = atomic_load_explicit(&used, memory_order_acquire);

	for (unsigned i = from; i < n; i++)
		if (relaxed(armed_hi[i]) > lo && relaxed(armed_lo[i]) < hi && overlaps(i, lo, hi))
			return (int)i;
	return -1;
}

/*
 * The slot whose armed pages ADDRESS lies in, if the hint tells; else -1. A program that writes a
 * chunk in parts asks for the middle of a buffer: with a hundred of them a scan costs more than the
 * copy of a page.
 */
static int hinted(uintptr_t address)
{
	unsigned i = relaxed(armer[(address >> PIECE_SHIFT) % PIECES]);

	return likely(i < relaxed(used) && overlaps(i, address, address + 1)) ? (int)i : -1;
}

/* The same for certain. */
static int slot_at(uintptr_t address)
{
	int i = hinted(address);

	return i >= 0 ? i : next_slot(0, address, address + 1);
}

static uintptr_t range_end(const void *p, size_t n)
{
	uintptr_t lo = (uintptr_t)p;

	return n > UINTPTR_MAX - lo ? UINTPTR_MAX : lo + n;
}

struct landing *landing_find(uintptr_t base)
{
	unsigned i = atomic_load_explicit(&hint[hint_of(base)], memory_order_relaxed);

	return i && slots[i - 1].base == base ? &slots[i - 1] : NULL;
}

/*
 * The landing whose buffer begins at P, if it is armed in [p, hi). The pages that the
 * buffers of armed landings touch are disjoint, so it is the only one there up to its
 * buffer's end: with a thousand of them nothing need be scanned.
 */
static struct landing *begins_at(uintptr_t p, uintptr_t hi)
{
	struct landing *l = landing_find(p);

	return l && overlaps(slot_of(l), p, hi) ? l : NULL;
}

/* The same, or if P lies in armed pages: theirs. NULL: it has to be looked for. */
static struct landing *known_at(uintptr_t p, uintptr_t hi)
{
	int i = hinted(p);

	return likely(i >= 0) ? &slots[i] : begins_at(p, hi);
}

bool landing_touches(const void *p, size_t n)
{
	uintptr_t lo = (uintptr_t)p, hi = range_end(p, n);

	return n && filter_passes(lo, hi) && (known_at(lo, hi) || next_slot(0, lo, hi) >= 0);
}

struct landing *landing_first(uintptr_t p, size_t n)
{
	uintptr_t hi = range_end((void *)p, n);
	struct landing *first = NULL;

	if (!n || !filter_passes(p, hi))
		return NULL;
	first = known_at(p, hi);
	if (likely(first != NULL))
		return first;
	for (int i = next_slot(0, p, hi); i >= 0; i = next_slot((unsigned)i + 1, p, hi))
		if (!first || landing_lo(&slots[i]) < landing_lo(first))
			first = &slots[i];
	return first;
}

/* ---- publishing an armed range ---- */

static void count_granules(uintptr_t lo, uintptr_t hi, int change)
{
	for (uintptr_t g = lo >> GRANULE_SHIFT; g <= (hi - 1) >> GRANULE_SHIFT; g++)
		atomic_fetch_add(&granule[g % GRANULES], (uint16_t)change);
}

static void publish(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	unsigned i = slot_of(l);
	size_t pieces = (hi - lo) >> PIECE_SHIFT;

	for (size_t k = 0; k < pieces && k < PIECES_A_RANGE; k++)
		set_relaxed(armer[((lo >> PIECE_SHIFT) + k) % PIECES], (uint16_t)i);
	count_granules(lo, hi, 1);
	atomic_store(&armed_lo[i], lo);
	atomic_store(&armed_hi[i], hi);
	atomic_fetch_add(&landing_armed, 1);
	atomic_fetch_add(&generation, 1);
}

/* Nothing of L is armed any more. */
static void withdraw(struct landing *l)
{
	unsigned i = slot_of(l);
	uintptr_t lo = armed_lo[i], hi = armed_hi[i];

	if (lo >= hi)
		return;
	atomic_store(&armed_hi[i], 0);
	atomic_fetch_sub(&landing_armed, 1);
	count_granules(lo, hi, -1);
}

/* The armed pages of L are now [lo, hi), a part of what they were. */
static void shrink(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	unsigned i = slot_of(l);
	uintptr_t old_lo = armed_lo[i], old_hi = armed_hi[i];

	count_granules(lo, hi, 1);
	atomic_store(&armed_lo[i], lo);
	atomic_store(&armed_hi[i], hi);
	count_granules(old_lo, old_hi, -1);
}

/* ---- opening ---- */

static void forget_meaning(struct landing *l)
{
	int source = atomic_exchange(&l->source, 0);

	if (source)
		source_release(source - 1);
	if (atomic_exchange(&l->is_stream, false))
		stream_forget(l->stream);
}

/* [lo, hi) was filled after all: what was claimed for it is taken back. */
static void take_back_credit(struct landing *l, size_t filled)
{
	struct stats_route *route = atomic_load(&l->route);
	size_t credit = atomic_load(&l->credit);

	stats_add(&stats_get()->fills, 1);
	if (filled > credit)
		filled = credit;
	atomic_store(&l->credit, credit - filled);
	if (route && filled)
		stats_add_signed(&route->copies_avoided, -(int64_t)filled);
}

/*
 * From before the pages of L open until its record says so the record changes: else a thread that
 * writes the buffer in between would send the file's bytes, and another might have put its own
 * into the open pages by then. This ends it: nothing is protected any more. L is locked.
 */
static void disarmed(struct landing *l)
{
	withdraw(l);
	landing_change_end(l);
	forget_meaning(l);
}

/* Fills and opens [lo, hi), armed pages of L. */
static bool fill(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	if (l->source && !l->freed)
		return fill_pages(lo, hi, source_at(l->source - 1)->fd,
				  l->offset + (off_t)(lo - l->base));
	if (l->is_stream && !l->freed)
		return stream_fill(l->stream, l->base, lo, hi);
	return prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE) == 0;
}

/*
 * Is a piece of protected memory of L's still? If it goes on beyond L's pages, another landing must
 * lie there: else it is somebody's reserve of addresses, which has to be empty when it is used.
 */
static bool is_own(const struct landing *l, const struct maps_armed *a)
{
	return (a->whole_lo >= landing_lo(l) || slot_at(a->lo - 1) >= 0) &&
	       (a->whole_hi <= landing_hi(l) || slot_at(a->hi) >= 0);
}

/*
 * Freed and given back to the kernel, or changed by a call that no hook heard: some of L's pages,
 * or all.
 */
static void open_rest(struct landing *l)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);
	struct maps_armed a;

	host_open(hi - lo);
	landing_change_begin(l);
	for (; maps_next_armed(lo, hi, &a); lo = a.hi)
		if (!is_own(l, &a) || !fill(l, a.lo, a.hi))
			prim_mprotect((void *)a.lo, a.hi - a.lo, PROT_READ | PROT_WRITE);
	disarmed(l);
}

/* Fills and opens [lo, hi), which begins or ends where the armed pages of L do. */
static bool open_part(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	uintptr_t all_lo = landing_lo(l), all_hi = landing_hi(l);
	bool means = (l->source || l->is_stream) && !l->freed;

	if (!maps_still_armed(lo, hi)) {
		open_rest(l);
		return true;
	}
	host_open(hi - lo);
	landing_change_begin(l);
	if (!fill(l, lo, hi)) {
		landing_change_end(l);
		(void)host_protect(hi - lo); /* as before; without room for it, it had failed already */
		return false;
	}
	if (lo == all_lo && hi == all_hi) {
		withdraw(l);
	} else if (lo == all_lo) {
		shrink(l, hi, all_hi);
	} else {
		shrink(l, all_lo, lo);
	}
	landing_change_end(l);
	if (means)
		take_back_credit(l, hi - lo);
	if (landing_lo(l) >= landing_hi(l))
		forget_meaning(l);
	return true;
}

bool landing_open_locked(struct landing *l)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);

	return lo >= hi || open_part(l, lo, hi);
}

static void void_locked(struct landing *l)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);

	if (lo >= hi)
		return;
	host_open(hi - lo);
	landing_change_begin(l);
	prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE);
	disarmed(l);
}

/* The block of L was freed: have the pages left with it (munmap inside libc)? L is locked. */
static void freed_locked(struct landing *l)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);

	if (lo >= hi || !l->freed || maps_still_armed(lo, hi))
		return;
	open_rest(l);
}

/*
 * The program looked into L, one way or another, or could not send it, for WHY: what is learned
 * from it.
 */
static void learn_loss(struct landing *l, enum verdict why)
{
	struct stats_route *route = atomic_load(&l->route);

	patience_lost(&l->patience, why);
	if (l->site)
		patience_lost(&l->site->patience, why);
	if (route && why == VERDICT_LOOKED_AT)
		stats_add(&route->looks, 1);
}

/* For the accounts: the chunk is plain memory now. */
static void note_filled(const struct landing *l, enum verdict why)
{
	if (l->site && !l->freed && l->written < l->length)
		watch_filled((void *)l->base, l->length, l->written, l->fd, l->site, why,
			     why == VERDICT_LOOKED_AT && !l->route);
}

/* Why something is opened: a sink's verdict, or one of these. */
enum { LOOKED = VERDICT_LOOKED_AT, NEUTRAL = VERDICT_FILLED, VOID = VERDICT_COUNT, FREED, RECEIVED };

/*
 * L is locked; WHOLE: all of its armed pages are concerned, so that a void content needs no fill.
 */
static void open_for(struct landing *l, bool whole, int why)
{
	if (why == RECEIVED)
		why = l->is_stream ? NEUTRAL : LOOKED;
	if (whole && why == VOID)
		void_locked(l);
	else if (why == FREED)
		freed_locked(l);
	else if (landing_open_locked(l)) {
		enum verdict v = why < VERDICT_COUNT ? (enum verdict)why : VERDICT_FILLED;

		note_filled(l, v);
		if (v != VERDICT_FILLED && !l->freed)
			learn_loss(l, v);
	}
}

static void open_slot(struct landing *l, uintptr_t lo, uintptr_t hi, int why)
{
	uint64_t since = meter_clock();
	struct lock_held h;

	lock_take(&l->lock, &h);
	if (overlaps(slot_of(l), lo, hi))
		open_for(l, landing_lo(l) >= lo && landing_hi(l) <= hi, why);
	lock_drop(&l->lock, &h);
	meter_spent(l->base, since);
}

static void open_range(uintptr_t lo, uintptr_t hi, int why)
{
	for (int i = next_slot(0, lo, hi); i >= 0; i = next_slot((unsigned)i + 1, lo, hi))
		open_slot(&slots[i], lo, hi, why);
}

COLD void landing_open_slow(const void *p, size_t n)
{
	open_range((uintptr_t)p, range_end(p, n), LOOKED);
}

COLD void landing_refuse(const void *p, size_t n, enum verdict why)
{
	if (landing_touches(p, n))
		open_range((uintptr_t)p, range_end(p, n), (int)why);
}

void landing_fill(const void *p, size_t n)
{
	if (landing_any() && landing_touches(p, n))
		open_range((uintptr_t)p, range_end(p, n), NEUTRAL);
}

void landing_receive(const void *p, size_t n)
{
	if (landing_any() && landing_touches(p, n))
		open_range((uintptr_t)p, range_end(p, n), RECEIVED);
}

COLD void landing_void(const void *p, size_t n)
{
	open_range((uintptr_t)p, range_end(p, n), VOID);
}

/* Where the last of what L's buffer holds ends, its tail included. */
static uintptr_t buffer_end(const struct landing *l)
{
	return l->base + (l->is_stream ? l->stream->image : l->length);
}

/*
 * [lo, hi), in which L is armed, goes back to libc. No lock where the pages stay armed: what is void
 * says so, and who lands there next is told.
 */
static void before_free(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	bool whole = landing_lo(l) >= lo && landing_hi(l) <= hi;

	atomic_store(&l->freed, whole);
	if (!whole || !l->returns || l->is_stream || hi - lo >= KEEP_FREED)
		open_slot(l, lo, hi, VOID);
}

/*
 * A loop that takes a new block for each chunk gives it back as often. Where all pages of the block
 * are those of one landing's buffer no other is armed there (begins_at), and nothing is scanned.
 */
COLD void landing_before_free(const void *p, size_t n)
{
	uintptr_t lo = (uintptr_t)p, hi = range_end(p, n);
	struct landing *l = known_at(page_up(lo), hi);

	if (l && page_down(l->base) == page_down(lo) && page_up(buffer_end(l)) >= hi) {
		before_free(l, lo, hi);
		return;
	}
	for (int i = next_slot(0, lo, hi); i >= 0; i = next_slot((unsigned)i + 1, lo, hi))
		before_free(&slots[i], lo, hi);
}

COLD void landing_after_free(const void *p, size_t n)
{
	open_range((uintptr_t)p, range_end(p, n), FREED);
}

COLD void landing_open_buffers(const void *p, size_t n)
{
	size_t edge = EDGE_PAGES * shunt_page;
	uintptr_t lo = (uintptr_t)p, hi = range_end(p, n);
	uintptr_t from = lo > edge ? lo - edge : 0;
	uintptr_t to = hi < UINTPTR_MAX - edge ? hi + edge : UINTPTR_MAX;

	if (!n || !landing_touches((void *)from, to - from))
		return;
	for (int i = next_slot(0, from, to); i >= 0; i = next_slot((unsigned)i + 1, from, to))
		if (overlaps((unsigned)i, lo, hi) ||
		    (slots[i].base < hi && buffer_end(&slots[i]) > lo))
			open_slot(&slots[i], from, to, LOOKED);
}

void landing_open_string(const char *s, bool (*readable)(const void *p, size_t n))
{
	uintptr_t at = (uintptr_t)s, end = page_down(at) + shunt_page;

	if (!landing_any() || !s)
		return;
	/*
	 * up to the end of its page it cannot meet another landing; beyond, the bytes tell whether
	 * it goes on
	 */
	for (;; end += shunt_page) {
		landing_open((void *)at, 1);
		if (!readable((const void *)at, 1))
			return;
		while (at < end && *(const char *)at)
			at++;
		if (at < end)
			return;
	}
}

COLD void landing_open_all(void)
{
	if (landing_any())
		open_range(0, UINTPTR_MAX, NEUTRAL);
}

/* ---- opening by other criteria ---- */

static void open_where(bool (*which)(const struct landing *, uint64_t), uint64_t argument)
{
	unsigned n = atomic_load_explicit(&used, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (overlaps(i, 0, UINTPTR_MAX) && which(&slots[i], argument))
			open_slot(&slots[i], 0, UINTPTR_MAX, NEUTRAL);
}

static bool of_source(const struct landing *l, uint64_t index)
{
	return atomic_load(&l->source) == (int)index + 1;
}

static bool unfinished_of_fd(const struct landing *l, uint64_t fd)
{
	/*
	 * what is kept of a stream lies in a pipe, which is wanted elsewhere; a lease keeps writers
	 * waiting
	 */
	return l->fd == (int)fd && (l->is_stream || l->written < l->length || lease_any());
}

static bool untouched_since(const struct landing *l, uint64_t before)
{
	return l->touched <= before;
}

void landing_open_source(int index)
{
	if (landing_any())
		open_where(of_source, (uint64_t)index);
}

void landing_close(int fd)
{
	if (landing_any())
		open_where(unfinished_of_fd, (uint64_t)fd);
	meter_closed(fd);
}

void landing_settle(uint64_t before)
{
	open_where(untouched_since, before);
	pipes_rest();
}

static bool read_by(const struct landing *l, uint64_t thread)
{
	return l->reader == (int)thread;
}

void landing_settle_thread(int thread)
{
	open_where(read_by, (uint64_t)thread);
}

/*
 * Where the kernel cannot be asked, protecting the pages once more is the question, and who opens
 * them just now, another thread or a handler of this one, must be through with it or not have
 * begun.
 */
static COLD bool assert_armed(struct landing *l, uint32_t sequence, uintptr_t lo, uintptr_t hi)
{
	struct lock_held h;
	bool ok;

	lock_take(&l->lock, &h);
	ok = atomic_load(&l->sequence) == sequence && landing_lo(l) == lo && landing_hi(l) == hi &&
	     maps_still_armed(lo, hi);
	lock_drop(&l->lock, &h);
	return ok;
}

bool landing_still_armed(struct landing *l, uint32_t sequence, uintptr_t lo, uintptr_t hi)
{
	enum maps_answer seen;

	if (landing_is_sure(l))
		return true;
	seen = maps_seen_armed(lo, hi);
	if (unlikely(seen == MAPS_UNKNOWN))
		return assert_armed(l, sequence, lo, hi);
	return seen == MAPS_ARMED;
}

/* ---- arming ---- */

/* A free slot, or the one that was longest untouched among some; table_lock is held. */
static struct landing *free_slot(struct landing **victim)
{
	static unsigned clock;
	unsigned n = used;

	*victim = NULL;
	for (unsigned i = 0; i < n && i < EVICT_SAMPLE; i++) {
		struct landing *l = &slots[clock++ % n];

		if (l->base == 0)
			return l;
		if (!*victim || l->touched < (*victim)->touched)
			*victim = l;
	}
	if (n == config.landings)
		return NULL;
	atomic_store_explicit(&used, n + 1, memory_order_release);
	return &slots[n];
}

static void evict(struct landing *l)
{
	struct lock_held h;

	lock_take(&l->lock, &h);
	if (landing_open_locked(l))
		atomic_store(&l->base, 0);
	lock_drop(&l->lock, &h);
}

struct landing *landing_claim(uintptr_t base)
{
	struct landing *l = landing_find(base), *victim;
	struct lock_held h;

	for (int tries = 0; !l && tries < 4; tries++) {
		lock_take(&table_lock, &h);
		l = free_slot(&victim);
		if (l) {
			l->patience = (struct patience){ 0 };
			l->freed = l->returns = l->turned = false;
			set_relaxed(l->alone_for, 0);
			atomic_store(&l->touched, prim_now());
			atomic_store(&l->base, base);
			hint[hint_of(base)] = (uint16_t)(slot_of(l) + 1);
		}
		lock_drop(&table_lock, &h);
		if (!l && victim)
			evict(victim);
	}
	return l;
}

void landing_retire_overlaps(struct landing *l, uintptr_t base, size_t n)
{
	uintptr_t lo = page_down(base), hi = page_up(base + n);
	uint32_t now = atomic_load(&generation);

	if (!landing_any() || (relaxed(l->alone_at) == now && n <= relaxed(l->alone_for)))
		return;
	for (int i = next_slot(0, lo, hi); i >= 0; i = next_slot((unsigned)i + 1, lo, hi))
		if (&slots[i] != l)
			open_slot(&slots[i], lo, hi, NEUTRAL);
	set_relaxed(l->alone_at, now);
	set_relaxed(l->alone_for, n);
}

static bool others_overlap(const struct landing *l, uintptr_t lo, uintptr_t hi)
{
	for (int i = next_slot(0, lo, hi); i >= 0; i = next_slot((unsigned)i + 1, lo, hi))
		if (&slots[i] != l)
			return true;
	return false;
}

enum verdict landing_arm(struct landing *l, uintptr_t lo, uintptr_t hi)
{
	enum verdict v = VERDICT_REWRITTEN;
	struct lock_held h;

	if (!sig_own_faults())
		return VERDICT_HOST_LIMITS;
	thread_alternate_stack();
	v = maps_can_land(lo, hi);
	if (v != VERDICT_REWRITTEN)
		return v;
	if (!host_protect(hi - lo))
		return VERDICT_HOST_LIMITS;
	lock_take(&arm_lock, &h);
	if (held > 0)
		v = VERDICT_FILLED;
	else if (others_overlap(l, lo, hi))
		v = VERDICT_OVERLAP;
	else
		publish(l, lo, hi);
	lock_drop(&arm_lock, &h);
	if (v != VERDICT_REWRITTEN) {
		host_open(hi - lo);
		return v;
	}
	stats_add(&stats_get()->arms, 1);
	if (prim_mprotect((void *)lo, hi - lo, PROT_NONE) == 0)
		return v;
	/* where they are several mappings, and there is room to part the first only, that is done */
	prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE);
	withdraw(l);
	host_open(hi - lo);
	return VERDICT_HOST_LIMITS;
}

void landing_unarm(struct landing *l)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);

	if (lo >= hi)
		return;
	host_open(hi - lo);
	prim_mprotect((void *)lo, hi - lo, PROT_READ | PROT_WRITE);
	landing_change_begin(l);
	withdraw(l);
	landing_change_end(l);
}

/* ---- a fault ---- */

/*
 * A freed block is touched: by the allocator, which links it where it begins, or by
 * whoever got it. It is opened whole then: it may be about to become a stack.
 */
static bool open_freed(struct landing *l, uintptr_t address)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l);

	if (address < lo + ALLOCATOR_LINKS && l->site && hi - lo > shunt_page) {
		site_touched(l->site, &l->site->head, 1);
		if (open_part(l, lo, lo + shunt_page))
			return true;
	}
	l->returns = false;
	return open_part(l, lo, hi);
}

/*
 * A look near an end of a stream's chunk: that end is part of the edge from then on. False if it is
 * near neither.
 */
static bool learn_end(struct site *site, size_t from_head, size_t from_tail)
{
	if (from_head <= EDGE_LOOKS && site->head < from_head) {
		site_touched(site, &site->head, from_head);
		return true;
	}
	if (from_tail <= EDGE_LOOKS && site->tail < from_tail) {
		site_touched(site, &site->tail, from_tail);
		return true;
	}
	return false;
}

/*
 * The first look into a chunk near one of its ends opens that end only: a loop
 * that parses the head, or an allocator that links free buffers there, keeps the
 * rest lazy, and the site learns to fill those pages as part of the edge. A process that
 * has all the mappings it may have cannot part one in two: then all of it is opened.
 */
static bool open_for_look(struct landing *l, uintptr_t address)
{
	uintptr_t lo = landing_lo(l), hi = landing_hi(l), page = page_down(address);
	size_t from_head = (page - lo) / shunt_page + 1, from_tail = (hi - page) / shunt_page;
	bool first = atomic_fetch_add(&l->looks, 1) == 0 && (hi - lo) / shunt_page > 2 * EDGE_LOOKS;
	bool near_end;

	if (l->freed)
		return open_freed(l, address);
	near_end = first && l->is_stream && learn_end(l->site, from_head, from_tail);
	if (first && l->source && from_head <= EDGE_LOOKS) {
		site_touched(l->site, &l->site->head, from_head);
		if (open_part(l, lo, page + shunt_page))
			return true;
	} else if (first && l->source && from_tail <= EDGE_LOOKS) {
		site_touched(l->site, &l->site->tail, from_tail);
		if (open_part(l, page, hi))
			return true;
	}
	if (!open_part(l, lo, hi))
		return false;
	if (!near_end)
		learn_loss(l, VERDICT_LOOKED_AT);
	note_filled(l, VERDICT_LOOKED_AT);
	return true;
}

bool landing_fault(uintptr_t address, int access, bool *failed)
{
	int i = slot_at(address);
	uint64_t since = meter_clock();
	struct lock_held h;
	bool ok = true;

	if (i >= 0) {
		lock_take(&slots[i].lock, &h);
		if (overlaps((unsigned)i, address, address + 1))
			ok = open_for_look(&slots[i], address);
		lock_drop(&slots[i].lock, &h);
		meter_spent(slots[i].base, since);
		*failed = !ok;
		return ok;
	}
	/* another thread may have opened it between the fault and here */
	*failed = false;
	return maps_allows(address, access);
}

/* ---- forks and the like ---- */

FORKS void landing_hold(void)
{
	struct lock_held h;

	lock_take(&arm_lock, &h);
	held++;
	lock_drop(&arm_lock, &h);
}

FORKS void landing_release(void)
{
	struct lock_held h;

	lock_take(&arm_lock, &h);
	held -= held > 0; /* in the child of a fork none is held */
	lock_drop(&arm_lock, &h);
}

/* Nothing was armed when the process forked; what other threads held is free. */
FORKS void landing_forked(void)
{
	unsigned n = atomic_load(&used);

	lock_reset(&arm_lock);
	lock_reset(&table_lock);
	held = 0;
	meter_forked();
	for (unsigned i = 0; i < n; i++) {
		lock_reset(&slots[i].lock);
		slots[i].source = 0;
		slots[i].is_stream = false;
		if (slots[i].stream)
			stream_forked(slots[i].stream);
		slots[i].route = NULL;
		slots[i].sequence &= ~1u;
	}
}
