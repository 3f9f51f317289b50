/* SPDX-License-Identifier: MIT */
/*
 * plan.h - what the two ends of a connection do, and the bytes that they send: all of
 * it follows from the seed, the number of the connection and the side.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { CLIENT, SERVER };

enum ending {
	WHOLE, /* sends all, half-closes, reads to the end */
	RESET, /* closes with SO_LINGER 0 at some point */
	CLOSE, /* closes at some point, whatever is still to be read: so ends a program that crashes */
};

struct plan {
	enum ending ending;
	uint64_t total;       /* bytes to send */
	uint64_t end_at;      /* of sent and received together: there it breaks off */
	uint64_t pause_at;    /* received: there it stops reading */
	unsigned pause_ms;
	uint64_t rest_at;     /* sent: there it stops sending, for as long */
	unsigned rest_ms;
	size_t piece, gulp;   /* of one send, and of one recv, at most */
	int room;             /* SO_RCVBUF; 0: as it comes */
};

void plan_make(struct plan *p, uint64_t seed, uint32_t number, int side);

/*
 * Bytes [AT, AT + N) of what SIDE of connection NUMBER sends. The client's first four
 * are the number, the next four PLAN_MAGIC.
 */
void plan_bytes(unsigned char *to, uint64_t at, size_t n, uint64_t seed, uint32_t number, int side);

#define PLAN_MAGIC UINT32_C(0x52454c41)
enum { PLAN_HEAD = 8 };

/* The next of a row of random numbers. */
uint64_t plan_next(uint64_t *state);

#endif
