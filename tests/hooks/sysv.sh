#!/bin/sh
# SPDX-License-Identifier: MIT
# sysv.sh - where a library has no table of symbols but the old one, nothing is looked up late: dlsym
# would take the text that the program's dlerror is to give, and the loader's lock.
#	sysv.sh LIBRARY	what is preloaded
. "$(dirname "$0")/compiled.sh"

cd "$work" || exit 1
echo 'int old(void) { return 42; }' >old.c
cat >main.c <<'C'
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
int old(void);
int main(void)
{
	struct sigaction a;
	int s[2];

	if (old() != 42 || dlopen("/nowhere/none.so", RTLD_NOW))
		return 2;
	sigaction(SIGUSR1, NULL, &a);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0 || fcntl(s[0], F_GETFL) < 0 || close(s[1]) < 0)
		return 2;
	lseek(s[0], 0, SEEK_CUR);
	return !dlerror();
}
C
$cc -shared -fPIC -Wl,--hash-style=sysv -o old.so old.c && $cc -o main main.c ./old.so -ldl ||
	{ echo "sysv.sh: no such library can be made"; exit 77; }

try "plain dlerror" ./main
try "dlerror behind hooks that are called first" env LD_PRELOAD="$library" ./main
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
