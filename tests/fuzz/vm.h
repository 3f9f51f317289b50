/* SPDX-License-Identifier: MIT */
/*
 * vm.h - the interpreter: one process that carries out a program and says what it saw.
 *
 * What is said is the same in every run of the program without shunt; whatever is not (how
 * much a full socket takes) is not said. No operation looks into a buffer but those that are
 * made for it. Operations run one at a time, also where threads and children do them: who
 * starts one waits for it, or shares nothing with it that changes.
 */
#ifndef FUZZ_VM_H
#define FUZZ_VM_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "program.h"

enum buffer_kind { BUFFER_STATIC, BUFFER_HEAP, BUFFER_MAP, BUFFER_SHARED, BUFFER_STACK };

struct buffer {
	enum buffer_kind kind;
	char *p;
	size_t size;
	size_t lo, hi; /* what of it has a content that can be relied on: not what malloc left */
	bool used;
};

struct vm {
	struct shared *shared;
	const struct program *program;
	struct buffer buffer[BUFFERS];
	int slot[SLOTS], slot_file[SLOTS]; /* descriptors of files, -1: none */
	int sink[SINKS];                   /* -1: closed */
	int target[SINKS];                 /* whose peer gets what is written to it */
	int feed[FEEDS];
	int out, mine;                     /* files "out", and "m" for writing; -1: not open yet */
	int depth;                         /* of bodies */
	int at;                            /* the operation that runs */
	bool timer;                        /* signals come at any time */
	pid_t child[TASKS];                /* that run beside this process */
	int children;
	_Atomic size_t budget;             /* bytes that may still be written */
	struct {
		const volatile unsigned char *p;
		unsigned char expected;
		volatile int valid, seen, wrong;
	} peek; /* a byte of a buffer that nothing changes now, for handlers */
};

extern struct vm vm;

/* The thread's or process's own transcript. */
extern __thread struct log *task_log;

/* "INDEX WHAT: V..." as one line of the transcript. */
void say(const char *what, unsigned count, const long *v);
#define SAY(what, ...)                                                                             \
	say(what, sizeof((long[]){ __VA_ARGS__ }) / sizeof(long), (long[]){ __VA_ARGS__ })

/* No call sets errno to this: a call that succeeds leaves it. */
enum { NO_ERROR = 7777 };

/* The buffer of that number, made if it is not there yet. */
struct buffer *buffer_of(int b);

/* N bytes from AT of buffer B, both brought into its bounds. For a look: only what is defined. */
char *piece(int b, int at, int *n);
char *piece_defined(int b, int at, int *n);

/* The N bytes at P of buffer B have been written to; SIZE - those and no others. */
void define(struct buffer *b, const char *p, size_t n);
void undefine(struct buffer *b);

int slot_of(int s);   /* 0 .. SLOTS - 1 */
int sink_of(int k);

/* Asks the driver; waits without a call that sleeps. */
long ask(enum peer_command command, long x, long y, long z);

/* Waits until the peers of sink K, or of all (-1), have what was written. */
void synchronise(int k);

/* Writes all of it, in as many calls as it takes; see op_write.c. */
void write_all(int k, char *p, size_t n, int how, int flags, int between);

/* The same of COUNT pieces (PIECES_MOST at the most), in one call. how: 0 writev, 1 sendmsg */
enum { PIECES_MOST = 7 };
struct iovec;
void write_pieces(int k, const struct iovec *v, int count, int how);

/* Runs the operations from .. to, less one; -1 as the new index ends the program. */
void run_ops(int from, int to);

/* Reads at one of sixteen places; see op_read.c. */
ssize_t read_as(int fd, char *p, size_t n, int how, int site);

/* Where a body of COUNT operations ends that begins after the one that runs. */
int body_end(int count);

/* May sink K end in a way that leaves open how much arrived? Then nobody else may write to it. */
bool may_be_loose(int k);

/* A system call that no library hears of. The fifth and sixth argument are -1 and 0. */
long raw_call(long number, long a, long b, long c, long d);

/* A new transcript for a task, taken before it starts. */
struct log *new_log(void);

/* Monotonic milliseconds. */
long now_ms(void);

/* What every process of the program does at its end. */
void finish(void);

/*
 * The operation moves a file's offset or closes it in a child that shares it: how an exec goes
 * on.
 */
void save_for_exec(int next);

void descriptor_close_slot(int s);

/* Each is the operation of that name; returns how many operations it ran itself (its body). */
#define OP(name, numbers) int op_##name(const struct op *op);
FUZZ_OPS(OP)
#undef OP

#endif
