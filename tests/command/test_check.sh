#!/bin/sh
# SPDX-License-Identifier: MIT
# shunt check: the facts, the conclusion in the last line, the exit status.
. "${srcdir:-.}/tests/command/common.sh"

CC=${CC:-cc}
cat >hooks.c <<'END'
#include <stddef.h>
long read(int fd, void *buf, size_t n) { return -1; }
long write(int fd, const void *buf, size_t n) { return -1; }
int pthread_cond_wait(void *a, void *b) { return -1; } /* in two versions */
int no_libc_has_this(void) { return 0; }
END
$CC -w -shared -fPIC -o libshunt.so hooks.c 2>/dev/null || { echo "no C compiler"; exit 77; }
export SHUNT_LIB=$work/libshunt.so

conclusion()
{
	tail -n 1 out | grep -q "^conclusion  *$1" && pass || { fail "conclusion is not '$1'"; cat out; }
}

run 2 "$SHUNT" check
lines err 1
run 2 "$SHUNT" check a b
lines err 1
run 2 "$SHUNT" check --nonsense
lines err 1
run 0 "$SHUNT" check --help
lines err 0

cat >reader.c <<'END'
#include <unistd.h>
int main(void) { char c; return (int)read(0, &c, 1) + (int)write(1, &c, 1); }
END
$CC -o reader reader.c
run 0 "$SHUNT" check ./reader
conclusion 'can work'
has out 'hooks                  4 names, 3 of them in '
has out 'called                 2 of them by the program itself, among them read, write'
has out 'PROCMAP_QUERY'; has out 'cachestat'; has out 'syscall user dispatch'; has out 'seccomp'
lines err 0
lease=$(grep 'read lease' out)
run 0 env TMPDIR=/nonexistent "$SHUNT" check ./reader
has out "$lease"
printf '#!/bin/sh\n' >script
chmod +x script
run 0 "$SHUNT" check ./script
has out 'interpreter            /bin/sh'

run 1 "$SHUNT" check no-such-command-here
conclusion 'cannot work: no-such-command-here: command not found'
run 1 "$SHUNT" check 4194305
conclusion 'cannot work: 4194305: no such process'
run 1 env SHUNT_LIB=/nonexistent/l.so "$SHUNT" check ./reader
conclusion 'cannot work: /nonexistent/l.so'
if $CC -static -o static reader.c 2>/dev/null; then
	run 1 "$SHUNT" check ./static
	conclusion 'cannot work: the program is statically linked'
fi
echo nonsense >data
printf '\000\001' >>data
chmod +x data
run 1 "$SHUNT" check ./data
conclusion 'cannot work: the program is neither'
# an ELF file that ends in the middle of what its header promises
head -c 70 reader >cut
chmod +x cut
run 1 "$SHUNT" check ./cut
conclusion 'cannot work'

# a process: not under shunt, then under it
run 0 "$SHUNT" check $$
has out 'under shunt            no'
conclusion 'can work, but not in a process that runs already'
# a library that changes nothing, so that what it is loaded into lives
echo 'int shunt_test;' >empty.c
$CC -shared -fPIC -o libshunt.so empty.c
mkfifo gate
LD_PRELOAD=$SHUNT_LIB sleep 60 &
sleeper=$!
n=0
until grep -q libshunt.so /proc/$sleeper/maps 2>/dev/null || [ $n -ge 100 ]; do
	n=$((n + 1))
	sleep 0.05
done
run 0 "$SHUNT" check $sleeper
has out 'under shunt            yes'
conclusion "shunt is in process $sleeper already"
# a newer one is installed over it
cp libshunt.so newer.so && mv newer.so libshunt.so
run 0 "$SHUNT" check $sleeper
has out 'under shunt            yes'
conclusion "shunt is in process $sleeper already"
kill $sleeper
wait $sleeper 2>/dev/null
# where the loader is in its secure mode a start under shunt changes nothing; strangers cannot tell
if [ "$(id -u)" = 0 ] && cp "$(command -v sleep)" setuid && chmod 4755 setuid &&
	chmod 755 "$work" && command -v setpriv >/dev/null; then
	setpriv --reuid 65534 --clear-groups ./setuid 60 &
	sleeper=$!
	n=0
	until grep -q setuid /proc/$sleeper/maps 2>/dev/null || [ $n -ge 100 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	$CC -w -shared -fPIC -o libshunt.so hooks.c
	run 1 "$SHUNT" check $sleeper
	conclusion 'cannot work: the loader ignores LD_PRELOAD'
	cp "$SHUNT" shunt
	run 1 setpriv --reuid 65534 --clear-groups ./shunt check $sleeper
	conclusion 'cannot be told: '
	kill $sleeper
	wait $sleeper 2>/dev/null
fi
finish
