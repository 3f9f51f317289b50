/* SPDX-License-Identifier: MIT */
/* format.c - numbers and words as text, without libc's formatting. Signal safe throughout. */
#include "format.h"

#include <string.h>

void format_flush(struct format *f)
{
	if (f->out && f->length)
		f->out(f->context, f->buf, f->length);
	if (f->out)
		f->length = 0;
}

void format_char(struct format *f, char c)
{
	if (f->out) {
		if (f->length == f->size)
			format_flush(f);
		f->buf[f->length++] = c;
	} else if (f->length + 1 < f->size) {
		f->buf[f->length++] = c;
		f->buf[f->length] = '\0';
	}
}

/* N bytes at once: a report is a few thousand, made in the place of a program that is ending. */
static void put(struct format *f, const char *s, size_t n)
{
	while (n > 0) {
		size_t room = f->size - f->length - !f->out, now = n < room ? n : room;

		memcpy(f->buf + f->length, s, now);
		f->length += now;
		s += now;
		n -= now;
		if (n > 0 && !f->out)
			break;
		if (n > 0)
			format_flush(f);
	}
	if (!f->out)
		f->buf[f->length] = '\0';
}

void format_text(struct format *f, const char *s)
{
	put(f, s, strlen(s));
}

void format_fill(struct format *f, char c, size_t n)
{
	while (n--)
		format_char(f, c);
}

static bool continues(const unsigned char *s, size_t n, size_t length)
{
	if (n < length)
		return false;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/*
 * The length of the well-formed UTF-8 character at S (N bytes are there), 0 if it is
 * none. Neither surrogates, nor overlong forms, nor anything above U+10FFFF.
 */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	unsigned char a = s[0], b = n > 1 ? s[1] : 0;

	if (a < 0x80)
		return 1;
	if (a >= 0xc2 && a <= 0xdf)
		return continues(s, n, 2) ? 2 : 0;
	if (a >= 0xe0 && a <= 0xef) {
		if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f))
			return 0;
		return continues(s, n, 3) ? 3 : 0;
	}
	if (a >= 0xf0 && a <= 0xf4) {
		if ((a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f))
			return 0;
		return continues(s, n, 4) ? 4 : 0;
	}
	return 0;
}

/* C0, DEL, and C1, which is c2 80 to c2 9f in UTF-8: what terminals obey */
static bool is_control(const unsigned char *s, size_t length)
{
	return length == 1 ? s[0] < 0x20 || s[0] == 0x7f
			   : length == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

void format_safe(struct format *f, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strnlen(text, max);

	while (n > 0) {
		size_t length = utf8_length(s, n), step = length ? length : 1;

		if (length == 0 || is_control(s, length))
			format_char(f, '?');
		else
			for (size_t i = 0; i < length; i++)
				format_char(f, (char)s[i]);
		s += step;
		n -= step;
	}
}

static void hex4(struct format *f, unsigned n)
{
	format_text(f, "\\u");
	for (int shift = 12; shift >= 0; shift -= 4)
		format_char(f, "0123456789abcdef"[n >> shift & 15]);
}

static void json_ascii(struct format *f, unsigned char c)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *e = escapes; *e; e += 2)
		if (*e == (char)c) {
			format_char(f, '\\');
			format_char(f, e[1]);
			return;
		}
	if (c < 0x20 || c == 0x7f)
		hex4(f, c);
	else
		format_char(f, (char)c);
}

/* How many of the N bytes at S stand for themselves in a JSON string. */
static size_t json_plain(const unsigned char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

void format_json(struct format *f, const char *text, size_t max)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strnlen(text, max), plain;

	format_char(f, '"');
	for (;;) {
		size_t length, step;

		plain = json_plain(s, n);
		put(f, (const char *)s, plain);
		s += plain;
		n -= plain;
		if (n == 0)
			break;
		length = utf8_length(s, n);
		step = length ? length : 1;
		if (length == 0)
			hex4(f, 0xfffd);
		else if (length == 1)
			json_ascii(f, *s);
		else if (is_control(s, length))
			hex4(f, s[1]);
		else
			for (size_t i = 0; i < length; i++)
				format_char(f, (char)s[i]);
		s += step;
		n -= step;
	}
	format_char(f, '"');
}

/* The digits of N at the end of the 20 bytes at D; returns how many. */
static unsigned digits_of(uint64_t n, char *d)
{
	unsigned count = 0;

	do {
		d[19 - count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	return count;
}

void format_padded(struct format *f, uint64_t n, unsigned digits)
{
	char d[20];
	unsigned count = digits_of(n, d);

	for (; digits > count; digits--)
		format_char(f, '0');
	put(f, d + 20 - count, count);
}

void format_u64(struct format *f, uint64_t n)
{
	format_padded(f, n, 1);
}

void format_i64(struct format *f, int64_t n)
{
	if (n < 0)
		format_char(f, '-');
	format_u64(f, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void format_hex(struct format *f, uint64_t n)
{
	int shift = 60;

	format_text(f, "0x");
	while (shift > 0 && n >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		format_char(f, "0123456789abcdef"[n >> shift & 15]);
}

void format_grouped(struct format *f, uint64_t n)
{
	char d[20];
	unsigned count = digits_of(n, d);

	for (unsigned i = 20 - count; i < 20; i++) {
		format_char(f, d[i]);
		if (i < 19 && (19 - i) % 3 == 0)
			format_char(f, ' ');
	}
}

void format_size(struct format *f, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;
	uint64_t tenths;

	if (bytes < 1024) {
		format_u64(f, bytes);
		format_text(f, " B");
		return;
	}
	for (; unit < 5 && bytes >> (10 * (unit + 2)); unit++)
		;
	/* rounded; from 1 MiB on the last ten bits cannot change the first decimal by much */
	if (unit > 0)
		bytes >>= 10 * unit;
	tenths = (bytes * 10 + 512) >> 10;
	if (tenths >= 10240 && unit < 5) {
		tenths = 10;
		unit++;
	}
	format_u64(f, tenths / 10);
	format_char(f, '.');
	format_u64(f, tenths % 10);
	format_char(f, ' ');
	format_char(f, units[unit]);
	format_text(f, "iB");
}

void format_percent(struct format *f, uint64_t part, uint64_t whole)
{
	uint64_t tenths;

	while (whole > UINT64_MAX / 1000) { /* only in a file that lies */
		whole >>= 1;
		part >>= 1;
	}
	tenths = whole == 0 ? 0 : part >= whole ? 1000 : part * 1000 / whole;
	format_u64(f, tenths / 10);
	if (tenths % 1000 || (part && !tenths && whole)) {
		format_char(f, '.');
		format_u64(f, tenths % 10);
	}
	format_text(f, " %");
}

void format_time(struct format *f, uint64_t ns)
{
	uint64_t ms = ns / 1000000, s = ms / 1000;
	/* days from 0000-03-01 in the Gregorian calendar, eras of 400 years */
	uint64_t day = s / 86400 + 719468, era = day / 146097, doe = day % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint64_t month = mp < 10 ? mp + 3 : mp - 9;

	format_padded(f, yoe + era * 400 + (month <= 2), 4);
	format_char(f, '-');
	format_padded(f, month, 2);
	format_char(f, '-');
	format_padded(f, doy - (153 * mp + 2) / 5 + 1, 2);
	format_char(f, 'T');
	format_padded(f, s / 3600 % 24, 2);
	format_char(f, ':');
	format_padded(f, s / 60 % 60, 2);
	format_char(f, ':');
	format_padded(f, s % 60, 2);
	format_char(f, '.');
	format_padded(f, ms % 1000, 3);
	format_char(f, 'Z');
}
