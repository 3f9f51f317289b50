/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - what differs is made small: operations go, many at first, then one at a time, then
 * numbers become 0 or half. A step counts only if two runs without shunt are the same.
 */
#include "fuzz.h"

#include <string.h>
#include <time.h>

static int runs;
static time_t until;

static bool differs(const struct program *p, int setting)
{
	struct result plain, again, shunt;
	bool ret;

	if (time(NULL) >= until)
		return false;
	runs++;
	run_program(p, PLAINLY, &plain);
	run_program(p, setting, &shunt);
	ret = !plain.hung && !compare(&plain, &shunt, p, NULL);
	if (ret) {
		run_program(p, PLAINLY, &again);
		ret = compare(&plain, &again, p, NULL);
		result_free(&again);
	}
	result_free(&plain);
	result_free(&shunt);
	return ret;
}

static bool holds_body(int code)
{
	return code == OP_fork || code == OP_thread || code == OP_raise;
}

/* Without the N operations from AT; bodies that held them are that much shorter. */
static void cut(struct program *p, int at, int n)
{
	for (int i = 0; i < at; i++) {
		int end = i + 1 + p->op[i].a[1], from = at, to = at + n;

		if (!holds_body(p->op[i].code))
			continue;
		if (to > end)
			to = end;
		if (to > from)
			p->op[i].a[1] -= to - from;
	}
	memmove(p->op + at, p->op + at + n, (size_t)(p->count - at - n) * sizeof(*p->op));
	p->count -= n;
}

static bool cut_some(struct program *p, int setting, int n)
{
	bool any = false;

	for (int at = p->count - n; at >= 0; at -= n) {
		struct program trial = *p;

		if (at + n > trial.count)
			continue;
		cut(&trial, at, n);
		if (differs(&trial, setting)) {
			*p = trial;
			any = true;
		}
	}
	return any;
}

static void simpler_numbers(struct program *p, int setting)
{
	for (int i = 0; i < p->count; i++)
		for (int j = 0; j < ARGS; j++) {
			int old = p->op[i].a[j];
			const int better[] = { 0, old & ~4095, old / 2 };

			for (int t = 0; t < 3 && p->op[i].a[j] == old && old > 0; t++) {
				struct program trial = *p;

				trial.op[i].a[j] = better[t];
				if (better[t] != old && differs(&trial, setting))
					*p = trial;
			}
		}
}

static void simpler_sinks(struct program *p, int setting)
{
	for (int k = 0; k < SINKS; k++) {
		struct program trial = *p;

		trial.sink[k] = (struct sink_plan){ 0 };
		if (memcmp(&trial, p, sizeof(trial)) != 0 && differs(&trial, setting))
			*p = trial;
	}
}

int shrink(struct program *p, int setting, long seconds)
{
	runs = 0;
	until = time(NULL) + seconds;
	for (int n = p->count / 2; n > 0; n /= 2)
		cut_some(p, setting, n);
	while (cut_some(p, setting, 1))
		continue;
	simpler_sinks(p, setting);
	simpler_numbers(p, setting);
	while (cut_some(p, setting, 1))
		continue;
	return runs;
}
