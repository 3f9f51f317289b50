/* SPDX-License-Identifier: MIT */
/*
 * hook_memory.c - memory that goes away, moves, or stops being plain.
 *
 * They are told so that a landing does not outlive its memory; that nothing goes
 * wrong where they are not (an allocator in the executable, libc's own munmap)
 * is landing.c's business. While nothing is armed each is a load, a branch and a
 * jump. Memory is voided, not filled, only where the call cannot fail any more.
 *
 * The first of these calls come before the constructor, and from inside dlsym
 * while hook_resolve looks the real functions up: then REAL is NULL, and the
 * kernel is asked directly. errno is kept but where the real function sets it.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "bind.h"
#include "fill.h"
#include "filter.h"
#include "hook_idle.h"
#include "io.h"
#include "linux_new.h"
#include "mapping.h"
#include "maps.h"
#include "prim.h"
#include "relink.h"
#include "remap.h"
#include "source.h"

void *(*hook_before_dlopen(const char *file, int mode))(const char *, int);
void *(*hook_before_dlmopen(Lmid_t space, const char *file, int mode))(Lmid_t, const char *, int);
void *(*hook_before_dlsym(void *handle, const char *name))(void *, const char *);

void *__libc_realloc(void *p, size_t n) __attribute__((weak));

static long answer(long ret)
{
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = (int)-ret;
	return -1;
}

/* ---- the heap ---- */

/* The length of the block at P if something of it is landed, else 0: then nothing is to be done. */
static COLD size_t landed_block(void *p)
{
	size_t n;

	if (!p)
		return 0;
	if (!hook_usable_size) {
		/*
		 * its end is not known: whatever lies above its start might be inside, and is kept
		 */
		landing_open(p, UINTPTR_MAX - (uintptr_t)p);
		return 0;
	}
	n = hook_usable_size(p);
	return n >= shunt_page && landing_touches(p, n) ? n : 0;
}

static COLD void block_moves(void *p)
{
	if (p)
		landing_open(p, hook_usable_size ? hook_usable_size(p) : UINTPTR_MAX - (uintptr_t)p);
}

/*
 * May free give a block of N usable bytes back to the kernel, since it is a mapping of its own?
 * Small ones never are. Of those in libc's heap the last word is that of the next block's header,
 * so that N is 8 more than a multiple of 16; what is mapped ends with its page.
 */
static bool may_be_mapped(size_t n)
{
	return n >= 127 * 1024 && n % 16 != 8;
}

static COLD void slow_free(void *p)
{
	void (*real)(void *) = REAL(free);
	size_t n = landing_any() ? landed_block(p) : 0;

	if (n)
		landing_before_free(p, n);
	if (real)
		real(p);
	if (may_be_mapped(n))
		landing_after_free(p, n);
}

EXPORT void free(void *p)
{
	if (HOOK_IDLE(free))
		real_free(p);
	else
		slow_free(p);
}

static COLD void *slow_realloc(void *p, size_t n)
{
	void *(*real)(void *, size_t) = REAL(realloc);

	if (landing_any())
		block_moves(p);
	if (real)
		return real(p, n);
	return __libc_realloc ? __libc_realloc(p, n) : NULL;
}

EXPORT void *realloc(void *p, size_t n)
{
	return HOOK_IDLE(realloc) ? real_realloc(p, n) : slow_realloc(p, n);
}

EXPORT void *reallocarray(void *p, size_t count, size_t size)
{
	if (landing_any())
		block_moves(p);
	return REAL(reallocarray)(p, count, size);
}

/* ---- mappings ---- */

/* As far as the kernel goes: whole pages. It refuses what is not on a page, or has no length. */
static size_t whole_pages(const void *p, size_t n)
{
	if ((uintptr_t)p & (shunt_page - 1) || page_up(n) < n ||
	    page_up(n) > UINTPTR_MAX - (uintptr_t)p)
		return 0;
	return page_up(n);
}

/* [p, p + n), whole pages, changes: their content, whether they may be touched, or they go. */
static void pages_change(const void *p, size_t n)
{
	if (landing_any())
		landing_open_buffers(p, n);
}

/* Does the kernel unmap [p, p + n)? What goes beyond all that there can be it refuses. */
static bool may_be_unmapped(const void *p, size_t n)
{
	return (uintptr_t)p + n <= getauxval(AT_EXECFN);
}

/* Nothing is armed and no file is mapped, and the real function is known. */
#define MEMORY_IDLE(name) (HOOK_IDLE(name) && !mapping_any())

/* It fails for whole pages only where the process has no room for one mapping more. */
static COLD int slow_munmap(void *p, size_t n)
{
	int (*real)(void *, size_t) = REAL(munmap);
	size_t whole = whole_pages(p, n);

	if (landing_any() && landing_touches(p, whole) && may_be_unmapped(p, whole))
		landing_void(p, whole);
	pages_change(p, whole);
	mapping_forget(p, whole);
	return real ? real(p, n) : (int)answer(prim_munmap(p, n));
}

EXPORT int munmap(void *p, size_t n)
{
	return MEMORY_IDLE(munmap) ? real_munmap(p, n) : slow_munmap(p, n);
}

/*
 * What lies under a MAP_FIXED stays if the call fails, so it is filled. Through a
 * shared mapping the program can change a landed file and no call tells of it.
 */
static COLD void *slow_mmap(void *p, size_t n, int prot, int flags, int fd, off64_t off,
			    const void *caller)
{
	void *(*real)(void *, size_t, int, int, int, off64_t) = REAL(mmap64);
	void *ret;

	if (flags & MAP_FIXED) {
		pages_change(p, whole_pages(p, n));
		mapping_forget(p, whole_pages(p, n));
	}
	if (source_any() && prot & PROT_WRITE && flags & MAP_SHARED && !(flags & MAP_ANONYMOUS))
		source_written(fd);
	if (!real)
		return (void *)answer((long)prim_mmap(p, n, prot, flags, fd, off));
	ret = real(p, n, prot, flags, fd, off);
	if (ret != MAP_FAILED && flags & MAP_LOCKED)
		maps_taint(ret, n);
	if (ret != MAP_FAILED && !hook_passive())
		mapping_made((uintptr_t)ret, n, prot, flags, fd, caller);
	return ret;
}

/*
 * Anonymous memory that is not locked is of no interest while there is nothing that it could
 * replace.
 */
#define MMAP_IDLE(name, flags)                                                                     \
	likely(((flags) & (MAP_ANONYMOUS | MAP_LOCKED)) == MAP_ANONYMOUS && MEMORY_IDLE(name))

EXPORT void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	return MMAP_IDLE(mmap, flags) ? real_mmap(p, n, prot, flags, fd, off)
				      : slow_mmap(p, n, prot, flags, fd, off, CALLER);
}

EXPORT void *mmap64(void *p, size_t n, int prot, int flags, int fd, off64_t off)
{
	return MMAP_IDLE(mmap64, flags) ? real_mmap64(p, n, prot, flags, fd, off)
					: slow_mmap(p, n, prot, flags, fd, off, CALLER);
}

/* With an old length of 0 it maps the pages at P a second time, as long as the new length. */
static COLD void moves(void *p, size_t old_n, size_t n, int flags, void *to)
{
	pages_change(p, whole_pages(p, old_n ? old_n : n));
	if (flags & MREMAP_FIXED)
		pages_change(to, whole_pages(to, n));
}

static COLD void *slow_mremap(void *p, size_t old_n, size_t n, int flags, void *to)
{
	void *(*real)(void *, size_t, size_t, int, ...) = REAL(mremap);
	struct mapping m;
	void *ret;
	long done;

	if (landing_any())
		moves(p, old_n, n, flags, to);
	mapping_take(&m, (uintptr_t)p, whole_pages(p, old_n));
	if (flags & MREMAP_FIXED)
		mapping_forget(to, whole_pages(to, n));
	if (!hook_passive() &&
	    remap_pieces((uintptr_t)p, old_n, n, flags, (uintptr_t)to, &done))
		ret = (void *)answer(done);
	else
		ret = real ? real(p, old_n, n, flags, to)
			   : (void *)answer((long)prim_mremap(p, old_n, n, flags, to));
	mapping_give(&m, ret != MAP_FAILED ? (uintptr_t)ret : 0, n);
	return ret;
}

EXPORT void *mremap(void *p, size_t old_n, size_t n, int flags, ...)
{
	void *to;
	va_list ap;

	va_start(ap, flags);
	to = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? va_arg(ap, void *) : NULL;
	va_end(ap);
	return MEMORY_IDLE(mremap) && likely(!fill_has_moved()) ? real_mremap(p, old_n, n, flags, to)
				   : slow_mremap(p, old_n, n, flags, to);
}

static COLD int slow_mprotect(void *p, size_t n, int prot)
{
	int (*real)(void *, size_t, int) = REAL(mprotect);

	pages_change(p, whole_pages(p, n));
	if (prot & PROT_WRITE)
		mapping_writable(p, whole_pages(p, n));
	return real ? real(p, n, prot) : (int)answer(prim_mprotect(p, n, prot));
}

EXPORT int mprotect(void *p, size_t n, int prot)
{
	return MEMORY_IDLE(mprotect) ? real_mprotect(p, n, prot) : slow_mprotect(p, n, prot);
}

EXPORT int pkey_mprotect(void *p, size_t n, int prot, int key)
{
	pages_change(p, whole_pages(p, n));
	if (key != -1)
		maps_taint(p, n);
	if (key != -1 || prot & PROT_WRITE)
		mapping_writable(p, whole_pages(p, n));
	return REAL(pkey_mprotect)(p, n, prot, key);
}

/* ---- advice and locks ---- */

/* Of advice, what changes the content of the memory or is read ahead, or ends what taints. */
#define PLAIN_ADVICE                                                                               \
	(1u << MADV_NORMAL | 1u << MADV_RANDOM | 1u << MADV_SEQUENTIAL | 1u << MADV_WILLNEED |     \
	 1u << MADV_DONTNEED | 1u << MADV_FREE | 1u << MADV_REMOVE | 1u << MADV_DOFORK |           \
	 1u << MADV_UNMERGEABLE | 1u << MADV_DODUMP | 1u << MADV_KEEPONFORK | 1u << MADV_COLD |    \
	 1u << MADV_PAGEOUT | 1u << MADV_POPULATE_READ | 1u << MADV_POPULATE_WRITE)

/*
 * After any other the memory is not plain: moved or replaced pages would lose what was asked for,
 * or it has pages that may not be touched and that no protection shows (MADV_GUARD_INSTALL, since
 * 6.13).
 */
static bool taints(int advice)
{
	return advice < 0 || advice > 31 || !(PLAIN_ADVICE >> advice & 1);
}

/*
 * These change neither what a file mapping shows nor whether it can be read; of others it is not
 * known.
 */
static bool keeps_mappings(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) ||
	       (advice >= MADV_DONTFORK && advice <= MADV_KEEPONFORK) || advice == MADV_COLD ||
	       advice == MADV_PAGEOUT || advice == MADV_POPULATE_READ;
}

/* Filled for MADV_DONTNEED and its like too: what they throw away has to be there if they fail. */
static COLD int slow_madvise(void *p, size_t n, int advice)
{
	int (*real)(void *, size_t, int) = REAL(madvise);

	pages_change(p, whole_pages(p, n));
	if (taints(advice))
		maps_taint(p, n);
	if (!keeps_mappings(advice))
		mapping_forget(p, whole_pages(p, n));
	return real ? real(p, n, advice) : (int)answer(PRIM3(SYS_madvise, p, n, advice));
}

EXPORT int madvise(void *p, size_t n, int advice)
{
	return MEMORY_IDLE(madvise) && !taints(advice) ? real_madvise(p, n, advice)
						     : slow_madvise(p, n, advice);
}

EXPORT int posix_madvise(void *p, size_t n, int advice)
{
	if (landing_any())
		landing_open(p, whole_pages(p, n));
	return REAL(posix_madvise)(p, n, advice);
}

/* Whose memory it is the descriptor knows; it may be ours, and the call is rare. */
EXPORT ssize_t process_madvise(int pidfd, const struct iovec *iov, size_t n, int advice,
			       unsigned flags)
{
	landing_open_all();
	if (taints(advice))
		maps_taint(NULL, SIZE_MAX);
	mapping_forget(NULL, SIZE_MAX);
	return REAL(process_madvise)(pidfd, iov, n, advice, flags);
}

EXPORT int mlock(const void *p, size_t n)
{
	maps_taint(p, n);
	landing_open((const void *)page_down((uintptr_t)p), n + shunt_page);
	return REAL(mlock)(p, n);
}

EXPORT int mlock2(const void *p, size_t n, unsigned flags)
{
	maps_taint(p, n);
	landing_open((const void *)page_down((uintptr_t)p), n + shunt_page);
	return REAL(mlock2)(p, n, flags);
}

EXPORT int mlockall(int flags)
{
	maps_taint(NULL, SIZE_MAX);
	landing_open_all();
	return REAL(mlockall)(flags);
}

/* ---- the break ---- */

static uintptr_t break_now(void)
{
	return (uintptr_t)PRIM1(SYS_brk, 0);
}

static COLD void break_falls(uintptr_t to)
{
	uintptr_t now = break_now();

	if (to < now)
		pages_change((void *)to, now - to);
}

EXPORT int brk(void *end)
{
	if (landing_any())
		break_falls((uintptr_t)end);
	return REAL(brk)(end);
}

EXPORT void *sbrk(intptr_t change)
{
	if (landing_any() && change < 0)
		break_falls(break_now() + (uintptr_t)change);
	return REAL(sbrk)(change);
}

EXPORT void *__sbrk(intptr_t change)
{
	if (landing_any() && change < 0)
		break_falls(break_now() + (uintptr_t)change);
	return REAL(__sbrk)(change);
}

/* ---- segments and modules ---- */

/* How long the segment is that SHM_REMAP puts over what is there, its name does not tell. */
EXPORT void *shmat(int id, const void *p, int flags)
{
	if (flags & SHM_REMAP)
		pages_change((const void *)page_down((uintptr_t)p),
			     UINTPTR_MAX - page_down((uintptr_t)p));
	if (mapping_any() && flags & SHM_REMAP)
		mapping_forget(p, SIZE_MAX);
	return REAL(shmat)(id, p, flags);
}

/*
 * A library that finds libc's functions before ours. What is landed meanwhile it could hand
 * to the kernel in its constructors, so nothing is.
 */
static void *open_deeply(const char *file, int mode)
{
	struct relink_mark before;
	void *handle;

	landing_hold();
	relink_begin(&before);
	handle = REAL(dlopen)(file, mode);
	if (handle && !relink_all(&before))
		shunt_stand_aside();
	landing_release();
	return handle;
}

/*
 * A path says what is meant whoever the caller is; else that is libc's to judge, and not ours to
 * follow.
 */
static void *(*deep_way(const char *file))(const char *, int)
{
	if (strchr(file, '/') && !strchr(file, '$'))
		return open_deeply;
	shunt_stand_aside();
	return REAL(dlopen);
}

/*
 * A module that goes takes its static buffers with it, and one that comes may lie
 * where another lay. For jump.S, which jumps to what these return: to the real
 * function the caller must be the program, since its RUNPATH and its namespace count.
 */
void *(*hook_before_dlopen(const char *file, int mode))(const char *, int)
{
	landing_open_all();
	return mode & RTLD_DEEPBIND && !hook_passive() && file ? deep_way(file) : REAL(dlopen);
}

void *(*hook_before_dlmopen(Lmid_t space, const char *file, int mode))(Lmid_t, const char *, int)
{
	(void)file;
	landing_open_all();
	/*
	 * another libc, past the hooks, which blocks SIGSYS over calls that are dispatched; or the
	 * same
	 */
	if (space != LM_ID_BASE || mode & RTLD_DEEPBIND)
		shunt_stand_aside();
	return REAL(dlmopen);
}

/* Whose caller counts, and who else is to find us, is left to the real one. */
void *(*hook_before_dlsym(void *handle, const char *name))(void *, const char *)
{
	/*
	 * a sanitizer's runtime looks for libc's functions, strcmp too, before it can stand being
	 * called
	 */
	if (filter_is_sanitized())
		return hook_dlsym();
	/* a lookup of ours inside of this one, by its allocations, would spoil what dlerror has */
	hook_resolve();
	if (handle == RTLD_DEFAULT)
		return hook_dlsym();
	if (handle != RTLD_NEXT)
		return bind_symbol;
	bind_next(name);
	return hook_dlsym();
}

EXPORT int dlclose(void *handle)
{
	landing_open_all();
	return REAL(dlclose)(handle);
}
