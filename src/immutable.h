/* SPDX-License-Identifier: MIT */
/* immutable.h - source:immutable: what keeps a file from changing. */
#ifndef SHUNT_IMMUTABLE_H
#define SHUNT_IMMUTABLE_H

enum immutable {
	IMMUTABLE_NOT,
	IMMUTABLE_ATTRIBUTE, /* chattr +i: nobody can open it for writing any more */
	IMMUTABLE_WHOLLY,    /* nobody has it open for writing either */
};

/* What holds for FD now, on a file system of that TYPE (statfs). Keeps errno; signal safe. */
enum immutable immutable_why(int fd, long type);

#endif
