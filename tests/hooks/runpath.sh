#!/bin/sh
# SPDX-License-Identifier: MIT
# runpath.sh - dlopen and dlmopen, hooked, still search the RUNPATH of the object that calls.
#	runpath.sh LIBRARY	what is preloaded
. "$(dirname "$0")/compiled.sh"

mkdir "$work/hidden" && cd "$work" || exit 1
cat >found.c <<'C'
int found(void) { return 42; }
C
# Only user.so has a RUNPATH; found.so is nowhere else.
cat >user.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
static int ask(void *handle)
{
	int (*found)(void) = handle ? (int (*)(void))dlsym(handle, "found") : 0;
	return found ? found() : 0;
}
int by_dlopen(void) { return ask(dlopen("found.so", RTLD_NOW)); }
int by_dlmopen(void) { return ask(dlmopen(LM_ID_BASE, "found.so", RTLD_NOW)); }
C
cat >main.c <<'C'
#include <dlfcn.h>
#include <string.h>
int by_dlopen(void), by_dlmopen(void);
int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "direct"))
		return dlopen("found.so", RTLD_NOW) != 0;
	if (argc > 1 && !strcmp(argv[1], "dlmopen"))
		return by_dlmopen() != 42;
	return by_dlopen() != 42;
}
C
$cc -shared -fPIC -o hidden/found.so found.c &&
	$cc -shared -fPIC -o user.so user.c -Wl,--enable-new-dtags,-rpath,"$work/hidden" -ldl &&
	$cc -o main main.c ./user.so -ldl || exit 1

try "plain dlopen" ./main
try "the program itself has no RUNPATH" ./main direct
try "hooked dlopen finds it by the caller's RUNPATH" env LD_PRELOAD="$library" ./main
try "hooked dlmopen finds it by the caller's RUNPATH" env LD_PRELOAD="$library" ./main dlmopen
try "hooked dlopen finds no more than plain" env LD_PRELOAD="$library" ./main direct
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
