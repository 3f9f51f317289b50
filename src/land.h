/* SPDX-License-Identifier: MIT */
/* land.h - the reading side: a read that is answered without moving a byte. */
#ifndef SHUNT_LAND_H
#define SHUNT_LAND_H

#include "fd.h"
#include "shunt.h"
#include "site.h"
#include "verdict.h"

enum { LAND_AT_OFFSET = -1 };

/*
 * Why a read of N bytes into BUF from E, a regular file, is not worth a try, and for how long, to
 * PASS; REWRITTEN if it is.
 */
enum verdict land_wanted(struct fd_entry *e, const void *buf, size_t n, struct site *site,
			 struct pass *pass);

/*
 * Answers read(FD, BUF, N) (AT is LAND_AT_OFFSET) or pread at AT as the kernel
 * would, with the bytes landed: returns the count, or -1 with errno where the original
 * would fail. Returns LAND_PLAINLY with *WHY where the caller must make the call itself;
 * then nothing has happened. ST is what fstat said of FD just now; nothing if its st_mode
 * is 0. May block on the disk, as read does.
 */
enum { LAND_PLAINLY = -2 };
ssize_t land_read(int fd, struct fd_entry *e, void *buf, size_t n, off_t at, const struct stat *st,
		  struct site *site, enum verdict *why);

/* mode:observe: what land_read would find, asked before the read and without effect. */
enum verdict land_observe(int fd, struct fd_entry *e, const void *buf, size_t n, off_t at,
			  struct site *site);

#endif
