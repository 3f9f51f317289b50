/* SPDX-License-Identifier: MIT */
/* host.h - limits of the process under which lazy memory cannot be made good. */
#ifndef SHUNT_HOST_H
#define SHUNT_HOST_H

#include "shunt.h"

/*
 * May N bytes of pages be protected? Not with strict overcommit. Where RLIMIT_DATA is
 * finite, protected pages leave its count, the program could use the room, and they could
 * not be opened again: then as much is kept taken by a mapping of our own, as long
 * as this thread is the only one. Every true is answered by one host_open. Keeps errno,
 * signal safe.
 */
bool host_protect(size_t n);

/* N bytes of these are about to be opened, or are gone: the room is theirs again. */
void host_open(size_t n);

/*
 * Is room kept? A second thread could take what host_open gives back; then it must not come to
 * that.
 */
bool host_keeps_room(void);

#endif
