/* SPDX-License-Identifier: MIT */
/*
 * plan.h - which of shunt's own system calls is to fail, and how; see plan.c.
 *
 * A file that the driver and all processes of a program map. A place is where in the library a call
 * is made: the address behind it, from the library's beginning on. Each is counted; one of them may
 * be told to fail.
 */
#ifndef FAULTS_PLAN_H
#define FAULTS_PLAN_H

#include <stdatomic.h>
#include <stdint.h>

#define PLAN_VARIABLE "SHUNT_FAULTS" /* the file's path */

enum { PLAN_PLACES = 1024, PLAN_SHORT = 1, PLAN_FOREVER = 1 << 30 };

struct plan_place {
	_Atomic uint64_t at; /* 0: a free row */
	int32_t number;      /* of the system call */
	_Atomic uint32_t calls;
};

struct plan {
	uint64_t at;          /* 0: none fails */
	uint32_t first, many; /* from the FIRST call on, counted from 1, so many of them fail */
	int32_t result;       /* -errno, or PLAN_SHORT: it is done, but for half as many bytes */
	_Atomic uint32_t fired;
	struct plan_place place[PLAN_PLACES];
};

#endif
