/* SPDX-License-Identifier: MIT */
/* stats_family.c - see stats_family.h. */
#include "stats_family.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "choice.h"
#include "config.h"
#include "filter.h"
#include "hook.h"
#include "prim.h"
#include "quiet.h"
#include "report.h"
#include "report_path.h"
#include "report_walk.h"
#include "shunt.h"
#include "stats_own.h"
#include "stats_table.h"

/* Mapped from stats_family_keep or a fork on; children of ours inherit the mapping. */
static struct stats *kept;

struct shared {
	_Atomic bool wanted;  /* a child has ended: the next shall have the family's file mapped */
	_Atomic bool created; /* that file was made */
	_Atomic int files;    /* of children, that stand */
	_Atomic int stuck;    /* of these, given up by children that could not remove them */
	_Atomic bool filter;  /* see filter_share */
	struct hook_needs hooks;
};

/* Made before the first fork; NULL where there was none, or no memory. */
static struct shared *_Atomic shared;
static struct stats *_Atomic names; /* made with it, where the family's file has none */
static _Atomic bool looked; /* for the family's file, before a fork */

enum { SWEEP_EVERY = 64 };
static FORK_WRITES unsigned forks;

struct head {
	int32_t pid, root;
	uint64_t root_started, start_ticks, reported;
};

struct sum {
	struct stats *to, *scratch;
	unsigned count;
};

typedef void visit_fn(int dir, const char *name, int fd, const struct head *head, void *context);

/* What is needed of a file before it is worth reading; false if it is no counters file. */
static bool read_head(int fd, struct head *h)
{
	uint64_t buf[(offsetof(struct stats, version) + 7) / 8];
	const char *at = (const char *)buf;
	uint32_t size;
	struct stat st;

	if (prim_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != sizeof(struct stats))
		return false;
	if (st.st_dev == stats_own.file.dev && st.st_ino == stats_own.file.ino)
		return false;
	if (prim_pread(fd, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf) ||
	    memcmp(at, STATS_MAGIC, sizeof(((struct stats *)0)->magic)) != 0)
		return false;
#define GET(to, field) memcpy(&(to), at + offsetof(struct stats, field), sizeof(to))
	GET(size, size);
	GET(h->pid, pid);
	GET(h->root, root);
	GET(h->root_started, root_started);
	GET(h->start_ticks, start_ticks);
	GET(h->reported, reported);
#undef GET
	return size == sizeof(struct stats) && h->root == stats_own.root &&
	       h->root_started == stats_own.root_started;
}

static const char *read_number(const char *p, uint64_t *n)
{
	for (*n = 0; *p >= '0' && *p <= '9'; p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	return p;
}

/* "ROOT-TICKS-family.shunt", "PID-TICKS-ROOT.shunt" and "PID-TICKS-ROOT-2.shunt" */
static bool is_name_of_family(const char *name)
{
	uint64_t pid, n, root = (uint64_t)stats_own.root;
	const char *tail = read_number(name, &pid);

	if (*tail != '-')
		return false;
	tail = read_number(tail + 1, &n);
	if (strcmp(tail, "-family.shunt") == 0)
		return pid == root;
	if (*tail != '-')
		return false;
	tail = read_number(tail + 1, &n);
	return n == root && (*tail == '-' || strcmp(tail, ".shunt") == 0);
}

/* Others' files may lie there by the thousand: those are not opened. */
static void visit_one(int dir, const char *name, visit_fn *visit, void *context)
{
	struct head head;
	int fd;

	if (!is_name_of_family(name))
		return;
	fd = prim_openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (read_head(fd, &head))
		visit(dir, name, fd, &head, context);
	prim_close(fd);
}

static void visit_dir(int dir, visit_fn *visit, void *context)
{
	_Alignas(8) char buf[2048];
	ssize_t n;

	while ((n = prim_getdents(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct stats_file_entry *e = (const void *)(buf + at);

			visit_one(dir, e->name, visit, context);
			at += e->length;
		}
}

bool stats_family_has_files(void)
{
	struct shared *s = atomic_load(&shared);

	if (!s)
		return stats_own.forked;
	return atomic_load(&s->created) || atomic_load(&s->files) > 0;
}

/* VISIT for each file of this family but our own, wherever its processes may have put it. */
static void visit_family(visit_fn *visit, void *context)
{
	if (!stats_family_has_files())
		return;
	for (int i = 0; i < stats_file_dirs(); i++) {
		int dir = stats_file_open_dir(i);

		if (dir < 0)
			continue;
		visit_dir(dir, visit, context);
		prim_close(dir);
	}
}

/* What was handed over by a child that could not remove its file. */
static void sweep_one(int dir, const char *name, int fd, const struct head *head, void *context)
{
	if (head->reported && !config.stats[0] && !walk_pid_alive(head->pid, head->start_ticks))
		prim_unlinkat(dir, name, 0);
}

/* Children may still be counting in it: so it is emptied as it is read. */
static void take_family_file(int fd, struct sum *sum)
{
	struct stats *s = stats_file_map(fd);

	if (!s)
		return;
	if (report_valid(s, sizeof(*s)))
		sum->count += stats_take_all(sum->to, s);
	stats_file_unmap(s);
}

static void collect_one(int dir, const char *name, int fd, const struct head *head, void *context)
{
	struct sum *sum = context;
	uint64_t now = prim_wall();

	sweep_one(dir, name, fd, head, NULL);
	if (head->reported)
		return;
	if (strstr(name, "-family")) {
		take_family_file(fd, sum);
	} else {
		if (prim_pread(fd, sum->scratch, sizeof(struct stats), 0) != sizeof(struct stats) ||
		    !report_valid(sum->scratch, sizeof(struct stats)))
			return;
		stats_add_all(sum->to, sum->scratch);
		sum->count++;
	}
	PRIM4(SYS_pwrite64, fd, &now, sizeof(now), offsetof(struct stats, reported));
	if (!config.stats[0])
		prim_unlinkat(dir, name, 0);
}

unsigned stats_family_collect(struct stats *sum, struct stats *scratch)
{
	struct sum s = { sum, scratch, 0 };

	/* where we count in the family's file its name may be out of reach */
	if (stats_is_shared())
		s.count += stats_take_all(sum, kept);
	visit_family(collect_one, &s);
	return s.count;
}

bool stats_family_orphan(void)
{
	const struct stats_own *own = &stats_own;

	return own->pid != own->root && (int)PRIM0(SYS_getppid) != own->parent &&
	       !walk_pid_alive(own->root, own->root_ticks);
}

static struct stats *open_in(int dir, const char *name)
{
	int fd = prim_openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	struct stats *s = NULL;
	struct head head;

	if (fd < 0)
		return NULL;
	if (read_head(fd, &head) && !head.reported)
		s = stats_file_map(fd);
	prim_close(fd);
	return s;
}

static struct stats *open_existing(void)
{
	struct stats *s = NULL;
	char name[STATS_FILE_NAME];

	stats_file_name(name, stats_own.root, stats_own.root_ticks, "-family");
	for (int i = 0; i < stats_file_dirs() && !s; i++) {
		int dir = stats_file_open_dir(i);

		if (dir < 0)
			continue;
		s = open_in(dir, name);
		prim_close(dir);
	}
	return s;
}

/* The head is the root's, not that of the child which happens to come first. */
static void write_family_head(struct stats *s)
{
	stats_write_head(s);
	s->pid = stats_own.root;
	s->parent = 0;
	s->started = stats_own.root_started;
	s->start_ticks = stats_own.root_ticks;
	atomic_store(&s->ended, STATS_RUNNING);
	atomic_store(&s->finished, 0);
}

/* Takes the name of the family's file for FILE; false if another child was quicker. */
static bool rename_to_family(const struct stats_file *file)
{
	char name[STATS_FILE_NAME];
	int dir = stats_file_open_dir(file->dir);
	long ret;

	if (dir < 0)
		return false;
	stats_file_name(name, stats_own.root, stats_own.root_ticks, "-family");
	ret = PRIM5(SYS_renameat2, dir, file->name, dir, name, RENAME_NOREPLACE);
	prim_close(dir);
	return ret == 0;
}

/* Made whole under another name first, so that nobody meets it half written. */
static struct stats *create(void)
{
	struct stats_file file = { .name = "" };
	int fd = stats_file_create(&file, stats_own.pid, stats_own.root_ticks, "-new");
	struct stats *s;

	if (fd < 0)
		return NULL;
	s = stats_file_map(fd);
	prim_close(fd);
	if (s)
		write_family_head(s);
	if (s && rename_to_family(&file)) {
		if (shared)
			atomic_store(&shared->created, true);
		return s;
	}
	if (s)
		stats_file_unmap(s);
	stats_file_remove(&file);
	return NULL;
}

static struct stats *open_family(void)
{
	struct stats *s = kept ? kept : open_existing();

	if (!s)
		s = create();
	return s ? s : open_existing();
}

/* Reports as JSON, or by a path with %p, are one a process; so are files that were asked for. */
static bool adds_up(void)
{
	if (config.stats[0])
		return false;
	return !report_path_wanted() ||
	       (config.format != FORMAT_JSON && !report_path_per_process());
}

struct stats *stats_family(void)
{
	return stats_own.pid != stats_own.root ? kept : NULL;
}

bool stats_family_is_short_lived(void)
{
	struct shared *s = atomic_load(&shared);

	return s && stats_own.pid != stats_own.root && !adds_up() && atomic_load(&s->wanted);
}

void stats_family_keep(void)
{
	if (!kept && stats_own.pid != stats_own.root && adds_up())
		kept = open_family();
}

/* ---- round a fork ---- */

static void *map_shared(size_t size)
{
	void *p = prim_mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return prim_mmap_failed(p) ? NULL : p;
}

static void share(void)
{
	struct shared *none = NULL, *page = map_shared(shunt_page + choice_size());

	if (!page)
		return;
	if (atomic_compare_exchange_strong(&shared, &none, page)) {
		filter_share(&page->filter);
		hook_share(&page->hooks);
		choice_share((char *)page + shunt_page);
	} else {
		prim_munmap(page, shunt_page + choice_size());
	}
}

/* Where nothing else is shared: what was found to pay. */
static void share_choices(void)
{
	void *p = map_shared(choice_size());

	if (p)
		choice_share(p);
}

/* Addresses and room only: pages come with the first names. */
static void share_names(void)
{
	struct stats *none = NULL, *s = adds_up() ? NULL : map_shared(sizeof(*s));

	if (s && !atomic_compare_exchange_strong(&names, &none, s))
		prim_munmap(s, sizeof(*s));
}

struct stats *stats_family_names(void)
{
	return atomic_load(&names);
}

/* The root's number and start name the family's file, and a child may not be able to ask. */
static void begin_family(void)
{
	if (stats_own.pid == stats_own.root)
		stats_ticks();
	if (!config.stats[0])
		share();
	else
		share_choices();
	share_names();
	stats_own.forked = true;
}

FORKS void stats_before_fork(void)
{
	struct shared *s;
	struct quiet q;

	stats_own.forks_at = prim_wall();
	if (!stats_own.forked)
		begin_family();
	s = atomic_load(&shared);
	if (!s || !atomic_load(&s->wanted) || kept || atomic_exchange(&looked, true))
		return;
	stats_learn();
	quiet_begin(&q);
	if (adds_up())
		kept = open_existing();
	if (!report_path_per_process())
		report_path_keep();
	quiet_end(&q);
}

/* What children gave up that could not remove it. */
static void sweep(void)
{
	struct shared *s = atomic_load(&shared);

	if (!s || atomic_exchange(&s->stuck, 0) <= 0)
		return;
	visit_family(sweep_one, NULL);
}

FORKS void stats_forked_parent(void)
{
	struct shared *s = atomic_load(&shared);
	struct quiet q;

	stats_own.forks_at = 0;
	if (++forks % SWEEP_EVERY || !s || atomic_load(&s->stuck) <= 0)
		return;
	quiet_begin(&q);
	sweep();
	quiet_end(&q);
}

void stats_family_reported(void)
{
	struct shared *s = atomic_load(&shared);

	if (stats_own.pid == stats_own.root)
		sweep();
	else if (s)
		atomic_store(&s->wanted, true);
}

/* ---- the file of this process ---- */

/* A child's carries the root's number too: "PID-TICKS-ROOT.shunt". */
int stats_family_create_own(void)
{
	struct stats_own *own = &stats_own;
	char extra[24] = "";
	struct format f = format_into(extra, sizeof(extra));
	int fd;

	if (own->pid != own->root) {
		format_char(&f, '-');
		format_u64(&f, (uint64_t)own->root);
	}
	fd = stats_file_create(&own->file, own->pid, stats_ticks(), extra);
	if (fd >= 0 && own->pid != own->root && shared)
		atomic_fetch_add(&shared->files, 1);
	return fd;
}

bool stats_family_remove_own(void)
{
	bool removed = stats_file_remove(&stats_own.file);

	if (stats_own.pid == stats_own.root || !shared)
		return removed;
	if (removed)
		atomic_fetch_sub(&shared->files, 1);
	else
		atomic_fetch_add(&shared->stuck, 1);
	return removed;
}

/* ---- the end ---- */

static void unlink_family(void)
{
	char name[STATS_FILE_NAME];

	stats_file_name(name, stats_own.root, stats_own.root_ticks, "-family");
	for (int i = 0; i < stats_file_dirs(); i++) {
		int dir = stats_file_open_dir(i);

		if (dir < 0)
			continue;
		prim_unlinkat(dir, name, 0);
		prim_close(dir);
	}
}

static void end_family(void)
{
	struct stats *s = open_existing();

	if (!s)
		return;
	if (stats_empty(s))
		unlink_family();
	atomic_store(&s->finished, stats_own.finished);
	s->signal = stats_own.signal;
	atomic_store(&s->ended, stats_own.ended);
	stats_file_unmap(s);
}

static void end_root(struct stats *own)
{
	if (own && stats_empty(own))
		stats_discard();
	if (!stats_family_has_files())
		return;
	end_family();
	visit_family(sweep_one, NULL);
}

void stats_family_hand_over(void)
{
	struct stats *own = stats_peek_own(), *s;

	if (stats_own.pid == stats_own.root) {
		end_root(own);
		return;
	}
	if (!own || !stats_own.file.name[0])
		return;
	if (!stats_empty(own) && !atomic_load(&own->reported)) {
		s = adds_up() ? open_family() : NULL;
		if (!s)
			return;
		/* marked first: counted never is better than counted twice */
		atomic_store(&own->reported, prim_wall());
		stats_add_all(s, own);
	}
	if (shared)
		atomic_store(&shared->wanted, true);
	stats_discard();
}
