/* SPDX-License-Identifier: MIT */
/* ending.c - ends as its argument says; what the shell sees of it must be the same. */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "signals.h"

static void *other_thread(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void report_and_go_on(int signal)
{
	(void)signal;
	say("own handler\n");
	_exit(12);
}

/* SIGSEGV was blocked when the program began: the handler that it installs does not help it. */
static void crash_inherited(int argc, char **argv)
{
	sigset_t s;

	if (argc > 2) {
		signal(SIGSEGV, report_and_go_on);
		*(volatile char *)(intptr_t)(argc - 3) = 1;
	}
	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	execl("/proc/self/exe", argv[0], argv[1], "again", (char *)NULL);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	struct rlimit none = {0, 0};
	int number = argc > 2 ? atoi(argv[2]) : 0, p[2];
	pthread_t t;

	setrlimit(RLIMIT_CORE, &none);
	if (!strcmp(how, "crash-inherited")) /* before anything is landed */
		crash_inherited(argc, argv);
	prime();
	show_action("disposition", number ? number : SIGTERM);
	if (!strcmp(how, "raise"))
		raise(number);
	if (!strcmp(how, "kill"))
		kill(getpid(), number);
	if (!strcmp(how, "thread")) {
		pthread_create(&t, NULL, other_thread, NULL);
		pthread_kill(t, number);
		pthread_join(t, NULL);
	}
	if (!strcmp(how, "blocked")) {
		sigset_t s;

		sigemptyset(&s);
		sigaddset(&s, number);
		sigprocmask(SIG_BLOCK, &s, NULL);
		raise(number);
		say("still here\n");
		sigprocmask(SIG_UNBLOCK, &s, NULL);
	}
	if (!strcmp(how, "handler")) {
		signal(number, report_and_go_on);
		raise(number);
	}
	if (!strcmp(how, "again")) {
		signal(number, SIG_IGN);
		raise(number);
		signal(number, SIG_DFL);
		show_action("default again", number);
		raise(number);
	}
	if (!strcmp(how, "ignored")) {
		raise(number);
		show_action("ignored", number);
	}
	if (!strcmp(how, "pipe")) {
		if (pipe(p) < 0)
			return 1;
		close(p[0]);
		say("wrote %zd\n", write(p[1], "x", 1));
	}
	if (!strcmp(how, "crash"))
		*(volatile char *)(intptr_t)(argc - 2) = 1;
	if (!strcmp(how, "crash-blocked")) {
		sigset_t s;

		signal(SIGSEGV, report_and_go_on);
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
		*(volatile char *)(intptr_t)(argc - 2) = 1;
	}
	if (!strcmp(how, "crash-ignored")) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)(intptr_t)(argc - 2) = 1;
	}
	if (!strcmp(how, "abort"))
		abort();
	if (!strcmp(how, "_exit"))
		_exit(17);
	if (!strcmp(how, "quick_exit"))
		quick_exit(18);
	say("at the end\n");
	return 0;
}
