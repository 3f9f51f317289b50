/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - see unwind.h.
 *
 * libunwind is opened when the first stack is walked, and only for us: as a DT_NEEDED
 * of a preload its _Unwind_* would take the place of those of the compiler in
 * every process, C++ exceptions and pthread_cancel with them. Where it cannot be had
 * (a chroot, or not built in) a site is the caller of the hook alone: below another root than the
 * one that the process began with it is not looked for.
 */
#include "hook.h"
#include "report_path.h"
#include "thread.h"
#include "unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <ucontext.h>

#ifdef HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif

#include "format.h"
#include "prim.h"
#include "quiet.h"
#include "report_walk.h"
#include "sig.h"
#include "stats.h"
#include "stats_family.h"
#include "stats_own.h"
#include "stats_table.h"
#include "symbols.h"

struct trace {
	unsigned count;
	uintptr_t at[STATS_FRAMES]; /* return addresses, innermost first */
};

/*
 * libunwind and the loader make calls that are hooks: those are nobody's site. The mark is
 * the address of the frame that set it: a longjmp out of there, above which we are again, voids it.
 */
static __thread uintptr_t inside __attribute__((tls_model("initial-exec")));

/*
 * There are sites that are their caller alone, and whose stack may be walked later: before there are
 * threads is the last time to load libunwind for that, whether a report is wanted or not.
 */
static _Atomic bool waiting;

#ifdef HAVE_LIBUNWIND

enum { STEPS = 64 }; /* as far as is looked for the caller */

static struct {
	_Atomic int state; /* 0 not tried, 1 there, -1 not to be had */
	int (*init_local)(unw_cursor_t *, unw_context_t *);
	int (*step)(unw_cursor_t *);
	int (*get_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
} lib;

/* libunwind.h names its functions by macros: _ULx86_64_step, _ULaarch64_step ... */
#define NAME_OF(function) NAME_OF_EXPANDED(function)
#define NAME_OF_EXPANDED(function) #function

/*
 * It takes the loader's lock, which a thread that is stopped, by a collector perhaps, may hold for
 * as long as this one waits for it: so only while there is no other thread.
 */
static bool may_be_loaded(void)
{
	return atomic_load(&lib.state) == 0 && thread_single();
}

/* Now, or later: is there a stack to be walked at all? */
static bool may_walk(void)
{
	return atomic_load(&lib.state) > 0 || may_be_loaded();
}

/* No handler of the program's may leave it by longjmp. */
static void load_library(void)
{
	struct quiet q;
	void *handle;

	quiet_begin(&q);
	handle = REAL(dlopen)("libunwind.so.8", RTLD_LAZY | RTLD_LOCAL);
	if (handle) {
		*(void **)&lib.init_local = dlsym(handle, NAME_OF(unw_init_local));
		*(void **)&lib.step = dlsym(handle, NAME_OF(unw_step));
		*(void **)&lib.get_reg = dlsym(handle, NAME_OF(unw_get_reg));
	}
	atomic_store(&lib.state, handle && lib.init_local && lib.step && lib.get_reg ? 1 : -1);
	quiet_end(&q);
}

void unwind_stop(void)
{
	atomic_store(&lib.state, -1);
}

/* What is not loaded yet is not loaded any more. */
static void stay(void)
{
	int untried = 0;

	atomic_compare_exchange_strong(&lib.state, &untried, -1);
}

/*
 * unw_context_t is the ucontext_t of libc on both architectures, so libc's getcontext
 * does for unw_getcontext, which is a function here and a macro there.
 */
static void walk_stack(uintptr_t caller, struct trace *t)
{
	unw_cursor_t cursor;
	unw_context_t context;
	unw_word_t ip;

	_Static_assert(sizeof(unw_context_t) >= sizeof(ucontext_t), "unw_context_t is a ucontext_t");
	if (may_be_loaded())
		load_library();
	if (atomic_load(&lib.state) <= 0 || getcontext((ucontext_t *)&context) < 0 ||
	    lib.init_local(&cursor, &context) < 0)
		return;
	for (int i = 0; i < STEPS && t->count < STATS_FRAMES && lib.step(&cursor) > 0; i++) {
		if (lib.get_reg(&cursor, UNW_REG_IP, &ip) < 0 || ip == 0)
			break;
		if (t->count > 0 || ip == caller)
			t->at[t->count++] = (uintptr_t)ip;
	}
}

#else

static void walk_stack(uintptr_t caller, struct trace *t)
{
}

static bool may_be_loaded(void)
{
	return false;
}

static bool may_walk(void)
{
	return false;
}

static void load_library(void)
{
}

void unwind_stop(void)
{
}

static void stay(void)
{
}

#endif

static _Atomic bool expected;

void unwind_expect(void)
{
	if (!atomic_load_explicit(&expected, memory_order_relaxed))
		expected = true;
}

static void load_early(void)
{
	int saved = errno;

	if (may_be_loaded() && (report_path_wanted() || atomic_load(&waiting)) && !sig_in_handler())
		load_library();
	errno = saved;
}

FORKS void unwind_before_fork(void)
{
	if (expected)
		load_early();
}

void unwind_before_thread(void)
{
	load_early();
}

void unwind_before_root(void)
{
	load_early();
	stay();
}

/* A site that was named before, perhaps by another thread just now; -1 if there is none. */
static int find(const struct stats *s, const struct trace *t)
{
	for (int i = 0; i < STATS_SITES && walk_used(&s->site[i].state); i++) {
		const struct stats_site *site = &s->site[i];
		unsigned same = 0;

		if (!walk_is_site(site) || site->frame_count != t->count)
			continue;
		while (same < t->count && site->frame[same].address == t->at[same])
			same++;
		if (same == t->count)
			return i;
	}
	return -1;
}

/* The site in S whose innermost frame is CALLER, -1 if there is none. */
static int find_caller(const struct stats *s, uintptr_t caller)
{
	for (int i = 0; i < STATS_SITES && walk_used(&s->site[i].state); i++)
		if (walk_is_site(&s->site[i]) && s->site[i].frame[0].address == caller)
			return i;
	return -1;
}

/*
 * The object that ADDRESS lies in, NULL if none. dladdr would take the loader's lock, which a thread
 * that is stopped may hold; where libc has nothing better (before 2.35) it has to do.
 */
static const struct link_map *find_object(uintptr_t address)
{
#ifdef HAVE__DL_FIND_OBJECT
	struct dl_find_object found;

	return _dl_find_object((void *)address, &found) == 0 ? found.dlfo_link_map : NULL;
#else
	struct link_map *map = NULL;
	Dl_info info;

	return dladdr1((void *)address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
#endif
}

/*
 * A return address may be the first byte of the next function (after a call that does
 * not return), so the byte before it is looked up. The main program has no name of
 * its own in the link map.
 */
static void name_frame(struct stats *s, struct stats_frame *frame, uintptr_t address)
{
	const struct link_map *map = find_object(address - 1);
	struct symbols_place place;
	const char *path;
	struct format f = format_into(frame->symbol, sizeof(frame->symbol));

	frame->address = frame->offset = address;
	frame->symbol_offset = 0;
	frame->module = UINT32_MAX;
	if (!map)
		return;
	path = map->l_name && map->l_name[0] ? map->l_name : stats_program_path();
	frame->offset = address - map->l_addr;
	frame->module = stats_module(s, path, STATS_PATH);
	if (!symbols_around(map, address - 1, &place))
		return;
	frame->symbol_offset = address - place.start;
	format_text(&f, place.name);
}

/* All frames of T from the one of number FIRST on. */
static void name_frames(struct stats *s, struct stats_site *site, const struct trace *t,
			unsigned first)
{
	for (unsigned i = first; i < t->count; i++)
		name_frame(s, &site->frame[i], t->at[i]);
	atomic_store_explicit(&site->frame_count, t->count, memory_order_release);
}

static int add(struct stats *s, const struct trace *t, bool alone)
{
	struct stats_site *site = stats_site_take(s);

	if (!site)
		return UNWIND_FULL;
	name_frames(s, site, t, 0);
	stats_site_publish(site, alone);
	return (int)(site - s->site);
}

/* The site that is T's caller alone gets the other frames; -1 if there is none. */
static int complete(struct stats *s, const struct trace *t)
{
	int i = find_caller(s, t->at[0]);

	if (i < 0 || !stats_site_claim(&s->site[i]))
		return -1;
	name_frames(s, &s->site[i], t, 1);
	return i;
}

/*
 * A place that another process of the family has named: in the family's counters, which are
 * ours then, or to be copied into ours. What loading libunwind and walking the stack costs is
 * more than a short-lived child does.
 */
static int find_named(struct stats *s, uintptr_t caller)
{
	struct stats *names = stats_family_names();
	int index;

	if (stats_is_shared())
		return find_caller(s, caller);
	if (!names)
		return -1;
	index = find_caller(names, caller);
	return index < 0 ? -1 : stats_site_copy(s, names, &names->site[index]);
}

/*
 * The thread that walks; 0: none. To ask whether an address can be read libunwind has a pipe, one
 * for all threads and without a lock: two that make it in the same moment close each other's
 * numbers, and write to what has no reader. Nobody waits here: who walks may be stopped by a
 * collector.
 */
static _Atomic int walker;

/*
 * False: another thread does. One that was cancelled in the midst of it, or did not come along in a
 * fork, does not; nor does this one, if it left it by longjmp.
 */
static bool begin_walk(void)
{
	int self = prim_gettid(), before = 0;

	if (atomic_compare_exchange_strong(&walker, &before, self) || before == self)
		return true;
	return prim_tgkill(prim_getpid(), before, 0) == -ESRCH &&
	       atomic_compare_exchange_strong(&walker, &before, self);
}

static int walk_and_add(struct stats *s, uintptr_t caller)
{
	struct stats *names = stats_family_names();
	struct trace t = { .count = 0 };
	int index;

	if (!begin_walk())
		return UNWIND_NOT_NOW;
	/* libunwind asks the kernel whether an address can be read: that must not open a landing */
	thread_passive++;
	walk_stack(caller, &t);
	thread_passive--;
	atomic_store(&walker, 0);
	if (t.count == 0)
		t.at[t.count++] = caller;
	index = complete(s, &t);
	if (index < 0)
		index = find(s, &t);
	if (index < 0)
		index = add(s, &t, false);
	if (index >= 0 && names)
		stats_site_copy(names, s, &s->site[index]);
	return index;
}

/* A program that steps itself, see sig_late.c: libunwind blocks SIGTRAP, and a step kills then. */
static bool is_stepped(void)
{
#if defined(__x86_64__)
	enum { TRAP_FLAG = 0x100 };

	return __builtin_ia32_readeflags_u64() & TRAP_FLAG;
#else
	return false;
#endif
}

bool unwind_inside(void)
{
	return inside != 0;
}

/* Where a library calls, the frames above are what tells one site from another. */
static bool is_of_program(uintptr_t caller)
{
	const struct link_map *map = find_object(caller - 1);

	return map && map == _r_debug.r_map;
}

bool unwind_is_due(void)
{
	enum { OLD = 1000000000 };

	return prim_wall() - stats_own.started >= OLD;
}

static int add_alone(struct stats *s, uintptr_t caller)
{
	struct stats *names = stats_family_names();
	struct trace t = { .count = 1, .at = { caller } };
	int index = add(s, &t, true);

	atomic_store(&waiting, true);
	if (index >= 0 && names)
		stats_site_copy(names, s, &s->site[index]);
	return index;
}

static int name(uintptr_t caller, bool *alone)
{
	struct stats *s = stats_get();
	int index = find_named(s, caller);

	if (index >= 0 && (*alone || !walk_is_alone(&s->site[index]))) {
		*alone = walk_is_alone(&s->site[index]);
		return index;
	}
	*alone = *alone && may_walk() && is_of_program(caller);
	if (*alone)
		return add_alone(s, caller);
	return sig_in_handler() ? UNWIND_NOT_NOW : walk_and_add(s, caller);
}

/* *ALONE: will the caller alone do? And did it have to? */
static int site_by(const void *caller, bool *alone)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	int saved = errno, index = UNWIND_NOT_NOW;

	if (!(inside && here < inside) && !is_stepped()) {
		inside = here;
		index = name((uintptr_t)caller, alone);
		inside = 0;
	}
	errno = saved;
	return index;
}

int unwind_site(const void *caller)
{
	bool alone = false;

	return site_by(caller, &alone);
}

int unwind_caller(const void *caller, bool *alone)
{
	*alone = true;
	return site_by(caller, alone);
}
