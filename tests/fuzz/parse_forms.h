/* SPDX-License-Identifier: MIT */
/* parse_forms.h - checks of the forms of a report; what is wrong ends the process (parse_wrong). */
#ifndef FUZZ_PARSE_FORMS_H
#define FUZZ_PARSE_FORMS_H

#include <stddef.h>

/* No control character but those in ALLOWED. */
void form_quiet(const char *text, size_t n, const char *allowed);

/* One object and a newline. */
void form_json(const char *text, size_t n);

/* All rows have as many cells. */
void form_csv(const char *text, size_t n);

void form_prometheus(const char *text, size_t n);
void form_html(const char *text, size_t n);

#endif
