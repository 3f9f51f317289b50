/* SPDX-License-Identifier: MIT */
/*
 * program.h - a random program: a list of operations on descriptors, buffers and
 * processes, as the generator makes it, the interpreter runs it and people read it.
 *
 * Any list is a program: the interpreter takes each number modulo what there is, and leaves
 * out what makes no sense (a read of a slot that is closed). So operations can be taken away
 * and numbers made smaller until only what matters is left.
 *
 * To extend the vocabulary: a row here, a function of that name in one of the op_*.c, and a
 * place in generate.c that makes it.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ARGS = 8, OPS = 320, SINKS = 4, FEEDS = 2, FILES = 6, SLOTS = 8, BUFFERS = 9 };

/* The file that may be changed; the others never are. And the length of each. */
enum { MUTABLE = 5 };
extern const size_t file_length[FILES];

/*
 * OP(name, numbers). What the numbers mean: s a slot with a descriptor of a file, f a file,
 * b at n a piece of a buffer, k a sink, j a feed, how a variant, c the length of the body: so
 * many of the following operations. The variants are listed at the functions.
 */
#define FUZZ_OPS(OP)                                                                              \
	OP(open, "s f flags")                                                                     \
	OP(close, "s")                                                                            \
	OP(dup, "s t how")                                                                        \
	OP(seek, "s whence offset")                                                               \
	OP(read, "s b at n how site")                                                             \
	OP(pread, "s b at n offset how site")                                                     \
	OP(stdio, "s b at n how")                                                                 \
	OP(write, "k b at n how flags between")                                                   \
	OP(pair, "k b at n c at n how")                                                           \
	OP(copy, "s k b n rounds site how")                                                       \
	OP(sendfile, "k s n how")                                                                 \
	OP(mapped, "k f offset n how")                                                            \
	OP(feed, "j n")                                                                           \
	OP(recv, "j b at n how")                                                                  \
	OP(out, "b at n how")                                                                     \
	OP(sinkopt, "k which value")                                                              \
	OP(sinkdup, "k t")                                                                        \
	OP(sinkclose, "k how")                                                                    \
	OP(sync, "k")                                                                             \
	OP(slow, "k value")                                                                       \
	OP(reset, "k")                                                                            \
	OP(look, "b at n how")                                                                    \
	OP(change, "b at n how value")                                                            \
	OP(heap, "b how n")                                                                       \
	OP(map, "b at n how")                                                                     \
	OP(own, "how offset n s")                                                                 \
	OP(other, "how offset n")                                                                 \
	OP(lock, "s how")                                                                         \
	OP(range, "how")                                                                          \
	OP(fork, "how c")                                                                         \
	OP(spawn, "how s b")                                                                      \
	OP(exec, "how")                                                                           \
	OP(thread, "how c")                                                                       \
	OP(racewrite, "k b at n how")                                                             \
	OP(relay, "s k b n rounds site how")                                                      \
	OP(handed, "k b at n how f offset")                                                       \
	OP(crowd, "rounds n how seed")                                                            \
	OP(timer, "how us")                                                                       \
	OP(raise, "how c")                                                                        \
	OP(mask, "how")                                                                           \
	OP(fault, "how")                                                                          \
	OP(alarmjump, "k b at n")                                                                 \
	OP(breakoff, "k b at n")                                                                  \
	OP(full, "k b at n how")                                                                  \
	OP(readedge, "s b at n how")                                                              \
	OP(writeedge, "k b at n how")                                                             \
	OP(brink, "s k n how site")                                                               \
	OP(result, "s b at how")                                                                  \
	OP(stream, "k b at n how")                                                                \
	OP(until, "how")                                                                          \
	OP(remap, "b at n how")                                                                   \
	OP(number, "s how")                                                                       \
	OP(recvedge, "j b at n how")                                                              \
	OP(action, "b at n how")                                                                  \
	OP(wait, "how ms")                                                                        \
	OP(state, "how")                                                                          \
	OP(raw, "how k b at n s")                                                                 \
	OP(exit, "how")

enum op_code {
#define OP(name, numbers) OP_##name,
	FUZZ_OPS(OP)
#undef OP
	OP_COUNT
};

struct op {
	int32_t code;
	int32_t a[ARGS];
};

enum sink_kind { SINK_TCP, SINK_UNIX, SINK_PIPE, SINK_KINDS };

struct sink_plan {
	int32_t kind, room, nonblocking; /* room: SO_SNDBUF, or the pipe's size; 0: as it comes */
};

enum { PIPE_IGNORED, PIPE_DEFAULT, PIPE_HANDLED };

struct program {
	uint64_t seed;
	struct sink_plan sink[SINKS];
	int32_t sigpipe;
	int32_t count;
	struct op op[OPS];
};

/* ---- what driver and interpreter share: one page-aligned memory file ---- */

/* Where the interpreter finds its descriptors. */
enum { FD_SINK = 40, FD_FEED = 44, FD_SHARED = 50, FD_BELL = 51, FD_ALIVE = 52, FD_FREE = 64 };

enum { TASKS = 24, LOG_SIZE = 32768 };

/* Questions to the driver; see peer.c. */
enum peer_command {
	PEER_NONE, PEER_RESET, PEER_RESET_SOON, PEER_SLOW, PEER_STALL, PEER_FEED,
	PEER_CHANGE, PEER_LOCKED
};

struct log {
	_Atomic uint32_t length;
	char text[LOG_SIZE];
};

struct shared {
	struct program program;
	_Atomic uint64_t received[SINKS], sent[SINKS];
	_Atomic uint32_t asked, answered;
	int32_t command;
	int64_t x, y, z, answer;
	_Atomic uint32_t progress;  /* operations done by any task */
	_Atomic uint32_t finished;  /* the main line came to its end */
	_Atomic uint32_t tasks;
	uint32_t loose;             /* a bit for each sink of which only a beginning is compared */
	struct {
		int32_t index, task, slot[SLOTS], slot_file[SLOTS], sink[SINKS], target[SINKS];
		int32_t feed[FEEDS], out, mine;
	} resume;                   /* across an exec */
	struct log log[TASKS];
};

extern const char *const op_name[OP_COUNT];
extern const char *const op_numbers[OP_COUNT];

/* The byte at OFFSET of file F as it was made. */
unsigned char file_byte(int f, uint64_t offset);

/* The N bytes from OFFSET of file F, as they were made; GENERATION: those that replace them. */
void file_bytes(int f, int generation, uint64_t offset, void *to, size_t n);

uint64_t fuzz_hash(const void *p, size_t n);

/* SEED's program; RAW: with calls that go past libc. */
void generate(struct program *p, uint64_t seed, bool raw);

void program_print(FILE *to, const struct program *p);

/* "read 0 2 16 65536 0 1" */
void program_print_op(FILE *to, const struct op *op);

/* Reads what program_print wrote. False: line *LINE is no operation. */
bool program_parse(FILE *from, struct program *p, int *line);

#endif
