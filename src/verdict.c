/* SPDX-License-Identifier: MIT */
/* verdict.c - the words and explanations of the verdicts. */
#include "verdict.h"

static const char *const words[] = {
#define V(id, word, text) [VERDICT_##id] = word,
	VERDICTS(V)
#undef V
};

static const char *const texts[] = {
#define V(id, word, text) [VERDICT_##id] = text,
	VERDICTS(V)
#undef V
};

const char *verdict_word(unsigned v)
{
	return v < VERDICT_COUNT ? words[v] : "unknown";
}

const char *verdict_text(unsigned v)
{
	return v < VERDICT_COUNT ? texts[v] : "";
}
