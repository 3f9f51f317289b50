/* SPDX-License-Identifier: MIT */
/*
 * relay.h - a relay of both directions at once, written in each of the ways in which
 * relays are: see the table in relay.c.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>

struct relay {
	size_t size;  /* of a buffer */
	bool odd;     /* the buffers do not begin on a page */
	bool crashes; /* children of some clients die in the middle */
	int listener;
};

extern struct relay relay;

/* A buffer of relay.size bytes, in the memory that is named at the start; never freed. */
char *relay_buffer(void);

/* The other side for a client that was accepted; -1 if it cannot be reached. */
int relay_connect(void);

/* The relays that serve all their connections in one loop; none returns. */
void relay_select(void);
void relay_level(void);
void relay_edge(void);

#endif
