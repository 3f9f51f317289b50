/* SPDX-License-Identifier: MIT */
/* stats_words.c - the words for the kinds and engines in the counters. Signal safe. */
#include "stats.h"

static const char *const kinds[STATS_KIND_COUNT] = {
#define K(id, word) [STATS_KIND_##id] = word,
	STATS_KINDS(K)
#undef K
};

static const char *const engines[STATS_ENGINE_COUNT] = {
	[STATS_ENGINE_NONE] = "-",
	[STATS_ENGINE_SENDFILE] = "sendfile",
	[STATS_ENGINE_SPLICE] = "splice",
	[STATS_ENGINE_MAPPED] = "mapped",
	[STATS_ENGINE_BATCH] = "batch",
};

const char *stats_kind_word(unsigned kind)
{
	return kind < STATS_KIND_COUNT ? kinds[kind] : "unknown";
}

const char *stats_engine_word(unsigned engine)
{
	return engine < STATS_ENGINE_COUNT ? engines[engine] : "unknown";
}
