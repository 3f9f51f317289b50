/* SPDX-License-Identifier: MIT */
/*
 * stdio_files.c - see stdio_files.h.
 *
 * A table without a lock: a row belongs to the number of the stream, and is looked for when the
 * stream goes. A number that was closed past its stream keeps its file out, which harms nobody.
 */
#include <errno.h>
#include <unistd.h>

#include "prim.h"
#include "source.h"
#include "stdio_files.h"

enum { FILES = 256 };

static LARGE_TABLE struct {
	_Atomic int owner; /* number of the stream + 1; 0: free */
	_Atomic dev_t device;
	_Atomic ino_t inode;
} files[FILES];
static _Atomic int used;      /* rows ever used: scans end here */
static _Atomic bool too_many; /* then every file may be one */

static bool put(int number, const struct stat *st)
{
	for (int i = 0; i < FILES; i++) {
		int free = 0, n = used;

		if (!atomic_compare_exchange_strong(&files[i].owner, &free, number + 1))
			continue;
		files[i].device = st->st_dev;
		files[i].inode = st->st_ino;
		while (n <= i && !atomic_compare_exchange_weak(&used, &n, i + 1))
			;
		return true;
	}
	return false;
}

void stdio_files_opened(int fd, int number)
{
	struct stat st;
	int ret = prim_fstat(fd, &st);

	stdio_files_closed(number); /* by close, past its stream */
	if (ret == -EBADF || (ret == 0 && !S_ISREG(st.st_mode)))
		return;
	if (ret < 0 || !put(number, &st)) { /* not known which */
		too_many = true;
		landing_open_all();
		return;
	}
	source_changes(&st); /* it may land no more, landed or not just now */
}

void stdio_files_closed(int number)
{
	for (int i = 0; i < used; i++) {
		int owner = number + 1;

		if (files[i].owner == owner) {
			files[i].inode = 0;
			atomic_compare_exchange_strong(&files[i].owner, &owner, 0);
		}
	}
}

/* These are streams without having been opened; later copies to these numbers are in the table. */
static bool is_standard(const struct stat *st)
{
	struct stat standard;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (prim_fstat(fd, &standard) == 0 && standard.st_ino == st->st_ino &&
		    standard.st_dev == st->st_dev)
			return true;
	return false;
}

bool stdio_files_write(const struct stat *st)
{
	if (too_many)
		return true;
	for (int i = 0; i < used; i++)
		if (files[i].owner && files[i].inode == st->st_ino && files[i].device == st->st_dev)
			return true;
	return is_standard(st);
}
