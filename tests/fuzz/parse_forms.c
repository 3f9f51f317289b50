/* SPDX-License-Identifier: MIT */
/* parse_forms.c - is it what it says it is: text for a terminal, JSON, CSV, samples, a page? */
#include "parse_forms.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

void parse_wrong(const char *what, const char *text, size_t n)
{
	fprintf(stderr, "WRONG: %s:\n%.*s\n", what, n > 4000 ? 4000 : (int)n, text);
	abort();
}

/* C0 but those in ALLOWED, DEL, C1 in UTF-8 */
void form_quiet(const char *text, size_t n, const char *allowed)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char after = i + 1 < n ? (unsigned char)text[i + 1] : 0;

		if ((c < 0x20 && !strchr(allowed, c)) || c == 0 || c == 0x7f ||
		    (c == 0xc2 && after >= 0x80 && after < 0xa0))
			parse_wrong("a control character", text + i, n - i);
	}
}

/* ---- JSON, RFC 8259 ---- */

struct json {
	const char *at, *end;
};

static void json_value(struct json *j, int depth);

static char peek(const struct json *j)
{
	return j->at < j->end ? *j->at : '\0';
}

static void expect(struct json *j, char c)
{
	if (peek(j) != c)
		parse_wrong("no JSON from here on", j->at, (size_t)(j->end - j->at));
	j->at++;
}

static void json_escape(struct json *j)
{
	char c = peek(j);

	j->at++;
	if (c != 'u') {
		if (!c || !strchr("\"\\/bfnrt", c))
			parse_wrong("no JSON escape", j->at, (size_t)(j->end - j->at));
		return;
	}
	for (int i = 0; i < 4; i++, j->at++)
		if (!peek(j) || !strchr("0123456789abcdefABCDEF", peek(j)))
			parse_wrong("no JSON escape", j->at, (size_t)(j->end - j->at));
}

static void json_string(struct json *j)
{
	expect(j, '"');
	while (peek(j) != '"') {
		if ((unsigned char)peek(j) < 0x20)
			parse_wrong("a control character in a JSON string", j->at, 1);
		if (*j->at++ == '\\')
			json_escape(j);
	}
	j->at++;
}

static void json_digits(struct json *j)
{
	if (peek(j) < '0' || peek(j) > '9')
		parse_wrong("no JSON number", j->at, (size_t)(j->end - j->at));
	while (peek(j) >= '0' && peek(j) <= '9')
		j->at++;
}

static void json_number(struct json *j)
{
	bool zero;

	j->at += peek(j) == '-';
	zero = peek(j) == '0';
	if (zero)
		j->at++;
	else
		json_digits(j);
	if (peek(j) == '.') {
		j->at++;
		json_digits(j);
	}
}

static void json_items(struct json *j, char close, bool keys, int depth)
{
	j->at++;
	if (peek(j) == close) {
		j->at++;
		return;
	}
	for (;; j->at++) {
		if (keys) {
			json_string(j);
			expect(j, ':');
		}
		json_value(j, depth + 1);
		if (peek(j) != ',')
			break;
	}
	expect(j, close);
}

static bool json_word(struct json *j, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(j->end - j->at) < n || strncmp(j->at, word, n))
		return false;
	j->at += n;
	return true;
}

static void json_value(struct json *j, int depth)
{
	if (depth > 16)
		parse_wrong("JSON too deep", j->at, (size_t)(j->end - j->at));
	if (peek(j) == '{')
		json_items(j, '}', true, depth);
	else if (peek(j) == '[')
		json_items(j, ']', false, depth);
	else if (peek(j) == '"')
		json_string(j);
	else if (!json_word(j, "true") && !json_word(j, "false") && !json_word(j, "null"))
		json_number(j);
}

void form_json(const char *text, size_t n)
{
	struct json j = { text, text + n };

	form_quiet(text, n, "\n");
	if (peek(&j) != '{')
		parse_wrong("JSON is no object", text, n);
	json_value(&j, 0);
	expect(&j, '\n');
	if (j.at != j.end)
		parse_wrong("more than one JSON object", j.at, (size_t)(j.end - j.at));
}

/* ---- CSV, RFC 4180 ---- */

/* One cell; returns what ends it. */
static char csv_cell(const char **at, const char *end)
{
	const char *p = *at;

	if (p < end && *p == '"') {
		for (p++; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++)
			p += *p == '"';
		p++;
	} else {
		while (p < end && *p != ',' && *p != '\r') {
			if (*p == '"' || *p == '\n')
				parse_wrong("a bare quote or line end in CSV", *at, (size_t)(end - *at));
			p++;
		}
	}
	if (p >= end)
		parse_wrong("CSV without an end", *at, 1);
	*at = p + 1;
	return *p;
}

void form_csv(const char *text, size_t n)
{
	const char *at = text, *end = text + n;
	int columns = 0;

	form_quiet(text, n, "\r\n");
	while (at < end) {
		int cells = 1;
		char by;

		while ((by = csv_cell(&at, end)) == ',')
			cells++;
		if (by != '\r' || at >= end || *at++ != '\n' || (columns && cells != columns))
			parse_wrong("a CSV row of another length", text, n);
		columns = cells;
	}
}

/* ---- the text format of Prometheus ---- */

static const char *sample_labels(const char *p)
{
	for (bool quoted = false; *p != '\n' && (quoted || *p != '}'); p++) {
		if (quoted && *p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return *p == '}' ? p + 1 : NULL;
}

void form_prometheus(const char *text, size_t n)
{
	const char *next, *p;

	form_quiet(text, n, "\n");
	if (n && text[n - 1] != '\n')
		parse_wrong("samples without an end", text, n);
	for (const char *line = text; line < text + n; line = next + 1) {
		next = memchr(line, '\n', (size_t)(text + n - line));
		if (*line == '#')
			continue;
		p = line + strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");
		p = *p == '{' ? sample_labels(p) : p;
		if (!p || p == line || *p++ != ' ' || p + strspn(p, "-0123456789.") != next || p == next)
			parse_wrong("no sample", line, (size_t)(next - line));
	}
}

/* ---- HTML: no tag that the page does not have itself ---- */

void form_html(const char *text, size_t n)
{
	static const char *const tags[] = { "!DOCTYPE", "html", "head", "meta", "title", "style", "body",
					    "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td",
					    "div", "span", "small", "code", "b", "ul", "li", "dl", "dt", "dd" };

	form_quiet(text, n, "\n");
	for (size_t i = 0; i < n; i++) {
		const char *tag = text + i + 1;
		bool known = false;

		if (text[i] != '<')
			continue;
		tag += tag < text + n && *tag == '/';
		for (size_t t = 0; t < sizeof(tags) / sizeof(tags[0]); t++) {
			size_t length = strlen(tags[t]);

			known |= (size_t)(text + n - tag) > length && !strncasecmp(tag, tags[t], length) &&
				 strchr(" >", tag[length]);
		}
		if (!known)
			parse_wrong("a tag that is none of ours", text + i, n - i);
	}
}
