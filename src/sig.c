/* SPDX-License-Identifier: MIT */
/*
 * sig.c - dispositions: what the program set, and what the kernel has instead.
 *
 * The table is changed under a lock of its own with every signal blocked, so it
 * can be taken in any handler, also in the fault handler: whoever holds it
 * touches nothing but this file's memory. The program's memory is read before
 * and written after. Nothing here allocates.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

#include "config.h"
#include "fault.h"
#include "filter.h"
#include "hook.h"
#include "prim.h"
#include "report.h"
#include "sig.h"
#include "stats.h"
#include "thread.h"

enum { SIGNALS = 65, KERNEL_RESTORER = 0x04000000 };

/* What the kernel keeps of sa_flags since 5.11; others it drops, and shows as dropped. */
#define KNOWN_FLAGS                                                                               \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 (int)SA_RESETHAND | 0x800 | KERNEL_RESTORER)

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

struct disposition {
	bool ours;              /* the kernel has our handler; SHOWN is the program's */
	uint64_t stripped;      /* what was taken out of the program's sa_mask, if not ours */
	struct sigaction shown;
};

_Atomic bool sig_active;

static LARGE_TABLE struct disposition table[SIGNALS];
static FORK_WRITES _Atomic int table_word;
static _Atomic bool handlers_exist, inherited_known, raw_changes, faults_owned, cannot_own;
_Atomic unsigned sig_must = SIG_MUST_LEARN;
static _Atomic(sighandler_t) pipe_handler;
static _Atomic uint64_t inherited; /* the handlers that were there before us, or are ours no more */
static void *_Atomic restorer; /* of a handler installed by libc; NULL if not known */
static FORK_WRITES int own_pid;
static bool want_endings;
static FORK_WRITES _Atomic int ending_now;

static const unsigned char endings[] = {
	SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGUSR1, SIGUSR2, SIGPIPE,
};

/*
 * Where no call may be made signals are not blocked, and a handler that finds its own thread at the
 * table goes on without the lock.
 */
static __thread struct {
	unsigned depth;
	bool blocked;
} at_table;

static void table_take(uint64_t *mask)
{
	bool block = !filter_silences();

	if (block)
		prim_signals_block(mask);
	if (at_table.depth++)
		return;
	at_table.blocked = block;
	while (atomic_exchange_explicit(&table_word, 1, memory_order_acquire))
		if (!filter_silences())
			prim_yield();
}

static void table_drop(const uint64_t *mask)
{
	if (--at_table.depth)
		return;
	atomic_store_explicit(&table_word, 0, memory_order_release);
	if (at_table.blocked)
		prim_signals_restore(mask);
}

static int ask_kernel(int signal, struct kernel_action *k)
{
	return (int)PRIM4(SYS_rt_sigaction, signal, NULL, k, sizeof(uint64_t));
}

static bool is_handler(sighandler_t h)
{
	return h != SIG_DFL && h != SIG_IGN;
}

static bool is_fault(int signal)
{
	return SIG_FAULTS & sig_bit(signal);
}

static bool is_ending(int signal)
{
	for (size_t i = 0; i < sizeof(endings); i++)
		if (endings[i] == signal)
			return true;
	return false;
}

/*
 * Handlers that were there before us: of another preload's constructor. Almost always there
 * are none, and to ask for each signal is not worth it before anybody wants to know.
 */
static COLD void learn_inherited(void)
{
	struct kernel_action k;

	for (int s = 1; s < SIGNALS; s++) {
		if (s == 32) /* libc's own, that come with threads */
			s = SIGRTMIN;
		if (table[s].ours || ask_kernel(s, &k) < 0 || !is_handler((sighandler_t)k.handler) ||
		    sig_late_is_front(k.handler))
			continue;
		atomic_store_explicit(&handlers_exist, true, memory_order_relaxed);
		atomic_fetch_or(&sig_must, is_fault(s) ? SIG_MUST_FAULTS : SIG_MUST_OTHERS);
		inherited |= sig_bit(s);
		if (k.flags & KERNEL_RESTORER)
			atomic_store(&restorer, k.restorer);
	}
	atomic_store_explicit(&inherited_known, true, memory_order_release);
	atomic_fetch_and(&sig_must, ~(unsigned)SIG_MUST_LEARN);
}

bool sig_handlers_exist(void)
{
	if (unlikely(!atomic_load_explicit(&inherited_known, memory_order_acquire)))
		learn_inherited();
	return atomic_load_explicit(&handlers_exist, memory_order_relaxed);
}

FORKS void sig_before_fork(void)
{
	static unsigned forks;

	if (!atomic_load(&inherited_known) && ++forks > 1)
		learn_inherited();
}

/*
 * To learn takes 62 calls, to block signals under a lock two: a process that does little, as a CGI
 * child, never learns.
 */
COLD bool sig_must_mask_slow(void)
{
	enum { LOCKS_UNTAUGHT = 24 };
	static _Atomic unsigned locks;

	if (!atomic_load(&inherited_known)) {
		if (atomic_fetch_add(&locks, 1) < LOCKS_UNTAUGHT)
			return true;
		learn_inherited();
	}
	return atomic_load(&sig_must) != 0;
}

sighandler_t sig_pipe_disposition(void)
{
	struct kernel_action k;

	if (likely(atomic_load_explicit(&sig_active, memory_order_relaxed) &&
		   !atomic_load_explicit(&raw_changes, memory_order_relaxed)))
		return atomic_load_explicit(&pipe_handler, memory_order_relaxed);
	if (ask_kernel(SIGPIPE, &k) < 0)
		return SIG_DFL;
	return table[SIGPIPE].ours ? SIG_DFL : (sighandler_t)k.handler;
}

int sig_unheard(void)
{
	static const unsigned char ignored[] = { SIGURG, SIGWINCH, SIGCHLD, SIGCONT };
	struct kernel_action k;

	for (size_t i = 0; i < sizeof(ignored); i++)
		if (ask_kernel(ignored[i], &k) == 0 && !is_handler((sighandler_t)k.handler))
			return ignored[i];
	return 0;
}

/* How the kernel would show A after it was set through libc. */
static void normalise(struct sigaction *a)
{
	uint64_t bits = sig_bits(&a->sa_mask);

#if defined(__x86_64__)
	a->sa_flags |= KERNEL_RESTORER;
	a->sa_restorer = (void (*)(void))atomic_load(&restorer);
#endif
	a->sa_flags &= KNOWN_FLAGS;
	sig_set_bits(&a->sa_mask, bits & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP)));
}

static void learn_restorer(int signal)
{
	struct kernel_action k;

	if (!atomic_load(&restorer) && ask_kernel(signal, &k) == 0 && (k.flags & KERNEL_RESTORER))
		atomic_store(&restorer, k.restorer);
}

/*
 * Everything is blocked while ours runs: nothing may interrupt a fill. But for SIGBUS, which
 * blocked would kill where the file of the counters was truncated; see fault.c.
 */
static int exchange_ours(int signal, void (*handler)(int, siginfo_t *, void *), int flags,
			 struct sigaction *old)
{
	struct sigaction a = {.sa_flags = SA_SIGINFO | SA_ONSTACK | flags};

	a.sa_sigaction = handler;
	sigfillset(&a.sa_mask);
	sigdelset(&a.sa_mask, SIGBUS);
	return REAL(sigaction)(signal, &a, old);
}

static int install_ours(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	return exchange_ours(signal, handler, flags, NULL);
}

static int set_default(int signal)
{
	struct sigaction a = {.sa_flags = 0};

	a.sa_handler = SIG_DFL;
	return REAL(sigaction)(signal, &a, NULL);
}

/* ---- the ending signals ---- */

/* Dies of SIGNAL as if it had its default action, which it is given. */
static void die_of(int signal)
{
	uint64_t bit = sig_bit(signal);

	set_default(signal);
	prim_tgkill(prim_getpid(), prim_gettid(), signal);
	prim_sigprocmask(SIG_UNBLOCK, &bit, NULL);
}

/* A second ending signal must not cut off the report of the first: half a second at most. */
static void wait_for_report(void)
{
	struct timespec pause = {0, 5000000};

	for (int i = 0; i < 100 && atomic_load(&ending_now) == 1; i++)
		PRIM2(SYS_nanosleep, &pause, NULL);
}

bool sig_own_process(void)
{
	return atomic_load(&sig_active) && prim_getpid() == own_pid;
}

static void ending_handler(int signal, siginfo_t *info, void *context)
{
	int none = 0;

	(void)info;
	(void)context;
	/* of the first process of a name space the kernel ignores what is at its default */
	if (prim_getpid() == 1)
		return;
	if (!thread_passive && sig_own_process()) {
		if (atomic_compare_exchange_strong(&ending_now, &none, 1)) {
			tally_tell();
			stats_end(STATS_SIGNAL, signal);
			report_at_end();
			atomic_store(&ending_now, 2);
		} else {
			wait_for_report();
		}
	}
	die_of(signal);
}

/* SIGNAL is at its default: puts ours there if a report is wanted. The table is taken. */
static void front_ending(int signal, const struct sigaction *shown)
{
	struct disposition *d = &table[signal];

	if (!want_endings || prim_getpid() == 1 ||
	    install_ours(signal, ending_handler, SA_RESTART) < 0)
		return;
	learn_restorer(signal);
	d->shown = *shown;
	d->ours = true;
}

static void front_at_start(int signal)
{
	struct disposition *d = &table[signal];
	struct kernel_action k;

	if (d->ours || ask_kernel(signal, &k) < 0 || (sighandler_t)k.handler != SIG_DFL ||
	    exchange_ours(signal, ending_handler, SA_RESTART, &d->shown) < 0)
		return;
	learn_restorer(signal);
	d->ours = true;
}

static void front_endings(void)
{
	if (!want_endings || own_pid == 1)
		return;
	table[0].ours = false; /* written first, a page comes once */
	for (size_t i = 0; i < sizeof(endings); i++)
		front_at_start(endings[i]);
}

/* ---- sigaction ---- */

static void note_program_handler(int signal, sighandler_t handler)
{
	if (is_handler(handler)) {
		atomic_store_explicit(&handlers_exist, true, memory_order_relaxed);
		if (is_fault(signal) && !table[signal].ours)
			atomic_fetch_or(&sig_must, SIG_MUST_FAULTS);
	}
	if (signal == SIGPIPE)
		atomic_store_explicit(&pipe_handler, handler, memory_order_relaxed);
}

/* Ours stays in front of SIGNAL: the kernel hears only how calls are to be interrupted. */
static void show_only(struct disposition *d, int signal, const struct sigaction *action)
{
	bool restart = action->sa_flags & SA_RESTART || !is_handler(action->sa_handler);

	d->shown = *action;
	normalise(&d->shown);
	install_ours(signal, fault_handler, restart ? SA_RESTART : 0);
}

/* INNER is what the kernel gets: ACTION with the faults taken out of its mask. */
static uint64_t strip(int signal, const struct sigaction *action, struct sigaction *inner)
{
	uint64_t bits = sig_bits(&action->sa_mask);

	*inner = *action;
	if (is_fault(signal)) /* not ours yet, and put in order when it becomes ours */
		return 0;
	sig_set_bits(&inner->sa_mask, bits & ~SIG_FAULTS);
	return bits & SIG_FAULTS;
}

static int exchange(int signal, const struct sigaction *action, struct sigaction *old)
{
	struct disposition *d = &table[signal];
	struct sig_late was = sig_late_get(signal);
	uint64_t stripped = 0;
	struct sigaction inner, shown;

	if (d->ours && (!action || is_fault(signal))) {
		*old = d->shown;
		if (action)
			show_only(d, signal, action);
		return 0;
	}
	if (action)
		stripped = strip(signal, action, &inner);
	if (action && is_handler(action->sa_handler) && !sig_late_front(signal, &inner) &&
	    !is_fault(signal))
		atomic_fetch_or(&sig_must, SIG_MUST_OTHERS);
	if (REAL(sigaction)(signal, action ? &inner : NULL, old) < 0) {
		sig_late_put(signal, was);
		return -1;
	}
	sig_late_show(was, old);
	sig_set_bits(&old->sa_mask, sig_bits(&old->sa_mask) | d->stripped);
	if (d->ours)
		*old = d->shown;
	if (!action)
		return 0;
	d->ours = false;
	d->stripped = stripped;
	if (is_handler(action->sa_handler))
		learn_restorer(signal);
	if (action->sa_handler == SIG_DFL && is_ending(signal)) {
		shown = *action;
		normalise(&shown);
		front_ending(signal, &shown);
	}
	return 0;
}

/* Has the kernel sig_late.c's handler for SIGNAL? *K gets what it has. */
static bool has_front(int signal, struct kernel_action *k)
{
	return ask_kernel(signal, k) == 0 && sig_late_is_front(k->handler);
}

bool sig_forget_handler(int signal, bool plain)
{
	struct kernel_action k;
	uint64_t mask;
	bool there;

	table_take(&mask);
	there = has_front(signal, &k);
	if (there && sig_late_get(signal).once) {
		k.handler = SIG_DFL;
		k.flags |= SA_RESETHAND;
		if (plain)
			k.flags &= ~(unsigned long)SA_SIGINFO;
		PRIM4(SYS_rt_sigaction, signal, &k, NULL, sizeof(uint64_t));
	}
	table_drop(&mask);
	return there;
}

int sig_action(int signal, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction copy, before = {.sa_flags = 0};
	uint64_t mask;
	int ret;

	if (signal < 1 || signal >= SIGNALS || (signal >= 32 && signal < SIGRTMIN))
		return REAL(sigaction)(signal, action, old);
	if (action)
		copy = *action;
	table_take(&mask);
	ret = exchange(signal, action ? &copy : NULL, &before);
	if (ret == 0 && action)
		note_program_handler(signal, copy.sa_handler);
	table_drop(&mask);
	if (ret == 0 && old)
		*old = before;
	return ret;
}

void sig_note_raw(int signal)
{
	uint64_t mask;

	atomic_store(&raw_changes, true);
	atomic_store(&handlers_exist, true);
	atomic_fetch_or(&sig_must, SIG_MUST_OTHERS);
	if (signal < 1 || signal >= SIGNALS)
		return;
	table_take(&mask);
	table[signal].ours = false;
	table[signal].stripped = 0;
	if (signal == SIGTRAP)
		prim_critical |= sig_bit(SIGTRAP);
	if (is_fault(signal)) { /* ours is no longer in front */
		prim_critical |= sig_bit(SIGBUS);
		atomic_store(&cannot_own, true);
	}
	table_drop(&mask);
}

/* ---- the faults ---- */

/* Handlers that were set before sig_init, or raw, may have SIGSEGV in their masks. */
static void strip_existing(int signal)
{
	struct sigaction now, inner;
	uint64_t stripped;

	if (is_fault(signal) || (signal >= 32 && signal < SIGRTMIN) || table[signal].ours)
		return;
	if (REAL(sigaction)(signal, NULL, &now) < 0 || !is_handler(now.sa_handler))
		return;
	stripped = strip(signal, &now, &inner);
	if (stripped && REAL(sigaction)(signal, &inner, NULL) == 0)
		table[signal].stripped |= stripped;
}

static bool own(int signal)
{
	struct disposition *d = &table[signal];
	bool restart;

	if (d->ours)
		return true;
	if (REAL(sigaction)(signal, NULL, &d->shown) < 0)
		return false;
	restart = d->shown.sa_flags & SA_RESTART || !is_handler(d->shown.sa_handler);
	d->ours = install_ours(signal, fault_handler, restart ? SA_RESTART : 0) == 0;
	learn_restorer(signal);
	return d->ours;
}

bool sig_own_faults(void)
{
	int saved = errno;
	uint64_t mask;

	if (likely(atomic_load_explicit(&faults_owned, memory_order_acquire)))
		return !atomic_load_explicit(&cannot_own, memory_order_relaxed);
	if (!atomic_load(&sig_active) || atomic_load(&cannot_own) || filter_silences())
		return false;
	table_take(&mask);
	if (!atomic_load(&inherited_known))
		learn_inherited();
	for (int s = 1; s < SIGNALS; s++)
		if (inherited & sig_bit(s) || atomic_load(&raw_changes))
			strip_existing(s);
	if (own(SIGSEGV) && own(SIGBUS) && (!is_fault(SIGSYS) || own(SIGSYS))) {
		prim_critical &= ~sig_bit(SIGBUS);
		atomic_store_explicit(&faults_owned, true, memory_order_release);
		atomic_fetch_and(&sig_must, ~(unsigned)SIG_MUST_FAULTS);
	}
	table_drop(&mask);
	errno = saved;
	return atomic_load(&faults_owned);
}

/*
 * Was each handler that was there when the first file or socket was met put there through us? Then
 * there is no handler with SIGBUS in a mask that the kernel knows.
 */
static bool all_are_known(void)
{
	uint64_t caught, libc = sig_bit(32) | sig_bit(33);

	if (!filter_caught(&caught) || atomic_load(&raw_changes))
		return false;
	for (int s = 1; s < SIGNALS; s++)
		if (caught & ~libc & sig_bit(s) && !table[s].ours && !sig_late_get(s).handler)
			return false;
	return true;
}

bool sig_own_bus(void)
{
	int saved = errno;
	uint64_t mask;
	bool ours;

	if (atomic_load(&inherited_known) || !atomic_load(&sig_active) || atomic_load(&cannot_own) ||
	    filter_silences() || !all_are_known())
		return sig_own_faults();
	table_take(&mask);
	ours = own(SIGBUS);
	if (ours)
		prim_critical &= ~sig_bit(SIGBUS);
	table_drop(&mask);
	errno = saved;
	return ours;
}

void *sig_restorer(void)
{
	return atomic_load(&restorer);
}

bool sig_faults_owned(void)
{
	return atomic_load_explicit(&faults_owned, memory_order_acquire);
}

/* The program's action for a fault; SA_RESETHAND comes before the call, as in the kernel. */
static void take_action(int signal, bool delivered, struct sigaction *a)
{
	struct disposition *d = &table[signal];
	uint64_t mask;

	table_take(&mask);
	*a = d->shown;
	if (delivered && is_handler(a->sa_handler) && a->sa_flags & (int)SA_RESETHAND)
		d->shown.sa_handler = SIG_DFL;
	table_drop(&mask);
}

/*
 * The program's handler, with the mask that the kernel would have set and the
 * context that it would have seen. It may not come back (siglongjmp): nothing is held.
 */
static void call_handler(int signal, siginfo_t *info, ucontext_t *context,
			 const struct sigaction *a)
{
	struct thread *t = thread_self();
	uint64_t bits = sig_bits(&context->uc_sigmask), before = t ? t->masked : 0;
	uint64_t mask = bits | before | sig_bits(&a->sa_mask);

	if (!(a->sa_flags & SA_NODEFER))
		mask |= sig_bit(signal);
	sig_set_bits(&context->uc_sigmask, bits | before);
	if (t)
		t->masked = mask & SIG_FAULTS;
	mask &= ~SIG_FAULTS;
	if (!filter_silences()) /* else all stays blocked while it runs */
		prim_sigprocmask(SIG_SETMASK, &mask, NULL);
	a->sa_sigaction(signal, info, context);
	bits = sig_bits(&context->uc_sigmask);
	sig_set_bits(&context->uc_sigmask, bits & ~SIG_FAULTS);
	mask = ~UINT64_C(0);
	if (!filter_silences())
		prim_sigprocmask(SIG_SETMASK, &mask, NULL);
	if (t) {
		t->masked = bits & SIG_FAULTS;
		t->masked_beside &= bits;
	}
	(void)sig_pending();
}

/* kill, raise, and the memory error that is told in advance: no instruction to go back to. */
static bool was_sent(int signal, const siginfo_t *info)
{
	return info->si_code <= 0 || (signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

bool sig_defer(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	uint64_t mask = sig_bits(&c->uc_sigmask);

	if (!was_sent(signal, info))
		return false;
	/* no mask of the program's has SIGSEGV in it */
	if (signal != SIGBUS || !(mask & sig_bit(SIGSEGV)))
		return sig_late_sent(signal, info, context);
	sig_set_bits(&c->uc_sigmask, mask | sig_bit(SIGBUS));
	PRIM4(SYS_rt_tgsigqueueinfo, prim_getpid(), prim_gettid(), SIGBUS, info);
	return true;
}

static void chain(int signal, siginfo_t *info, void *context, bool comes_again)
{
	struct thread *t = thread_self_record;
	bool blocked, sent = was_sent(signal, info);
	struct sigaction a;

	sig_doubt(sig_bits(&((const ucontext_t *)context)->uc_sigmask));
	blocked = t && t->masked & sig_bit(signal);
	if (blocked && sent) {
		sig_keep_pending(signal, info);
		return;
	}
	take_action(signal, !blocked, &a);
	if (!blocked && is_handler(a.sa_handler)) {
		call_handler(signal, info, context, &a);
		return;
	}
	if (sent && a.sa_handler == SIG_IGN)
		return;
	if (!thread_passive && !filter_silences() && sig_own_process()) {
		tally_tell();
		stats_end(STATS_SIGNAL, signal);
	}
	if (sent || !comes_again)
		die_of(signal);
	else
		set_default(signal); /* the instruction faults again, and that is the end */
}

void sig_chain(int signal, siginfo_t *info, void *context)
{
	chain(signal, info, context, signal != SIGSYS);
}

void sig_chain_made(int signal, siginfo_t *info, void *context)
{
	chain(signal, info, context, false);
}

/* ---- start, fork, exec ---- */

/* The mask that the process began with, BEFORE, may hold the faults: then they are unblocked. */
static void unblock_inherited(uint64_t before)
{
	uint64_t faults = SIG_FAULTS, waiting = 0;
	struct thread *t;

	if (!(before & SIG_FAULTS))
		return;
	prim_sigpending(&waiting);
	if (waiting & SIG_FAULTS) { /* unblocking would kill */
		atomic_store(&cannot_own, true);
		return;
	}
	prim_sigprocmask(SIG_UNBLOCK, &faults, NULL);
	t = thread_self();
	if (t)
		sig_believe(t, before);
	/* blocked in the program's eyes only: a fault of its own must still kill */
	sig_own_faults();
}

static void learn_pipe(void)
{
	struct kernel_action k;

	if (!table[SIGPIPE].ours && ask_kernel(SIGPIPE, &k) == 0)
		note_program_handler(SIGPIPE, (sighandler_t)k.handler);
}

COLD void sig_init(void)
{
	int saved = errno;
	uint64_t mask;

	thread_init();
	own_pid = prim_getpid();
	want_endings = config.report[0] && strcmp(config.report, "none") != 0;
	table_take(&mask);
	front_endings();
	learn_pipe();
	atomic_store(&sig_active, true);
	table_drop(&mask);
	unblock_inherited(mask);
	errno = saved;
}

FORKS void sig_forked(void)
{
	bool was_first = own_pid == 1;
	uint64_t mask;

	if (!atomic_load(&sig_active))
		return;
	own_pid = prim_getpid();
	atomic_store(&ending_now, 0);
	atomic_store(&table_word, 0); /* whoever held it is not here */
	if (!was_first)
		return;
	table_take(&mask); /* the first process of a name space has none in front, its children do */
	front_endings();
	table_drop(&mask);
}

/* The handler of SIGNAL, if it is to be called once, is the kernel's to forget from now on. */
static void let_kernel_forget(int signal)
{
	struct kernel_action k;

	if (!sig_late_get(signal).once || !has_front(signal, &k))
		return;
	k.flags |= SA_RESETHAND;
	PRIM4(SYS_rt_sigaction, signal, &k, NULL, sizeof(uint64_t));
}

void sig_silence(void)
{
	uint64_t mask;

	/* nobody stands before SIGBUS alone from now on: either all is virtual still, or nothing */
	if (table[SIGBUS].ours)
		sig_own_faults();
	table_take(&mask);
	want_endings = false;
	for (int s = 1; s < SIGNALS; s++) {
		let_kernel_forget(s);
		if (!table[s].ours || (is_fault(s) && atomic_load(&faults_owned)))
			continue;
		REAL(sigaction)(s, &table[s].shown, NULL);
		table[s].ours = false;
	}
	if (!atomic_load(&faults_owned))
		atomic_store(&sig_active, false);
	table_drop(&mask);
}

/* Has the kernel HANDLER for SIGNAL? In the child of a vfork that is the child's own affair. */
static bool kernel_has(int signal, const void *handler)
{
	struct kernel_action k;

	return ask_kernel(signal, &k) == 0 && k.handler == handler;
}

static bool is_ignored(int signal)
{
	return is_fault(signal) && table[signal].ours && table[signal].shown.sa_handler == SIG_IGN;
}

void sig_expose(void)
{
	struct thread *t = thread_self_record;
	struct sigaction ignore = {.sa_flags = 0};
	uint64_t bits = t ? t->masked : 0;

	if (bits)
		prim_sigprocmask(SIG_BLOCK, &bits, NULL);
	ignore.sa_handler = SIG_IGN;
	for (int s = 1; s < SIGNALS; s++)
		if (is_ignored(s) && kernel_has(s, (const void *)fault_handler))
			REAL(sigaction)(s, &ignore, NULL);
}

void sig_hide(void)
{
	uint64_t bits = SIG_FAULTS;

	for (int s = 1; s < SIGNALS; s++)
		if (is_ignored(s) && kernel_has(s, (const void *)SIG_IGN))
			install_ours(s, fault_handler, SA_RESTART);
	if (thread_self_record && thread_self_record->masked)
		prim_sigprocmask(SIG_UNBLOCK, &bits, NULL);
}

void sig_show_passive(int signal, struct sigaction *action)
{
	if (signal < 1 || signal >= SIGNALS)
		return;
	if (action->sa_sigaction == fault_handler || action->sa_sigaction == ending_handler)
		*action = table[signal].shown;
	else
		sig_late_show(sig_late_get(signal), action);
}

/* ---- is a handler running? ---- */

enum { SCAN = 256 * 1024 };

/*
 * The restorer's address at AT: does a signal frame begin there, or is it what a
 * call of sigaction left behind? The kernel puts a ucontext after it, in which the code
 * segment is that of user mode, always the same.
 */
static bool is_frame(uintptr_t at, uintptr_t end)
{
#if defined(__x86_64__)
	const ucontext_t *context = (const ucontext_t *)(at + sizeof(at));
	enum { USER_CS = 0x33 };

	return at + sizeof(at) + sizeof(*context) <= end &&
	       (context->uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == USER_CS;
#else
	return true;
#endif
}

/*
 * It reads what lies between the variables of other functions, where a sanitizer would have nobody
 * look.
 */
__attribute__((no_sanitize("address"))) bool sig_in_handler(void)
{
	struct thread *t = thread_self_record;
	uintptr_t at = (uintptr_t)__builtin_frame_address(0), lo, hi, end;
	uintptr_t wanted = (uintptr_t)atomic_load(&restorer);

	if (!sig_handlers_exist())
		return false;
	lo = t ? t->stack_lo : 0;
	hi = t ? t->stack_hi : 0;
	if (!wanted || atomic_load(&raw_changes) || at < lo || at >= hi)
		return true;
	end = hi - at > SCAN ? at + SCAN : hi;
	/* above libc's data of the thread there are no frames, and perhaps no memory */
	if ((uintptr_t)pthread_self() > at && (uintptr_t)pthread_self() < end)
		end = (uintptr_t)pthread_self();
	for (at &= -sizeof(at); at + sizeof(at) <= end; at += sizeof(at))
		if (*(const uintptr_t *)at == wanted && is_frame(at, end))
			return true;
	return false;
}
