/* SPDX-License-Identifier: MIT */
/*
 * guard.S - where a redirected system call comes back to, see guard.c.
 *
 * The handler has put two words below the red zone of the code that made the call: the
 * address of guard_back, and above it the one to go on at. "syscall; ret" takes the first, this
 * the second, and steps over the red zone. No register or flag is touched.
 *
 * An unwinder looks an address up that is one less than where a call returns to, so
 * there is an instruction before.
 */
#if defined(__x86_64__)
	.text
	.hidden guard_back
	.globl guard_back
	.type guard_back, @function
	.cfi_startproc
	.cfi_def_cfa %rsp, 136
	.cfi_offset %rip, -136
	nop
guard_back:
	ret $128
	.cfi_endproc
	.size guard_back, . - guard_back
#endif
	.section .note.GNU-stack, "", %progbits
