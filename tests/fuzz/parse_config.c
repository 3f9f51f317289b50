/* SPDX-License-Identifier: MIT */
/*
 * parse_config.c - the settings: SHUNT_CONF, /etc/shunt.conf, the words of --conf, and the globs.
 *
 * Beside not falling over: what is printed of them, dumped or complained of, can do nothing to
 * a terminal, stays one line, and a dump is read back as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "parse.h"
#include "parse_forms.h"

/* A complaint is one line that a terminal may be shown. */
static void warned(void *context, const char *text)
{
	size_t n = strlen(text);

	++*(int *)context;
	form_quiet(text, n, "");
}

static void confirmed(void *context, const char *text)
{
	++*(int *)context;
	form_quiet(text, strlen(text), "");
}

static void ended(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		parse_wrong("a setting without an end", text, size);
}

static void check(const struct config *c)
{
	ended(c->report, sizeof(c->report));
	ended(c->only, sizeof(c->only));
	ended(c->skip, sizeof(c->skip));
	ended(c->stats, sizeof(c->stats));
	if (c->landings < 1 || c->learn < 1 || c->engines & ~15u)
		parse_wrong("a number out of its range", "", 0);
}

/* Is what was dumped read back as it was, where it was dumped whole? */
static void check_dump(const struct config *c)
{
	static char text[4096], again[4096];
	struct config d;
	int warnings = 0;

	if (config_dump(c, text, sizeof(text), false) != strlen(text))
		parse_wrong("the length of a dump", text, strlen(text));
	config_defaults(&d);
	if (config_parse(&d, text, ORIGIN_VARIABLE, warned, &warnings))
		parse_wrong("a dump is not read back", text, strlen(text));
	config_dump(&d, again, sizeof(again), false);
	if (strcmp(text, again))
		parse_wrong("a dump is not what was dumped", again, strlen(again));
	for (size_t size = 0; size < 40; size++)
		if (config_dump(c, again, size, true) >= size && size)
			parse_wrong("a dump longer than its room", again, size);
	config_confirm(c, confirmed, &warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct config c;
	int warnings = 0, wrong;

	if (!text)
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	for (int where = ORIGIN_FILE; where <= ORIGIN_COMMAND; where++) {
		config_defaults(&c);
		warnings = 0;
		wrong = config_parse(&c, text, (enum config_origin)where, warned, &warnings);
		if (wrong != warnings)
			parse_wrong("what is wrong is not what was complained of", text, n);
		config_parse(&c, text, (enum config_origin)where, NULL, NULL);
		check(&c);
		check_dump(&c);
		config_applies_to(&c, "server");
		config_applies_to(&c, "");
	}
	free(text);
	return 0;
}
