/* SPDX-License-Identifier: MIT */
/* lines.h - file and line of a frame, from the debug information of its module. */
#ifndef SHUNT_LINES_H
#define SHUNT_LINES_H

#include "report.h"

/*
 * A report_line_fn; its context is not used. False where there is no debug
 * information, and where the module was replaced after the process began.
 */
bool lines_find(void *context, const struct stats *s, const struct stats_frame *f, char *file,
		size_t file_size, unsigned *line);

/* Gives back what lines_find keeps. */
void lines_end(void);

#endif
