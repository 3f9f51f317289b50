/* SPDX-License-Identifier: MIT */
/*
 * out.h - reports in other forms than text and JSON, and what they share.
 *
 * Everything goes through struct format (format.h) to standard output. What stands
 * in the counters may have been written by anybody: every string is escaped
 * for the form that it is printed in.
 */
#ifndef SHUNT_OUT_H
#define SHUNT_OUT_H

#include "report_walk.h"

/* One row a route, one heading for all processes. */
void out_csv(struct format *f, const struct stats *const *process, size_t count,
	     const struct report_options *o);

/* The text format of Prometheus; all rows, whatever O says. */
void out_prometheus(struct format *f, const struct stats *const *process, size_t count);

/* A page that needs nothing but itself: begin, one section a family, end. */
void out_html_begin(struct format *f);
void out_html_family(struct format *f, const struct stats *const *process, size_t count,
		     const struct report_options *o);
void out_html_end(struct format *f);

/*
 * How many from PROCESS[0] on, of COUNT, are one process: what its ended children
 * left is a file of its own under its name.
 */
size_t out_same_process(const struct stats *const *process, size_t count);

/* "3 processes, 1 still running": of one family. */
void out_life(struct format *f, const struct stats *const *process, size_t count);

/* How a string has to be written; each also replaces what could upset a terminal. */
enum out_form { OUT_CSV, OUT_LABEL, OUT_HTML };

/* S, up to its NUL or MAX bytes. */
void out_escaped(struct format *f, enum out_form form, const char *s, size_t max);

/* "serve_file+0x4e (srv.c:212)"; nothing where SITE is NULL. */
void out_site(struct format *f, enum out_form form, const struct stats *s,
	      const struct stats_site *site, const struct report_options *o);

#endif
