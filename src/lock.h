/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a mutex for short sections: three states and a futex (0 free, 1
 * taken, 2 taken and waited for).
 *
 * The rules: nothing is called under a lock that can block for long or calls
 * out of shunt. No handler of the program's runs on a thread that holds one, since hooks
 * run in handlers and collectors stop threads by signal: they wait (sig_late.c), or, where
 * one of them cannot, signals are blocked.
 */
#ifndef SHUNT_LOCK_H
#define SHUNT_LOCK_H

#include "prim.h"
#include "shunt.h"
#include "sig.h"

struct lock {
	_Atomic uint32_t word;
};

/* What a thread that holds locks owes to the signals that came meanwhile; and those that came. */
struct lock_thread {
	unsigned depth;  /* locks that it holds, or is about to */
	unsigned handled; /* handlers of the program's that were called by way of ours, ... */
	int signal;      /* ... the last of them for this */
	bool late;       /* a handler waits for the last of them; all signals are blocked, ... */
	uint64_t mask;   /* ... and this is what is blocked after it */
};

extern __thread struct lock_thread lock_thread __attribute__((tls_model("initial-exec")));

/* The last lock is let go of and a handler waits: it runs now. */
void lock_late(void);

/* What lock_take changed and lock_drop puts back. */
struct lock_held {
	bool masked;
	uint64_t mask;
};

void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);

static inline bool lock_get(struct lock *lock)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong_explicit(
		&lock->word, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void lock_put(struct lock *lock)
{
	if (unlikely(atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2))
		lock_wake(lock);
}

static inline void lock_take(struct lock *lock, struct lock_held *held)
{
	held->masked = sig_must_mask();
	if (unlikely(held->masked))
		prim_signals_block(&held->mask);
	else
		lock_thread.depth++;
	atomic_signal_fence(memory_order_seq_cst);
	if (unlikely(!lock_get(lock)))
		lock_wait(lock);
}

static inline void lock_drop(struct lock *lock, const struct lock_held *held)
{
	lock_put(lock);
	atomic_signal_fence(memory_order_seq_cst);
	if (unlikely(held->masked)) {
		prim_signals_restore(&held->mask);
		return;
	}
	lock_thread.depth--;
	atomic_signal_fence(memory_order_seq_cst);
	if (unlikely(lock_thread.late && lock_thread.depth == 0))
		lock_late();
}

/*
 * A second lock, by a thread that holds one: only if nobody has it, for whoever does may want ours.
 * What keeps handlers away is there already.
 */
static inline bool lock_try_second(struct lock *lock)
{
	return lock_get(lock);
}

static inline void lock_drop_second(struct lock *lock)
{
	lock_put(lock);
}

/* In the child of a fork: whoever held it is not here. */
static inline void lock_reset(struct lock *lock)
{
	/* looked at first: in the child of a fork the page would be copied in vain */
	if (atomic_load_explicit(&lock->word, memory_order_relaxed))
		atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
}

#endif
