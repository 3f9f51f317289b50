/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - the alternate stack that the program set is the one it is shown, and nothing else is.
 */
#define _GNU_SOURCE
#include "signals.h"

static char *large, *small;
static volatile int on_large;

static void show(const char *what)
{
	stack_t s;

	errno = 0;
	say("%s: %d", what, sigaltstack(NULL, &s));
	say(" flags %x size %zu %s\n", (unsigned)s.ss_flags, s.ss_size,
	    s.ss_sp == large ? "large" : s.ss_sp == small ? "small" : s.ss_sp ? "other" : "none");
}

static int set(char *p, size_t n, int flags)
{
	stack_t s = {.ss_sp = p, .ss_size = n, .ss_flags = flags};

	errno = 0;
	return sigaltstack(&s, NULL) < 0 ? errno : 0;
}

static void handler(int signal)
{
	char here;

	on_large = &here >= large && &here < large + 65536;
	say("handler %d on large %d\n", signal, on_large);
	if (on_large) {
		show("in it");
		say("change: %d\n", set(small, 8192, 0));
	}
	say("look %s\n", look(signal));
}

static void *thread(void *arg)
{
	show("thread at birth");
	say("thread: look %s\n", look(4));
	show("thread after a look");
	say("own: %d\n", set(large, 65536, 0));
	show("own");
	raise(SIGUSR1);
	say("look %s\n", look(5));
	say("off: %d\n", set(NULL, 0, SS_DISABLE));
	show("off");
	return arg;
}

int main(void)
{
	struct sigaction a = {.sa_flags = SA_ONSTACK};
	pthread_t t;

	large = malloc(65536);
	small = malloc(8192);
	a.sa_handler = handler;
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &a, NULL);
	show("at start");
	prime();
	show("after the loop");
	say("large %d\n", set(large, 65536, 0));
	show("large");
	raise(SIGUSR1);
	prime();
	raise(SIGSEGV);
	say("small %d\n", set(small, 8192, 0));
	show("small");
	say("look %s\n", look(3));
	say("tiny %d, bad flags %d\n", set(small, 100, 0), set(small, 8192, 77));
	show("unchanged");
	say("off %d\n", set(NULL, 0, SS_DISABLE));
	show("off");
	prime();
	say("look %s\n", look(6));
	prime();
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	show("end");
	return 0;
}
