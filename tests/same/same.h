/* SPDX-License-Identifier: MIT */
/*
 * same.h - what the small programs share: a loop that sends a file through a
 * buffer until the buffer is lazy, and a transcript of what happens then.
 *
 * Each program is a table of cases; "PROGRAM -l" lists them with their flags,
 * "PROGRAM CASE" runs one. A case says all that it sees on standard output:
 * nothing that changes from run to run (no address, no pid, no time). The
 * runner compares that, the bytes that reached the peer, and the exit status.
 *
 * The other end of the socket is a child that was forked before anything else.
 * It writes what it receives to the file "received" (or "received2").
 */
#ifndef SAME_H
#define SAME_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { SAME_CHUNK = 65536, SAME_AROUND = 16384, SAME_ROUNDS = 8 };

/* Where the texts are in each 4 KiB block of the file "../data". */
enum { SAME_TEXT_PATH = 64, SAME_TEXT_HELLO = 128, SAME_TEXT_COMMAND = 192, SAME_BLOCK = 4096 };

enum {
	SAME_UNIX = 1,     /* the sink is a UNIX stream socket, not TCP */
	SAME_BARE = 2,     /* the case makes its own loop */
	SAME_PLAIN = 4,    /* nothing need be rewritten: not a candidate */
	SAME_DIES = 8,     /* ends without a report: by a signal, _exit in odd places, exec */
	SAME_GUARD = 16,   /* needs the guard: calls that are not made through libc */
	SAME_SETTLED = 32, /* under source:trust the outcome may differ, by contract */
	SAME_OUTCOME = 64, /* only the lines that begin with "outcome" are compared */
	SAME_OWN = 128,    /* the source is a copy of the data, "mine", that may be changed */
	SAME_PAGE = 256,   /* the buffer begins on a page */
	SAME_LOOSE = 512,  /* how much the peer receives varies from run to run: not compared */
	SAME_LAZY = 1024,  /* must be seen to fill a lazy buffer, or it tests nothing */
	SAME_NO_LEASE = 2048, /* not under source:lease: it refuses a locked file, or a writer that does not wait; or no report */
};

struct same_rig {
	int source, sink;
	char *area;        /* the buffer and SAME_AROUND bytes on either side */
	char *buf;
	size_t size;       /* of the buffer, and of each chunk */
	size_t got;        /* bytes of the chunk that lies in buf and is not yet written */
	pid_t drain;
	bool paused;       /* the draining child was told to stop */
	int control;       /* to the draining child; see same_drain */
	volatile int *done; /* commands that the draining child has done; shared */
};

/* From here on the program may have every number that it may allow itself: ours may lie above the others. */
void same_allow_all_numbers(void);

struct same_case {
	const char *name;
	void (*run)(struct same_rig *);
	int flags;
	size_t size;       /* of the buffer; 0: SAME_CHUNK */
};

/* The main of every program. */
int same_main(int argc, char **argv, const struct same_case *cases);

/* A pointer that points nowhere, which the compiler cannot know. */
extern void *volatile same_bad;

/* "CALL = RET" and the name of errno if RET is -1. Returns RET; errno is kept. */
ssize_t same_say(const char *call, ssize_t ret);

/* The length and a hash of the N bytes at P, read by this program itself. */
void same_say_memory(const char *what, const void *p, size_t n);

/* Length and hash of the file PATH. */
void same_say_file(const char *path);

/* A hash of N bytes at P. */
uint64_t same_hash(const void *p, size_t n);

/* Reads a chunk and writes all of it, ROUNDS times; says only how it ended. */
void same_loop(struct same_rig *r, int rounds);

/*
 * read(2). All chunks are read by this one call, since what is learned hangs on
 * the call site: a read of the case's own would be a new site, and not land.
 */
ssize_t same_get(int fd, void *p, size_t n) __attribute__((noinline));

/* The next chunk into the buffer, and all of it to the sink; both are said. */
void same_read(struct same_rig *r);
void same_write(struct same_rig *r);

/* Hash of the buffer and of what lies around it. */
void same_say_buffer(struct same_rig *r);

/*
 * A command to the draining child: 'p' read no more, 'f' say that it sends no more, 's' sleep
 * 100 ms before each read, 'g' go on, 'r' reset the connection, 'c' close it, 't' cut "mine" to 1000
 * bytes, 'o' overwrite the first 4 MiB of "mine" with zeros; 'G', 'R' and 'C' are 'g',
 * 'r' and 'c' after 300 ms, 'T' is 'r' after a second, 'O' is 'o' after 1500 ms, counted twice.
 * Returns when it has been done (those with a delay: when it has been heard),
 * without any call that sleeps. What was written before is received first, unless
 * the child had been told to stop.
 */
void same_drain(struct same_rig *r, char command);

/*
 * The peer gets slow, and little is on its way to it. How many chunks of the rig's size more take long
 * enough.
 */
int same_slow_down(struct same_rig *r);

/* Milliseconds of a clock that only goes on. */
long long same_ms(void);

/* A second sink, drained into "received2". Before anything is landed: it forks. */
int same_second_sink(void);

/*
 * A listener on which more wait already than it lets wait: a connection to WHERE is not made before
 * same_full_close.
 */
enum { SAME_WAITING = 4 };
struct same_full {
	struct sockaddr_in where;
	int listener, waiting[SAME_WAITING];
};
void same_full_open(struct same_full *f);
void same_full_close(struct same_full *f);

/* All bytes of FROM into the new file TO. */
void same_copy_file(const char *from, const char *to);

/* Closes the sink and waits until the peer has everything. Called by same_main too. */
void same_finish(struct same_rig *r);

#endif
