/* SPDX-License-Identifier: MIT */
/*
 * thread.h - what the library keeps for each thread.
 *
 * A thread is enrolled at birth by the hook of pthread_create, else at its first
 * hook that needs it. The record comes from a list that only grows, and is used
 * again after the thread's end.
 */
#ifndef SHUNT_THREAD_H
#define SHUNT_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <threads.h>

#include "shunt.h"
#include "tally.h"

enum { THREAD_HAZARDS = 16, THREAD_LAST_READS = 4, SIG_VIRTUAL = 3 };

struct fd_entry;
struct landing;

struct thread {
	struct thread *next;    /* of all records ever made; never unlinked */
	_Atomic int tid;        /* 0: the record is free; -1: kept for a thread that is being born */
	/* sources (index + 1) that this thread may be sending from: they are not closed */
	_Atomic int hazard[THREAD_HAZARDS];
	_Atomic unsigned pins;  /* so many of these are in use, */
	uintptr_t pinner;       /* the last of them by the write whose segments lie here, on the stack */
	struct landing *landed; /* what it read into last; NULL: nothing yet */
	_Atomic(const struct fd_entry *) several; /* what it is sending to by several calls: writers.h */
	/* the stack it runs on, [lo, hi); 0 when not known */
	_Atomic uintptr_t stack_lo, stack_hi;
	bool stack_sure;        /* it ends nowhere above stack_hi: from the thread's attributes, or of libc's making */
	void *alternate_stack;  /* ours, or NULL; stays with the record */
	char *piece;            /* for a copy of ours, or NULL; stays with the record: dontwait.c */
	bool alternate_in_use;  /* ours is what the kernel knows */
	stack_t program_stack;  /* what the program set by sigaltstack, SS_DISABLE if nothing */
	bool guarded;           /* its system calls are dispatched: guard.h */
	uint64_t masked;        /* of SIGSEGV, SIGBUS, SIGSYS: what the program believes to have blocked */
	uint64_t masked_base;   /* the same, as last set by name: what siglongjmp goes back to */
	uint64_t masked_beside; /* what the kernel has blocked as long as MASKED is true: sig_doubt */
	uint64_t pending;       /* of these: sent while they were believed to be blocked */
	siginfo_t pending_info[SIG_VIRTUAL]; /* of SIGBUS, SIGSEGV, SIGSYS */
	/* what pthread_create hands to its trampoline */
	void *(*start)(void *);
	int (*start_c11)(void *);
	void *argument;
	size_t stack_size;
	bool mask_from_attributes;
	struct tallies tallies; /* chunks that are counted and not in the report's rows yet */
	int dying;              /* rounds of the key's destructor so far */
};

extern __thread struct thread *thread_self_record __attribute__((tls_model("initial-exec")));

/*
 * > 0 in the child of a vfork: it shares our memory, so every hook only passes
 * through. Set by the parent before the call, cleared when it goes on.
 */
extern __thread unsigned char thread_passive __attribute__((tls_model("initial-exec")));

/* Of these, how often in the child of a vfork: a walk over the stack is passive, too. */
extern __thread unsigned char thread_vforked __attribute__((tls_model("initial-exec")));

/* The record of this thread, enrolled if need be; NULL when no memory is left. Keeps errno. */
struct thread *thread_enrol(void);

static inline struct thread *thread_self(void)
{
	return likely(thread_self_record != NULL) ? thread_self_record : thread_enrol();
}

/* The list of all records; walk by next, skip those whose tid is 0. Signal safe. */
struct thread *thread_list(void);

/* Does [lo, hi) touch a stack of any enrolled thread? Signal safe. */
bool thread_stack_overlaps(uintptr_t lo, uintptr_t hi);

/*
 * Does this thread run, at ADDRESS, on a stack of which the bounds are known for sure? Signal safe.
 */
bool thread_on_known_stack(uintptr_t address);

/* Is this process single-threaded for certain? (libc's word, and no raw clone was seen) */
bool thread_single(void);

/* A clone that libc does not know of was made: thread_single is false for good. */
void thread_note_clone(void);

/*
 * What the kernel has of this thread's alternate stack is to be ours or the program's: sig_stack.c.
 */
int thread_set_stack(struct thread *t, const stack_t *ss, stack_t *old);

/* Gives this thread an alternate signal stack if it has none. Called before its first landing. */
void thread_alternate_stack(void);

/*
 * Called in the constructor: the key that tells of a thread's end, the record of the first thread.
 */
void thread_init(void);

/*
 * Is libc making a thread for thread_create just now? Its pthread_create calls clone by a symbol before
 * glibc 2.34. Signal safe.
 */
bool thread_is_making(void);

/*
 * Does what pthread_create does, by way of a trampoline that enrols the new
 * thread; CREATE is the real function. Not safe in a signal handler.
 */
int thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
		  void *argument,
		  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));

/* The same for thrd_create. */
int thread_create_c11(thrd_t *thread, thrd_start_t start, void *argument,
		      int (*create)(thrd_t *, thrd_start_t, void *));

/* In the child of a fork: only this thread is left. */
void thread_forked(void);

#endif
