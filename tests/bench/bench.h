/* SPDX-License-Identifier: MIT */
/*
 * bench.h - the processes that `make bench` measures, and those at their other ends.
 *
 * tests/bench/run starts them and speaks with them in lines of words, one answer to
 * each line; a failure ends the process with a message, and the run with it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PAGE = 4096, ODD = 1552, WAKE = 512 << 10 };

/* What a job may use; the descriptors come from tests/bench/run, or are -1. */
struct ends {
	int file, tcp_in, unix_in, pipe_in; /* where bytes come from; the file is opened here */
	int tcp_out, unix_out;              /* where they go */
	const char *path;                   /* of the file */
};
extern struct ends ends;

/* counter.c: what a process, and what it starts, has used so far. */
struct counts {
	double cycles, user;         /* all, and those of the program itself */
	double ins_user, ins_kernel; /* instructions; these and user only in detail */
	double cpu, wall;            /* ns */
};

/*
 * Opens what the machine has; what it does not count stays 0. CPU time is always there.
 * PID 0: this process, from now on; else a child of ours, from its exec on.
 */
void counters_open(pid_t pid);
void counters_detail(bool on);
struct counts counters_now(void);
struct counts counters_since(const struct counts *before);
/* Appends " cycles user ins_user ins_kernel cpu wall" to the N bytes at TEXT. */
void counts_print(char *text, size_t n, const struct counts *c);
uint64_t now_ns(void);

/* Buffers of a loop: at the start of a page, or ODD bytes behind it. */
char *buffer_new(size_t size, bool odd);
void buffer_free(char *buf, bool odd);

/* The jobs of a worker: each takes the words of a line; its answer goes to the N bytes at TEXT. */
void loop_job(char **word, char *text, size_t n);
void hook_job(char **word, char *text, size_t n);
void cold_job(char **word, char *text, size_t n);

/* loop.c: chunks from the file to TCP, read and written, so that a buffer is armed. */
void loop_arm(char *buf, size_t chunk, int chunks);

/* The other programs; the words are those behind the name. Each returns an exit status. */
int drain_main(char **word); /* peer.c */
int feed_main(char **word);
int count_main(char **word); /* count.c */
int keep_main(char **word);
int serve_main(char **word); /* serve.c */
int crowd_main(char **word); /* crowd.c */
int fetch_main(char **word); /* fetch.c */
int echo_main(char **word);  /* echo.c */

/* peer.c: FD, if it is TCP, wakes its reader when BYTES are there, or WAKE. */
void wake_for(int fd, size_t bytes);

int tcp_connect(int port, int receive); /* to 127.0.0.1; RECEIVE: bytes of buffer, 0: as usual */
int tcp_listen(int *port);        /* on 127.0.0.1, at a port that is free */
size_t number(const char *word);  /* a decimal, or the end of the process */

#endif
