/* SPDX-License-Identifier: MIT */
/* double.c - see double.h. */
#include <malloc.h>
#include <stdarg.h>

#include "bind.h"
#include "double.h"
#include "fill.h"
#include "filter.h"
#include "mapping.h"
#include "maps.h"
#include "prim.h"
#include "relink.h"
#include "remap.h"
#include "sig.h"
#include "source.h"
#include "stdio_files.h"
#include "thread.h"

#define HOOK(ret, name, params, args, class) ret(*real_##name) params;
#define HOOK_OPEN(ret, name, params, args, open) ret(*real_##name) params;
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN

struct asked asked;
bool double_resolving;
size_t shunt_page = 4096;
size_t (*hook_usable_size)(void *p) = malloc_usable_size;
_Atomic unsigned char shunt_state = SHUNT_LIVE;
_Atomic int landing_armed;
_Atomic unsigned mapping_count;
_Atomic int lease_count;
__thread unsigned char thread_passive;
__thread struct thread *thread_self_record;
_Atomic bool guard_on;

void guard_misses(void)
{
}

__thread unsigned long prim_calls;
uint64_t prim_critical = ~UINT64_C(0);

_Atomic signed char filter_answer = FILTER_NONE;

static uintptr_t armed_lo, armed_hi;

bool sig_faults_owned(void)
{
	return false;
}

bool filter_ask(void)
{
	return true;
}

bool filter_is_sanitized(void)
{
	return false;
}

void landing_hold(void)
{
}

void landing_release(void)
{
}

void relink_begin(struct relink_mark *mark)
{
	mark->count = 0;
}

bool relink_all(const struct relink_mark *mark)
{
	return mark->count == 0;
}

void hook_resolve(void)
{
	static volatile bool within; /* dlsym, by its prototype a leaf, is a hook and comes here */

	if (double_resolving || within)
		return;
	within = true;
#define HOOK(ret, name, params, args, class) real_##name = dlsym(RTLD_NEXT, #name);
#define HOOK_OPEN(ret, name, params, args, open) real_##name = dlsym(RTLD_NEXT, #name);
#include "hooks.def"
#include "unwind.h"
#undef HOOK
#undef HOOK_OPEN
	within = false;
}

void hook_find(void **real, const char *name)
{
	if (!double_resolving)
		*real = dlsym(RTLD_NEXT, name);
}

__attribute__((constructor(101))) static void resolve_first(void)
{
	hook_resolve();
}

void double_arm(void *lo, size_t n)
{
	armed_lo = (uintptr_t)lo;
	armed_hi = armed_lo + n;
	asked = (struct asked){ 0 };
	prim_mprotect(lo, n, PROT_NONE);
	landing_armed = 1;
}

void double_disarm(void)
{
	if (armed_lo != armed_hi)
		prim_mprotect((void *)armed_lo, armed_hi - armed_lo, PROT_READ | PROT_WRITE);
	armed_lo = armed_hi = 0;
	landing_armed = 0;
}

bool landing_touches(const void *p, size_t n)
{
	return n > 0 && (uintptr_t)p < armed_hi && (uintptr_t)p + n > armed_lo;
}

static void note(const void *p, size_t n)
{
	asked.lo = (uintptr_t)p;
	asked.hi = asked.lo + n;
}

void landing_open_slow(const void *p, size_t n)
{
	note(p, n);
	asked.opened = true;
	double_disarm();
	landing_armed = 1; /* there may be others */
}

void landing_void(const void *p, size_t n)
{
	landing_open_slow(p, n);
	asked.opened = false;
	asked.voided = true;
}

/* A double's pages never stay armed over a free. */
void landing_before_free(const void *p, size_t n)
{
	landing_void(p, n);
}

void landing_after_free(const void *p, size_t n)
{
}

void landing_open_buffers(const void *p, size_t n)
{
	landing_open(p, n);
}

void landing_open_string(const char *s, bool (*readable)(const void *, size_t))
{
	while (!landing_touches(s, 1) && readable(s, 1) && *s)
		s++;
	landing_open(s, 1);
}

void landing_open_all(void)
{
	asked.all = true;
	double_disarm();
}

void maps_taint(const void *p, size_t n)
{
	note(p, n);
	asked.tainted = true;
}

void unwind_before_root(void)
{
}

void pipes_before_chroot(void)
{
}

void maps_before_chroot(void)
{
	asked.chroot = true;
}

void pipes_before_umount(void)
{
}

void maps_before_umount(void)
{
}

bool thread_single(void)
{
	return true;
}

void stdio_files_opened(int fd, int number)
{
	(void)fd;
	(void)number;
}

void source_written(int fd)
{
	asked.written = fd;
}

void stats_before_losing_rights(void)
{
}

static void note_mapping(uintptr_t p, size_t n)
{
	asked.map_lo = p;
	asked.map_hi = p + n;
}

void mapping_made(uintptr_t p, size_t n, int prot, int flags, int fd, const void *caller)
{
	asked.made = p;
	note_mapping(p, n);
}

void mapping_forget(const void *p, size_t n)
{
	asked.forgot = true;
	note_mapping((uintptr_t)p, n);
}

void mapping_writable(const void *p, size_t n)
{
	asked.writable = true;
	note_mapping((uintptr_t)p, n);
}

bool fill_has_moved(void)
{
	return false;
}

bool remap_pieces(uintptr_t p, size_t old_n, size_t n, int flags, uintptr_t to, long *result)
{
	(void)p;
	(void)old_n;
	(void)n;
	(void)flags;
	(void)to;
	(void)result;
	return false;
}

void mapping_take(struct mapping *m, uintptr_t p, size_t n)
{
	asked.taken = true;
	note_mapping(p, n);
}

void mapping_give(struct mapping *m, uintptr_t to, size_t n)
{
	asked.given = to;
}

static int passed, failed;

void check(bool ok, const char *what, ...)
{
	va_list ap;

	ok ? passed++ : failed++;
	if (ok)
		return;
	va_start(ap, what);
	printf("FAILED: ");
	vprintf(what, ap);
	printf("\n");
	va_end(ap);
}

int check_summary(void)
{
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0 || passed == 0;
}

void *(*hook_dlsym(void))(void *, const char *)
{
#ifdef __x86_64__
	static const char version[] = "GLIBC_2.2.5";
#else
	static const char version[] = "GLIBC_2.17";
#endif

	return (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", version);
}

void *bind_symbol(void *handle, const char *name)
{
	return hook_dlsym()(handle, name);
}

void bind_next(const char *name)
{
}

void sleep_settle_slow(void)
{
}

void sleep_before_slow(int fd)
{
	(void)fd;
}

bool fd_is_nonblocking(int fd)
{
	(void)fd;
	return true;
}

void shunt_stand_aside(void)
{
}
