/* SPDX-License-Identifier: MIT */
/*
 * parse.h - what reads text or files that others wrote, one target a program: libFuzzer calls
 * it with all that it can think of (tests/fuzz/parsers), parse_main.c with the files it is given.
 */
#ifndef FUZZ_PARSE_H
#define FUZZ_PARSE_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. What must not be ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Ends the process, as a sanitizer does, and says WHAT was wrong with the N bytes at TEXT. */
void parse_wrong(const char *what, const char *text, size_t n) __attribute__((noreturn));

#endif
