/* SPDX-License-Identifier: MIT */
/*
 * vfork.S - the hooks that cannot be C functions, since their callers' frames
 * are used again after they returned.
 *
 * vfork: the child returns first and overwrites the stack above the return
 * address, so it is kept in a register over the call. It is made here and not by
 * libc, whose vfork would have to return twice through this code.
 * swapcontext, syscall: what is to be done is done before, then libc's function is
 * jumped to, with every argument where it was.
 */

#include "ahead.S"

	.hidden vfork_prepare
	.hidden vfork_done
	.hidden swapcontext_prepare
	.hidden syscall_prepare

	.text

#if defined(__x86_64__)

FUNCTION(vfork)
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	vfork_prepare
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	pop	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	mov	$58, %eax
	syscall
	push	%rdi
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rip, -8
	test	%rax, %rax
	jz	1f
	mov	%rax, %rdi
	sub	$8, %rsp
	.cfi_adjust_cfa_offset 8
	call	vfork_done
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
1:	ret
END(vfork)
	.globl	__vfork
	.set	__vfork, vfork

#elif defined(__aarch64__)

FUNCTION(vfork)
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	bl	vfork_prepare
	ldp	x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore x29
	.cfi_restore x30
	mov	x0, #0x4111	/* CLONE_VFORK | CLONE_VM | SIGCHLD */
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	mov	x4, #0
	mov	x8, #220	/* clone */
	svc	#0
	cbz	x0, 1f
	stp	x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	bl	vfork_done
	ldp	x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	.cfi_restore x29
	.cfi_restore x30
1:	ret
END(vfork)
	.globl	__vfork
	.set	__vfork, vfork

#endif

ahead swapcontext swapcontext_prepare
ahead syscall syscall_prepare

	.section .note.GNU-stack, "", %progbits
