/* SPDX-License-Identifier: MIT */
/*
 * sig_stack.c - alternate signal stacks: ours under every thread that may fault,
 * the program's own where it set one, and what the program is shown.
 *
 * A stack of the program that is large enough for the fault handler is really
 * installed. A smaller one is only shown, and its handlers run on ours.
 * Changed by its own thread alone. errno is kept, or set as sigaltstack does.
 */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "filter.h"
#include "landing.h"
#include "prim.h"
#include "sig.h"
#include "thread.h"

enum { OUR_STACK = 64 * 1024, ENOUGH = 16 * 1024, AUTODISARM = (int)(1U << 31) };

static bool install_ours(struct thread *t)
{
	stack_t ss = {.ss_size = OUR_STACK};
	void *p;

	if (!t->alternate_stack) {
		p = prim_mmap(NULL, OUR_STACK, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (prim_mmap_failed(p))
			return false;
		t->alternate_stack = p;
	}
	ss.ss_sp = t->alternate_stack;
	t->alternate_in_use = prim_sigaltstack(&ss, NULL) == 0;
	return t->alternate_in_use;
}

void thread_alternate_stack(void)
{
	struct thread *t = thread_self();
	stack_t now;

	if (!t || t->alternate_in_use || !(t->program_stack.ss_flags & SS_DISABLE))
		return;
	if (prim_sigaltstack(NULL, &now) < 0)
		return;
	if (now.ss_flags & SS_DISABLE)
		install_ours(t);
	else /* set before us, or behind our back */
		t->program_stack = now;
}

/* Is the caller on the stack that the kernel would not let it change now? */
static bool on_it(void)
{
	stack_t now;

	return prim_sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_ONSTACK;
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

/* Tells the kernel of SS, which alone knows what it takes. */
static int tell_kernel(struct thread *t, const stack_t *ss)
{
	int error = prim_sigaltstack(ss, NULL);

	if (error < 0)
		return error;
	t->alternate_in_use = false;
	t->program_stack = *ss;
	return 0;
}

/* Where none, or a small one, is to be used: that, and then ours over it. Nothing runs on it in between. */
static int tell_and_cover(struct thread *t, const stack_t *ss)
{
	uint64_t mask;
	int error;

	prim_signals_block(&mask);
	error = tell_kernel(t, ss);
	if (error == 0)
		install_ours(t);
	prim_signals_restore(&mask);
	return error;
}

static int set(struct thread *t, const stack_t *ss)
{
	bool small = (ss->ss_flags & ~AUTODISARM) == SS_DISABLE || ss->ss_size < ENOUGH;
	int error = small && !filter_silences() ? tell_and_cover(t, ss) : tell_kernel(t, ss);

	return error < 0 ? refuse(-error) : 0;
}

static void show(const struct thread *t, bool busy, stack_t *old)
{
	int flags = t->program_stack.ss_flags;

	*old = t->program_stack;
	if (flags & SS_DISABLE) {
		*old = (stack_t){.ss_flags = SS_DISABLE};
		return;
	}
	old->ss_flags = flags & AUTODISARM;
	if (busy)
		old->ss_flags |= SS_ONSTACK;
}

int thread_set_stack(struct thread *t, const stack_t *ss, stack_t *old)
{
	stack_t wanted, before;
	bool busy = on_it();

	if (ss)
		wanted = *ss;
	show(t, busy, &before);
	if (ss && busy)
		return refuse(EPERM);
	if (ss && !(wanted.ss_flags & SS_DISABLE))
		landing_open(wanted.ss_sp, wanted.ss_size);
	if (ss && set(t, &wanted) < 0)
		return -1;
	if (!old)
		return 0;
	landing_open(old, sizeof(*old));
	if (prim_sigaltstack(NULL, old) < 0) /* the kernel can say that it is not to be written */
		return refuse(EFAULT);
	*old = before;
	return 0;
}
