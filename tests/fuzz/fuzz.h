/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - the driver: runs a program with and without shunt, compares, and makes what differs
 * small. One thread; it is the peer of all sockets of the program that runs.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <sys/types.h>

#include "program.h"
#include "verdict.h"

struct options {
	const char *interpreter, *library;
	char work[256];        /* the directory with the files, where programs run */
	long seconds;          /* 0: until count */
	uint64_t first, count; /* seeds */
	uint64_t most;         /* failures, then it ends */
	int setting;           /* -1: each seed its own */
	int jobs, share;       /* of programs in which bytes must be rewritten, in percent */
	bool raw, verbose, shrink;
	const char *file;      /* a program as text, in place of seeds */
};
extern struct options options;

struct bytes {
	unsigned char *p;
	size_t n, room;
};

struct result {
	struct bytes transcript;
	struct bytes received[SINKS];
	struct bytes file[2]; /* "m" and "out" as they were left */
	uint32_t loose;
	int status;           /* as of waitpid */
	bool hung;
	uint64_t rewritten;   /* bytes, by the counters */
	uint64_t verdict[VERDICT_COUNT]; /* chunks */
};

/* ---- settings.c ---- */

enum { PLAINLY = -1 };
extern const int setting_count;
const char *setting_name(int setting);

/* The environment of a run: without the library for PLAINLY. Static memory. */
char *const *setting_environment(int setting);

/* The setting for a seed. */
int setting_of(uint64_t seed);

/* ---- files.c: the directory, its files, the counters ---- */

void files_make(void);
void files_reset(void);        /* before each run: "m" as it was, no "out" */
void files_change(int how, long at, long n);
long files_locked(int f);
void files_collect(struct result *r);
const char *verdict_name(int v);
void files_remove(void);

/* ---- peer.c: the other ends ---- */

struct peer;

/* Makes the ends for P; the program's are in ENDS, sinks first, then feeds. */
struct peer *peer_open(const struct program *p, struct shared *shared, int bell,
		       int ends[SINKS + FEEDS]);

/* Serves until nobody holds the other end of ALIVE any more, or LIMIT ms are over (false). */
bool peer_serve(struct peer *peer, int alive, long limit);

/* What arrived, once the program is gone; closes all. */
void peer_close(struct peer *peer, struct result *r);

/* ---- run.c ---- */

void bytes_add(struct bytes *b, const void *p, size_t n);
void run_begin(void);
void run_program(const struct program *p, int setting, struct result *r);
void result_free(struct result *r);

/* ---- compare.c ---- */

/* Is B what A is? If not and TO is not NULL, says in what they differ. */
bool compare(const struct result *a, const struct result *b, const struct program *p, FILE *to);

/* ---- shrink.c ---- */

/* Takes from P whatever can go while it still differs with SETTING. Returns the runs it took. */
int shrink(struct program *p, int setting, long seconds);

#endif
