/* SPDX-License-Identifier: MIT */
/* parse_main.c - a target without libFuzzer: each file that is named, whole, and cut short. */
#include <stdio.h>
#include <stdlib.h>

#include "parse.h"

enum { MOST = 1 << 20, CUTS = 64 };

static unsigned char data[MOST];

/*
 * Its beginnings too: text ends anywhere. In memory of just that size, so that a tool sees a step
 * too far.
 */
static void run(size_t n)
{
	for (size_t cut = 0; cut <= CUTS; cut++) {
		size_t size = n * cut / CUTS;
		unsigned char *exact = malloc(size ? size : 1);

		if (!exact)
			exit(1);
		for (size_t i = 0; i < size; i++)
			exact[i] = data[i];
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");

		if (!f) {
			perror(argv[i]);
			return 1;
		}
		run(fread(data, 1, MOST, f));
		fclose(f);
	}
	return 0;
}
