/* SPDX-License-Identifier: MIT */
/*
 * origin.h - what the sample relays get their bytes from: a child that serves the files
 * by sendfile, "GET path\n" as everywhere, and ends with its parent.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

/* Forks the child. Before the first buffer is made; ends the process with 1 on failure. */
void origin_start(void);

/* A blocking TCP connection to it. Ends the process with 1 on failure. */
int origin_connect(void);

#endif
