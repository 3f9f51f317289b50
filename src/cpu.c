/* SPDX-License-Identifier: MIT */
/* cpu.c - the CPU time of a thread; see cpu.h. A file of its own: tests have a clock of theirs. */
#include "cpu.h"

#include "prim.h"

uint64_t cpu_now(void)
{
	struct timespec t = { 0, 0 };

	PRIM2(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
