/* SPDX-License-Identifier: MIT */
/*
 * thread.c - the records of threads.
 *
 * Records come from pages of our own and are never given back; a free one is
 * taken by a compare-and-swap of its tid. The list only grows at its head, so it is
 * walked without a lock, also in signal handlers. Nothing here allocates otherwise.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <string.h>

#include "filter.h"
#include "guard.h"
#include "hook.h"
#include "host.h"
#include "landing.h"
#include "pipes.h"
#include "prim.h"
#include "sig.h"
#include "thread.h"
#include "writers.h"

enum { BORN = -1, BLOCK = 64 * 1024, DESTRUCTOR_ROUNDS = 4 };

/* The largest stack that a soft limit is believed for. */
#define STACK_LIMIT (UINT64_C(1) << 33)

__thread struct thread *thread_self_record __attribute__((tls_model("initial-exec")));
__thread unsigned char thread_passive __attribute__((tls_model("initial-exec")));
__thread unsigned char thread_vforked __attribute__((tls_model("initial-exec")));

/* libc's word, since 2.32; absent before, and then nothing is certain. */
extern char __libc_single_threaded __attribute__((weak));

/* Most processes have one thread: its record is here, and no block is needed. */
static FORK_WRITES struct thread first_record;
static _Atomic(struct thread *) records;
static _Atomic bool alien; /* a clone that libc does not know of */
static __thread bool making __attribute__((tls_model("initial-exec"))); /* see thread_is_making */
static pthread_key_t end_key;
static bool have_key;

FORKS struct thread *thread_list(void)
{
	return atomic_load_explicit(&records, memory_order_acquire);
}

bool thread_single(void)
{
	return &__libc_single_threaded && *(volatile char *)&__libc_single_threaded &&
	       !atomic_load_explicit(&alien, memory_order_relaxed);
}

void thread_note_clone(void)
{
	writers_before_thread();
	atomic_store(&alien, true);
}

/* ---- taking and freeing ---- */

static struct thread *take_free(int tid)
{
	struct thread *t;
	int free;

	for (t = thread_list(); t; t = t->next) {
		free = 0;
		if (atomic_compare_exchange_strong(&t->tid, &free, tid))
			return t;
	}
	return NULL;
}

static void unpin_all(struct thread *t)
{
	for (int i = 0; i < THREAD_HAZARDS; i++)
		t->hazard[i] = 0;
	t->pins = 0;
	t->pinner = 0;
}

/*
 * Threads that ended without telling: their keys' destructors ran out of rounds. One that told may
 * end meanwhile, and its record be another's: so it is taken before it is cleared.
 */
static void reap(void)
{
	int pid = prim_getpid();

	for (struct thread *t = thread_list(); t; t = t->next) {
		int tid = t->tid;

		if (tid <= 0 || prim_tgkill(pid, tid, 0) != -ESRCH ||
		    !atomic_compare_exchange_strong(&t->tid, &tid, BORN))
			continue;
		unpin_all(t);
		t->stack_lo = t->stack_hi = 0;
		atomic_store_explicit(&t->tid, 0, memory_order_release);
	}
}

static void push(struct thread *t)
{
	t->next = atomic_load(&records);
	while (!atomic_compare_exchange_weak(&records, &t->next, t))
		;
}

/* A block's records are all but the first free: it is the caller's. */
static struct thread *grow(int tid)
{
	struct thread *block = prim_mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (prim_mmap_failed(block))
		return NULL;
	atomic_store(&block[0].tid, tid);
	for (size_t i = 0; i < BLOCK / sizeof(*block); i++)
		push(&block[i]);
	return block;
}

static struct thread *take(int tid)
{
	struct thread *t = take_free(tid);

	if (!t) {
		reap();
		t = take_free(tid);
	}
	if (!t)
		t = grow(tid);
	if (!t)
		return NULL;
	unpin_all(t);
	t->several = NULL;
	t->landed = NULL;
	t->stack_lo = t->stack_hi = 0;
	t->stack_sure = false;
	t->alternate_in_use = t->guarded = false;
	t->program_stack = (stack_t){.ss_flags = SS_DISABLE};
	t->masked = t->masked_base = t->masked_beside = t->pending = 0;
	t->dying = 0;
	tally_end(&t->tallies); /* of a thread that ended without telling */
	return t;
}

static void release(struct thread *t)
{
	unpin_all(t);
	t->several = NULL;
	t->stack_lo = t->stack_hi = 0;
	tally_end(&t->tallies);
	atomic_store_explicit(&t->tid, 0, memory_order_release);
}

/*
 * The destructor of our key. Other keys' destructors may still call hooks, so the
 * record goes in the last round that POSIX promises.
 */
static void at_thread_end(void *record)
{
	struct thread *t = record;
	stack_t off = {.ss_flags = SS_DISABLE};

	if (t != thread_self_record)
		return;
	t->several = NULL;
	if (++t->dying < DESTRUCTOR_ROUNDS && pthread_setspecific(end_key, t) == 0)
		return;
	if (!landing_any())
		pipes_rest();
	/* its calls stay with the guard to the last: other keys' destructors may come after this */
	if (t->alternate_in_use && !filter_silences())
		prim_sigaltstack(&off, NULL);
	thread_self_record = NULL;
	release(t);
}

/* ---- stacks ---- */

/* The program's name is the last thing above the first stack: a null pointer follows it. */
static uintptr_t first_stack_end(void)
{
	const char *name = (const char *)getauxval(AT_EXECFN);

	return name ? page_up((uintptr_t)name + strlen(name) + 1 + sizeof(void *)) : 0;
}

static void first_stack(struct thread *t)
{
	uintptr_t hi = first_stack_end();
	struct rlimit limit;
	uint64_t size = STACK_LIMIT;

	if (prim_prlimit(RLIMIT_STACK, NULL, &limit) == 0 && limit.rlim_cur < size)
		size = limit.rlim_cur;
	if (size < 1 << 20)
		size = 1 << 20;
	if (!hi || hi < size)
		return;
	t->stack_hi = hi;
	t->stack_lo = page_down(hi - size);
}

/* The stack that the attributes name, if they name one: else its address is 0 - size. */
static void stack_of_attributes(const pthread_attr_t *a, struct thread *t, size_t *size)
{
	pthread_attr_t standard;
	void *address;
	size_t n;

	*size = 8 << 20;
	if (!a && pthread_attr_init(&standard) == 0) {
		pthread_attr_getstacksize(&standard, size);
		pthread_attr_destroy(&standard);
	}
	if (!a)
		return;
	pthread_attr_getstacksize(a, size);
	if (pthread_attr_getstack(a, &address, &n) != 0 || !address ||
	    (uintptr_t)address > (uintptr_t)INTPTR_MAX)
		return;
	t->stack_lo = (uintptr_t)address;
	t->stack_hi = (uintptr_t)address + n;
}

/*
 * libc keeps its own data of a thread at the top of the stack; SIZE is what was asked for.
 * A reused stack may be larger, but the thread cannot count on that.
 */
static void stack_by_libc(struct thread *t, size_t size)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), hi = (uintptr_t)pthread_self();
	uintptr_t lo;

	/* no thread of libc's: what surely is the stack */
	if (hi < here || hi - here > STACK_LIMIT)
		hi = here;
	hi = page_up(hi + 1) + shunt_page;
	lo = hi > size ? page_down(hi - size) : shunt_page;
	t->stack_hi = hi;
	t->stack_lo = lo < page_down(here) ? lo : page_down(here);
}

bool thread_stack_overlaps(uintptr_t lo, uintptr_t hi)
{
	for (struct thread *t = thread_list(); t; t = t->next)
		if (t->tid != 0 && lo < t->stack_hi && hi > t->stack_lo)
			return true;
	return false;
}

bool thread_on_known_stack(uintptr_t address)
{
	const struct thread *t = thread_self_record;

	return t && t->stack_sure && address >= t->stack_lo && address < t->stack_hi;
}

/* ---- enrolling ---- */

static void become(struct thread *t)
{
	thread_self_record = t;
	if (have_key)
		pthread_setspecific(end_key, t);
}

struct thread *thread_enrol(void)
{
	int saved = errno, tid = prim_gettid();
	struct thread *t;
	uint64_t mask;
	size_t size;

	if (thread_passive || filter_silences())
		return thread_self_record;
	prim_signals_block(&mask);
	t = thread_self_record ? thread_self_record : take(tid);
	if (t && !thread_self_record) {
		if (tid == prim_getpid()) {
			first_stack(t);
		} else {
			stack_of_attributes(NULL, t, &size);
			stack_by_libc(t, size);
		}
		become(t);
	}
	prim_signals_restore(&mask);
	errno = saved;
	return t;
}

/* Not number 0: a program that asks for a key which it never made asks for that. */
static COLD bool make_key(void)
{
	pthread_key_t zero;
	bool made;

	if (pthread_key_create(&end_key, at_thread_end) != 0)
		return false;
	if (end_key != 0)
		return true;
	zero = end_key;
	made = pthread_key_create(&end_key, at_thread_end) == 0;
	pthread_key_delete(zero);
	return made;
}

COLD void thread_init(void)
{
	if (!have_key) {
		end_key = 0; /* a page that is written first comes once */
		have_key = make_key();
	}
	if (!thread_list())
		push(&first_record);
	thread_enrol();
}

FORKS void thread_forked(void)
{
	struct thread *self = thread_self_record;

	tally_forked(); /* before any record is released */
	for (struct thread *t = thread_list(); t; t = t->next)
		if (t != self && t->tid != 0)
			release(t);
	if (self) {
		atomic_store(&self->tid, prim_gettid());
		self->guarded = false; /* it is not inherited */
	}
	guard_forked();
}

/* ---- birth ---- */

extern int pthread_attr_getsigmask_np(const pthread_attr_t *, sigset_t *) __attribute__((weak));

static bool mask_in(const pthread_attr_t *attributes)
{
	sigset_t set;

	return attributes && pthread_attr_getsigmask_np &&
	       pthread_attr_getsigmask_np(attributes, &set) == 0;
}

/* The first code of a new thread: it has its creator's mask, or that of its attributes. */
static void unmask_faults(struct thread *t)
{
	uint64_t faults = SIG_FAULTS, old = 0;

	prim_sigprocmask(SIG_UNBLOCK, &faults, &old);
	if (!t->mask_from_attributes)
		return;
	sig_believe(t, old);
}

static void begin(struct thread *t)
{
	if (!t->stack_hi)
		stack_by_libc(t, t->stack_size);
	t->stack_sure = true;
	atomic_store(&t->tid, prim_gettid());
	become(t);
	if (t->mask_from_attributes)
		unmask_faults(t);
	if (sig_faults_owned())
		thread_alternate_stack();
	guard_enter();
}

static void *trampoline(void *record)
{
	struct thread *t = record;

	begin(t);
	return t->start(t->argument);
}

static int trampoline_c11(void *record)
{
	struct thread *t = record;

	begin(t);
	return t->start_c11(t->argument);
}

/* The record of a thread that is about to be made; NULL if there is no memory for it. */
static struct thread *expect(const pthread_attr_t *attributes, void *argument)
{
	struct thread *self = thread_self(), *t = self ? take(BORN) : NULL;

	writers_before_thread();
	if (host_keeps_room())
		landing_open_all();
	if (!t) {
		guard_misses();
		return NULL;
	}
	guard_enter();
	t->argument = argument;
	t->masked = t->masked_base = self->masked;
	t->masked_beside = self->masked_beside;
	t->mask_from_attributes = mask_in(attributes);
	stack_of_attributes(attributes, t, &t->stack_size);
	return t;
}

bool thread_is_making(void)
{
	return making;
}

int thread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
		  void *argument,
		  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
{
	struct thread *t = expect(attributes, argument);
	int error;

	if (t)
		t->start = start;
	making = true;
	error = t ? create(thread, attributes, trampoline, t)
		  : create(thread, attributes, start, argument);
	making = false;
	if (t && error)
		release(t);
	return error;
}

int thread_create_c11(thrd_t *thread, thrd_start_t start, void *argument,
		      int (*create)(thrd_t *, thrd_start_t, void *))
{
	struct thread *t = expect(NULL, argument);
	int error;

	if (t)
		t->start_c11 = start;
	making = true;
	error = t ? create(thread, trampoline_c11, t) : create(thread, start, argument);
	making = false;
	if (t && error != thrd_success)
		release(t);
	return error;
}
