/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - what dlsym(RTLD_NEXT, ...) would answer, for a hundredth of its price.
 *
 * dlsym takes a lock and goes through every object of the process by way of a
 * general lookup, for each of some 450 names at each start of a process; for
 * a name that is not there it allocates as well. Here the hash tables of the
 * objects behind ours are read directly, and where the answer depends on more than
 * those tables (several versions of a name, a function that chooses its own
 * implementation, an auditor) none is given.
 */
#ifndef SHUNT_SYMBOLS_H
#define SHUNT_SYMBOLS_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
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
 * Collects the objects. False if dlsym has to be asked for everything. No lock is
 * taken: to be called where no other thread can load an object, that is at start.
 */
bool symbols_begin(struct symbols *s);

/*
 * True: *FOUND is what dlsym(RTLD_NEXT, NAME) would return, NULL if nothing has that
 * name. False: only dlsym knows. Allocates nothing; errno is kept.
 */
bool symbols_next(const struct symbols *s, const char *name, void **found);

/* The same, but NULL is found too where the next definition of OTHER is in another object. */
bool symbols_next_beside(const struct symbols *s, const char *name, const char *other,
			 void **found);

#endif
