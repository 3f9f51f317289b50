/* SPDX-License-Identifier: MIT */
/* shunt.c - the command: which of its parts is asked for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cmd_run, "run a program under shunt"},
	{"report", cmd_report, "print the counters of processes, living or ended"},
	{"check", cmd_check, "can shunt work for this program or process?"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(void)
{
	size_t i;

	puts("usage: shunt COMMAND [ARG...]\n"
	     "Makes unmodified servers send files without copying them.\n");
	for (i = 0; i < COMMANDS; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\n'shunt COMMAND --help' says more. See shunt(1), libshunt(7), shunt.conf(5).");
	return 0;
}

static int unknown(const char *what, const char *name)
{
	char all[64] = "";

	for (size_t i = 0; i < COMMANDS; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 commands[i].name);
	complain(NULL, "%s '%s'; there are: %s; see shunt --help", what, name, all);
	return EXIT_WRONG_USE;
}

static int command(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		complain(NULL, "a command is missing; see shunt --help");
		return EXIT_WRONG_USE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return puts("shunt " SHUNT_VERSION), 0;
	for (i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown(argv[1][0] == '-' ? "no such option" : "no such command", argv[1]);
}

/* What was printed has to have been written, or it was for nothing. */
int main(int argc, char **argv)
{
	int status = command(argc, argv);

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	complain(NULL, "standard output: %s", strerror(errno ? errno : EIO));
	return status ? status : 1;
}
