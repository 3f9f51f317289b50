/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - what dlsym(RTLD_NEXT, ...) would answer, for a hundredth of its price.
 *
 * dlsym takes a lock and goes through every object of the process by way of a
 * general lookup, for each name at each start of a process; for a name that is
 * not there it allocates as well. Here the hash tables of the
 * objects behind ours are read directly, and where the answer depends on more than
 * those tables (several versions of a name, a function that chooses its own
 * implementation, an auditor) none is given.
 */
#ifndef SHUNT_SYMBOLS_H
#define SHUNT_SYMBOLS_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SYMBOLS_OBJECTS = 96 };

struct symbols_object {
	const uint32_t *hash; /* DT_GNU_HASH; NULL: the object has none */
	const ElfW(Sym) *symbol;
	const char *string;
	const ElfW(Half) *version; /* NULL: the object has no versions */
	ElfW(Addr) base;
};

/* The objects behind this one, in the order in which symbols are searched. */
struct symbols {
	unsigned count;
	struct symbols_object object[SYMBOLS_OBJECTS];
};

/*
 * The hash of NAME, N bytes long, as the GNU section has it. Written out so that the compiler
 * is through with it where the name is a constant: at each start 200 names are looked for.
 */
static inline __attribute__((always_inline)) uint32_t symbols_hash(const char *name, size_t n)
{
	uint32_t h = 5381;

#define STEP(i)                                                                                   \
	if ((i) < n)                                                                              \
		h = h * 33 + (unsigned char)name[i];
#define STEP8(i)                                                                                  \
	STEP(i) STEP((i) + 1) STEP((i) + 2) STEP((i) + 3)                                          \
	STEP((i) + 4) STEP((i) + 5) STEP((i) + 6) STEP((i) + 7)
	STEP8(0) STEP8(8) STEP8(16) STEP8(24)
#undef STEP8
#undef STEP
	for (size_t i = 32; i < n; i++)
		h = h * 33 + (unsigned char)name[i];
	return h;
}

/*
 * Collects the objects. False if dlsym has to be asked for everything. No lock is
 * taken: to be called where no other thread can load an object, that is at start.
 */
bool symbols_begin(struct symbols *s);

/*
 * Can symbols_next tell of all objects? One whose table is the old one (--hash-style=sysv) has to be
 * asked of dlsym.
 */
bool symbols_tell_all(const struct symbols *s);

/*
 * True: *FOUND is what dlsym(RTLD_NEXT, NAME) would return, NULL if nothing has that
 * name, whose hash is HASH. False: only dlsym knows. Allocates nothing; errno is kept.
 */
bool symbols_next(const struct symbols *s, const char *name, uint32_t hash, void **found);

/*
 * Has the first object that has NAME, whose hash is HASH, old versions of it alone? dlsym passes over it, while
 * a program that was linked with such a version means that one: libc_malloc_debug's free. Allocates nothing.
 */
bool symbols_next_is_old(const struct symbols *s, const char *name, uint32_t hash);

/*
 * What this object exports by NAME, NULL if nothing. Allocates nothing, takes no lock; errno is
 * kept.
 */
void *symbols_own(const char *name);

/*
 * Do calls of NAME that are bound by name come to this object, since none that is searched before
 * it defines that name? A program's stub for the function, which is its address there, is no
 * definition. Allocates nothing, takes no lock; errno is kept.
 */
bool symbols_bind_here(const char *name);

/*
 * The same as symbols_next, but NULL is found too where the next definition of OTHER is in another
 * object.
 */
bool symbols_next_beside(const struct symbols *s, const char *name, const char *other,
			 void **found);

/*
 * Does the object at BASE, of which D is the dynamic section, define NAME? False is exact.
 * *FOUND is the function, NULL where only dlsym knows.
 */
bool symbols_define(ElfW(Addr) base, ElfW(Dyn) *d, const char *name, void **found);

/* An exported symbol; NAME lies in the object. */
struct symbols_place {
	const char *name;
	uintptr_t start;
};

/*
 * What MAP's object exports round ADDRESS, as dladdr has it. Slow: every symbol is looked at. False:
 * nothing. Allocates nothing, takes no lock; errno is kept.
 */
bool symbols_around(const struct link_map *map, uintptr_t address, struct symbols_place *place);

#endif
