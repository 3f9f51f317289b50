/* SPDX-License-Identifier: MIT */
/* drain.h - the other end of the socket: see same.h for the commands. */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdbool.h>

#include "same.h"

/*
 * Makes the socket r->sink and forks the child that receives from it into the
 * file NAME; sets r->drain, r->control and r->done.
 */
void drain_start(struct same_rig *r, bool unix_socket, const char *name);

#endif
