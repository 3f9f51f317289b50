/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what the programs here share. Each prints a transcript that holds
 * no address, number or time that differs from run to run: plain and under
 * shunt it must be the same.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

/* the old functions are what is tested */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the last page of each chunk there is a path. */
enum { CHUNK = 64 * 1024, CHUNKS = 32, PATH_AT = CHUNK - 4096 };

static char *landed; /* the last chunk that was read: under shunt it may be a landing still */

/* Safe in a signal handler as far as vsnprintf is, and without a buffer that fork could copy. */
__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (write(1, line, (size_t)n) != n)
		abort();
}

/* A result and its errno in one. */
__attribute__((unused)) static int outcome(int ret)
{
	return ret < 0 ? -errno : ret;
}

static char source_byte(size_t i)
{
	return (char)(i * 7 + i / 4096);
}

static int source_file(void)
{
	char name[] = "/var/tmp/shunt-signals-XXXXXX";
	int fd = mkstemp(name);
	char *p = malloc(CHUNK);

	if (fd < 0 || !p)
		abort();
	unlink(name);
	for (int c = 0; c < CHUNKS; c++) {
		for (size_t i = 0; i < CHUNK; i++)
			p[i] = source_byte((size_t)c * CHUNK + i);
		memcpy(p + PATH_AT, "/bin/sh", 8);
		if (write(fd, p, CHUNK) != CHUNK)
			abort();
	}
	free(p);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Is the page of P protected? It is what the test is about. */
static int is_protected(const char *p)
{
	char line[512], flags[8] = "";
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long lo, hi;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, flags) == 3 && (uintptr_t)p >= lo &&
		    (uintptr_t)p < hi)
			break;
	if (maps)
		fclose(maps);
	return flags[0] == '-';
}

/*
 * The loop that shunt rewrites: after it the fault handler is in front and
 * LANDED may be protected. What arrives is checked. Needs source:trust in SHUNT_CONF.
 */
__attribute__((unused)) static void prime(void)
{
	int fd = source_file(), s[2], large = 4 * CHUNK;
	char *back = malloc(CHUNK);

	landed = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 || !back || landed == MAP_FAILED)
		abort();
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	for (int c = 0; c < CHUNKS; c++) {
		if (read(fd, landed, CHUNK) != CHUNK || write(s[0], landed, CHUNK) != CHUNK ||
		    recv(s[1], back, CHUNK, MSG_WAITALL) != CHUNK)
			abort();
		for (size_t i = 0; i < CHUNK; i += 511)
			if (back[i] != source_byte((size_t)c * CHUNK + i))
				abort();
	}
	free(back);
	close(s[0]);
	close(s[1]);
	if (getenv("SHUNT_CONF") && !is_protected(landed + 8 * 4096))
		say("nothing landed: this proves nothing\n");
	close(fd);
}

/* Looks at the last chunk: a fault under shunt. Any page of the buffer. */
__attribute__((unused)) static const char *look(int page)
{
	size_t at = (size_t)page % (CHUNK / 4096) * 4096 + 5;

	return landed[at] == source_byte((size_t)(CHUNKS - 1) * CHUNK + at) ? "right" : "WRONG";
}

/* The flags and mask of a disposition in words that are the same on every machine. */
__attribute__((unused)) static void show_action(const char *what, int signal)
{
	struct sigaction a;

	if (sigaction(signal, NULL, &a) < 0) {
		say("%s: error %d\n", what, errno);
		return;
	}
	say("%s: %s flags %x mask", what,
	    a.sa_handler == SIG_DFL ? "default" : a.sa_handler == SIG_IGN ? "ignored" : "handler",
	    (unsigned)a.sa_flags);
	for (int s = 1; s < 65; s++)
		if (sigismember(&a.sa_mask, s) == 1)
			say(" %d", s);
	say("\n");
}

__attribute__((unused)) static void show_mask(const char *what)
{
	sigset_t m;

	pthread_sigmask(SIG_BLOCK, NULL, &m);
	say("%s: blocked", what);
	for (int s = 1; s < 65; s++)
		if (sigismember(&m, s) == 1)
			say(" %d", s);
	say("\n");
}

__attribute__((unused)) static void show_status(const char *what, int status)
{
	if (WIFSIGNALED(status))
		say("%s: signal %d%s\n", what, WTERMSIG(status), WCOREDUMP(status) ? " core" : "");
	else
		say("%s: exit %d\n", what, WEXITSTATUS(status));
}

#endif
