/* SPDX-License-Identifier: MIT */
/* tool.h - what the commands share: their entries, exit codes, complaints, settings. */
#ifndef SHUNT_TOOL_H
#define SHUNT_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

enum {
	EXIT_WRONG_USE = 2, /* of every command but run */
	EXIT_RUN_FAILED = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

/* ARGV[0] is the command's own name. They return the exit status. */
int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_check(int argc, char **argv);

/* One line on standard error: "shunt: COMMAND: text". */
void complain(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What getopt_long answered for ARGV with ':' or '?', in one line. */
void complain_option(const char *command, int answer, char **argv);

/*
 * A complaint about the settings, for config_parse. CONTEXT is the command's name,
 * NULL to say nothing.
 */
void settings_warn(void *context, const char *text);

/*
 * The settings as the library will read them: built in, then the file, then
 * SHUNT_CONF. Returns how many words were wrong.
 */
int settings_load(struct config *c, const char *command);

/* The table of settings, for --help. */
void settings_help(void);

/*
 * The path of libshunt.so into BUF: SHUNT_LIB, else that of the build tree which
 * this command lies in, else the installed one. Returns 0 or -errno, with the path
 * that was tried in BUF.
 */
int library_find(char *buf, size_t size);

/*
 * Takes away counters files that nobody will ask for (stats_sweep.h), where the settings C say
 * that such lie: nowhere if they name a directory, since then somebody asked for all of them.
 */
void sweep(const struct config *c);

/* The last part of a path. */
const char *base_name(const char *path);

#endif
