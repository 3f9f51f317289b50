/* SPDX-License-Identifier: MIT */
/*
 * report_end.c - the report at the end of the process.
 *
 * Once, however the end is reached: exit, _exit, a signal. Perhaps in a signal
 * handler on a small stack, so what is large is mapped. A family has one text, which
 * its root prints, or whoever is left of it when the root is gone; as JSON, or where
 * the path has %p, each process speaks for itself.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "guard.h"
#include "maps.h"
#include "prim.h"
#include "quiet.h"
#include "report.h"
#include "report_path.h"
#include "stats_family.h"
#include "stats_own.h"

enum { TEXT_ROOM = 4 << 20, JUST_NOW = 2000000000 };

/* Most reports are one page of this: the first. */
struct scratch {
	size_t length;
	char text[TEXT_ROOM];
	struct stats head, family, file;
};

static FORK_WRITES atomic_flag done;

FORKS void report_forked(void)
{
	atomic_flag_clear(&done);
}

struct target {
	int fd;
	bool lost; /* not all could be written */
	struct scratch *scratch;
};

static void flush(struct target *t)
{
	t->lost |= !report_path_write(t->fd, t->scratch->text, t->scratch->length);
	t->scratch->length = 0;
}

/* Gathered, so that one report is one write as far as possible. */
static void gather(void *context, const char *text, size_t length)
{
	struct target *t = context;

	if (t->scratch->length + length > TEXT_ROOM)
		flush(t);
	memcpy(t->scratch->text + t->scratch->length, text, length);
	t->scratch->length += length;
}

static bool is_root(void)
{
	return stats_own.pid == stats_own.root;
}

/* Does it report even if nothing was found? Programs that `shunt run` did not become do not. */
static bool says_nothing_found(void)
{
	return is_root() && !stats_own.guest;
}

/* The counters, or for a process that has none a head that says who it is. */
static const struct stats *counters(struct scratch *scratch)
{
	const struct stats *s = stats_peek_own();

	if (s)
		return s;
	stats_write_head(&scratch->head);
	return &scratch->head;
}

/* Own counters may have been made for one who then counted nothing, since it lost its rights. */
static bool counted(void)
{
	return stats_peek_own() && !stats_empty(stats_peek_own());
}

static void report_process(struct target *t)
{
	if (config.format == FORMAT_JSON) {
		/*
		 * who landed something has asked already; else what the kernel's release says must
		 * do
		 */
		if (counted() && atomic_load(&stats_peek_own()->arms))
			stats_set_features(true, maps_has_query(), guard_available());
		report_json(counters(t->scratch), NULL, gather, t);
	} else {
		report_text((const struct stats *[]){ counters(t->scratch) }, 1, NULL, gather, t);
	}
}

static void report_family(struct target *t)
{
	const struct stats *process[2] = { counters(t->scratch), &t->scratch->family };
	unsigned found = stats_family_collect(&t->scratch->family, &t->scratch->file);

	if (found || counted() || says_nothing_found())
		report_text(process, 2, NULL, gather, t);
}

static void write_report(bool family)
{
	bool mine;
	struct target t = { .fd = report_path_open(&mine) };

	if (t.fd < 0)
		return;
	t.scratch = prim_mmap(NULL, sizeof(*t.scratch), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!prim_mmap_failed(t.scratch)) {
		t.scratch->length = 0; /* a page that is written first comes once */
		if (family)
			report_family(&t);
		else
			report_process(&t);
		flush(&t);
		prim_munmap(t.scratch, sizeof(*t.scratch));
		if (!t.lost)
			stats_discard();
		if (!family)
			stats_family_reported();
	}
	if (mine)
		prim_close(t.fd);
}

/* The root ended a moment ago and counted us in, as when both get the same SIGINT. */
static bool reported_just_now(void)
{
	const struct stats *s = stats_peek_own();
	uint64_t when = s ? atomic_load(&s->reported) : 0;

	return when && prim_wall() - when < JUST_NOW;
}

static bool is_json(void)
{
	return config.format == FORMAT_JSON;
}

static void report_alone(void)
{
	if (counted() || report_path_made() || (is_json() ? is_root() : says_nothing_found()))
		write_report(false);
	else
		stats_family_hand_over();
}

static void report(void)
{
	if (!report_path_wanted())
		stats_family_hand_over();
	else if (is_json() || report_path_per_process())
		report_alone();
	else if (is_root() || (stats_family_orphan() && !reported_just_now()))
		write_report(true);
	else
		stats_family_hand_over();
}

/* Who counted nothing, and need not say so: the usual case, and nothing is opened or read. */
static bool nothing_to_do(void)
{
	if (stats_peek_own())
		return false;
	if (!report_path_wanted())
		return !is_root() || !stats_family_has_files();
	if (report_path_made())
		return false;
	if (is_json())
		return !is_root();
	if (says_nothing_found())
		return false;
	if (report_path_per_process())
		return true;
	return is_root() ? !stats_family_has_files() : !stats_family_orphan();
}

void report_at_end(void)
{
	struct quiet q;

	if (atomic_flag_test_and_set(&done) || nothing_to_do())
		return;
	quiet_begin(&q);
	report();
	quiet_end(&q);
}
