/* SPDX-License-Identifier: MIT */
/*
 * relink.c - see relink.h.
 *
 * Only those addresses are changed that are the very functions that our hooks call: whoever has
 * a read of his own keeps it. A function that is looked up at its first call has the address of a
 * stub until then; it is taken to be libc's where no other object has one of that name.
 * The list of objects is locked meanwhile: no call of the loader's here.
 */
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "hook.h"
#include "prim.h"
#include "relink.h"
#include "symbols.h"

#if defined(__x86_64__)
enum { SLOT = R_X86_64_JUMP_SLOT, ADDRESS = R_X86_64_GLOB_DAT, WORD = R_X86_64_64 };
#else
enum { SLOT = R_AARCH64_JUMP_SLOT, ADDRESS = R_AARCH64_GLOB_DAT, WORD = R_AARCH64_ABS64 };
#endif

/* What of an object is needed: where it is, and its tables. */
struct object {
	uintptr_t base, text_lo, text_hi, relro_lo, relro_hi;
	ElfW(Dyn) *dynamic;
	const ElfW(Sym) *symbols;
	const char *names;
	const ElfW(Rela) *list[2];
	size_t size[2]; /* in bytes */
};

struct relink {
	struct relink_mark mark;
	struct object own, libc;
	size_t number;
	bool complete;
};

static void write_slot(const struct object *o, void **slot, void *value)
{
	uintptr_t at = (uintptr_t)slot, page = page_down(at);
	bool closed = at >= o->relro_lo && at < o->relro_hi;

	if (closed && prim_mprotect((void *)page, shunt_page, PROT_READ | PROT_WRITE) < 0)
		return;
	__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	if (closed)
		prim_mprotect((void *)page, shunt_page, PROT_READ);
}

/* Addresses in the dynamic section are absolute, but in the kernel's own object. */
static void read_dynamic(struct object *o)
{
	for (const ElfW(Dyn) *d = o->dynamic; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			o->symbols = (const ElfW(Sym) *)d->d_un.d_ptr;
		else if (d->d_tag == DT_STRTAB)
			o->names = (const char *)d->d_un.d_ptr;
		else if (d->d_tag == DT_RELA)
			o->list[0] = (const ElfW(Rela) *)d->d_un.d_ptr;
		else if (d->d_tag == DT_RELASZ)
			o->size[0] = d->d_un.d_val;
		else if (d->d_tag == DT_JMPREL)
			o->list[1] = (const ElfW(Rela) *)d->d_un.d_ptr;
		else if (d->d_tag == DT_PLTRELSZ)
			o->size[1] = d->d_un.d_val;
	}
}

static void read_headers(struct object *o, const struct dl_phdr_info *info)
{
	o->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t lo = o->base + p->p_vaddr, hi = lo + p->p_memsz;

		if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
			o->text_lo = lo;
			o->text_hi = hi;
		} else if (p->p_type == PT_GNU_RELRO) {
			o->relro_lo = page_down(lo);
			o->relro_hi = page_down(hi);
		} else if (p->p_type == PT_DYNAMIC) {
			o->dynamic = (ElfW(Dyn) *)lo;
		}
	}
}

static bool is_kernels(const struct dl_phdr_info *info)
{
	return strncmp(info->dlpi_name, "linux-vdso", 10) == 0;
}

static bool is_ours_or_libc(const struct relink *r, const struct object *o)
{
	return o->base == r->own.base || o->base == r->libc.base;
}

struct question {
	const struct relink *r;
	const char *name;
};

static int may_define(struct dl_phdr_info *info, size_t size, void *context)
{
	const struct question *q = context;
	struct object o = { 0 };
	void *found;

	(void)size;
	if (is_kernels(info))
		return 0;
	read_headers(&o, info);
	return o.dynamic && !is_ours_or_libc(q->r, &o) &&
	       symbols_define(o.base, o.dynamic, q->name, &found);
}

static bool is_libc_only(const struct relink *r, const char *name)
{
	struct question q = { r, name };

	return dl_iterate_phdr(may_define, &q) == 0;
}

/* The hook that belongs into a slot for NAME that has VALUE now; NULL: it is none of ours. */
static void *wanted(struct relink *r, const struct object *o, uintptr_t value, const char *name)
{
	bool known = value >= r->libc.text_lo && value < r->libc.text_hi;
	void *hook, *real;

	if ((!known && (value < o->text_lo || value >= o->text_hi)) ||
	    !symbols_define(r->own.base, r->own.dynamic, name, &hook))
		return NULL;
	if (known) /* an older version of a name is another function */
		return symbols_define(r->libc.base, r->libc.dynamic, name, &real) &&
		       (void *)value == real ? hook : NULL;
	if (is_libc_only(r, name))
		return hook;
	r->complete = false;
	return NULL;
}

static void relink_slot(struct relink *r, const struct object *o, const ElfW(Rela) *entry)
{
	unsigned kind = ELF64_R_TYPE(entry->r_info);
	const ElfW(Sym) *symbol = &o->symbols[ELF64_R_SYM(entry->r_info)];
	void **slot = (void **)(o->base + entry->r_offset), *hook;

	/* a table of functions among the module's data has the same addresses */
	if ((kind != SLOT && kind != ADDRESS && (kind != WORD || entry->r_addend)) ||
	    symbol->st_shndx != SHN_UNDEF)
		return;
	hook = wanted(r, o, (uintptr_t)*slot, o->names + symbol->st_name);
	if (hook)
		write_slot(o, slot, hook);
	if (hook && *slot != hook)
		r->complete = false;
}

static int relink_object(struct dl_phdr_info *info, size_t size, void *context)
{
	struct relink *r = context;
	struct object o = { 0 };

	(void)size;
	/* objects are added at the end; those that went since then were before it, perhaps */
	if (r->number++ + (size_t)(info->dlpi_subs - r->mark.gone) < r->mark.count)
		return 0;
	if (is_kernels(info))
		return 0;
	read_headers(&o, info);
	read_dynamic(&o);
	if (!o.symbols || !o.names || is_ours_or_libc(r, &o))
		return 0;
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; o.list[i] && j < o.size[i] / sizeof(ElfW(Rela)); j++)
			relink_slot(r, &o, &o.list[i][j]);
	return 0;
}

/* Sets what lies where: the code that a real function is in, which is libc's, and we. */
static int find_both(struct dl_phdr_info *info, size_t size, void *context)
{
	uintptr_t real = (uintptr_t)real_read, here = (uintptr_t)relink_all;
	struct relink *r = context;
	struct object o = { 0 };

	(void)size;
	read_headers(&o, info);
	if (here >= o.text_lo && here < o.text_hi)
		r->own = o;
	if (real >= o.text_lo && real < o.text_hi)
		r->libc = o;
	return 0;
}

static int count_object(struct dl_phdr_info *info, size_t size, void *context)
{
	struct relink_mark *mark = context;

	(void)size;
	mark->count++;
	mark->gone = info->dlpi_subs;
	return 0;
}

COLD void relink_begin(struct relink_mark *mark)
{
	*mark = (struct relink_mark){ 0, 0 };
	dl_iterate_phdr(count_object, mark);
}

COLD bool relink_all(const struct relink_mark *mark)
{
	struct relink r = { .mark = *mark, .complete = true };

	dl_iterate_phdr(find_both, &r);
	if (!r.own.dynamic || !r.libc.dynamic)
		return false;
	dl_iterate_phdr(relink_object, &r);
	return r.complete;
}
