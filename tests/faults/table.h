/* SPDX-License-Identifier: MIT */
/* table.h - what each system call may fail with, and where in the library a place is. */
#ifndef FAULTS_TABLE_H
#define FAULTS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

/* Reads the functions of the library at PATH. False: that cannot be done here. */
bool table_load(const char *path);

struct table_place {
	const char *function;
	uint64_t offset;
};
struct table_place table_place(uint64_t at);

/* What call NUMBER may give (-errno, PLAN_SHORT), ended by 0. */
const int *table_errors(long number, uint64_t at);

/*
 * What may the program see of it? NOTHING; or it is told, since its own call would have given it or
 * nothing else is right, or it cannot be: TOLD; or it may end by a signal, as long as it ENDS.
 * LASTING: it fails from then on.
 */
enum table_outcome { NOTHING, ENDS, TOLD };
enum table_outcome table_outcome(long number, uint64_t at, int result, bool lasting);

/* Of the call that is made at AT. */
long table_number(const struct plan *plan, uint64_t at);
const char *table_call_name(long number);
const char *table_error_name(int result);

#endif
