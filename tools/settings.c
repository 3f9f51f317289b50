/* SPDX-License-Identifier: MIT */
/* settings.c - the settings as the library will read them, and their table for people. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

void settings_warn(void *context, const char *text)
{
	if (context)
		complain(context, "%s", text);
}

/* The file's text into BUF; an absent file is an empty one. Returns 0 or an errno. */
static int read_file(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int error = f || errno == ENOENT || errno == ENOTDIR ? 0 : errno;

	if (f) {
		n = fread(buf, 1, size - 1, f);
		error = ferror(f) ? errno : n == size - 1 && fgetc(f) != EOF ? EFBIG : 0;
		fclose(f);
	}
	buf[config_whole_lines(buf, n)] = '\0';
	return error;
}

int settings_load(struct config *c, const char *command)
{
	static char text[CONFIG_FILE_MAX + 1];
	const char *variable = secure_getenv("SHUNT_CONF");
	int wrong, error;

	config_defaults(c);
	error = read_file(SYSCONFDIR "/shunt.conf", text, sizeof(text));
	if (error && command)
		complain(command, "%s: %s", SYSCONFDIR "/shunt.conf", strerror(error));
	wrong = !!error + config_parse(c, text, ORIGIN_FILE, settings_warn, (void *)command);
	if (variable)
		wrong += config_parse(c, variable, ORIGIN_VARIABLE, settings_warn, (void *)command);
	return wrong;
}

static void help_row(const struct config_option *o)
{
	printf("  %-9s %s\n            %s", o->key, o->help, o->values);
	if (o->fallback[0])
		printf(" (default: %s)", o->fallback);
	if (o->later[0])
		printf("; not in this version: %s", o->later);
	putchar('\n');
}

void settings_help(void)
{
	const struct config_option *o;
	unsigned i;

	puts("settings, written key:value,key:value; in " SYSCONFDIR "/shunt.conf one a line:");
	for (i = 0; (o = config_option(i)) != NULL; i++)
		help_row(o);
}
