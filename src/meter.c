/* SPDX-License-Identifier: MIT */
/* meter.c - what a few chunks in a row cost; see meter.h. */
#include "meter.h"

#include "cpu.h"
#include "landing.h"

/* METERS are followed at a time; after MISSES hooks that belonged to none of them nothing is. */
enum { METERS = 64, MISSES = 65536, NO_FD = -1 };

/* A unit. Without locks: what threads mix up is a measurement. */
struct meter {
	struct choice *_Atomic choice; /* NULL: the slot is free */
	_Atomic uintptr_t base;        /* the latest chunk: where it lies */
	_Atomic size_t n;
	_Atomic int fd;                /* NO_FD: it is over, or it is of a mapping */
	_Atomic uint32_t generation;   /* of that number */
	_Atomic uint8_t way;           /* enum choice_way */
	_Atomic uint8_t chunks;
	_Atomic uint8_t skips;         /* reads in a row that were not to be measured */
	_Atomic bool mapped;
	_Atomic uint64_t ns, bytes;
};

static LARGE_TABLE struct meter meters[METERS];
static LARGE_TABLE _Atomic unsigned misses;
HOT _Atomic int meter_active;
static _Atomic bool used; /* there was a unit */
__thread uint64_t meter_since __attribute__((tls_model("initial-exec")));

uint64_t meter_start_slow(void)
{
	return cpu_now();
}

/* ---- the table ---- */

static void clear(struct meter *m)
{
	if (atomic_exchange(&m->choice, NULL))
		atomic_fetch_sub(&meter_active, 1);
}

/* What is followed in vain: of a trial that is over, or for which nothing is read any more. */
static void sweep(bool all)
{
	for (int i = 0; i < METERS; i++) {
		struct choice *c = relaxed(meters[i].choice);

		if (c && (all || !relaxed(c->measuring)))
			clear(&meters[i]);
	}
}

static void missed(void)
{
	unsigned n = relaxed(misses) + 1;

	set_relaxed(misses, n % MISSES);
	if (n % METERS == 0)
		sweep(n == MISSES);
}

static bool is_over(const struct meter *m)
{
	return relaxed(m->fd) == NO_FD && !relaxed(m->mapped);
}

static struct meter *of_descriptor(int fd)
{
	for (int i = 0; i < METERS; i++)
		if (relaxed(meters[i].choice) && relaxed(meters[i].fd) == fd)
			return &meters[i];
	return NULL;
}

/* A free slot, or that of a unit that is over, for C. */
static struct meter *take(struct choice *c)
{
	used = true;
	for (int i = 0; i < METERS; i++) {
		struct choice *none = NULL;

		if (atomic_compare_exchange_strong(&meters[i].choice, &none, c)) {
			atomic_fetch_add(&meter_active, 1);
			return &meters[i];
		}
	}
	for (int i = 0; i < METERS; i++)
		if (is_over(&meters[i])) {
			set_relaxed(meters[i].choice, c);
			return &meters[i];
		}
	return NULL;
}

/* A unit of C in slot M begins. */
static void begin(struct meter *m, struct choice *c)
{
	set_relaxed(m->way, (uint8_t)choice_next(c));
	choice_begin(c);
	set_relaxed(m->chunks, 0);
	set_relaxed(m->skips, 0);
	set_relaxed(m->ns, 0);
	set_relaxed(m->bytes, 0);
	set_relaxed(m->base, 0);
}

/* The latest chunk of M is N bytes at BASE: whoever had those before has them no more. */
static void set_chunk(struct meter *m, uintptr_t base, size_t n)
{
	for (int i = 0; i < METERS; i++)
		if (relaxed(meters[i].base) == base)
			set_relaxed(meters[i].base, 0);
	set_relaxed(m->n, n);
	set_relaxed(m->base, base);
}

/*
 * The unit of M is over. The slot stays, for what is still to be opened of it, until the
 * trial is over or another unit wants it.
 */
static void finish(struct meter *m)
{
	struct choice *c = relaxed(m->choice);

	set_relaxed(m->fd, NO_FD);
	if (!c)
		return;
	choice_unit(c, relaxed(m->way), relaxed(m->ns), relaxed(m->bytes));
	if (!relaxed(c->measuring))
		sweep(false);
}

static void spend(struct meter *m, uint64_t since)
{
	set_relaxed(m->ns, relaxed(m->ns) + (cpu_now() - since));
	set_relaxed(misses, 0);
}

/* ---- files and streams ---- */

/*
 * Did a unit of the other way than WAY leave the buffer at BUF as it is? Then this chunk
 * makes it what WAY wants it to be.
 */
static bool turns(const void *buf, enum choice_way way)
{
	struct landing *l = landing_find((uintptr_t)buf);
	bool armed = l && landing_lo(l) < landing_hi(l), turned;

	if (!l || armed == (way == CHOICE_LAND))
		return false;
	turned = armed || relaxed(l->turned);
	set_relaxed(l->turned, way == CHOICE_PLAIN);
	return turned;
}

static enum verdict verdict_of(enum choice_way way, bool on_trial)
{
	if (way == CHOICE_LAND)
		return VERDICT_REWRITTEN;
	return on_trial ? VERDICT_LEARNING : VERDICT_WOULD_NOT_PAY;
}

/*
 * More is on its way at a time than is followed: a crowd, for which landing pays least. Before it
 * is known whether it does, such a chunk goes plainly.
 */
static enum verdict not_followed(struct choice *c)
{
	set_relaxed(c->crowded, true);
	return relaxed(c->level) ? verdict_of(relaxed(c->way), false) : VERDICT_LEARNING;
}

/* The unit on which the next chunk of FD goes on, or NULL. */
static struct meter *goes_on(struct choice *c, int fd, uint32_t generation)
{
	struct meter *m = of_descriptor(fd);

	if (!m)
		return NULL;
	if (relaxed(m->choice) == c && relaxed(m->generation) == generation &&
	    relaxed(m->chunks) < METER_CHUNKS)
		return m;
	finish(m);
	return NULL;
}

static enum verdict measure_chunk(struct choice *c, int fd, struct fd_entry *e, const void *buf,
				  size_t n, struct meter **to)
{
	uint32_t generation = relaxed(e->generation);
	struct meter *m = goes_on(c, fd, generation);

	if (!relaxed(c->measuring)) /* that unit has decided it */
		return verdict_of(relaxed(c->way), false);
	if (!m) {
		if (turns(buf, choice_next(c)))
			return verdict_of(choice_next(c), true);
		m = take(c);
		if (!m)
			return not_followed(c);
		set_relaxed(m->mapped, false);
		set_relaxed(m->generation, generation);
		set_relaxed(m->fd, fd);
		begin(m, c);
	}
	set_relaxed(m->chunks, (uint8_t)(relaxed(m->chunks) + 1));
	set_relaxed(m->skips, 0);
	set_chunk(m, (uintptr_t)buf, n);
	*to = m;
	meter_since = cpu_now();
	return verdict_of(relaxed(m->way), true);
}

enum verdict meter_chunk(int fd, struct fd_entry *e, const void *buf, size_t n, struct site *site,
			 struct pass *pass, struct meter **m)
{
	unsigned class;
	struct choice *c;
	enum choice_way way;

	*m = NULL;
	if (!meter_on())
		return VERDICT_REWRITTEN;
	class = choice_class(n, e->kind == STATS_KIND_FILE ? relaxed(e->log2) : 0);
	c = choice_of(site->caller, e->kind == STATS_KIND_FILE ? class : class | CHOICE_STREAM);
	choice_hurry(c, relaxed(landing_armed));
	way = choice_ask(c);
	if (way == CHOICE_PLAIN)
		choice_take(c, n, pass);
	if (likely(way != CHOICE_MEASURE))
		return verdict_of(way, false);
	return measure_chunk(c, fd, e, buf, n, m);
}

void meter_read(struct meter *m, ssize_t ret)
{
	if (meter_since)
		spend(m, meter_since);
	meter_since = 0;
	if (ret > 0)
		set_relaxed(m->bytes, relaxed(m->bytes) + (uint64_t)ret);
	else if (ret == 0)
		finish(m);
}

/*
 * A loop that looks into its chunks lets many of them pass between two tries. The clocks would run
 * for all of these, and nothing is given a pass while they do: so the unit ends with what it has.
 */
void meter_skip_slow(int fd)
{
	struct meter *m = of_descriptor(fd);

	if (!m)
		return;
	set_relaxed(m->base, 0);
	set_relaxed(m->skips, (uint8_t)(relaxed(m->skips) + 1));
	if (relaxed(m->skips) < METER_CHUNKS)
		return;
	finish(m);
	clear(m);
}

void meter_closed_slow(int fd)
{
	struct meter *m = of_descriptor(fd);

	if (m)
		finish(m);
}

/* ---- mappings ---- */

/* N bytes of a mapping that was made at SITE. */
static struct choice *choice_of_mapped(size_t n, const struct site *site)
{
	return choice_of(site->caller, choice_class(n, 0) | CHOICE_MAPPED);
}

static struct meter *of_mapped(struct choice *c)
{
	for (int i = 0; i < METERS; i++)
		if (relaxed(meters[i].choice) == c && relaxed(meters[i].mapped))
			return &meters[i];
	return NULL;
}

static enum verdict measure_mapped(struct choice *c, uintptr_t p, size_t n)
{
	struct meter *m = of_mapped(c);

	if (!m) {
		m = take(c);
		if (!m)
			return verdict_of(relaxed(c->way), false);
		set_relaxed(m->fd, NO_FD);
		set_relaxed(m->mapped, true);
		begin(m, c);
	}
	set_chunk(m, p, n);
	return verdict_of(relaxed(m->way), true);
}

enum verdict meter_mapped(uintptr_t p, size_t n, struct site *site)
{
	struct choice *c;
	enum choice_way way;

	if (!meter_on())
		return VERDICT_REWRITTEN;
	c = choice_of_mapped(n, site);
	way = choice_ask(c);
	return likely(way != CHOICE_MEASURE) ? verdict_of(way, false) : measure_mapped(c, p, n);
}

void meter_adopted(size_t n, const struct site *site, uint64_t since)
{
	struct meter *m;

	if (!since)
		return;
	m = of_mapped(choice_of_mapped(n, site));
	if (m && relaxed(m->way) == CHOICE_LAND)
		set_relaxed(m->ns, relaxed(m->ns) + 2 * (cpu_now() - since));
}

bool meter_mapped_passes(size_t n, const struct site *site)
{
	struct choice *c = choice_of_mapped(n, site);
	uint32_t wait = relaxed(c->wait);

	if (wait <= 1 || relaxed(c->measuring))
		return true;
	set_relaxed(c->wait, wait - 1);
	return false;
}

/* A write of a mapping is a chunk for itself, if it wrote anything. */
static void mapped_written(struct meter *m, ssize_t ret)
{
	set_relaxed(m->base, 0);
	if (ret > 0)
		set_relaxed(m->bytes, relaxed(m->bytes) + (uint64_t)ret);
	set_relaxed(m->chunks, (uint8_t)(relaxed(m->chunks) + 1));
	if (relaxed(m->chunks) < METER_CHUNKS)
		return;
	finish(m);
	if (relaxed(m->choice))
		begin(m, relaxed(m->choice));
}

/* ---- writes, and what is opened ---- */

static struct meter *of_address(uintptr_t p)
{
	for (int i = 0; i < METERS; i++)
		if (relaxed(meters[i].choice) && p - relaxed(meters[i].base) < relaxed(meters[i].n) &&
		    relaxed(meters[i].base))
			return &meters[i];
	return NULL;
}

void meter_written_slow(const struct iovec *iov, size_t count, ssize_t ret)
{
	struct meter *m = NULL;
	uint64_t since = meter_since;

	meter_since = 0;
	for (size_t i = 0; i < count && !m; i++)
		m = iov[i].iov_len ? of_address((uintptr_t)iov[i].iov_base) : NULL;
	if (!m || is_over(m)) {
		missed();
		return;
	}
	spend(m, since);
	if (relaxed(m->mapped))
		mapped_written(m, ret);
}

void meter_spent(uintptr_t base, uint64_t since)
{
	struct meter *m = since ? of_address(base) : NULL;
	struct choice *c = m ? relaxed(m->choice) : NULL;

	if (!c || relaxed(m->way) != CHOICE_LAND)
		return;
	if (is_over(m))
		choice_carry(c, cpu_now() - since);
	else
		spend(m, since);
}

FORKS void meter_forked(void)
{
	if (!used)
		return;
	sweep(true);
	atomic_store(&meter_active, 0);
}
