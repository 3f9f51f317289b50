/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the counters of this process: one struct at one address for its whole
 * life, whatever lies under it.
 *
 * The address is in our own zeros, and a file is mapped over it when the process
 * first counts. So stats_get() always has an answer, and a pointer into the
 * counters stays good over a fork: in the child fresh zeros are mapped over the
 * parent's file, then, when it counts, a file of its own, or the family's.
 *
 * What becomes of the file: a process that counted nothing has none. One whose
 * counts stand in a report, or were handed to the family, takes it away, so that
 * /run does not fill. It stays where the setting `stats` was given, since somebody
 * asked for it; where no report is wanted, since it is all there is to see then;
 * and where the process was killed, for `shunt report`.
 */
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "config.h"
#include "filter.h"
#include "guard.h"
#include "prim.h"
#include "quiet.h"
#include "report_path.h"
#include "report_walk.h"
#include "shunt.h"
#include "sig.h"
#include "stats_family.h"
#include "stats_own.h"

enum { NOT_MADE, BEING_MADE, MADE };

FORK_WRITES struct stats_own stats_own;

/* Room for the struct at a page's start, whatever the size of a page (64 KiB at most). */
static LARGE_TABLE char room[sizeof(struct stats) + 2 * 65536];
static _Atomic int state;
static FORK_WRITES bool ready; /* all is made that could not be made without rights */

static struct stats *own_room(void)
{
	return (struct stats *)page_up((uintptr_t)room);
}

/* Where the counters are, once they are being made: in our room, or where the family's are mapped. */
static struct stats *_Atomic place;

static struct stats *region(void)
{
	return relaxed(place);
}

static size_t region_size(void)
{
	return page_up(sizeof(struct stats));
}

static bool map_over(int flags, int fd)
{
	return !prim_mmap_failed(prim_mmap(region(), region_size(), PROT_READ | PROT_WRITE,
					   flags | MAP_FIXED, fd, 0));
}

/* Zeros that no other process shares, in place of whatever was there. */
static void map_zeros(void)
{
	if (!map_over(MAP_PRIVATE | MAP_ANONYMOUS, -1))
		memset(region(), 0, sizeof(struct stats));
}

void stats_write_head(struct stats *s)
{
	const struct stats_own *own = &stats_own;

	stats_learn();
	s->layout = STATS_LAYOUT;
	s->size = sizeof(*s);
	s->pid = own->pid;
	s->parent = own->parent;
	s->root = own->root;
	s->root_started = own->root_started;
	s->started = own->started;
	s->start_ticks = own->ticks;
	s->observe = config.mode == MODE_OBSERVE;
	s->feature_lease = own->feature_lease;
	s->feature_procmap = own->feature_procmap;
	s->feature_guard = own->feature_guard;
	memcpy(s->version, SHUNT_VERSION, sizeof(SHUNT_VERSION));
	memcpy(s->program, own->program, sizeof(s->program));
	memcpy(s->host, own->host, sizeof(s->host));
	memcpy(s->argv, own->argv, sizeof(s->argv));
	s->argv_length = own->argv_length;
	config_dump(&config, s->settings, sizeof(s->settings), false);
	s->signal = own->signal;
	atomic_store(&s->finished, own->finished);
	atomic_store(&s->ended, own->ended);
	memcpy(s->magic, STATS_MAGIC, sizeof(s->magic)); /* last: a reader knows it by this */
}

_Static_assert(sizeof(SHUNT_VERSION) <= sizeof(((struct stats *)0)->version), "version fits");
_Static_assert(sizeof(STATS_MAGIC) >= sizeof(((struct stats *)0)->magic), "magic fills its field");

/* Only with our handler in front: a page that the file cannot give is a SIGBUS. */
static bool map_file(int fd)
{
	if (sig_own_bus() && map_over(MAP_SHARED, fd)) {
		stats_file_thin(region(), region_size());
		return true;
	}
	stats_family_remove_own();
	return false;
}

/* A file under the region if one can be had, else memory that will serve until the end. */
static void make_counters(void)
{
	int fd;

	set_relaxed(place, own_room());
	if (!filter_allows()) {
		map_over(MAP_SHARED | MAP_ANONYMOUS, -1);
		return;
	}
	if (stats_family()) {
		set_relaxed(place, stats_family());
		return;
	}
	fd = ready && stats_family_is_short_lived() ? -1 : stats_family_create_own();
	if (fd < 0 || !map_file(fd))
		map_over(MAP_SHARED | MAP_ANONYMOUS, -1);
	if (fd >= 0)
		prim_close(fd);
	stats_write_head(region());
}

/*
 * Another thread is at it. It cannot be stopped on the way by a signal, and makes a dozen
 * system calls; asleep and not spinning, since it may have the lower priority.
 */
static void wait_until_made(void)
{
	static const struct timespec moment = { 0, 100000 };

	while (atomic_load_explicit(&state, memory_order_acquire) != MADE)
		PRIM2(SYS_nanosleep, &moment, NULL);
}

static COLD struct stats *make(void)
{
	struct quiet q;
	int expected = NOT_MADE;

	quiet_begin(&q);
	if (atomic_compare_exchange_strong(&state, &expected, BEING_MADE)) {
		make_counters();
		atomic_store_explicit(&state, MADE, memory_order_release);
	}
	quiet_end(&q);
	wait_until_made();
	return region();
}

struct stats *stats_get(void)
{
	if (likely(atomic_load_explicit(&state, memory_order_acquire) == MADE))
		return region();
	return make();
}

struct stats *stats_peek(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == MADE ? region() : NULL;
}

FORKS bool stats_is_shared(void)
{
	return stats_peek() && stats_peek() == stats_family();
}

struct stats *stats_peek_own(void)
{
	return stats_is_shared() ? NULL : stats_peek();
}

uint64_t stats_ticks(void)
{
	struct stats_own *own = &stats_own;

	if (!own->ticks)
		own->ticks = walk_start_ticks(own->pid);
	if (own->pid == own->root)
		own->root_ticks = own->ticks;
	return own->ticks;
}

/* As program_invocation_short_name; where argv is empty, the name of the program's file. */
static void copy_program(const char *argv0)
{
	const char *name = argv0 && *argv0 ? argv0 : stats_own.path, *slash = strrchr(name, '/');
	struct format f = format_into(stats_own.program, sizeof(stats_own.program));

	format_text(&f, slash && slash[1] ? slash + 1 : name);
}

static void copy_argv(int argc, char **argv)
{
	size_t at = 0;

	for (int i = 0; i < argc && argv[i]; i++)
		for (const char *c = argv[i];; c++) {
			if (at == STATS_ARGV)
				return;
			stats_own.argv[at++] = *c;
			stats_own.argv_length = (uint32_t)at;
			if (!*c)
				break;
		}
}

/* PROCMAP_QUERY came with 6.11. Who counted something has tried it. */
static bool has_procmap(const char *release)
{
	char *end;
	long major = strtol(release, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return major > 6 || (major == 6 && minor >= 11);
}

void stats_learn(void)
{
	struct stats_own *own = &stats_own;
	struct utsname u; /* the kernel's new_utsname is the same on both architectures */
	ssize_t n;

	if (own->learned)
		return;
	own->learned = true;
	n = prim_readlinkat(AT_FDCWD, "/proc/self/exe", own->path, sizeof(own->path) - 1);
	own->path[n > 0 ? n : 0] = '\0';
	if (PRIM1(SYS_uname, &u) != 0)
		return;
	memcpy(own->host, u.nodename, sizeof(own->host) - 1);
	own->feature_lease = true;
	own->feature_procmap = has_procmap(u.release);
	own->feature_guard = guard_available();
}

/* `shunt run` names the process that it becomes: whoever else has the variable is a guest. */
static bool is_guest(int pid)
{
	const char *run = secure_getenv(STATS_RUN_VARIABLE);

	return run && strtol(run, NULL, 10) != pid;
}

void stats_init(int argc, char **argv)
{
	struct stats_own *own = &stats_own;

	own->pid = own->root = prim_getpid();
	own->guest = is_guest(own->pid);
	own->started = own->root_started = prim_wall();
	if (argc <= 0 || !argv[0] || !argv[0][0])
		stats_learn();
	copy_program(argc > 0 ? argv[0] : NULL);
	copy_argv(argc, argv);
	stats_file_init();
	report_path_init();
}

FORKS void stats_forked(void)
{
	struct stats_own *own = &stats_own;
	bool keep = stats_is_shared();

	own->parent = own->pid;
	own->pid = prim_getpid();
	/* 0: forked by the child of a vfork, of which nobody was told before */
	own->started = own->forks_at ? own->forks_at : prim_wall();
	own->forks_at = 0;
	own->ticks = 0;
	own->ended = STATS_RUNNING;
	own->finished = 0;
	own->file = (struct stats_file){ .name = "" };
	ready = ready && stats_family();
	if (!keep && atomic_load(&state) != NOT_MADE) {
		set_relaxed(place, own_room());
		map_zeros();
		atomic_store(&state, NOT_MADE);
	}
	report_path_forked();
}

void stats_before_losing_rights(void)
{
	struct quiet q;

	if (ready || !filter_allows())
		return;
	ready = true;
	stats_learn();
	if (!stats_family() && !stats_family_is_short_lived())
		stats_get();
	quiet_begin(&q);
	report_path_keep();
	stats_family_keep();
	quiet_end(&q);
}

void stats_end(enum stats_ended what, int signal)
{
	struct stats *s = stats_peek_own();

	stats_own.ended = what;
	stats_own.signal = signal;
	stats_own.finished = what == STATS_RUNNING ? 0 : prim_wall();
	if (!s)
		return;
	s->signal = signal;
	atomic_store(&s->finished, stats_own.finished);
	atomic_store(&s->ended, what);
}

void stats_set_features(bool lease, bool procmap, bool guard)
{
	struct stats *s = stats_peek_own();

	stats_learn();
	stats_own.feature_lease = lease;
	stats_own.feature_procmap = procmap;
	stats_own.feature_guard = guard;
	if (!s)
		return;
	s->feature_lease = lease;
	s->feature_procmap = procmap;
	s->feature_guard = guard;
}

bool stats_rescue(const void *address)
{
	uintptr_t a = (uintptr_t)address, start = (uintptr_t)own_room();

	if ((a < start || a >= start + region_size()) && !stats_file_maps(a))
		return false;
	return !prim_mmap_failed(prim_mmap((void *)page_down(a), shunt_page,
					   PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

const char *stats_program_path(void)
{
	stats_learn();
	return stats_own.path;
}

/* Whole pages of [from, to) of the file go back to the file system; they read as zeros. */
static void give_back(const void *from, const void *to)
{
	uintptr_t lo = page_up((uintptr_t)from), hi = page_down((uintptr_t)to);

	if (lo < hi)
		PRIM3(SYS_madvise, lo, hi - lo, MADV_REMOVE);
}

void stats_discard(void)
{
	struct stats *s = stats_peek_own();

	if (!s || !stats_own.file.name[0])
		return;
	atomic_store(&s->reported, prim_wall());
	if (config.stats[0])
		return;
	if (!stats_family_remove_own()) {
		give_back((char *)s + shunt_page, (char *)s + region_size());
		map_zeros();
		stats_own.file.name[0] = '\0';
	}
}

bool stats_empty(const struct stats *s)
{
#define F(name, type)                                                                             \
	if (atomic_load_explicit(&s->name, memory_order_relaxed))                                  \
		return false;
	STATS_TOTAL_COUNTERS(F)
#undef F
	return atomic_load_explicit(&s->route[0].state, memory_order_relaxed) == 0;
}
