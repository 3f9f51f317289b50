/* SPDX-License-Identifier: MIT */
/* make_files.c - the files of content.h in the directory that is named. */
#include "content.h"

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	content_make(argv[1]);
	return 0;
}
