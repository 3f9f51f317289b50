/* SPDX-License-Identifier: MIT */
/*
 * report.h - one walk over the counters, printed as text or as JSON.
 *
 * Linked into the library (report at exit, perhaps in a signal handler: nothing
 * allocates, nothing is symbolised here) and into the command.
 */
#ifndef SHUNT_REPORT_H
#define SHUNT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stats.h"

/* Where the text goes: called with pieces in order. */
typedef void report_out_fn(void *context, const char *text, size_t length);

/* file:line of a frame, for the command; NULL in the library. FILE is filled; false: not known. */
typedef bool report_line_fn(void *context, const struct stats *s, const struct stats_frame *f,
			    char *file, size_t file_size, unsigned *line);

/* What the rows are sorted by, the largest first. */
enum report_sort { REPORT_BY_BYTES, REPORT_BY_CHUNKS, REPORT_BY_REWRITTEN, REPORT_BY_LOOKS };

struct report_options {
	unsigned rows;     /* at most so many rows; 0: 20 */
	int sort;          /* enum report_sort; by bytes is 0 */
	bool color;
	report_line_fn *line;
	void *line_context;
};

/* Is S (SIZE bytes, from a file that anybody may have written) counters that can be walked? */
bool report_valid(const struct stats *s, size_t size);

/*
 * report_text and report_json use static memory: one of them at a time in a
 * process. OPTIONS may be NULL.
 *
 * Text for a family: PROCESS[0] names the program, the others are added up
 * under it, row by row where kinds, engine and sites are the same code.
 */
void report_text(const struct stats *const *process, size_t count,
		 const struct report_options *options, report_out_fn *out, void *context);

/* One object for one process, on one line, ended by a newline. */
void report_json(const struct stats *s, const struct report_options *options,
		 report_out_fn *out, void *context);

/*
 * The library's report at the end of the process, as the settings ask: once,
 * however it is reached. Runs in signal handlers. Writes with all signals blocked.
 */
void report_at_end(void);

/* In the child of a fork: it has a report of its own to make. Before stats_forked or after it. */
void report_forked(void);

#endif
