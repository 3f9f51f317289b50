/* SPDX-License-Identifier: MIT */
/* arena.c - memory for the tables; see arena.h. */
#include <string.h>
#include <sys/mman.h>

#include "arena.h"
#include "lock.h"
#include "prim.h"

enum { SMALLEST = 6, LARGEST = 20, GROW = 64 * 1024 };

struct block {
	struct block *next;
};

static struct lock arena_lock;
static struct block *free_list[LARGEST + 1];
static char *fresh, *fresh_end;

static unsigned class_of(size_t size)
{
	unsigned c = SMALLEST;

	while (((size_t)1 << c) < size)
		c++;
	return c;
}

static void *cut(size_t size)
{
	size_t grow = size > GROW ? size : GROW;
	char *p = fresh;

	if ((size_t)(fresh_end - fresh) < size) {
		p = prim_mmap(NULL, grow, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (prim_mmap_failed(p))
			return NULL;
		fresh_end = p + grow;
	}
	fresh = p + size;
	return p;
}

void *arena_alloc(size_t size)
{
	unsigned c = class_of(size);
	struct lock_held held;
	void *fresh_block = NULL;
	struct block *b;

	if (c > LARGEST)
		return NULL;
	lock_take(&arena_lock, &held);
	b = free_list[c];
	if (b)
		free_list[c] = b->next;
	else
		fresh_block = cut((size_t)1 << c);
	lock_drop(&arena_lock, &held);
	/* what was cut just now is the kernel's zeros: most of it will never be touched */
	return b ? memset(b, 0, size) : fresh_block;
}

void arena_free(void *p, size_t size)
{
	unsigned c = class_of(size);
	struct lock_held held;
	struct block *b = p;

	if (!p)
		return;
	lock_take(&arena_lock, &held);
	b->next = free_list[c];
	free_list[c] = b;
	lock_drop(&arena_lock, &held);
}

FORKS void arena_forked(void)
{
	if (atomic_load(&arena_lock.word) != 0) {
		/* a thread that is not here was changing the lists: they are abandoned */
		memset(free_list, 0, sizeof(free_list));
		fresh = fresh_end = NULL;
	}
	lock_reset(&arena_lock);
}
