/* SPDX-License-Identifier: MIT */
/* files.c - the directory in which programs run: what they read, what they leave; see fuzz.h. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats.h"

static const char *const names[FILES] = { "f0", "f1", "f2", "f3", "f4", "m" };
static unsigned char *mutable_bytes;

static void die(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void write_file(const char *name, const void *p, size_t n)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)n) < 0 || pwrite(fd, p, n, 0) != (ssize_t)n)
		die(name);
	close(fd);
}

void files_make(void)
{
	if (!mkdtemp(options.work) || chdir(options.work) < 0 || mkdir("counters", 0700) < 0)
		die(options.work);
	for (int f = 0; f < FILES; f++) {
		unsigned char *p = malloc(file_length[f] + 1);

		if (!p)
			die("memory");
		file_bytes(f, 0, 0, p, file_length[f]);
		write_file(names[f], p, file_length[f]);
		if (f == MUTABLE)
			mutable_bytes = p;
		else
			free(p);
	}
	if (symlink("some/where/else", "link") < 0)
		die("link");
}

/* A rename may have put another file in its place: that one is as good. */
void files_reset(void)
{
	write_file(names[MUTABLE], mutable_bytes, file_length[MUTABLE]);
	unlink("out");
}

/*
 * how: 0 other bytes, 1 shorter, 2 longer, 3 other bytes and shorter, 4 another file in its
 * place
 */
void files_change(int how, long at, long n)
{
	static unsigned char bytes[65536];
	const char *name = how % 5 == 4 ? "m.new" : names[MUTABLE];
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	file_bytes(MUTABLE, 5, (uint64_t)at, bytes, (size_t)n);
	if (how % 5 != 1 && pwrite(fd, bytes, (size_t)n, at) != n)
		die(name);
	if ((how % 5 == 1 || how % 5 == 3) && ftruncate(fd, at / 2) < 0)
		die(name);
	close(fd);
	if (how % 5 == 4 && rename(name, names[MUTABLE]) < 0)
		die(name);
}

/* What another process finds of locks on file F: 1 a POSIX lock, 2 one by flock. */
long files_locked(int f)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(names[f], O_RDONLY | O_CLOEXEC);
	long found = 0;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		found |= 1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		found |= 2;
	close(fd);
	return found;
}

const char *verdict_name(int v)
{
	static const char *const words[] = {
#define V(id, word, text) word,
		VERDICTS(V)
#undef V
	};

	return words[v];
}

static void add_counters(const struct stats *s, struct result *r)
{
	for (int i = 0; i < STATS_ROUTES && s->route[i].state; i++) {
		r->rewritten += s->route[i].bytes_rewritten;
		for (int v = 0; v < VERDICT_COUNT; v++)
			r->verdict[v] += s->route[i].verdict[v];
	}
}

/* The counters of every process of the program; they go. */
static void collect_counters(struct result *r)
{
	const int flags = O_RDONLY | O_CLOEXEC;
	DIR *dir = opendir("counters");

	for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
		int fd = e->d_name[0] == '.' ? -1 : openat(dirfd(dir), e->d_name, flags);
		struct stats *s;
		struct stat st;

		if (fd < 0)
			continue;
		s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, fd, 0);
		if (s != MAP_FAILED && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(*s))
			add_counters(s, r);
		munmap(s, sizeof(*s));
		close(fd);
		unlinkat(dirfd(dir), e->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

static void collect(const char *name, struct bytes *b)
{
	static unsigned char part[65536];
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0)
		bytes_add(b, part, (size_t)n);
	if (fd >= 0)
		close(fd);
}

void files_collect(struct result *r)
{
	collect(names[MUTABLE], &r->file[0]);
	collect("out", &r->file[1]);
	collect_counters(r);
}

void files_remove(void)
{
	static const char *const others[] = { "m.new", "out", "link" };
	struct result last = { 0 };

	for (int f = 0; f < FILES; f++)
		unlink(names[f]);
	for (int i = 0; i < 3; i++)
		unlink(others[i]);
	collect_counters(&last);
	rmdir("counters");
	if (chdir("/") == 0)
		rmdir(options.work);
}
