/* SPDX-License-Identifier: MIT */
/* peer.h - the other end of a socket in words, for the report's example. */
#ifndef SHUNT_PEER_H
#define SHUNT_PEER_H

#include <stddef.h>

/*
 * "127.0.0.1:4242", "[::1]:80", "unix" or "" into TO of SIZE bytes. Allocates nothing, keeps errno.
 */
void peer_name(int fd, char *to, size_t size);

#endif
