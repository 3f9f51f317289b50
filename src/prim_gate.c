/* SPDX-License-Identifier: MIT */
/* prim_gate.c - where our system calls are made while the guard is on; see prim.h. */
#include "prim.h"

#if defined(__x86_64__)
const void *prim_gate;
#endif
