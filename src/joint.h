/* SPDX-License-Identifier: MIT */
/*
 * joint.h - a header and what follows it in one call of the kernel's.
 *
 * By sendmsg and sendfile they are two, and another thread's bytes could come between. Where that
 * cannot be excluded (writers.h) both go into a hidden pipe, the header as a copy and the file by
 * reference, and leave it by one splice. Since Linux 6.5 (splice_to_socket in fs/splice.c) that is a
 * single sendmsg for up to 16 of the pipe's buffers, which are a page each at the most. What the last
 * file has beyond them follows by sendfile, which is in such parts itself.
 */
#ifndef SHUNT_JOINT_H
#define SHUNT_JOINT_H

#include "pipes.h"
#include "segment.h"

/*
 * A hidden pipe, held, with the beginning of S: P->bytes of it, which one splice sends in one piece.
 * What of S is not in it is the rest of its last file. S is pinned, pipes_leave the caller's. NULL:
 * that cannot be had. Keeps errno, safe in a signal handler; waits for the disk as sendfile does.
 */
struct pipe *joint_make(const struct segments *s);

#endif
