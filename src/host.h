/* SPDX-License-Identifier: MIT */
/* host.h - limits of the process under which lazy memory cannot be made good. */
#ifndef SHUNT_HOST_H
#define SHUNT_HOST_H

#include "shunt.h"

/*
 * May pages be protected at all? Not with a finite RLIMIT_DATA (protected pages leave the
 * count, the program uses the room, and they cannot be opened again) nor with strict
 * overcommit. Asked before each arming; keeps errno, signal safe.
 */
bool host_allows(void);

#endif
