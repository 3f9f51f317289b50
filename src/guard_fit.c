/* SPDX-License-Identifier: MIT */
/*
 * guard_fit.c - are libc and the kernel fit for the guard? See guard.h.
 *
 * Asked when the first thread is to be enrolled, perhaps in a signal handler: no lock is taken.
 * A process that never lands anything and has one thread pays nothing for it.
 */
#undef _FORTIFY_SOURCE
#include "guard_fit.h"

#if defined(__x86_64__)

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "libc_version.h"
#include "linux_new.h"
#include "prim.h"

uintptr_t guard_text, guard_text_end;
const void *guard_gate;

/* ---- libc ---- */

/*
 * The objects that were there at the start come first in the list and stay, so it can be walked
 * up to libc whatever other threads load.
 */
static const ElfW(Ehdr) *find_libc(void)
{
	for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next) {
		const char *slash = strrchr(map->l_name, '/');

		if (strcmp(slash ? slash + 1 : map->l_name, "libc.so.6") == 0)
			return (const ElfW(Ehdr) *)map->l_addr;
	}
	return NULL;
}

static bool in_text(const void *p)
{
	return (uintptr_t)p >= guard_text && (uintptr_t)p < guard_text_end;
}

/* The one piece of libc that holds FUNCTION and can be executed. */
static bool find_text(const ElfW(Ehdr) *libc, const void *function)
{
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)((const char *)libc + libc->e_phoff);

	for (int i = 0; i < libc->e_phnum; i++, p++) {
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		guard_text = (uintptr_t)libc + p->p_vaddr;
		guard_text_end = guard_text + p->p_memsz;
		if (in_text(function))
			return true;
	}
	return false;
}

/* In a function that is nothing but a system call without arguments: "syscall; ret". */
static const void *find_gate(const unsigned char *function)
{
	static const unsigned char wanted[] = { 0x0f, 0x05, 0xc3 };

	for (int i = 0; i < 16; i++)
		if (memcmp(function + i, wanted, sizeof(wanted)) == 0)
			return function + i;
	return NULL;
}

/* Since then threads and timers are in libc itself: all that blocks SIGSYS over its own calls. */
enum { LIBC_IS_WHOLE = 34 };

/*
 * Where another object has taken libc's name, or the program has a stub for it, no gate is found.
 */
static bool libc_is_fit(void)
{
	const ElfW(Ehdr) *libc = find_libc();
	const unsigned char *function = (const unsigned char *)getppid;

	if (!libc || !libc_is(LIBC_IS_WHOLE) || !find_text(libc, function))
		return false;
	guard_gate = find_gate(function);
	return guard_gate != NULL;
}

/*
 * An auditor lives in a name space with a libc of its own, and calls it from within our calls: its calls
 * would be dispatched where SIGSYS is blocked.
 */
static bool is_audited(void)
{
	const struct extended { struct r_debug base; const struct extended *next; } *d;
	uintptr_t at = (uintptr_t)&_r_debug; /* as a number: the compiler knows the shorter one */

	__asm__("" : "+r"(at));
	d = (const struct extended *)at;
	return getenv("LD_AUDIT") || (d->base.r_version >= 2 && d->next);
}

/* ---- the kernel ---- */

/* With a shadow stack, a ret may not go where no call came from. */
static bool has_shadow_stack(void)
{
	enum { SHADOW_STACK_STATUS = 0x5005 };
	uint64_t features = 0;

	return PRIM2(SYS_arch_prctl, SHADOW_STACK_STATUS, &features) == 0 && features != 0;
}

/*
 * Valgrind makes its own calls in the thread of the program, from its own text: they would be
 * dispatched. It knows this sequence, which is nothing to a processor, and answers in rdx.
 */
static bool on_valgrind(void)
{
	enum { RUNNING_ON_VALGRIND = 0x1001 };
	unsigned long request[6] = { RUNNING_ON_VALGRIND }, answer = 0;

	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi; rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(request)
			 : "cc", "memory");
	return answer != 0;
}

static bool moves(long number, uint64_t *to, uint64_t *from)
{
	struct iovec here = { number == SYS_process_vm_readv ? to : from, sizeof(*to) };
	struct iovec there = { number == SYS_process_vm_readv ? from : to, sizeof(*to) };

	*to = ~*from;
	return PRIM6(number, prim_getpid(), &here, 1, &there, 1, 0) == sizeof(*to) && *to == *from;
}

/* A filter of system calls could kill for what we need, and cannot be asked. */
static bool kernel_is_fit(void)
{
	uint64_t from = 1, to = 0;

	return !on_valgrind() && PRIM5(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == 0 &&
	       PRIM6(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0, 0) == 0 &&
	       !has_shadow_stack() && moves(SYS_process_vm_readv, &to, &from) &&
	       moves(SYS_process_vm_writev, &to, &from);
}

COLD bool guard_is_fit(void)
{
	return !is_audited() && libc_is_fit() && kernel_is_fit();
}

#endif
