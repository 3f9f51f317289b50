/* SPDX-License-Identifier: MIT */
/* complain.c - one line on standard error, and nothing that could upset a terminal in it. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "tool.h"

/*
 * inetd and its kin give the client's socket as 0, 1 and 2: the client is not to read of it. Of a
 * command that a person types the answer is shown all the same.
 */
static bool is_for_client(const char *command)
{
	struct stat in, error;

	return command && strcmp(command, "run") == 0 && fstat(STDERR_FILENO, &error) == 0 &&
	       S_ISSOCK(error.st_mode) && fstat(STDIN_FILENO, &in) == 0 &&
	       in.st_dev == error.st_dev && in.st_ino == error.st_ino;
}

void complain(const char *command, const char *format, ...)
{
	char line[2048], safe[sizeof(line)];
	struct format f = format_into(safe, sizeof(safe));
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (is_for_client(command))
		return;
	format_safe(&f, line, sizeof(line));
	if (command)
		fprintf(stderr, "shunt: %s: %s\n", command, safe);
	else
		fprintf(stderr, "shunt: %s\n", safe);
}

void complain_option(const char *command, int answer, char **argv)
{
	const char *word = argv[optind - 1];
	const char *what = answer == ':' ? "needs a value" : "is not an option";

	/* getopt says which letter it was, but of long options only where it stood */
	if (optopt > 0 && optopt < 128 && (word[0] != '-' || word[1] != '-'))
		complain(command, "-%c %s; see shunt %s --help", optopt, what, command);
	else
		complain(command, "%s %s; see shunt %s --help", word, what, command);
}

const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
