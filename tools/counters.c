/* SPDX-License-Identifier: MIT */
/* counters.c - one counters file: read and checked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "report_walk.h"
#include "tool.h"

/* Where the hole at AT ends, SIZE at most; AT where there is none, or that cannot be told. */
static size_t skip_hole(int fd, size_t at, size_t size)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA), end;

	if (data < 0 && errno == ENXIO) {
		end = lseek(fd, 0, SEEK_END);
		data = end > (off_t)at ? end : (off_t)at;
	}
	return data < (off_t)at ? at : data < (off_t)size ? (size_t)data : size;
}

/*
 * Reads until SIZE bytes or the end. BUF is zeros: holes are skipped, which are most of a file,
 * so that thousands of them take up no more memory than they hold.
 */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;

	while ((have = skip_hole(fd, have, size)) < size) {
		off_t hole = lseek(fd, (off_t)have, SEEK_HOLE);
		size_t most = hole > (off_t)have ? (size_t)hole - have : size;
		ssize_t n =
			pread(fd, buf + have, most < size - have ? most : size - have, (off_t)have);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)have;
}

/* A file is named first, and then filled: a process may be killed in between. */
static bool is_blank(const struct stats *s)
{
	static const char nothing[sizeof(s->magic)];

	return memcmp(s->magic, nothing, sizeof(nothing)) == 0;
}

/* The whole file into a new struct; NULL with *WHY said. */
static struct stats *read_stats(int fd, struct counters_id *id, const char **why)
{
	struct stat st;
	struct stats *s;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		*why = "not a regular file";
		return NULL;
	}
	*id = (struct counters_id){st.st_dev, st.st_ino, st.st_uid};
	s = calloc(1, sizeof(*s));
	n = s ? read_all(fd, (char *)s, sizeof(*s)) : -ENOMEM;
	if (n < 0)
		*why = strerror((int)-n);
	else if (is_blank(s))
		*why = "empty: its process ended before it counted anything";
	else if ((size_t)n < sizeof(s->magic) || memcmp(s->magic, STATS_MAGIC, sizeof(s->magic)))
		*why = "not a counters file of shunt";
	else if ((size_t)n >= offsetof(struct stats, ended) && s->layout != STATS_LAYOUT)
		*why = "a counters file of another version of shunt";
	else if (!report_valid(s, (size_t)n))
		*why = "a damaged or cut counters file";
	else
		return s;
	free(s);
	return NULL;
}

static struct stats *open_and_read(const char *path, struct counters_id *id, const char **why)
{
	struct stats *s;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		*why = errno == ELOOP ? "a symbolic link, which is not followed" : strerror(errno);
		return NULL;
	}
	s = read_stats(fd, id, why);
	close(fd);
	return s;
}

struct stats *counters_peek(const char *path, struct counters_id *id)
{
	const char *why;

	return open_and_read(path, id, &why);
}

struct stats *counters_load(const char *path, struct counters_id *id)
{
	const char *why = NULL;
	struct stats *s = open_and_read(path, id, &why);

	if (!s)
		complain("report", "%s: %s", path, why);
	return s;
}

bool counters_trusted(uid_t owner, uid_t user)
{
	return owner == 0 || owner == geteuid() || owner == user;
}

const char *counters_ended_word(const struct stats *s)
{
	switch (atomic_load(&s->ended)) {
	case STATS_RUNNING:
		return walk_alive(s) ? "running" : "unknown";
	case STATS_SIGNAL:
		return "signal";
	case STATS_EXIT:
		return "exit";
	default:
		return "unknown";
	}
}
