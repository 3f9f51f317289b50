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

#define FUNCTION(name)                                                                            \
	.globl name;                                                                              \
	.type name, %function;                                                                    \
name:                                                                                             \
	.cfi_startproc

#define END(name)                                                                                 \
	.cfi_endproc;                                                                             \
	.size name, . - name

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

/* PREPARE is given the arguments and says in rax where to go; 0: rdx is the result. */
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

ahead swapcontext swapcontext_prepare
ahead syscall syscall_prepare

	.section .note.GNU-stack, "", %progbits
