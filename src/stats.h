/* SPDX-License-Identifier: MIT */
/*
 * stats.h - the counters of one process, in a file that outlives it.
 *
 * The file is one struct stats, MAP_SHARED. The library writes it, the report
 * (in the process, at its end) and the command (at any time, from outside)
 * read it. Readers trust no index, length or string in it: a compromised
 * process can write anything there.
 *
 * Counters only grow, but copies_avoided and calls_avoided, which are signed:
 * a fill takes back what the landing claimed.
 */
#ifndef SHUNT_STATS_H
#define SHUNT_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "verdict.h"

/* The process that `shunt run` became, in decimal; what that starts finds itself to be another. */
#define STATS_RUN_VARIABLE "SHUNT_RUN"

#define STATS_MAGIC "shunt-stats\0\0\0\0"
#define STATS_LAYOUT 4 /* changes with every change of the structs below */

enum {
	STATS_ROUTES = 128, /* the last row takes what does not fit */
	STATS_SITES = 192,
	STATS_MODULES = 48,
	STATS_FRAMES = 8,
	STATS_PATH = 160,
	STATS_SYMBOL = 64,
	STATS_ARGV = 1024,
	STATS_SETTINGS = 512,
};

/* kinds of source and sink; the words are in the report */
#define STATS_KINDS(K)                                                                            \
	K(UNKNOWN, "unknown") K(FILE, "file") K(TCP, "tcp") K(UNIX, "unix") K(PIPE, "pipe")        \
	K(MAPPING, "mapped") K(DATAGRAM, "datagram") K(SOCKET, "socket") K(OTHER, "other")

enum stats_kind {
#define K(id, word) STATS_KIND_##id,
	STATS_KINDS(K)
#undef K
	STATS_KIND_COUNT
};

enum stats_engine { STATS_ENGINE_NONE, STATS_ENGINE_SENDFILE, STATS_ENGINE_SPLICE,
		    STATS_ENGINE_MAPPED, STATS_ENGINE_BATCH, STATS_ENGINE_COUNT };

enum stats_ended { STATS_RUNNING, STATS_EXIT, STATS_SIGNAL, STATS_EXEC };

/* F(name, type): what is counted for a route */
#define STATS_ROUTE_COUNTERS(F)                                                                   \
	F(bytes, uint64_t)            /* bytes of chunks that reached the sink */                  \
	F(bytes_rewritten, uint64_t)  /* of these, bytes that went by the engine */                \
	F(chunks, uint64_t)           /* chunks of which something was written */                  \
	F(chunks_rewritten, uint64_t) /* of these, chunks that went by the engine */               \
	F(looks, uint64_t)            /* landings that the program looked into */                  \
	F(copies_avoided, int64_t)    /* bytes that were not copied, each way counted */           \
	F(calls_avoided, int64_t)     /* system calls not made, minus those made instead */

/* F(name, type): what is counted for the process */
#define STATS_TOTAL_COUNTERS(F)                                                                   \
	F(native_bytes, uint64_t)  /* what the program itself sent by sendfile or splice */        \
	F(fills, uint64_t)         /* landings that were filled after all */                       \
	F(arms, uint64_t)          /* times that pages were protected */                           \
	F(lease_granted, uint64_t) /* files whose settledness a lease proved */                    \
	F(age_granted, uint64_t)   /* files that were taken as settled for their age */            \
	F(leases_broken, uint64_t) /* held leases that a writer waited for */                      \
	F(leases_lost, uint64_t)   /* of these, taken by the kernel: the file was changed by then */\
	F(lease_in_flight, uint64_t) /* bytes that sockets had not got acknowledged at those times */\
	F(routes_lost, uint64_t)   /* chunks of routes for which no row was left */

struct stats_frame {
	uint64_t address; /* as in the process */
	uint64_t offset;  /* from the load base of the module: what addr2line wants */
	uint64_t symbol_offset;
	uint32_t module;  /* index into modules */
	char symbol[STATS_SYMBOL]; /* "" when none is known */
};

/* The state of a site of which the caller is known and the stack was not walked yet. */
enum { STATS_SITE_ALONE = 3 };

struct stats_site {
	_Atomic uint32_t state; /* 0 free, 1 being written, 2 valid, 3 valid, see STATS_SITE_ALONE */
	_Atomic uint32_t frame_count; /* grows once, from 1, behind what it counts */
	struct stats_frame frame[STATS_FRAMES]; /* innermost first: the caller of the hook */
};

struct stats_route {
	_Atomic uint32_t state; /* 0 free, 1 being written, 2 valid */
	uint8_t source, sink;   /* enum stats_kind */
	uint8_t engine;         /* enum stats_engine: the last that rewrote a chunk here */
	uint8_t rest;           /* the last row, which takes what no row was left for */
	int32_t read_site, write_site; /* index into sites, -1: not known */
	uint64_t read_caller, write_caller; /* the return addresses: what tells rows apart */
#define F(name, type) _Atomic type name;
	STATS_ROUTE_COUNTERS(F)
#undef F
	_Atomic uint64_t verdict[VERDICT_COUNT]; /* chunks by verdict */
	char example_source[STATS_PATH];
	char example_sink[64];
};

struct stats {
	char magic[16];
	uint32_t layout;       /* STATS_LAYOUT */
	uint32_t size;         /* sizeof(struct stats) */
	_Atomic uint32_t ended; /* enum stats_ended */
	int32_t pid, parent;   /* parent: the process that forked this one */
	int32_t root;          /* the first of the family: where `shunt run` began */
	uint64_t root_started; /* with root: names the family, pids come again */
	uint64_t started;      /* ns since the epoch */
	_Atomic uint64_t finished; /* ns since the epoch, 0 while it runs */
	/*
	 * ns since the epoch when these counts went into a report or into those of the
	 * family (stats_family.h), 0: not yet. Keeps them from being counted twice.
	 */
	_Atomic uint64_t reported;
	uint64_t start_ticks;  /* field 22 of /proc/PID/stat, 0: not known */
	int32_t signal;        /* with STATS_SIGNAL */
	uint8_t observe;       /* mode:observe: rewritten means "would be" */
	uint8_t feature_lease, feature_procmap, feature_guard;
	char version[16];
	char program[64];
	char host[64];
	char argv[STATS_ARGV]; /* NUL between the words */
	uint32_t argv_length;
	char settings[STATS_SETTINGS]; /* key:value,key:value, all of them */
#define F(name, type) _Atomic type name;
	STATS_TOTAL_COUNTERS(F)
#undef F
	_Atomic uint32_t module_count;
	char module[STATS_MODULES][STATS_PATH];
	struct stats_site site[STATS_SITES];
	struct stats_route route[STATS_ROUTES];
};

/*
 * ---- the library's side (stats.c) ----
 *
 * Nothing here allocates or takes a lock. errno is kept by all of them. All are
 * safe in a signal handler.
 */

/*
 * The counters of this process. Never NULL: made at the first call after start
 * or fork; where no file can be had (a full directory, RLIMIT_FSIZE, chroot),
 * anonymous memory, and the report at exit still works.
 */
struct stats *stats_get(void);

/* The counters if they were made already, else NULL: a process that counted nothing has none. */
struct stats *stats_peek(void);

/* Does this process, a child, count in the counters of its family, with others? */
bool stats_is_shared(void);

/*
 * Called in the constructor: finds the directory, keeps nothing open but, if the
 * settings ask for a report, what is needed later. ARGC and ARGV as main has them.
 */
void stats_init(int argc, char **argv);

/*
 * Round a fork: before it and after it in the parent, and in the child, where counters
 * begin at zero and are made when first needed.
 */
void stats_before_fork(void);
void stats_forked_parent(void);
void stats_forked(void);

/* Called before the process loses rights or its root directory: makes the file while it can. */
void stats_before_losing_rights(void);

/*
 * Marks the end; WHAT is STATS_EXIT, STATS_EXEC, or STATS_SIGNAL with the signal's
 * number. STATS_RUNNING takes it back: the exec failed.
 */
void stats_end(enum stats_ended what, int signal);

/* What can be done in this process, for the report; holds for its children too. Makes no file. */
void stats_set_features(bool lease, bool procmap, bool guard);

/* Is there nothing in S? Looks at no more than it must. */
bool stats_empty(const struct stats *s);

/*
 * From the fault handler, for a SIGBUS at ADDRESS: if that lies in the counters
 * (somebody truncated the file), they go on in anonymous memory. Returns false if it does not.
 */
bool stats_rescue(const void *address);

/* The program's own path as it was at start; "" when it is not known. */
const char *stats_program_path(void);

static inline void stats_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void stats_add_signed(_Atomic int64_t *counter, int64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

const char *stats_kind_word(unsigned kind);
const char *stats_engine_word(unsigned engine);

#endif
