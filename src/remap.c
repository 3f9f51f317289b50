/* SPDX-License-Identifier: MIT */
/* remap.c - mremap of memory into which pages were moved; see remap.h. */
#include <errno.h>
#include <sys/mman.h>

#include "fill.h"
#include "linux_new.h"
#include "maps.h"
#include "prim.h"
#include "remap.h"

enum { KNOWN = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP };

struct remap {
	uintptr_t p, to;
	size_t old_n, n; /* whole pages */
	int flags, prot;
};

static long error_of(long ret)
{
	return prim_mmap_failed((void *)ret) ? ret : 0;
}

/* What the kernel refuses whatever is mapped there, or does with several mappings as well. */
static bool is_simple(const struct remap *r)
{
	bool moves = r->flags & MREMAP_MAYMOVE, fixed = r->flags & MREMAP_FIXED;
	bool stays = r->flags & MREMAP_DONTUNMAP;

	if (r->flags & ~KNOWN || r->old_n == 0 || r->n == 0 || (r->p | r->to) & (shunt_page - 1) ||
	    r->p + r->old_n < r->p)
		return true;
	if (((fixed || stays) && !moves) || (stays && r->n != r->old_n))
		return true;
	if ((fixed || stays) &&
	    (r->to + r->n < r->to || (r->to < r->p + r->old_n && r->p < r->to + r->n)))
		return true;
	return !fixed && !stays && r->n < r->old_n;
}

/* Are the pages several mappings of one kind, without a hole? */
static bool are_pieces(struct remap *r)
{
	uintptr_t end = r->p + r->old_n, hi = maps_anonymous_end(r->p, &r->prot);
	int prot;

	if (hi == 0 || hi >= end)
		return false;
	while (hi < end) {
		hi = maps_anonymous_end(hi, &prot);
		if (hi == 0 || prot != r->prot)
			return false;
	}
	return true;
}

/* The last of the pieces is lengthened where it is, if there is room behind it. */
static long lengthen(const struct remap *r)
{
	uintptr_t end = r->p + r->old_n, lo = r->p, hi;
	int prot;

	while ((hi = maps_anonymous_end(lo, &prot)) < end && hi)
		lo = hi;
	if (hi != end) /* the mapping goes on behind what was named: there is no room */
		return -ENOMEM;
	return (long)prim_mremap((void *)lo, end - lo, end - lo + r->n - r->old_n, 0, NULL);
}

/*
 * Moves the pieces of N bytes from FROM to TO, where memory is kept free for them; where they were
 * stays taken, so that they can go back. Returns how much was moved.
 */
static size_t move_pieces(uintptr_t from, uintptr_t to, size_t n, long *error)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	size_t done = 0;

	while (done < n) {
		int prot;
		uintptr_t hi = maps_anonymous_end(from + done, &prot);
		size_t part = hi && hi - from < n ? hi - from - done : n - done;
		long ret = (long)prim_mremap((void *)(from + done), part, part, flags,
					     (void *)(to + done));

		*error = error_of(ret);
		if (*error)
			break;
		done += part;
	}
	return done;
}

/* The kernel first unmaps what is in the way; and so do we. Without MREMAP_FIXED the address is a hint. */
static uintptr_t keep_free(const struct remap *r)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (r->flags & MREMAP_FIXED)
		flags |= MAP_FIXED;
	return (uintptr_t)prim_mmap((void *)r->to, r->n, PROT_NONE, flags, -1, 0);
}

static long move_all(const struct remap *r)
{
	uintptr_t to = keep_free(r);
	size_t n = r->n < r->old_n ? r->n : r->old_n, done;
	long error = 0;

	if (prim_mmap_failed((void *)to))
		return (long)to;
	if (r->n > n) /* what is new behind them */
		error = error_of((long)prim_mmap((void *)(to + n), r->n - n, r->prot,
						 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	done = error ? 0 : move_pieces(r->p, to, n, &error);
	if (done < n) {
		move_pieces(to, r->p, done, &(long){ 0 });
		prim_munmap((void *)to, r->n);
		return error;
	}
	if (!(r->flags & MREMAP_DONTUNMAP))
		prim_munmap((void *)r->p, r->old_n);
	return (long)to;
}

bool remap_pieces(uintptr_t p, size_t old_n, size_t n, int flags, uintptr_t to, long *result)
{
	bool named = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	struct remap r = { .p = p, .to = named ? to : 0, .flags = flags };

	if (!fill_has_moved() || page_up(old_n) < old_n || page_up(n) < n)
		return false;
	r.old_n = page_up(old_n);
	r.n = page_up(n);
	if (is_simple(&r) || !are_pieces(&r))
		return false;
	if (named) {
		*result = move_all(&r);
		return true;
	}
	*result = r.n == r.old_n ? (long)p : lengthen(&r);
	if (!error_of(*result))
		*result = (long)p;
	else if (*result == -ENOMEM && flags & MREMAP_MAYMOVE)
		*result = move_all(&r);
	return true;
}
