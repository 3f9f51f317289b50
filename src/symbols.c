/* SPDX-License-Identifier: MIT */
/* symbols.c - see symbols.h. The format is that of the GNU hash section of ELF objects. */
#include "shunt.h"
#include "symbols.h"

#include <stdlib.h>
#include <string.h>

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/* Together, so that a start touches one page for both: literals are strewn by the linker. */
static const char audit_variable[] = "LD_AUDIT", libc_name[] = "libc.so.6";

/* The loader has made most of these absolute; where the section cannot be written they are not. */
static inline const void *absolute(const struct link_map *map, ElfW(Addr) address)
{
	return (const void *)(address < map->l_addr ? address + map->l_addr : address);
}

static COLD void read_object(const struct link_map *map, struct symbols_object *o)
{
	*o = (struct symbols_object){ .base = map->l_addr };
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_GNU_HASH)
			o->hash = absolute(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_SYMTAB)
			o->symbol = absolute(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_STRTAB)
			o->string = absolute(map, d->d_un.d_ptr);
		else if (d->d_tag == DT_VERSYM)
			o->version = absolute(map, d->d_un.d_ptr);
	}
	if (!o->symbol || !o->string)
		o->hash = NULL;
}

/* The kernel's object is in the list of objects, but not among those that are searched. */
static COLD bool is_searched(const struct link_map *map)
{
	return map->l_ld && strncmp(map->l_name, "linux-vdso", 10) != 0 &&
	       strncmp(map->l_name, "linux-gate", 10) != 0;
}

static COLD bool is_libc(const struct link_map *map)
{
	const char *slash = strrchr(map->l_name, '/');

	return strcmp(slash ? slash + 1 : map->l_name, libc_name) == 0;
}

COLD bool symbols_begin(struct symbols *s)
{
	const struct link_map *map = _r_debug.r_map;
	bool libc = false;

	s->count = 0;
	/* an auditor may answer in the place of any object */
	if (getenv(audit_variable))
		return false;
	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	if (!map) /* in a name space of its own */
		return false;
	for (map = map->l_next; map; map = map->l_next) {
		if (!is_searched(map))
			continue;
		if (s->count == SYMBOLS_OBJECTS)
			return false;
		read_object(map, &s->object[s->count++]);
		libc = libc || is_libc(map);
	}
	return libc;
}

COLD bool symbols_tell_all(const struct symbols *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!s->object[i].hash)
			return false;
	return true;
}

/*
 * dlsym takes a symbol that has no version, else the only one that is not hidden:
 * such are older versions of a name.
 */
static bool is_hidden(const struct symbols_object *o, uint32_t i)
{
	return o->version && (o->version[i] & 0x8000);
}

static bool is_defined(const ElfW(Sym) *symbol)
{
	return symbol->st_shndx != SHN_UNDEF && symbol->st_value != 0;
}

static bool is_plain_function(const ElfW(Sym) *symbol)
{
	return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
	       (ELF64_ST_BIND(symbol->st_info) == STB_GLOBAL ||
		ELF64_ST_BIND(symbol->st_info) == STB_WEAK) &&
	       symbol->st_shndx != SHN_ABS;
}

/* ONLY_OLD: in old versions, which dlsym passes over and what was linked with one of them does not. */
enum answer { NOT_HERE, HERE, WHO_KNOWS, ONLY_OLD };

/* The chain of NAME's bucket from symbol I on; the last of a chain has the lowest bit set. */
static COLD enum answer search_chain(const struct symbols_object *o, const uint32_t *chain,
				     uint32_t i, uint32_t hash, const char *name, void **found)
{
	const ElfW(Sym) *only = NULL;
	unsigned first = o->hash[1], count = 0;
	bool old = false;

	for (;; i++) {
		uint32_t h = chain[i - first];

		if ((h | 1) == (hash | 1) && is_defined(&o->symbol[i]) &&
		    strcmp(o->string + o->symbol[i].st_name, name) == 0) {
			if (is_hidden(o, i)) {
				old = true;
			} else {
				only = &o->symbol[i];
				count++;
			}
		}
		if (h & 1)
			break;
	}
	if (count == 0)
		return old ? ONLY_OLD : NOT_HERE;
	if (count > 1 || !is_plain_function(only))
		return WHO_KNOWS;
	*found = (void *)(o->base + only->st_value);
	return HERE;
}

static COLD enum answer look(const struct symbols_object *o, uint32_t hash, const char *name, void **found)
{
	enum { BITS = sizeof(ElfW(Addr)) * 8 };
	const uint32_t *head = o->hash, *bucket;
	const ElfW(Addr) *filter;
	ElfW(Addr) word;
	uint32_t i;

	if (!head)
		return WHO_KNOWS;
	filter = (const ElfW(Addr) *)(head + 4);
	word = filter[hash / BITS & (head[2] - 1)];
	if (!(word >> hash % BITS & word >> (hash >> head[3]) % BITS & 1))
		return NOT_HERE;
	bucket = (const uint32_t *)(filter + head[2]);
	i = bucket[hash % head[0]];
	if (i == 0)
		return NOT_HERE;
	return search_chain(o, bucket + head[0], i, hash, name, found);
}

/* As dlsym does it. */
static enum answer search(const struct symbols_object *o, uint32_t hash, const char *name, void **found)
{
	enum answer a = look(o, hash, name, found);

	return a == ONLY_OLD ? NOT_HERE : a;
}

/* The first object that has NAME, or that may have it: *A says which. NULL: none has. */
static COLD const struct symbols_object *first(const struct symbols *s, const char *name,
					       uint32_t hash, enum answer *a, void **found)
{
	*found = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		*a = look(&s->object[i], hash, name, found);
		if (*a != NOT_HERE)
			return &s->object[i];
	}
	return NULL;
}

COLD bool symbols_next(const struct symbols *s, const char *name, uint32_t hash, void **found)
{
	enum answer a;

	return !first(s, name, hash, &a, found) || a == HERE;
}

COLD bool symbols_next_is_old(const struct symbols *s, const char *name, uint32_t hash)
{
	enum answer a;
	void *found;

	return first(s, name, hash, &a, &found) && a == ONLY_OLD;
}

static COLD const struct symbols_object *first_of(const struct symbols *s, const char *name,
						  enum answer *a, void **found)
{
	return first(s, name, symbols_hash(name, strlen(name)), a, found);
}

COLD bool symbols_next_beside(const struct symbols *s, const char *name, const char *other,
			      void **found)
{
	enum answer a, b;
	void *address;
	const struct symbols_object *of_name = first_of(s, name, &a, found);
	const struct symbols_object *of_other = first_of(s, other, &b, &address);

	if ((of_name && a != HERE) || (of_other && b != HERE))
		return false;
	if (of_name != of_other)
		*found = NULL;
	return true;
}

bool symbols_define(ElfW(Addr) base, ElfW(Dyn) *d, const char *name, void **found)
{
	struct link_map map = { .l_addr = base, .l_ld = d };
	struct symbols_object o;

	*found = NULL;
	read_object(&map, &o);
	return search(&o, symbols_hash(name, strlen(name)), name, found) != NOT_HERE;
}

bool symbols_bind_here(const char *name)
{
	uint32_t hash = symbols_hash(name, strlen(name));
	struct symbols_object o;
	void *found;

	for (const struct link_map *map = _r_debug.r_map; map; map = map->l_next) {
		if (map->l_ld == _DYNAMIC)
			return symbols_own(name) != NULL;
		if (!is_searched(map))
			continue;
		read_object(map, &o);
		if (search(&o, hash, name, &found) != NOT_HERE)
			return false;
	}
	return false;
}

void *symbols_own(const char *name)
{
	const struct link_map *map = _r_debug.r_map;
	struct symbols_object own;
	void *found = NULL;

	while (map && map->l_ld != _DYNAMIC)
		map = map->l_next;
	if (map)
		read_object(map, &own);
	if (!map || !own.hash || search(&own, symbols_hash(name, strlen(name)), name, &found) != HERE)
		return NULL;
	return found;
}

/* How many symbols there are: one more than the last of the chain that begins last. */
static uint32_t count_symbols(const struct symbols_object *o)
{
	const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(o->hash + 4) + o->hash[2]);
	const uint32_t *chain = bucket + o->hash[0] - o->hash[1];
	uint32_t last = 0;

	for (uint32_t b = 0; b < o->hash[0]; b++)
		if (bucket[b] > last)
			last = bucket[b];
	if (last == 0)
		return 0;
	while (!(chain[last] & 1))
		last++;
	return last + 1;
}

static bool is_place(const ElfW(Sym) *symbol)
{
	return is_defined(symbol) && symbol->st_shndx != SHN_ABS &&
	       ELF64_ST_TYPE(symbol->st_info) != STT_TLS;
}

bool symbols_around(const struct link_map *map, uintptr_t address, struct symbols_place *place)
{
	const ElfW(Sym) *best = NULL, *end;
	struct symbols_object o;
	ElfW(Addr) at;

	read_object(map, &o);
	if (!o.hash)
		return false;
	at = address - o.base;
	end = o.symbol + count_symbols(&o);
	for (const ElfW(Sym) *symbol = o.symbol + o.hash[1]; symbol < end; symbol++) {
		ElfW(Addr) into = at - symbol->st_value; /* huge where it begins behind */

		if ((into < symbol->st_size || (into == 0 && symbol->st_size == 0)) && is_place(symbol) &&
		    (!best || best->st_value < symbol->st_value))
			best = symbol;
	}
	if (!best)
		return false;
	*place = (struct symbols_place){ o.string + best->st_name, o.base + best->st_value };
	return true;
}
