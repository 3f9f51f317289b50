/* SPDX-License-Identifier: MIT */
/*
 * jump.S - hooks that must not stand on the stack: dlopen and dlmopen, which know
 * their caller by the return address, and makecontext, whose arguments nobody counts.
 *
 * libc searches the RUNPATH of the object that called, and loads into its
 * namespace. A hook written in C would be that caller itself. So the arguments
 * are put aside, the C part is asked for the real function, and that is jumped
 * to, with the stack and the return address of the program.
 */
#if defined(__CET__)
#include <cet.h>
#endif

#if defined(__x86_64__)

	.macro jump_hook name, before
	.globl \name
	.type \name, @function
	.p2align 4
\name:
	.cfi_startproc
	endbr64
	push %rdi
	.cfi_adjust_cfa_offset 8
	push %rsi
	.cfi_adjust_cfa_offset 8
	push %rdx
	.cfi_adjust_cfa_offset 8
	push %rcx
	.cfi_adjust_cfa_offset 8
	push %r8
	.cfi_adjust_cfa_offset 8
	push %r9
	.cfi_adjust_cfa_offset 8
	push %rbx
	.cfi_adjust_cfa_offset 8
	mov %rax, %rbx /* al: of a variadic call */
	call \before
	mov %rax, %r11
	mov %rbx, %rax
	pop %rbx
	.cfi_adjust_cfa_offset -8
	pop %r9
	.cfi_adjust_cfa_offset -8
	pop %r8
	.cfi_adjust_cfa_offset -8
	pop %rcx
	.cfi_adjust_cfa_offset -8
	pop %rdx
	.cfi_adjust_cfa_offset -8
	pop %rsi
	.cfi_adjust_cfa_offset -8
	pop %rdi
	.cfi_adjust_cfa_offset -8
	jmp *%r11
	.cfi_endproc
	.size \name, . - \name
	.endm

#elif defined(__aarch64__)

	.macro jump_hook name, before
	.globl \name
	.type \name, %function
	.p2align 4
\name:
	.cfi_startproc
	hint #34 /* bti c */
	stp x29, x30, [sp, #-80]!
	.cfi_adjust_cfa_offset 80
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp x0, x1, [sp, #16]
	stp x2, x3, [sp, #32]
	stp x4, x5, [sp, #48]
	stp x6, x7, [sp, #64]
	bl \before
	mov x16, x0
	ldp x0, x1, [sp, #16]
	ldp x2, x3, [sp, #32]
	ldp x4, x5, [sp, #48]
	ldp x6, x7, [sp, #64]
	ldp x29, x30, [sp], #80
	.cfi_adjust_cfa_offset -80
	.cfi_restore x29
	.cfi_restore x30
	br x16
	.cfi_endproc
	.size \name, . - \name
	.endm

#endif

	.text
	.hidden hook_before_dlopen
	.hidden hook_before_dlmopen
	.hidden hook_before_makecontext
	jump_hook dlopen, hook_before_dlopen
	jump_hook dlmopen, hook_before_dlmopen
	jump_hook makecontext, hook_before_makecontext

	.section .note.GNU-stack, "", %progbits
