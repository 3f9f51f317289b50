/* SPDX-License-Identifier: MIT */
/* families.c - which processes are told of together. */
#include <stdlib.h>
#include <string.h>

#include "families.h"

/* Before families_sorted, which leaves the ids where they are. */
static struct stats *find(const struct families *f, const struct counters_id *id)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->id[i].dev == id->dev && f->id[i].ino == id->ino)
			return f->process[i];
	return NULL;
}

static bool make_room(struct families *f)
{
	size_t room = f->room ? f->room * 2 : 16;
	void *process, *id;

	if (f->count < f->room)
		return true;
	process = realloc(f->process, room * sizeof(f->process[0]));
	if (process)
		f->process = process;
	id = realloc(f->id, room * sizeof(f->id[0]));
	if (id)
		f->id = id;
	if (!process || !id)
		return false;
	f->room = room;
	return true;
}

/* What stands for S now: S, or what was read of the same file before; NULL: no memory. */
static struct stats *add(struct families *f, struct stats *s, const struct counters_id *id)
{
	struct stats *known = find(f, id);

	if (known || !make_room(f)) {
		free(s);
		return known;
	}
	f->id[f->count] = *id;
	f->process[f->count++] = s;
	return s;
}

bool families_add_child(struct families *f, struct stats *s, const struct counters_id *id)
{
	return add(f, s, id) != NULL;
}

bool families_add(struct families *f, struct stats *s, const struct counters_id *id)
{
	s = add(f, s, id);
	if (s)
		f->asked = s;
	return s != NULL;
}

const struct stats *families_last_asked(const struct families *f)
{
	return f->asked;
}

bool families_same(const struct stats *a, const struct stats *b)
{
	return a->root == b->root && a->root_started == b->root_started &&
	       strncmp(a->host, b->host, sizeof(a->host)) == 0;
}

static bool together(const struct stats *a, const struct stats *b)
{
	return families_same(a, b) || (a->observe == b->observe &&
				       strncmp(a->program, b->program, sizeof(a->program)) == 0);
}

/* Roots before their children, then by age. */
static bool comes_before(const struct stats *a, const struct stats *b)
{
	bool a_root = a->root == a->pid, b_root = b->root == b->pid;

	return a_root != b_root ? a_root : a->started < b->started;
}

/* The process at FROM, or whichever of the rest belongs before it, moves to TO. */
static void move(struct families *f, size_t from, size_t to)
{
	struct stats *s = f->process[from];

	memmove(f->process + to + 1, f->process + to, (from - to) * sizeof(s));
	f->process[to] = s;
}

static void sort(struct families *f)
{
	size_t i, k;

	for (i = 1; i < f->count; i++) {
		for (k = i; k > 0 && comes_before(f->process[i], f->process[k - 1]); k--)
			;
		move(f, i, k);
	}
}

/* Is S together with any of process[first .. end - 1]? */
static bool belongs(const struct families *f, size_t first, size_t end, const struct stats *s)
{
	for (; first < end; first++)
		if (together(f->process[first], s))
			return true;
	return false;
}

/* From AT on, all that belongs with process[AT] is moved behind it. Returns where it ends. */
static size_t gather(struct families *f, size_t at)
{
	size_t end = at + 1, i;

	for (i = end; i < f->count; i++) {
		if (!belongs(f, at, end, f->process[i]))
			continue;
		move(f, i, end++);
		i = end - 1; /* what was passed over may belong to the new member */
	}
	return end;
}

const struct stats *const *families_sorted(struct families *f)
{
	size_t at = 0;

	sort(f);
	while (at < f->count)
		at = gather(f, at);
	return (const struct stats *const *)f->process;
}

const struct stats *const *families_from(const struct families *f, size_t at, size_t *count)
{
	size_t end = at + 1;

	while (end < f->count && belongs(f, at, end, f->process[end]))
		end++;
	*count = end - at;
	return (const struct stats *const *)f->process + at;
}

void families_end(struct families *f)
{
	while (f->count > 0)
		free(f->process[--f->count]);
	free(f->process);
	free(f->id);
	*f = (struct families){0};
}
