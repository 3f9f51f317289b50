/* SPDX-License-Identifier: MIT */
/* prim_gate.c - our system calls while the guard is on; see prim.h. */
#include "prim.h"

#if defined(__x86_64__)
const void *prim_gate;

/* The arguments go where the kernel has them, and libc's ret comes back to the caller. */
__asm__(".text\n"
	".hidden prim_gate\n"
	".hidden prim_gated\n"
	".globl prim_gated\n"
	".type prim_gated, @function\n"
	"prim_gated:\n"
	".cfi_startproc\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rdi\n"
	"mov %rdx, %rsi\n"
	"mov %rcx, %rdx\n"
	"mov %r8, %r10\n"
	"mov %r9, %r8\n"
	"mov 8(%rsp), %r9\n"
	"jmp *prim_gate(%rip)\n"
	".cfi_endproc\n"
	".size prim_gated, . - prim_gated\n");
#endif
