/* SPDX-License-Identifier: MIT */
/* settings.c - the settings of shunt under which programs run; see fuzz.h. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *words;
	int share; /* of a hundred programs */
} settings[] = {
	{ "trust", "source:trust,learn:1,min:4k", 49 },
	{ "splice", "source:trust,learn:1,min:4k,engines:sendfile+splice+mapped", 6 },
	{ "settled", "learn:1,min:4k", 15 },
	{ "lease", "source:lease,learn:1,min:4k", 5 },
	{ "few", "source:trust,learn:1,min:4k,landings:2", 12 },
	{ "unguarded", "source:trust,learn:1,min:4k,guard:off", 6 },
	{ "default", "report:none", 4 },
	{ "observe", "mode:observe,learn:1,min:4k", 2 },
	{ "off", "mode:off", 1 },
};
const int setting_count = sizeof(settings) / sizeof(settings[0]);

const char *setting_name(int setting)
{
	return setting == PLAINLY ? "plain" : settings[setting].name;
}

int setting_of(uint64_t seed)
{
	int point = (int)(seed * 37 % 100), i = 0;

	for (; point >= settings[i].share; i++)
		point -= settings[i].share;
	return i;
}

char *const *setting_environment(int setting)
{
	static char preload[512], conf[1024], path[] = "PATH=/usr/bin:/bin";
	static char *all[4];

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", options.library);
	snprintf(conf, sizeof(conf), "SHUNT_CONF=%s,stats:%s/counters",
		 setting == PLAINLY ? "" : settings[setting].words, options.work);
	all[0] = path;
	all[1] = setting == PLAINLY || !options.library ? NULL : preload;
	all[2] = conf;
	all[3] = NULL;
	return all;
}
