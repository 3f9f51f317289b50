/* SPDX-License-Identifier: MIT */
/* threads.c - births, ends, cancellation, and a look in each. */
#define _GNU_SOURCE
#include <poll.h>
#include <threads.h>

#include "signals.h"

static pthread_key_t key;
static _Atomic int destroyed, cleaned;

static void destroy(void *p)
{
	(void)p;
	destroyed++;
	if (look(1)[0] != 'r')
		say("wrong in a destructor\n");
}

static void clean(void *p)
{
	(void)p;
	cleaned++;
}

static void *one(void *arg)
{
	pthread_setspecific(key, arg);
	if (look((int)(intptr_t)arg)[0] != 'r')
		say("wrong in a thread\n");
	return (void *)((intptr_t)arg * 3);
}

static void *leaves(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	pthread_exit(arg);
	pthread_cleanup_pop(0);
}

static void *sleeps(void *how)
{
	struct pollfd none = {.fd = -1};
	sigset_t set;
	int which;

	pthread_cleanup_push(clean, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	switch ((intptr_t)how) {
	case 0:
		ppoll(&none, 1, NULL, NULL);
		break;
	case 1:
		sigwait(&set, &which);
		break;
	case 2:
		sigsuspend(&set);
		break;
	default:
		pause();
	}
	pthread_cleanup_pop(0);
	return how;
}

static int c11(void *arg)
{
	return look(2)[0] == 'r' ? (int)(intptr_t)arg : -1;
}

int main(void)
{
	pthread_t t[200];
	thrd_t c;
	pthread_attr_t attr;
	void *result;
	long sum = 0;
	int value;
	char *stack;

	prime();
	pthread_key_create(&key, destroy);
	for (intptr_t i = 0; i < 200; i++)
		if (pthread_create(&t[i], NULL, one, (void *)i))
			say("create %ld failed\n", (long)i);
	for (int i = 0; i < 200; i++) {
		pthread_join(t[i], &result);
		sum += (intptr_t)result;
	}
	say("200 threads: %ld, %d destroyed\n", sum, destroyed);
	for (intptr_t i = 0; i < 400; i++) {
		pthread_create(&t[0], NULL, i & 1 ? leaves : one, (void *)(i + 1));
		pthread_join(t[0], &result);
		sum += (intptr_t)result;
	}
	say("one after the other: %ld, %d destroyed, %d cleaned\n", sum, destroyed, cleaned);
	for (intptr_t i = 0; i < 4; i++) {
		pthread_create(&t[0], NULL, sleeps, (void *)i);
		usleep(20000);
		pthread_cancel(t[0]);
		pthread_join(t[0], &result);
		say("cancelled %d\n", result == PTHREAD_CANCELED);
	}
	say("%d cleaned\n", cleaned);
	prime();
	pthread_attr_init(&attr);
	stack = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_setstack(&attr, stack, 1 << 20);
	pthread_create(&t[0], &attr, one, (void *)5);
	pthread_join(t[0], &result);
	say("own stack: %ld\n", (long)(intptr_t)result);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 32768);
	for (intptr_t i = 0; i < 50; i++)
		pthread_create(&t[0], &attr, one, (void *)(i + 1));
	while (destroyed < 200 + 200 + 50)
		usleep(1000);
	prime();
	thrd_create(&c, c11, (void *)77);
	thrd_join(c, &value);
	say("c11: %d\n", value);
	pthread_attr_setstacksize(&attr, (size_t)1 << 62);
	say("too large: %d\n", pthread_create(&t[0], &attr, one, NULL) != 0);
	return 0;
}
