/* SPDX-License-Identifier: MIT */
/* cpu.h - the CPU time of a thread, for what measures whether it pays. */
#ifndef SHUNT_CPU_H
#define SHUNT_CPU_H

#include <stdint.h>

/*
 * Nanoseconds of CPU that this thread has used. A system call (130 ns): not for each chunk. Keeps
 * errno; signal safe.
 */
uint64_t cpu_now(void);

#endif
