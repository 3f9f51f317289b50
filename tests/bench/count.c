/* SPDX-License-Identifier: MIT */
/*
 * count.c - runs a server and tells what it has used so far, children and theirs included.
 *
 *   count CONTROL [NAME=VALUE...] COMMAND...
 *   keep CONTROL [NAME=VALUE...] COMMAND...
 *
 * The words in front of COMMAND are put into its environment only. Each line on CONTROL is answered
 * with the counts since its start; "detail 1" counts more from then on, see counter.c. When CONTROL
 * ends, COMMAND is asked to end, and its status is ours. keep counts nothing, and its
 * answers mean nothing: an event makes each change of the running process dearer, which is no
 * thing to measure a latency with.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

/* The child waits with its exec until the counters are there. */
static pid_t start(char **word, bool counted)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		err(1, "fork");
	if (pid > 0) {
		close(ready[0]);
		if (counted)
			counters_open(pid);
		close(ready[1]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	close(ready[1]);
	while (read(ready[0], &byte, 1) < 0)
		;
	while (*word && strchr(*word, '='))
		putenv(*word++);
	if (*word)
		execvp(*word, word);
	err(127, "%s", *word ? *word : "no command");
}

static int run(char **word, bool counted)
{
	int control = (int)number(word[0]), status = 0;
	struct counts c;
	char text[512];
	ssize_t n;
	pid_t pid;

	pid = start(word + 1, counted);
	while ((n = recv(control, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		if (strncmp(text, "detail ", 7) == 0)
			counters_detail(number(text + 7));
		c = counters_now();
		text[0] = '\0';
		counts_print(text, sizeof(text), &c);
		if (send(control, text, strlen(text), MSG_NOSIGNAL) < 0)
			break;
	}
	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid)
		err(1, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

int count_main(char **word)
{
	return run(word, true);
}

int keep_main(char **word)
{
	return run(word, false);
}
