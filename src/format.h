/* SPDX-License-Identifier: MIT */
/*
 * format.h - a small formatter: numbers and words into a buffer, or through it
 * to a function that takes the text.
 *
 * For code that runs in signal handlers: nothing allocates, nothing calls libc's
 * formatting, errno is not touched.
 */
#ifndef SHUNT_FORMAT_H
#define SHUNT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void format_out_fn(void *context, const char *text, size_t length);

struct format {
	char *buf;
	size_t size, length;
	format_out_fn *out; /* called when BUF is full and by format_flush; NULL: the rest is cut off */
	void *context;
};

/* Text goes through BUF of SIZE bytes to OUT. */
static inline struct format format_through(char *buf, size_t size, format_out_fn *out,
					   void *context)
{
	return (struct format){.buf = buf, .size = size, .out = out, .context = context};
}

/* Text goes into BUF, which always ends with a NUL; what does not fit is cut off. */
static inline struct format format_into(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct format){.buf = buf, .size = size};
}

void format_flush(struct format *f);

void format_char(struct format *f, char c);
void format_text(struct format *f, const char *s);
void format_fill(struct format *f, char c, size_t n);

/*
 * S up to its NUL or MAX bytes, whoever wrote it: control characters and what is
 * not UTF-8 become '?', so that it can do nothing to a terminal.
 */
void format_safe(struct format *f, const char *s, size_t max);

/* The same as a JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void format_json(struct format *f, const char *s, size_t max);

void format_u64(struct format *f, uint64_t n);
void format_i64(struct format *f, int64_t n);
void format_hex(struct format *f, uint64_t n); /* with 0x */
void format_padded(struct format *f, uint64_t n, unsigned digits);

/* 148912 as "148 912" */
void format_grouped(struct format *f, uint64_t n);

/* Bytes in binary units with one decimal: "512 B", "62.4 KiB", "10.4 GiB" */
void format_size(struct format *f, uint64_t bytes);

/* PART of WHOLE as "99.8 %", rounded down, so that "100 %" is all of it; 0 of 0 is "0 %" */
void format_percent(struct format *f, uint64_t part, uint64_t whole);

/* Nanoseconds since the epoch as "2025-01-31T23:59:59.123Z" */
void format_time(struct format *f, uint64_t ns);

#endif
