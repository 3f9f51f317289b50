/* SPDX-License-Identifier: MIT */
/* sweep.c - what processes have left in the directories of the counters is taken away in time. */
#include <unistd.h>

#include "sig.h"
#include "stats_file.h"
#include "stats_sweep.h"
#include "tool.h"

/* The command maps no counters, and has no handler that could be in front. */
bool sig_own_bus(void)
{
	return false;
}

void sweep(const struct config *c)
{
	int i, dir;

	if (c->stats[0])
		return;
	config = *c;
	stats_file_init();
	for (i = 0; i < stats_file_dirs(); i++) {
		dir = stats_file_open_dir(i);
		if (dir < 0)
			continue;
		stats_sweep(dir, STATS_SWEEP_ALL);
		close(dir);
	}
}
