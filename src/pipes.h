/* SPDX-License-Identifier: MIT */
/*
 * pipes.h - the hidden pipes that bytes of streams lie in.
 *
 * A bounded pool (the setting `pipes`), made when first needed and closed when
 * the process comes to rest. Both ends are high descriptors with O_NONBLOCK,
 * PIPES_SIZE bytes each: what is charged to the user at most is known. A pipe is
 * never pooled with bytes in it, and never used by the child of a fork.
 *
 * Two marks say whose a pipe is. HOLDER: the thread that uses it just now, inside one
 * call of the program's. LOOSE: no landing names it, so it is its holder's alone. Who
 * parts a pipe from its landing marks it loose, and whoever then finds it loose and
 * can take hold of it gives it back. A handler that longjmps out of a call leaves its mark
 * behind; such a pipe is found again when no other is free.
 *
 * Everything here keeps errno and is safe in a signal handler. No function blocks.
 */
#ifndef SHUNT_PIPES_H
#define SHUNT_PIPES_H

#include "shunt.h"

enum { PIPES_SIZE = 512 * 1024 };

struct pipe {
	_Atomic bool taken;  /* not in the pool; changed by the holder only */
	_Atomic bool loose;
	_Atomic int holder;  /* a thread's number; 0: nobody */
	_Atomic int out, in; /* the ends to read from and to write to, while OPEN */
	_Atomic bool open;
	size_t bytes;        /* what lies in it; its user's */
	size_t at;           /* where the first of them is in its chunk; its user's */
};

/* How many there are, in use or not: a process that comes to rest has them to close. */
extern _Atomic int pipes_open;

/* Takes an empty pipe: loose, and held by this thread. NULL: none is free, or none can be made. */
struct pipe *pipes_get(void);

/*
 * Finds those that a longjmp or a thread's end left behind. Called where this thread holds none.
 */
void pipes_reclaim(void);

/* As pipes_get, for the first that a call needs: where none is free, those left behind are found. */
struct pipe *pipes_get_first(void);

/* The holder is through with P. Loose: it goes back to the pool, whatever is in it. */
void pipes_leave(struct pipe *p);

/* Takes hold of P for this thread; false if another has it. */
bool pipes_hold(struct pipe *p);

/*
 * P, which no landing names from now on and which somebody may hold: given back now or by its
 * holder.
 */
void pipes_drop(struct pipe *p);

/* Throws the first N bytes of P away; P->at moves on. False if that failed: then P is of no use. */
bool pipes_skip(struct pipe *p, size_t n);

/* Closes what is not in use. */
void pipes_rest(void);

/* Before the process loses its view of /dev. */
void pipes_before_chroot(void);

/* Closes what keeps /dev busy. Only while no other thread can ask here. */
void pipes_before_umount(void);

/* The program puts a descriptor of its own at the number FD: if it is a pipe's end, that moves. */
void pipes_evade(int fd);

/* In the child of a fork: all of them are the parent's. */
void pipes_forked(void);

#endif
