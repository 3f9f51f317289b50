/* SPDX-License-Identifier: MIT */
/* kernel.h - what the running kernel offers to shunt, found out by asking for it. */
#ifndef SHUNT_KERNEL_H
#define SHUNT_KERNEL_H

#include <stdbool.h>

struct kernel_feature {
	const char *name;
	bool (*present)(void);
	bool needed;	  /* without it nothing is rewritten */
	const char *what; /* what it is for, or what is done without it */
};

/* The features in order; the last has no name. */
extern const struct kernel_feature kernel_features[];

#endif
