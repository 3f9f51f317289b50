/* SPDX-License-Identifier: MIT */
/*
 * fd.h - what a descriptor is.
 *
 * An entry is a cache, never the truth: libc closes descriptors without our
 * hooks (fclose, closedir), so what matters for a byte is asked again where it
 * is used (fstat at each read, O_NONBLOCK at each short write). Entries are
 * made of zeros, live as long as the process, and are read without a lock.
 */
#ifndef SHUNT_FD_H
#define SHUNT_FD_H

#include <sys/stat.h>

#include "shunt.h"
#include "stats.h"

struct pair;

struct fd_entry {
	_Atomic uint32_t generation; /* changes when the number comes to mean something else */
	_Atomic uint8_t kind;        /* enum stats_kind; UNKNOWN: not looked at yet */
	_Atomic uint8_t refusal;     /* enum verdict: why it is no source or sink; REWRITTEN: it can be */
	_Atomic bool no_file;        /* known to be no regular file, though the kind may not be known */
	_Atomic bool ours;           /* one of shunt's own */
	_Atomic uint8_t stream;      /* enum verdict + 1: may it be read by splice? 0: not asked yet */
	_Atomic uint8_t log2;        /* of the size that a file had when it was looked at; 0: not known */
	_Atomic bool timeout;        /* a socket with SO_SNDTIMEO */
	_Atomic bool socket_calls;   /* a stream socket that is read and written as sockio.h has it */
	_Atomic bool readable;       /* open() made it, to be read, without O_DIRECT */
	_Atomic uint8_t born;        /* enum stats_kind: SOCKET, or what its listener is known to be */
	_Atomic uint32_t identity;   /* of the inode: source_identity(); regular files only */
	_Atomic int source;          /* index of its struct source + 1; 0: none yet */
	_Atomic int owed;            /* an errno that sendfile swallowed: the next call returns it */
	_Atomic int writer;          /* who alone ever wrote, negative for several: writers.h */
	_Atomic bool noted;          /* all writes since its birth are noted in writer */
	_Atomic int fed;             /* source:lease: index + 1 of the source last sent here ... */
	_Atomic uint64_t fed_bytes;  /* ... and how much of it so far */
	_Atomic(struct pair *) pair; /* that it was last the sink of; stays over a close */
};

/* May entries have socket_calls? Set once, before LIVE. */
extern HIDDEN bool fd_socket_calls;

/* The entry of FD, made if need be; NULL if FD is out of range or memory is short. */
struct fd_entry *fd_entry(int fd);

/* A million numbers in blocks that come into being when first used. */
enum { FD_BLOCK = 1024, FD_BLOCKS = 1024 };
extern HIDDEN _Atomic(struct fd_entry *) fd_blocks[FD_BLOCKS];

/* The entry of FD if there is one already. One load for a number below 1024 that was never used. */
static inline struct fd_entry *fd_peek(int fd)
{
	struct fd_entry *block;

	if (unlikely((unsigned)fd >= FD_BLOCK * FD_BLOCKS))
		return NULL;
	block = atomic_load_explicit(&fd_blocks[(unsigned)fd / FD_BLOCK], memory_order_acquire);
	return likely(block != NULL) ? &block[(unsigned)fd % FD_BLOCK] : NULL;
}

/*
 * The kind of FD, looked up in the kernel at first use: fstat, and for sockets
 * their domain, type and protocol. Sets kind, refusal, timeout. Keeps errno.
 */
enum stats_kind fd_classify(int fd, struct fd_entry *e);

/*
 * FD is new: opened with FLAGS, made as a socket, accepted from LISTENER. What it meant is
 * forgotten; what need not be asked of the kernel later is remembered. Keep errno.
 */
void fd_opened(int fd, int flags);
void fd_accepted(int fd, int listener);
void fd_made_socket(int fd);

/* Is that socket option SO_SNDTIMEO, of either kind? */
bool fd_option_times_out(int level, int name);

/* The SO_SNDTIMEO of the socket FD, now, in ns; 0: it has none. */
uint64_t fd_send_timeout(int fd);

/*
 * FD may get an SO_SNDTIMEO. Other numbers that may stand for the same socket are taken to have one,
 * too: fd_send_timeout tells. Signal safe, keeps errno.
 */
void fd_others_time_out(int fd);

/* Is E, which was classified, a regular file, to read or to write? */
static inline bool fd_is_any_file(const struct fd_entry *e)
{
	return e->kind == STATS_KIND_FILE || (e->kind == STATS_KIND_OTHER && e->identity);
}

/* Is FD known to be no regular file? */
static inline bool fd_is_known_stream(int fd)
{
	const struct fd_entry *e = fd_peek(fd);

	return e && (relaxed(e->no_file) || relaxed(e->born) != STATS_KIND_UNKNOWN);
}

/*
 * Is FD a regular file that can be read? Cheaper than fd_classify for what is not. If the
 * kernel had to be asked, *ST is its answer; else its st_mode is 0.
 */
bool fd_is_file(int fd, struct fd_entry *e, struct stat *st);

/* Is FD known to have been made as a socket? */
static inline bool fd_is_socket(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	return e && relaxed(e->born) != STATS_KIND_UNKNOWN;
}

/*
 * The same of FD, whose entry is E; asks the kernel if nothing is known of it, once if it is one.
 */
bool fd_is_known_socket(int fd, struct fd_entry *e);

/* How many descriptors owe an error (fd_entry.owed). 0: no hook need look. */
extern HIDDEN _Atomic int fd_debts;

/* FD owes ERROR from now on; pays it: returns the errno owed, once, or 0. */
void fd_owe(struct fd_entry *e, int error);
int fd_pay(struct fd_entry *e);

/* Has FD O_NONBLOCK, now? Never cached: other processes may share the description. */
bool fd_is_nonblocking(int fd);

/* FD was closed, or came to mean something else: everything known of it is dropped. */
void fd_reset(int fd);

/* The same if FD is a regular file: its flags change. */
void fd_reset_file(int fd);

/* The same for all of [first, last] that are known. */
void fd_reset_range(unsigned first, unsigned last);

/* Is FD one of shunt's own? The program is told EBADF then. */
bool fd_is_ours(int fd);
void fd_mark_ours(int fd);
void fd_unmark_ours(int fd);

/* The next of our descriptors at or above FROM, -1 if there is none: for close_range. */
int fd_next_ours(unsigned from);

/* The next number at or above FROM of which something is known, -1 if there is none. */
int fd_next_known(int from);

/* The next number at or above FROM that has an entry, -1 if there is none. */
int fd_next_entry(int from);

/* If FD is ours, moves it to another number (dup2 over it). */
void fd_evade(int fd);

/* In the child of a fork. */
void fd_forked(void);

#endif
