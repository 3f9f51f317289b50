/* SPDX-License-Identifier: MIT */
/* auditor.c - for LD_AUDIT: hears of each binding, and of calls, and makes a system call for each. */
#include <link.h>
#include <unistd.h>

unsigned la_version(unsigned version)
{
	return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	(void)map;
	(void)space;
	(void)cookie;
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to,
		       unsigned *flags, const char *name)
{
	(void)index;
	(void)from;
	(void)to;
	(void)flags;
	(void)name;
	(void)!write(-1, "", 1);
	return symbol->st_value;
}

#if defined(__x86_64__)
Elf64_Addr la_x86_64_gnu_pltenter(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to,
				  La_x86_64_regs *regs, unsigned *flags, const char *name, long *size)
{
	(void)index;
	(void)from;
	(void)to;
	(void)regs;
	(void)flags;
	(void)name;
	(void)size;
	(void)!write(-1, "", 1);
	return symbol->st_value;
}
#endif
