/* SPDX-License-Identifier: MIT */
/*
 * elfview.h - a look into an ELF file: 64-bit, of this machine, or at least what it is.
 *
 * Every offset and length in the file is checked before it is followed.
 */
#ifndef SHUNT_ELFVIEW_H
#define SHUNT_ELFVIEW_H

#include <stdbool.h>
#include <stddef.h>

struct elf {
	const unsigned char *data;
	size_t size;
	bool native;		/* class, byte order and machine are ours: the rest may be asked */
	unsigned bits, machine; /* 32 or 64; EM_*, 0 in the other byte order */
};

/* Maps PATH. Returns 0, -ENOEXEC when it is no ELF file, or -errno. End with elf_close. */
int elf_open(struct elf *e, const char *path);
void elf_close(struct elf *e);

/* The dynamic loader that it asks for; false when it asks for none. */
bool elf_loader(const struct elf *e, char *buf, size_t size);

/* Was it made by the Go linker? */
bool elf_is_go(const struct elf *e);

/* Calls FN for each name of the dynamic symbol table. Returns how many there were. */
typedef void elf_symbol_fn(void *context, const char *name, bool defined);
size_t elf_symbols(const struct elf *e, elf_symbol_fn *fn, void *context);

/* "64-bit x86-64", "32-bit machine 8" */
void elf_describe(const struct elf *e, char *buf, size_t size);

#endif
