/* SPDX-License-Identifier: MIT */
/* stats_family.c - see stats_family.h. */
#include "stats_family.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "prim.h"
#include "quiet.h"
#include "report.h"
#include "report_path.h"
#include "report_walk.h"
#include "stats_own.h"
#include "stats_table.h"

/* Mapped from stats_family_keep on; children of ours inherit the mapping. */
static struct stats *kept;

enum { SWEEP_EVERY = 64 };
static unsigned forks;

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

static void visit_one(int dir, const char *name, visit_fn *visit, void *context)
{
	size_t n = strlen(name);
	struct head head;
	int fd;

	if (n < 7 || memcmp(name + n - 6, ".shunt", 6) != 0)
		return;
	fd = prim_openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (read_head(fd, &head))
		visit(dir, name, fd, &head, context);
	prim_close(fd);
}

/* linux_dirent64, for getdents: not in libc's headers under this name */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t length;
	uint8_t type;
	char name[];
};

static void visit_dir(int dir, visit_fn *visit, void *context)
{
	_Alignas(8) char buf[2048];
	ssize_t n;

	while ((n = prim_getdents(dir, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(buf + at);

			visit_one(dir, e->name, visit, context);
			at += e->length;
		}
}

/* VISIT for each file of this family but our own, wherever its processes may have put it. */
static void visit_family(visit_fn *visit, void *context)
{
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

static void collect_one(int dir, const char *name, int fd, const struct head *head, void *context)
{
	struct sum *sum = context;
	uint64_t now = prim_wall();

	sweep_one(dir, name, fd, head, NULL);
	if (head->reported ||
	    prim_pread(fd, sum->scratch, sizeof(struct stats), 0) != sizeof(struct stats) ||
	    !report_valid(sum->scratch, sizeof(struct stats)))
		return;
	stats_add_all(sum->to, sum->scratch);
	sum->count++;
	PRIM4(SYS_pwrite64, fd, &now, sizeof(now), offsetof(struct stats, reported));
	if (!config.stats[0])
		prim_unlinkat(dir, name, 0);
}

unsigned stats_family_collect(struct stats *sum, struct stats *scratch)
{
	struct sum s = { sum, scratch, 0 };

	visit_family(collect_one, &s);
	return s.count;
}

void stats_forked_parent(void)
{
	struct quiet q;

	if (++forks % SWEEP_EVERY || config.stats[0])
		return;
	quiet_begin(&q);
	visit_family(sweep_one, NULL);
	quiet_end(&q);
}

bool stats_family_orphan(void)
{
	const struct stats_own *own = &stats_own;

	return own->pid != own->root && (int)PRIM0(SYS_getppid) != own->parent &&
	       !walk_pid_alive(own->root, own->root_ticks);
}

static struct stats *map(int fd)
{
	struct stats *s = prim_mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return prim_mmap_failed(s) ? NULL : s;
}

static struct stats *open_in(int dir, const char *name)
{
	int fd = prim_openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	struct stats *s = NULL;
	struct head head;

	if (fd < 0)
		return NULL;
	if (read_head(fd, &head) && !head.reported)
		s = map(fd);
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
	s = map(fd);
	prim_close(fd);
	if (s)
		write_family_head(s);
	if (s && rename_to_family(&file))
		return s;
	if (s)
		prim_munmap(s, sizeof(*s));
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

/* Reports as JSON are one a process; files that were asked for are one a process. */
static bool adds_up(void)
{
	return !config.stats[0] && !(report_path_wanted() && config.format == FORMAT_JSON);
}

void stats_family_keep(void)
{
	if (!kept && stats_own.pid != stats_own.root && adds_up())
		kept = open_family();
}

static void end_family(void)
{
	struct stats *s = open_existing();

	if (!s)
		return;
	atomic_store(&s->finished, stats_own.finished);
	s->signal = stats_own.signal;
	atomic_store(&s->ended, stats_own.ended);
	prim_munmap(s, sizeof(*s));
}

void stats_family_hand_over(void)
{
	struct stats *own = stats_peek(), *s;

	if (stats_own.pid == stats_own.root) {
		stats_trim();
		end_family();
		visit_family(sweep_one, NULL);
		return;
	}
	if (!own || !stats_own.file.name[0] || !adds_up())
		return;
	s = atomic_load(&own->reported) ? NULL : open_family();
	if (s) {
		/* marked first: counted never is better than counted twice */
		atomic_store(&own->reported, prim_wall());
		stats_add_all(s, own);
	}
	if (atomic_load(&own->reported))
		stats_discard();
}
