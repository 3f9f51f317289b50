/* SPDX-License-Identifier: MIT */
/*
 * ahead.S - included by the hooks that are no C functions: how one begins and ends, and one
 * that does its work before libc's function and then jumps there, with every argument, the
 * stack and the return address as they were.
 */
#if defined(__CET__)
#include <cet.h>
#endif

/* Where an indirect call may arrive. */
#if defined(__x86_64__)
#define LANDING_PAD endbr64
#else
#define LANDING_PAD hint #34
#endif

#define FUNCTION(name)                                                                            \
	.globl name;                                                                              \
	.type name, %function;                                                                    \
name:                                                                                             \
	.cfi_startproc;                                                                           \
	LANDING_PAD

#define END(name)                                                                                 \
	.cfi_endproc;                                                                             \
	.size name, . - name

#if defined(__x86_64__)

/*
 * PREPARE is given the arguments, and the word above the return address, and says in rax where to
 * go; 0: rdx is the result. None of these functions has floating arguments: al is 0.
 */
.macro ahead name prepare
FUNCTION(\name)
	push	%rdi
	.cfi_adjust_cfa_offset 8
	push	%rsi
	.cfi_adjust_cfa_offset 8
	push	%rdx
	.cfi_adjust_cfa_offset 8
	push	%rcx
	.cfi_adjust_cfa_offset 8
	push	%r8
	.cfi_adjust_cfa_offset 8
	push	%r9
	.cfi_adjust_cfa_offset 8
	push	56(%rsp)
	.cfi_adjust_cfa_offset 8
	call	\prepare
	mov	%rax, %r11
	mov	%rdx, %r10
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	pop	%r9
	.cfi_adjust_cfa_offset -8
	pop	%r8
	.cfi_adjust_cfa_offset -8
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	pop	%rdx
	.cfi_adjust_cfa_offset -8
	pop	%rsi
	.cfi_adjust_cfa_offset -8
	pop	%rdi
	.cfi_adjust_cfa_offset -8
	test	%r11, %r11
	jz	1f
	xor	%eax, %eax
	jmp	*%r11
1:	mov	%r10, %rax
	ret
END(\name)
.endm

#elif defined(__aarch64__)

/* PREPARE is given the arguments and says in x0 where to go; 0: x1 is the result. */
.macro ahead name prepare
FUNCTION(\name)
	stp	x29, x30, [sp, #-80]!
	.cfi_adjust_cfa_offset 80
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x0, x1, [sp, #16]
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	stp	x6, x7, [sp, #64]
	bl	\prepare
	mov	x16, x0
	mov	x17, x1
	ldp	x0, x1, [sp, #16]
	ldp	x2, x3, [sp, #32]
	ldp	x4, x5, [sp, #48]
	ldp	x6, x7, [sp, #64]
	ldp	x29, x30, [sp], #80
	.cfi_adjust_cfa_offset -80
	.cfi_restore x29
	.cfi_restore x30
	cbz	x16, 1f
	br	x16
1:	mov	x0, x17
	ret
END(\name)
.endm

#endif
