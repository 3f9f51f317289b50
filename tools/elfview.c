/* SPDX-License-Identifier: MIT */
/* elfview.c - a look into an ELF file. Nothing in the file is believed before it is checked. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elfview.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

/* [offset, offset + n) of the file, or NULL when it is not all there. */
static const void *at(const struct elf *e, uint64_t offset, uint64_t n)
{
	if (offset > e->size || n > e->size - offset)
		return NULL;
	return e->data + offset;
}

static int identify(struct elf *e)
{
	const unsigned char *id = at(e, 0, EI_NIDENT + 4);
	unsigned machine;

	if (!id || memcmp(id, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	e->bits = id[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	machine = id[EI_NIDENT + 2] | (unsigned)id[EI_NIDENT + 3] << 8;
	e->machine = id[EI_DATA] == ELFDATA2LSB ? machine : 0;
	e->native = e->bits == 64 && e->machine == MACHINE && at(e, 0, sizeof(Elf64_Ehdr));
	return 0;
}

static int map(struct elf *e, int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
	if (st.st_size == 0)
		return -ENOEXEC;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	e->data = p;
	e->size = (size_t)st.st_size;
	return 0;
}

int elf_open(struct elf *e, const char *path)
{
	int fd, ret;

	*e = (struct elf){0};
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	ret = map(e, fd);
	close(fd);
	if (ret == 0)
		ret = identify(e);
	if (ret < 0)
		elf_close(e);
	return ret;
}

void elf_close(struct elf *e)
{
	if (e->data)
		munmap((void *)e->data, e->size);
	e->data = NULL;
	e->size = 0;
	e->native = false;
}

static bool segment(const struct elf *e, unsigned i, Elf64_Phdr *ph)
{
	Elf64_Ehdr eh;
	const void *p;

	if (!e->native)
		return false;
	memcpy(&eh, e->data, sizeof(eh));
	if (i >= eh.e_phnum || eh.e_phentsize != sizeof(*ph) || eh.e_phoff > e->size)
		return false;
	p = at(e, eh.e_phoff + (uint64_t)i * sizeof(*ph), sizeof(*ph));
	if (p)
		memcpy(ph, p, sizeof(*ph));
	return p != NULL;
}

bool elf_loader(const struct elf *e, char *buf, size_t size)
{
	Elf64_Phdr ph;
	unsigned i;

	for (i = 0; segment(e, i, &ph); i++) {
		const char *p = at(e, ph.p_offset, ph.p_filesz);

		if (ph.p_type != PT_INTERP || !p)
			continue;
		snprintf(buf, size, "%.*s", (int)strnlen(p, ph.p_filesz < 4096 ? ph.p_filesz : 0),
			 p);
		return true;
	}
	return false;
}

static uint64_t up4(uint64_t n)
{
	return (n + 3) & ~UINT64_C(3);
}

/* Is there a note of the name NAME and the type TYPE in the N bytes at P? */
static bool has_note(const unsigned char *p, size_t n, const char *name, unsigned type)
{
	Elf64_Nhdr note;
	size_t length = strlen(name) + 1;

	while (n >= sizeof(note)) {
		uint64_t whole;

		memcpy(&note, p, sizeof(note));
		whole = sizeof(note) + up4(note.n_namesz) + up4(note.n_descsz);
		if (whole > n)
			return false;
		if (note.n_type == type && note.n_namesz >= length &&
		    memcmp(p + sizeof(note), name, length) == 0)
			return true;
		p += whole;
		n -= whole;
	}
	return false;
}

bool elf_is_go(const struct elf *e)
{
	Elf64_Phdr ph;
	unsigned i;

	for (i = 0; segment(e, i, &ph); i++) {
		const void *p = at(e, ph.p_offset, ph.p_filesz);

		if (ph.p_type == PT_NOTE && p && has_note(p, ph.p_filesz, "Go", 4))
			return true;
	}
	return false;
}

static bool section(const struct elf *e, unsigned i, Elf64_Shdr *sh)
{
	Elf64_Ehdr eh;
	const void *p;

	if (!e->native)
		return false;
	memcpy(&eh, e->data, sizeof(eh));
	if (i >= eh.e_shnum || eh.e_shentsize != sizeof(*sh) || eh.e_shoff > e->size)
		return false;
	p = at(e, eh.e_shoff + (uint64_t)i * sizeof(*sh), sizeof(*sh));
	if (p)
		memcpy(sh, p, sizeof(*sh));
	return p != NULL;
}

static size_t walk(const struct elf *e, const Elf64_Shdr *table, elf_symbol_fn *fn, void *context)
{
	Elf64_Shdr strings;
	size_t i, count = 0, n = table->sh_size / sizeof(Elf64_Sym);
	const char *text;

	if (!at(e, table->sh_offset, table->sh_size) || !section(e, table->sh_link, &strings))
		return 0;
	text = at(e, strings.sh_offset, strings.sh_size);
	if (!text || strings.sh_size == 0 || text[strings.sh_size - 1] != '\0')
		return 0;
	for (i = 1; i < n; i++, count++) {
		Elf64_Sym symbol;

		memcpy(&symbol, e->data + table->sh_offset + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_name < strings.sh_size)
			fn(context, text + symbol.st_name, symbol.st_shndx != SHN_UNDEF);
	}
	return count;
}

size_t elf_symbols(const struct elf *e, elf_symbol_fn *fn, void *context)
{
	Elf64_Shdr sh;
	unsigned i;

	for (i = 0; section(e, i, &sh); i++)
		if (sh.sh_type == SHT_DYNSYM)
			return walk(e, &sh, fn, context);
	return 0;
}

void elf_describe(const struct elf *e, char *buf, size_t size)
{
	static const struct {
		unsigned machine;
		const char *name;
	} known[] = {
		{EM_X86_64, "x86-64"}, {EM_AARCH64, "aarch64"}, {EM_386, "i386"},
		{EM_ARM, "arm"},       {EM_RISCV, "riscv"},	{EM_PPC64, "ppc64"},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].machine == e->machine) {
			snprintf(buf, size, "%u-bit %s", e->bits, known[i].name);
			return;
		}
	snprintf(buf, size, "%u-bit machine %u", e->bits, e->machine);
}
