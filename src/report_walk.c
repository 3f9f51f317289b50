/* SPDX-License-Identifier: MIT */
/*
 * report_walk.c - see report_walk.h.
 *
 * Memory is static: a report is made once at the end of a process, where the
 * stack may be a small alternate one. System calls are raw, since this file is
 * in the command too and libc's are hooks in the library.
 */
#include "report_walk.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "prim.h"
#include "shunt.h"

static LARGE_TABLE struct walk walk;
static LARGE_TABLE struct walk_row rows[WALK_ROWS];

bool report_valid(const struct stats *s, size_t size)
{
	return size >= sizeof(*s) && memcmp(s->magic, STATS_MAGIC, sizeof(s->magic)) == 0 &&
	       s->layout == STATS_LAYOUT && s->size == sizeof(*s);
}

/* One load, so that what was checked is what is used. */
static uint32_t load(const uint32_t *p)
{
	return *(const volatile uint32_t *)p;
}

const struct stats_site *walk_site(const struct stats *s, int index)
{
	if (index < 0 || index >= STATS_SITES || !walk_is_site(&s->site[index]))
		return NULL;
	return &s->site[index];
}

unsigned walk_frames(const struct stats_site *site)
{
	uint32_t n = atomic_load_explicit(&site->frame_count, memory_order_acquire);

	return n < 1 ? 1 : n > STATS_FRAMES ? STATS_FRAMES : n;
}

const char *walk_module(const struct stats *s, uint32_t index)
{
	if (index >= STATS_MODULES || index >= atomic_load(&s->module_count))
		return "";
	return s->module[index];
}

bool walk_same_site(const struct stats *sa, const struct stats_site *a, const struct stats *sb,
		    const struct stats_site *b)
{
	if (!a || !b || a->frame[0].offset != b->frame[0].offset)
		return a == b;
	return a == b || strncmp(walk_module(sa, load(&a->frame[0].module)),
				 walk_module(sb, load(&b->frame[0].module)), STATS_PATH) == 0;
}

/* The part of PATH, MAX bytes at most, after its last slash; *LENGTH is what is left of MAX. */
static const char *base_name(const char *path, size_t max, size_t *length)
{
	size_t n = strnlen(path, max), start = n;

	while (start > 0 && path[start - 1] != '/')
		start--;
	*length = n - start;
	return path + start;
}

void walk_frame_text(struct format *f, const struct stats *s, const struct stats_frame *frame)
{
	const char *module = walk_module(s, load(&frame->module));
	bool named = frame->symbol[0] != '\0';
	size_t length;

	if (named) {
		format_safe(f, frame->symbol, STATS_SYMBOL);
	} else {
		module = base_name(module, STATS_PATH, &length);
		format_safe(f, length ? module : "?", length ? length : 1);
	}
	format_char(f, '+');
	format_hex(f, named ? frame->symbol_offset : frame->offset);
}

static void add_counters(struct walk_sums *to, const struct stats_route *r)
{
#define F(name, type) \
	to->name = (type)((uint64_t)to->name + \
			  (uint64_t)atomic_load_explicit(&r->name, memory_order_relaxed));
	STATS_ROUTE_COUNTERS(F)
#undef F
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		to->verdict[v] += atomic_load_explicit(&r->verdict[v], memory_order_relaxed);
}

static void add_totals(struct walk_totals *to, const struct stats *s)
{
#define F(name, type) to->name += atomic_load_explicit(&s->name, memory_order_relaxed);
	STATS_TOTAL_COUNTERS(F)
#undef F
}

static bool same_row(const struct walk_row *a, const struct walk_row *b)
{
	return a->source == b->source && a->sink == b->sink && a->engine == b->engine &&
	       walk_same_site(a->s, a->read, b->s, b->read) &&
	       walk_same_site(a->s, a->write, b->s, b->write);
}

/* A row that was made ready and never counted in says nothing. */
static bool is_empty(const struct stats_route *r)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (atomic_load_explicit(&r->verdict[v], memory_order_relaxed))
			return false;
	return atomic_load_explicit(&r->chunks, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&r->bytes, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&r->looks, memory_order_relaxed) == 0;
}

/* Of many places it names none. */
static void become_rest(struct walk_row *row)
{
	row->source = row->sink = STATS_KIND_UNKNOWN;
	row->engine = STATS_ENGINE_NONE;
	row->read = row->write = NULL;
}

static void add_route(const struct stats *s, const struct stats_route *r)
{
	struct walk_row row = { .s = s,
				.route = r,
				.source = r->source,
				.sink = r->sink,
				.engine = r->engine,
				.read = walk_site(s, r->read_site),
				.write = walk_site(s, r->write_site) };
	size_t i = 0;

	while (i < walk.rows && i < WALK_ROWS - 1 && !same_row(&rows[i], &row))
		i++;
	if (i == walk.rows) {
		rows[i] = row;
		walk.row[i] = &rows[i];
		walk.rows++;
	} else if (i == WALK_ROWS - 1 && !same_row(&rows[i], &row)) {
		become_rest(&rows[i]);
	}
	add_counters(&rows[i].sum, r);
	add_counters(&walk.sum, r);
}

static uint64_t key_of(const struct walk_sums *s, int sort)
{
	switch (sort) {
	case REPORT_BY_CHUNKS:
		return s->chunks;
	case REPORT_BY_REWRITTEN:
		return s->bytes_rewritten;
	case REPORT_BY_LOOKS:
		return s->looks;
	default:
		return s->bytes;
	}
}

/* By insertion: stable, few rows, no stack. */
static void sort_rows(int sort)
{
	for (size_t i = 1; i < walk.rows; i++) {
		struct walk_row *row = walk.row[i];
		size_t at = i;

		for (; at > 0 && key_of(&walk.row[at - 1]->sum, sort) < key_of(&row->sum, sort); at--)
			walk.row[at] = walk.row[at - 1];
		walk.row[at] = row;
	}
}

const struct walk *report_walk(const struct stats *const *process, size_t count, int sort)
{
	memset(&walk, 0, sizeof(walk));
	for (size_t p = 0; p < count; p++) {
		const struct stats_route *r = process[p]->route;

		add_totals(&walk.total, process[p]);
		for (size_t i = 0; i < STATS_ROUTES && walk_used(&r[i].state); i++)
			if (atomic_load_explicit(&r[i].state, memory_order_acquire) == 2 &&
			    !is_empty(&r[i]))
				add_route(process[p], &r[i]);
	}
	sort_rows(sort);
	return &walk;
}

unsigned walk_verdicts(const struct walk_sums *s, unsigned *order)
{
	unsigned count = 0;

	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		unsigned at = count;

		if (v == VERDICT_REWRITTEN || s->verdict[v] == 0)
			continue;
		for (; at > 0 && s->verdict[order[at - 1]] < s->verdict[v]; at--)
			order[at] = order[at - 1];
		order[at] = v;
		count++;
	}
	return count;
}

unsigned walk_why_not(const struct walk_sums *s)
{
	unsigned order[VERDICT_COUNT];
	bool all = s->chunks_rewritten >= s->chunks;

	return !all && walk_verdicts(s, order) ? order[0] : VERDICT_REWRITTEN;
}

/*
 * Field 22 of the text of /proc/PID/stat; 0 if the process is a zombie (field 3). They are
 * counted from the last parenthesis on, since the command's name may hold anything.
 */
static bool parse_stat(const char *text, size_t n, uint64_t *ticks)
{
	int field = 2;
	bool zombie = false;

	while (n > 0 && text[n - 1] != ')')
		n--;
	for (text += n; *text && field < 22; text++) {
		field += *text == ' ';
		zombie |= field == 3 && (*text == 'Z' || *text == 'X');
	}
	for (*ticks = 0; *text >= '0' && *text <= '9'; text++)
		*ticks = *ticks * 10 + (uint64_t)(*text - '0');
	return !zombie;
}

/* False for a zombie; *TICKS is 0 where there is no /proc, as in a chroot. */
static bool read_stat(int pid, uint64_t *ticks)
{
	char text[1024], path[40];
	struct format f = format_into(path, sizeof(path));
	long fd, n;

	*ticks = 0;
	format_text(&f, "/proc/");
	format_u64(&f, (uint64_t)pid);
	format_text(&f, "/stat");
	fd = prim_raw(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return true;
	n = prim_raw(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
	prim_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	if (n <= 0)
		return true;
	text[n] = '\0';
	return parse_stat(text, (size_t)n, ticks);
}

uint64_t walk_start_ticks(int pid)
{
	uint64_t ticks;

	read_stat(pid, &ticks);
	return ticks;
}

bool walk_pid_alive(int pid, uint64_t ticks)
{
	uint64_t now;

	if (pid <= 0 || prim_raw(SYS_kill, pid, 0, 0, 0, 0, 0) == -ESRCH)
		return false;
	return read_stat(pid, &now) && (now == 0 || ticks == 0 || now == ticks);
}

bool walk_alive(const struct stats *s)
{
	return walk_pid_alive(s->pid, s->start_ticks);
}

bool walk_milliseconds(const struct stats *s, uint64_t *ms)
{
	uint64_t end = atomic_load(&s->finished);
	struct timespec t;

	if (!end) {
		if (!walk_alive(s))
			return false;
		clock_gettime(CLOCK_REALTIME, &t); /* read in the vDSO; it keeps errno */
		end = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	}
	*ms = end > s->started ? (end - s->started) / 1000000 : 0;
	return true;
}
