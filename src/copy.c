/* SPDX-License-Identifier: MIT */
/* copy.c - moves bytes into memory of the program's that may not be there; see copy.h. */
#include <ucontext.h>

#include "copy.h"

#if defined(__x86_64__)

/* Where it faults, and behind that. */
extern const char copy_moves[] __attribute__((visibility("hidden")));
extern const char copy_moved[] __attribute__((visibility("hidden")));

__attribute__((noinline)) bool copy_in(void *to, const void *from, size_t n)
{
	/* a string instruction that faults stands still: the registers say what is left */
	__asm__ volatile(".globl copy_moves, copy_moved\n"
			 ".hidden copy_moves, copy_moved\n"
			 "copy_moves: rep movsb\n"
			 "copy_moved:"
			 : "+D"(to), "+S"(from), "+c"(n)
			 :
			 : "memory");
	return n == 0;
}

bool copy_gave_up(void *context)
{
	greg_t *at = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	if (*at != (greg_t)copy_moves)
		return false;
	*at = (greg_t)copy_moved;
	return true;
}

#else

bool copy_in(void *to, const void *from, size_t n)
{
	(void)to, (void)from, (void)n;
	return false;
}

bool copy_gave_up(void *context)
{
	(void)context;
	return false;
}

#endif
