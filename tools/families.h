/* SPDX-License-Identifier: MIT */
/*
 * families.h - which processes are told of together.
 *
 * A family is what one `shunt run` began: the same first process. Processes of
 * the same program are one family too, so that the runs of a server add up. The
 * first of a family is the process it began with, else the oldest.
 */
#ifndef SHUNT_FAMILIES_H
#define SHUNT_FAMILIES_H

#include <stdbool.h>
#include <stddef.h>

#include "counters.h"

struct families {
	struct stats **process; /* owned */
	struct counters_id *id; /* of the files, in the order they were added */
	size_t count, room;
	struct stats *asked; /* the last that was added by name */
};

/* Takes S. False when there is no memory for it. A file that is there already is dropped. */
bool families_add(struct families *f, struct stats *s, const struct counters_id *id);

/* The same, for a process that nobody named. */
bool families_add_child(struct families *f, struct stats *s, const struct counters_id *id);

/* The last that families_add took, or NULL. */
const struct stats *families_last_asked(const struct families *f);

/* Did A and B begin with the same process? */
bool families_same(const struct stats *a, const struct stats *b);

/* All processes, families together, the first of each first. */
const struct stats *const *families_sorted(struct families *f);

/* After that: the family that begins at AT, and how many it has. */
const struct stats *const *families_from(const struct families *f, size_t at, size_t *count);

void families_end(struct families *f);

#endif
