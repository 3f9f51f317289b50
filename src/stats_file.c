/* SPDX-License-Identifier: MIT */
/* stats_file.c - see stats_file.h. */
#include "stats_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "prim.h"
#include "sig.h"
#include "stats_sweep.h"

enum { DIRS = 4, DIR_PATH = 320, TRIES = 9, MAPPED = 8 };

static char dirs[DIRS][DIR_PATH];
static int dir_count;
static _Atomic uintptr_t mapped[MAPPED]; /* 0: a free place */

static void add_dir(const char *base, size_t base_length, const char *below)
{
	struct format f = format_into(dirs[dir_count], DIR_PATH);

	/* one that is cut off would be another directory */
	if (base_length == 0 || base[0] != '/' || base_length + strlen(below) + 1 > DIR_PATH)
		return;
	for (size_t i = 0; i < base_length; i++)
		format_char(&f, base[i]);
	format_text(&f, below);
	dir_count++;
}

static void add_temporary(void)
{
	const char *base = secure_getenv("TMPDIR");
	char below[32];
	struct format f = format_into(below, sizeof(below));

	if (!base || base[0] != '/')
		base = "/tmp";
	format_text(&f, "/shunt-");
	format_u64(&f, geteuid());
	add_dir(base, strlen(base), below);
}

void stats_file_init(void)
{
	const char *runtime = secure_getenv("RUNTIME_DIRECTORY");
	const char *user = secure_getenv("XDG_RUNTIME_DIR");

	dir_count = 0;
	if (config.stats[0]) {
		add_dir(config.stats, strlen(config.stats), "");
		return;
	}
	if (runtime) /* systemd joins several by colons */
		add_dir(runtime, strcspn(runtime, ":"), "");
	if (user)
		add_dir(user, strlen(user), "/shunt");
	add_dir("/run", 4, "/shunt");
	add_temporary();
}

int stats_file_dirs(void)
{
	return dir_count;
}

/* Nobody but us and root may be able to put a file or a link there in our place. */
static bool trusted(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & (S_IWGRP | S_IWOTH)) || (st->st_mode & S_ISVTX);
}

int stats_file_open_dir(int i)
{
	int fd = prim_openat(AT_FDCWD, dirs[i],
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (prim_fstat(fd, &st) == 0 && trusted(&st))
		return fd;
	prim_close(fd);
	return -EPERM;
}

void stats_file_name(char *name, int pid, uint64_t ticks, const char *extra)
{
	struct format f = format_into(name, STATS_FILE_NAME);

	format_u64(&f, (uint64_t)pid);
	format_char(&f, '-');
	format_u64(&f, ticks);
	format_text(&f, extra);
	format_text(&f, ".shunt");
}

/* Without room for the head, another directory may have some. The rest: see stats_file_map. */
static int allocate(int fd)
{
	int ret = prim_fallocate(fd, 0, 0, offsetof(struct stats, module));

	return ret < 0 ? ret : (int)PRIM2(SYS_ftruncate, fd, sizeof(struct stats));
}

static int create_in(int dir, struct stats_file *file)
{
	int fd = prim_openat(dir, file->name,
			     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	int ret;

	if (fd < 0)
		return fd;
	ret = allocate(fd);
	if (ret == 0)
		ret = prim_fstat(fd, &st);
	if (ret < 0) {
		prim_unlinkat(dir, file->name, 0);
		prim_close(fd);
		return ret;
	}
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	return fd;
}

/* The same process has a second file after an exec, and in a container others have its number. */
static int create_numbered(int dir, struct stats_file *file, int pid, uint64_t ticks,
			   const char *extra)
{
	char numbered[24];
	int fd = -EEXIST;

	for (unsigned i = 1; i <= TRIES && fd == -EEXIST; i++) {
		struct format f = format_into(numbered, sizeof(numbered));

		format_text(&f, extra);
		if (i > 1) {
			format_char(&f, '-');
			format_u64(&f, i);
		}
		stats_file_name(file->name, pid, ticks, numbered);
		fd = create_in(dir, file);
	}
	return fd;
}

int stats_file_create(struct stats_file *file, int pid, uint64_t ticks, const char *extra)
{
	int fd = -ENOENT;

	for (int i = 0; i < dir_count && fd < 0; i++) {
		int dir;

		prim_mkdirat(AT_FDCWD, dirs[i], 0700);
		dir = stats_file_open_dir(i);
		if (dir < 0)
			continue;
		file->dir = i;
		fd = create_numbered(dir, file, pid, ticks, extra);
		if (fd >= 0 && !config.stats[0]) /* whoever adds a file takes others away */
			stats_sweep(dir, STATS_SWEEP_SOME);
		prim_close(dir);
	}
	if (fd < 0)
		file->name[0] = '\0';
	return fd;
}

bool stats_file_remove(struct stats_file *file)
{
	int dir, fd;
	struct stat st;
	bool ours = false;

	if (!file->name[0])
		return true;
	dir = stats_file_open_dir(file->dir);
	if (dir < 0)
		return false;
	fd = prim_openat(dir, file->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd >= 0) {
		ours = prim_fstat(fd, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino;
		prim_close(fd);
	}
	ours = ours && prim_unlinkat(dir, file->name, 0) == 0;
	prim_close(dir);
	if (ours)
		file->name[0] = '\0';
	return ours;
}

/* ---- mappings ---- */

static bool exchange(uintptr_t from, uintptr_t to)
{
	for (int i = 0; i < MAPPED; i++) {
		uintptr_t expected = from;

		if (atomic_compare_exchange_strong(&mapped[i], &expected, to))
			return true;
	}
	return false;
}

/*
 * At the first touch of a page of a file's the kernel reads 31 more, which are holes here: zeros for
 * the cache, a hundred thousand instructions for each of four pages that are used.
 */
void stats_file_thin(void *p, size_t size)
{
	PRIM3(SYS_madvise, p, size, MADV_RANDOM);
}

struct stats *stats_file_map(int fd)
{
	struct stats *s;

	if (!sig_own_bus())
		return NULL;
	s = prim_mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (prim_mmap_failed(s))
		return NULL;
	stats_file_thin(s, sizeof(*s));
	if (exchange(0, (uintptr_t)s))
		return s;
	prim_munmap(s, sizeof(*s));
	return NULL;
}

/* Forgotten first: another thread's memory may be there at once. */
void stats_file_unmap(struct stats *s)
{
	exchange((uintptr_t)s, 0);
	prim_munmap(s, sizeof(*s));
}

bool stats_file_maps(uintptr_t address)
{
	for (int i = 0; i < MAPPED; i++) {
		uintptr_t at = atomic_load(&mapped[i]);

		if (at && address >= at && address - at < sizeof(struct stats))
			return true;
	}
	return false;
}
