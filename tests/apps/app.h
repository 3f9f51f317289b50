/* SPDX-License-Identifier: MIT */
/*
 * app.h - what the sample servers share: the arguments, the listening socket,
 * the kinds of buffer and the transcript.
 *
 * How the bytes get from the file to the client is each server's own affair,
 * written out in its own file in the way such servers were really written.
 *
 * The protocol: the client sends "GET path\n", the server sends the bytes of
 * the file and closes.
 */
#ifndef APP_H
#define APP_H

#include <alloca.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum app_memory { APP_HEAP, APP_STATIC, APP_MMAP, APP_STACK, APP_SHARED };
enum app_align { APP_NATURAL, APP_PAGE, APP_ODD };

struct app {
	const char *root;       /* -r: the directory that is served */
	const char *unix_path;  /* -u: listen there instead of on a TCP port */
	enum app_memory memory; /* -b heap, static, mmap, stack, shared */
	enum app_align align;   /* -a natural, page, odd */
	size_t size;            /* -s: bytes of the buffer */
	int connections;        /* -n: how many are served before the server ends */
	int delay_ms;           /* -w: for those that wait */
	const char *variant;    /* -x: a server's own choice */
	int transcript;         /* -t FILE: a line for every call; else standard error */
	bool offsets;           /* false with -q: no lseek for the transcript, and no transcript */
	bool noisy;             /* is there a transcript at all? */
};

extern struct app app;

/* The number of the connection that this thread serves, for the transcript. From 1. */
extern __thread int app_connection;

/* Reads the arguments into app; ends the process with 2 when they are wrong. */
void app_options(int argc, char **argv);

/* A listening socket; writes "ready PORT" or "ready unix" to standard output. */
int app_listen(void);

/* Accepts the next connection and numbers it; ends the process with 1 on failure. */
int app_accept(int listener);

/* Reads the request from SOCK and opens the file: a descriptor, or -1. */
int app_request(int sock);

/* Opens the file that the complete request LINE asks for: a descriptor, or -1. LINE is changed. */
int app_open(char *line);

void app_nonblocking(int fd);

/*
 * A line of the transcript: CALL returned RET, errno, and the offset of FD if
 * that is not negative. Returns RET with errno as it was, so that it can be
 * wrapped around the call.
 */
ssize_t app_note(const char *call, ssize_t ret, int fd);

/*
 * The main of a server that serves one client after the other: SERVE sends to
 * SOCK and does not close it. Returns the exit status.
 */
int app_one_by_one(int argc, char **argv, void (*serve)(int sock));

/* Stevens' writen: all N bytes, or -1. FD is for the transcript. */
int app_writen(int sock, const char *p, size_t n, int fd);

/* N bytes of the kind that was asked for, but not on the stack; never freed. */
char *app_buffer(size_t n);

/* What app_shift needs around a buffer, and the address in P that suits -a. */
enum { APP_SLACK = 8192 };
char *app_shift(char *p);

/* A buffer of N bytes; on the caller's stack if so asked, hence a macro. */
#define APP_BUFFER(n) \
	(app.memory == APP_STACK ? app_shift((char *)alloca((n) + APP_SLACK)) : app_buffer(n))

#ifdef __cplusplus
}
#endif
#endif
