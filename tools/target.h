/* SPDX-License-Identifier: MIT */
/* target.h - what a command line would start, and whether the loader would take us in. */
#ifndef SHUNT_TARGET_H
#define SHUNT_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* T(identifier, what it is, what follows) */
#define TARGET_TROUBLES(T)                                                                         \
	T(NONE, "dynamically linked", "shunt can work in it")                                      \
	T(STATIC, "statically linked", "it has no dynamic loader that could load shunt")           \
	T(SETUID, "setuid", "the dynamic loader ignores LD_PRELOAD there")                         \
	T(SETGID, "setgid", "the dynamic loader ignores LD_PRELOAD there")                         \
	T(CAPABILITIES, "given capabilities by its file", "the loader ignores LD_PRELOAD there")   \
	T(GO, "a Go program", "Go makes its system calls itself, past libc")                       \
	T(CLASS, "of another class or machine than shunt", "the dynamic loader leaves shunt out")  \
	T(LOADER, "linked to another libc", "shunt is made for glibc")                             \
	T(SANITIZER, "built with a sanitizer", "its runtime has an account of the memory to keep") \
	T(FORMAT, "neither an ELF program nor a script", "the kernel may know it, shunt does not") \
	T(UNREADABLE, "not readable", "what it is cannot be told")

enum target_trouble {
#define T(id, what, why) TARGET_##id,
	TARGET_TROUBLES(T)
#undef T
};

struct target {
	char path[PATH_MAX];   /* what is started */
	char binary[PATH_MAX]; /* the program that does the work: for a script its interpreter */
	char loader[PATH_MAX]; /* "" when there is none */
	char format[64];       /* "64-bit x86-64", "" when it is no ELF file */
	unsigned scripts;      /* #! lines followed from path to binary */
	bool go, privileged;   /* privileged: setuid, setgid or capabilities of somebody else */
	enum target_trouble trouble;
};

/* NAME as execvp looks for it, into PATH of PATH_MAX. 0, ENOENT or EACCES. */
int target_find(const char *name, char *path);

/* Looks at PATH, and follows #! lines. Always fills T. */
void target_look(struct target *t, const char *path);

const char *target_trouble_is(enum target_trouble trouble);  /* "statically linked" */
const char *target_trouble_why(enum target_trouble trouble); /* what follows from it */

#endif
