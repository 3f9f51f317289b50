/* SPDX-License-Identifier: MIT */
/* fault.h - the handler of SIGSEGV and SIGBUS that stands in front of the program's. */
#ifndef SHUNT_FAULT_H
#define SHUNT_FAULT_H

#include <signal.h>

/* Installed by sig_own_faults: on the alternate stack, with every signal blocked. */
void fault_handler(int signal, siginfo_t *info, void *context);

#endif
