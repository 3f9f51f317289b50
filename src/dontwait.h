/* SPDX-License-Identifier: MIT */
/*
 * dontwait.h - MSG_DONTWAIT on a socket that blocks.
 *
 * sendfile knows O_NONBLOCK alone, and that is the socket's: whoever else has it would meet it. So
 * what fits goes by reference, half of what is free at a time (stall_room). Where that becomes
 * little, the next bytes are read into memory of ours and sent with the flag, so that the kernel
 * itself says where the socket is full, and wakes who waits for room, as after the program's own
 * call. What did not go stays landed.
 *
 * One thing a sendfile with room may wait for: memory, where all sockets together have what they may
 * have (tcp_mem, or that of a cgroup).
 */
#ifndef SHUNT_DONTWAIT_H
#define SHUNT_DONTWAIT_H

#include "fd.h"
#include "segment.h"

/*
 * As engine_send, for FLAGS that have MSG_DONTWAIT and a socket that blocks. What went by a copy is
 * in SENT as well, and in the segment's COPIED. Signals are blocked meanwhile: no handler finds such
 * a call of the program's half done. Not a cancellation point. Safe in a signal handler.
 */
ssize_t dontwait_send(int fd, struct fd_entry *e, struct segments *s, int flags,
		      size_t sent[SEGMENTS], enum verdict *why);

#endif
