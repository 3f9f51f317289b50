/* SPDX-License-Identifier: MIT */
/*
 * sig.h - the signals that are virtual: the program is shown its own handlers
 * and masks, while ours stay in front.
 *
 * SIGSEGV and SIGBUS, and SIGSYS while the guard is on (guard.h), belong to the
 * fault handler from the first landing on.
 * They are stripped from every mask that enters the kernel: a fault while they
 * are blocked would kill. The ending signals (SIGTERM, SIGINT, SIGHUP, ...) get a
 * handler of ours only while the program leaves them at their default and a report is wanted.
 *
 * What differs from a life without shunt, and is accepted: a handler of the program for SIGSEGV or
 * SIGBUS runs on our alternate stack where it did not ask for one; in a handler of another signal
 * SIGSEGV shows as not blocked, whatever sa_mask said; a handler that blocks it by name and leaves
 * it to its return to unblock it again finds it shown as blocked from then on; where a handler is
 * exchanged for another, a thread that gets the signal in that instant may run the new one under
 * the flags of the old; a SIGSEGV that is sent while a thread believes it blocked stays with that
 * thread.
 */
#ifndef SHUNT_SIG_H
#define SHUNT_SIG_H

#include <signal.h>
#include <string.h>

#include "shunt.h"

/* Signal sets are the kernel's 64 bits here. */
static inline uint64_t sig_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* SIGSEGV and SIGBUS, and with the guard SIGSYS: what never enters the kernel as blocked. */
extern uint64_t sig_faults __attribute__((visibility("hidden")));
#define SIG_FAULTS sig_faults

static inline uint64_t sig_bits(const sigset_t *set)
{
	uint64_t bits;

	memcpy(&bits, set, sizeof(bits));
	return bits;
}

static inline void sig_set_bits(sigset_t *set, uint64_t bits)
{
	memcpy(set, &bits, sizeof(bits));
}

/*
 * Called in the constructor, and calls thread_init. Unblocks SIGSEGV and SIGBUS
 * where they were inherited blocked, and remembers.
 */
void sig_init(void);

/*
 * Puts the fault handler in front; once, before the first page is protected.
 * Returns false if that cannot be done (then nothing may land). Keeps errno.
 */
bool sig_own_faults(void);

/*
 * The same for SIGBUS alone, which the file of the counters may raise. Where no handler was there
 * before us this asks the kernel two things, and sig_own_faults seventy: most processes that count
 * something land nothing. Keeps errno.
 */
bool sig_own_bus(void);

/* Did it? Then every new thread has an alternate stack from its birth. */
bool sig_faults_owned(void);

/*
 * From our fault handler: the fault was not ours. Does what the kernel would have
 * done for the program: its handler with its mask and flags, or the default
 * (which ends the process at the same instruction, with the same signal).
 */
void sig_chain(int signal, siginfo_t *info, void *context);

/* The same for a fault that we make up: the instruction would raise another, for ever. */
void sig_chain_made(int signal, siginfo_t *info, void *context);

/*
 * From our fault handler: a signal that was sent while this thread holds a lock, or has its
 * signals blocked by prim_signals_block, which leaves SIGBUS out for the sake of the
 * counters. True: it waits in the kernel until that is over.
 */
bool sig_defer(int signal, siginfo_t *info, void *context);

/* Has the program any handler installed at all (now or ever)? */
bool sig_handlers_exist(void);

/*
 * How many handlers of the program's ran on this thread: where sig_must_mask is false, all of them
 * count. And did the last of those let a call of the kernel's go on (SA_RESTART)?
 */
unsigned sig_handled(void);
bool sig_restarts(void);

/*
 * Why sections under a lock block signals: there may be handlers that do not wait by themselves
 * (sig_late.c). Bits: it is not known yet what was there before us; the program's own handler of
 * a fault is not behind ours yet; others, for good.
 */
enum { SIG_MUST_LEARN = 1, SIG_MUST_FAULTS = 2, SIG_MUST_OTHERS = 4 };
extern _Atomic unsigned sig_must __attribute__((visibility("hidden")));

bool sig_must_mask_slow(void);

static inline bool sig_must_mask(void)
{
	return unlikely(atomic_load_explicit(&sig_must, memory_order_acquire)) &&
	       sig_must_mask_slow();
}

/* What the program's disposition of SIGPIPE is now: SIG_IGN, SIG_DFL, or its handler. */
void (*sig_pipe_disposition(void))(int);

/*
 * A signal that the program does not hear: at its default, which is to ignore it; 0 if it
 * has handlers for all of these. For what the kernel sends of its own accord. Signal safe.
 */
int sig_unheard(void);

/*
 * Is a signal handler of the program on this thread's stack? Exact "no" is not promised, "yes" may
 * be wrong; used before things that are not signal safe. Slow (a walk over the stack).
 */
bool sig_in_handler(void);

/* A process that forks again and again learns for its children what handlers there are. */
void sig_before_fork(void);

/* In the child of a fork. */
void sig_forked(void);

/*
 * Before filter_silences is true: ending signals are at their default again, for the kernel too. The
 * faults stay ours, since another thread may be on its way to their handler.
 */
void sig_silence(void);

/*
 * Is this the process that sig_init or sig_forked was called in? Not a child that we heard nothing
 * of.
 */
bool sig_own_process(void);

/*
 * ---- for the hooks of the signal family ----
 *
 * Once sig_init was called signals stay virtual, in SHUNT_ASIDE too: the program
 * must not come to see our handlers.
 */
extern _Atomic bool sig_active;

/* sigaction for the program: 0, or -1 and errno. Signal safe. */
int sig_action(int signal, const struct sigaction *action, struct sigaction *old);

/* ACTION is what the kernel has, in the child of a vfork: what the program is to see of it. */
void sig_show_passive(int signal, struct sigaction *action);

/* sigprocmask for the program: 0, or an error number. Signal safe, keeps errno. */
int sig_mask(int how, const sigset_t *set, sigset_t *old);

/*
 * Is this the child of a vfork, with something blocked that the kernel does not know of? Then its
 * masks go by sig_mask, though its other hooks pass through.
 */
bool sig_passive_believes(void);

/*
 * A call takes MASK for its length (ppoll, sigsuspend): INNER gets what the kernel
 * is given, BEFORE what sig_take_back wants. False if a signal was waiting that
 * MASK lets through: it was delivered, and the call ends with EINTR.
 */
bool sig_lend(const sigset_t *mask, sigset_t *inner, uint64_t *before);
void sig_take_back(uint64_t before);

/*
 * The address that libc gives the kernel as the end of a handler, NULL if none was
 * installed yet.
 */
void *sig_restorer(void);

/*
 * Of SIGSEGV, SIGBUS, SIGSYS: what is pending in the program's eyes. Takes one in SET into INFO; 0
 * if none.
 */
uint64_t sig_pending(void);
int sig_take_pending(const sigset_t *set, siginfo_t *info);

/* Keeps a sent SIGSEGV, SIGBUS or SIGSYS for when T unblocks it. */
void sig_keep_pending(int signal, const siginfo_t *info);

/* siglongjmp brings the mask SAVED back, if it does. */
void sig_jump(bool restores_mask, const sigset_t *saved);

/*
 * CONTEXT's mask is about to become real: what is in it of SIGSEGV and SIGBUS is remembered
 * instead.
 */
void sig_context(ucontext_t *context);

/* The mask that sigprocmask(HOW, BITS) makes of BEFORE. */
uint64_t sig_changed(int how, uint64_t before, uint64_t bits);

/* From now on T, which is this thread or one that is being born, believes that MASK is blocked. */
struct thread;
void sig_believe(struct thread *t, uint64_t mask);

/*
 * MASK is what the kernel has blocked: if there is something not in it that is when what the
 * program believes is true, then it has unblocked by a call that nobody heard (runtimes make
 * threads with all blocked by libc, and unblock by themselves), and the belief is given up.
 */
void sig_doubt(uint64_t mask);

/*
 * Round exec: the kernel is given the mask and dispositions that the next program is to inherit,
 * and back.
 */
void sig_expose(void);
void sig_hide(void);

/*
 * ---- handlers that wait until their thread holds no lock of ours: sig_late.c ----
 *
 * All of it for sig.c, with its table taken, and safe in a signal handler.
 */
typedef void sig_function(int, siginfo_t *, void *);

/* What the program wants called where the kernel has ours; without SA_SIGINFO, with SA_RESETHAND. */
struct sig_late {
	sig_function *handler;
	bool plain, once;
};

/*
 * Puts ours into ACTION, a handler of the program's for SIGNAL, which is noted. False: it is not
 * one that can wait. To be undone by sig_late_put with what sig_late_get had given before.
 */
bool sig_late_front(int signal, struct sigaction *action);
struct sig_late sig_late_get(int signal);
void sig_late_put(int signal, struct sig_late was);

/* ACTION is the kernel's: the program is to see its own handler, WAS. */
void sig_late_show(struct sig_late was, struct sigaction *action);
bool sig_late_is_front(const void *handler);

/*
 * For a handler with SA_RESETHAND, as it is called, without the table taken: the kernel forgets it now.
 * False: it was forgotten already.
 */
bool sig_forget_handler(int signal, bool plain);

/* A fault was sent: true if the thread holds a lock, and it comes later. */
bool sig_late_sent(int signal, siginfo_t *info, void *context);

/* The program changed a disposition behind our back: syscall(SYS_rt_sigaction, SIGNAL, ...). */
void sig_note_raw(int signal);

#endif
