/* SPDX-License-Identifier: MIT */
/*
 * jump.S - hooks that must not stand on the stack: dlopen, dlmopen and dlsym, which know
 * their caller by the return address, and makecontext, whose arguments nobody counts.
 *
 * libc searches the RUNPATH of the object that called, and loads into its
 * namespace. A hook written in C would be that caller itself. So the arguments
 * are put aside, the C part is asked for the real function, and that is jumped
 * to, with the stack and the return address of the program.
 */
#include "ahead.S"

	.text
	.hidden hook_before_dlopen
	.hidden hook_before_dlmopen
	.hidden hook_before_dlsym
	.hidden hook_before_makecontext

ahead dlopen hook_before_dlopen
ahead dlmopen hook_before_dlmopen
ahead dlsym hook_before_dlsym
ahead makecontext hook_before_makecontext

	.section .note.GNU-stack, "", %progbits
