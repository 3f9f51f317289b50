/* SPDX-License-Identifier: MIT */
/* content.h - files of known bytes, for the stress and for the servers that are killed. */
#ifndef STRESS_CONTENT_H
#define STRESS_CONTENT_H

#include <stddef.h>
#include <stdint.h>

enum { CONTENT_FILES = 4 };
extern const size_t content_length[CONTENT_FILES];

/* What the files hold, in memory that was never read from them. */
extern const unsigned char *content[CONTENT_FILES];

/* Fills content; with DIRECTORY, writes the files there too: "f0" to "f3". */
void content_make(const char *directory);

/* The next of a row of random numbers. */
uint64_t content_random(uint64_t *state);

/* Ends the process with what is wrong. */
void content_die(const char *what) __attribute__((noreturn));

#endif
