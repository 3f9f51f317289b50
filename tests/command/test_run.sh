#!/bin/sh
# SPDX-License-Identifier: MIT
# shunt run: exit codes, environment, settings, the remark on what it cannot work in.
. "${srcdir:-.}/tests/command/common.sh"

# A library that does nothing shows what the command does, whatever the real one does.
CC=${CC:-cc}
echo 'int shunt_test;' >empty.c
$CC -shared -fPIC -o libshunt.so empty.c 2>/dev/null || { echo "no C compiler"; exit 77; }
export SHUNT_LIB=$work/libshunt.so

# what is wrong with the call itself
run 125 "$SHUNT" run
has err 'a command is missing'; lines err 1
run 125 "$SHUNT" run --nonsense true
has err -- '--nonsense is not an option'; lines err 1
run 125 "$SHUNT" run -z true
has err '-z is not an option'; lines err 1
run 125 "$SHUNT" run --conf
has err '--conf needs a value'; lines err 1
run 2 "$SHUNT"
lines err 1
run 2 "$SHUNT" nonsense
has err "no such command 'nonsense'"; lines err 1
run 2 "$SHUNT" --nonsense
lines err 1
run 0 "$SHUNT" --version
has out 'shunt '; lines out 1
run 0 "$SHUNT" --help
for later in top diff enable disable; do
	lacks out "  $later "
	run 2 "$SHUNT" $later
	run 0 "$SHUNT" --help
done
run 0 "$SHUNT" run --help
lines err 0

for words in --help --version 'run --help' 'report --help' 'check --help' 'check sh'; do
	run 1 sh -c '"$0" $1 >/dev/full' "$SHUNT" "$words"
	has err 'No space left'; lines err 1
done
# nothing that is shown of what was typed upsets a terminal
for words in '' report check run; do
	"$SHUNT" $words "$(printf 'x\033[31m\302\233y\377')" >out 2>&1
	LC_ALL=C tr -d '\012\040-\176' <out | grep -q . && fail "control characters: $words" || pass
done

# the command's own end
run 0 "$SHUNT" run true
run 7 "$SHUNT" run sh -c 'exit 7'
run 125 "$SHUNT" run sh -c 'exit 125'
run 143 sh -c '"$0" run sh -c "kill -TERM \$\$"; exit $?' "$SHUNT"
run 127 "$SHUNT" run no-such-command-here
has err 'command not found'; lines err 1
run 127 "$SHUNT" run ./no-such-file
lines err 1
run 126 "$SHUNT" run "$work"
lines err 1
echo 'echo text' >text
run 126 "$SHUNT" run ./text
chmod +x text
run 0 "$SHUNT" run ./text
has out text; lines err 0
# the same process, the same arguments
run 0 sh -c 'echo $$; exec "$0" run sh -c "echo \$\$"' "$SHUNT"
[ "$(sort -u out | wc -l)" -eq 1 ] || fail 'another process id'
run 0 "$SHUNT" run -- echo -o -q --conf x:y
[ "$(cat out)" = '-o -q --conf x:y' ] || fail 'arguments were changed'
run 0 "$SHUNT" run echo -q
[ "$(cat out)" = '-q' ] || fail 'an option of the command was taken'
# nothing left behind: descriptors
run 0 "$SHUNT" run ls -l /proc/self/fd
cp out with
run 0 ls -l /proc/self/fd
[ "$(wc -l <with)" -eq "$(wc -l <out)" ] || fail 'a descriptor was left open'

# LD_PRELOAD: ours first, once, the caller's behind, no empty elements
cp libshunt.so other.so
mkdir old && cp libshunt.so old/
preload()
{
	run 0 env LD_PRELOAD="$1" "$SHUNT" run sh -c 'echo "$LD_PRELOAD"'
	[ "$(cat out)" = "$2" ] || fail "LD_PRELOAD '$1' became '$(cat out)', not '$2'"
}
preload '' "$SHUNT_LIB"
preload "$work/other.so" "$SHUNT_LIB:$work/other.so"
preload "::$work/other.so: :" "$SHUNT_LIB:$work/other.so"
preload "$work/other.so:$SHUNT_LIB" "$SHUNT_LIB:$work/other.so"
preload "$work/old/libshunt.so $work/other.so" "$SHUNT_LIB:$work/other.so"
run 0 "$SHUNT" run "$SHUNT" run sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$SHUNT_LIB" ] || fail 'twice under shunt: twice in LD_PRELOAD'
mkdir 'a b' && cp libshunt.so 'a b'
run 125 env SHUNT_LIB="$work/a b/libshunt.so" "$SHUNT" run true
has err 'cannot be preloaded'; lines err 1
run 125 env SHUNT_LIB=/nonexistent/libshunt.so "$SHUNT" run true
has err '/nonexistent/libshunt.so'; lines err 1
run 0 env SHUNT_LIB=libshunt.so "$SHUNT" run sh -c 'echo "$LD_PRELOAD"'
[ "$(cat out)" = "$SHUNT_LIB" ] || fail 'a relative library was not made absolute'

# settings: command line over variable; bad words are told once and not handed on
conf()
{
	want=$1
	shift
	run 0 "$@" sh -c 'echo "$SHUNT_CONF"'
	[ "$(cat out)" = "$want" ] || fail "SHUNT_CONF is '$(cat out)', not '$want': $*"
}
conf 'report:stderr' "$SHUNT" run
lines err 0
conf 'report:none' "$SHUNT" run -q
conf 'mode:observe,report:stderr' "$SHUNT" run -m observe
conf 'report:stderr,format:json' "$SHUNT" run -f json
conf 'report:stderr,min:64k,learn:5' "$SHUNT" run --conf learn:5,min:64k
conf 'mode:off,report:stderr,learn:9' env SHUNT_CONF=mode:observe,learn:9 "$SHUNT" run -m off
conf 'report:/x/y' env SHUNT_CONF=report:/x/y "$SHUNT" run
conf 'report:none' env SHUNT_CONF=report:/x/y "$SHUNT" run -q
conf 'report:/x/y' "$SHUNT" run -q --conf report:/x/y
conf "report:$work/r" "$SHUNT" run -q -o r
conf "report:$work/r" "$SHUNT" run --conf report:/other -o r
conf 'report:stderr' "$SHUNT" run -m fast
has err 'mode:fast: accepted: observe, rewrite, batch, off; kept rewrite'; lines err 1
conf 'report:stderr' env SHUNT_CONF=nonsense:1 "$SHUNT" run
has err 'SHUNT_CONF: nonsense: no such setting'; lines err 1
run 125 "$SHUNT" run --conf strict:true,mode:fast sh -c 'echo started'
lacks out started; lines err 2
run 125 env SHUNT_CONF=mode:fast "$SHUNT" run --conf strict:true true
run 0 "$SHUNT" run --conf strict:true true
conf 'mode:off,report:stderr,confirm:false' "$SHUNT" run --conf confirm:true,mode:off
has err 'mode:off (command line)'; has err 'confirm:true (command line)'

# the file of the system: heeded, and told where it cannot be read
etc=$(LC_ALL=C grep -ao '/[^[:cntrl:]]*/shunt\.conf' "$SHUNT" | head -n 1)
as_root()
{
	run "$1" unshare -m sh -c "mount -t tmpfs none '${etc%/*}' && $2"
}
if unshare -m mount -t tmpfs none "${etc%/*}" 2>/dev/null; then
	as_root 0 "echo 'learn:7 # seven' >$etc && '$SHUNT' run sh -c 'echo \$SHUNT_CONF'"
	[ "$(cat out)" = 'report:stderr,learn:7' ] && pass || fail "of shunt.conf came $(cat out)"
	as_root 0 "mkdir $etc && '$SHUNT' run true"
	has err "shunt: run: $etc: Is a directory"; lines err 1
	as_root 125 "mkdir $etc && '$SHUNT' run --conf strict:true true"
	# a file that is too long: to the last whole line, by the command and by the library
	{ head -c 16366 /dev/zero | tr '\0' '#'; printf '\npipes:7\nlearn:99999\n'; } >long.conf
	as_root 0 "cp long.conf $etc && '$SHUNT' run sh -c 'echo \$SHUNT_CONF'"
	[ "$(cat out)" = 'report:stderr,pipes:7' ] && pass || fail "of a long shunt.conf came $(cat out)"
	has err 'File too large'
	as_root 0 "cp long.conf $etc && LD_PRELOAD='$LIBSHUNT' SHUNT_CONF=confirm:true env true"
	has err 'pipes:7 (shunt.conf)'; lacks err learn
fi

# -o: absolute, emptied, an error that can be understood
echo old >r
run 0 "$SHUNT" run -o r true
[ -s r ] && fail 'the report file was not emptied'
rm r
run 0 "$SHUNT" run -o r true
[ -f r ] || fail 'the report file was not created'
run 125 "$SHUNT" run -o /nonexistent/r sh -c 'echo started'
has err '/nonexistent/r: No such file'; lines err 1; lacks out started
run 125 "$SHUNT" run -o "$work" true
has err 'directory'; lines err 1
run 125 "$SHUNT" run -o '' true
lines err 1
ln -s /dev/null null
run 125 "$SHUNT" run -o null true
has err 'a symbolic link, which is not followed'; lines err 1
run 125 "$SHUNT" run -o '/nonexistent/%p' true
lines err 1
run 125 "$SHUNT" run -o "$(printf '%600s' x)" true
lines err 1
conf "report:$work/%p.%n.%h" "$SHUNT" run -o %p.%n.%h
[ -e %p.%n.%h ] && fail 'a pattern was created as a file'
conf "report:$work/a\\,b" "$SHUNT" run -o a,b
[ -f a,b ] || fail 'a comma in the name was lost'
echo old >kept
run 125 env SHUNT_LIB=/nonexistent/l.so "$SHUNT" run -o kept true
[ -s kept ] || fail 'the report file was emptied although nothing was started'

# what shunt cannot work in runs all the same, with one remark
echo 'int main(void) { return 5; }' >five.c
if $CC -static -o static five.c 2>/dev/null; then
	run 5 "$SHUNT" run ./static
	has err 'statically linked'; lines err 1
	run 5 "$SHUNT" run -q ./static
	lines err 0
	printf '#!%s\n' "$work/static" >script
	chmod +x script
	run 5 "$SHUNT" run ./script
	has err "$work/static is statically linked"; lines err 1
	printf '#!/usr/bin/env -S %s\n' "$work/static" >script
	run 5 "$SHUNT" run ./script
	has err 'statically linked'; lines err 1
	if $CC -fsanitize=address -o sanitized five.c 2>/dev/null && ./sanitized; [ $? -eq 5 ]; then
		run 5 "$SHUNT" run ./sanitized
		has err 'built with a sanitizer'; lines err 1
		run 5 "$SHUNT" run -q ./sanitized
		lines err 0
	fi
	# the mark that the Go linker leaves
	cat >go.c <<'END'
__asm__(".section .note.go.buildid,\"a\",@note\n.long 4,4,4\n.asciz \"Go\"\n.balign 4\n.long 0\n.text");
int main(void) { return 6; }
END
	$CC -o go go.c && run 6 "$SHUNT" run ./go && has err 'is a Go program' && lines err 1
fi
# a loader of another name is that of another libc, where our library would keep it from starting
loader=$(ldd "$SHUNT" | sed -n 's,^[[:space:]]*\(/[^ ]*/ld-linux[^ ]*\) .*,\1,p')
cat >told.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void) { puts(getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "none"); return 5; }
END
if cp "$loader" ld-other.so.1 && $CC -o told told.c -Wl,--dynamic-linker="$work/ld-other.so.1"; then
	run 5 "$SHUNT" run ./told
	has out none; has err 'linked to another libc'; lines err 1
	run 5 "$SHUNT" run env LD_PRELOAD="$work/other.so:$SHUNT_LIB" "$SHUNT" run ./told
	[ "$(cat out)" = "$work/other.so" ] || fail "another libc was given $(cat out)"
fi
if command -v musl-gcc >/dev/null && musl-gcc -o musl five.c; then
	run 5 env SHUNT_LIB="$LIBSHUNT" "$SHUNT" run ./musl
	lines err 1
fi
# of 32 bits, if need be without the headers for that; its loader is not to complain
echo 'void _exit(int); void _start(void) { _exit(5); }' >small.c
if { $CC -m32 -o narrow five.c || $CC -m32 -fno-pic -no-pie -nostdlib -o narrow small.c \
	-Wl,--dynamic-linker=/lib/ld-linux.so.2 /lib32/libc.so.6; } 2>/dev/null && ./narrow; [ $? = 5 ]; then
	run 5 "$SHUNT" run ./narrow
	has err 'another class'; lines err 1
	run 5 "$SHUNT" run -q ./narrow
	lines err 0
fi
$CC -o five five.c
run 5 "$SHUNT" run ./five
lines err 0
# another machine: named as such, though it may not start here
od -An -v -tx1 five >/dev/null
cp five alien && printf '\363\000' | dd of=alien bs=1 seek=18 conv=notrunc 2>/dev/null
run 126 "$SHUNT" run ./alien
has err 'another class or machine'
if [ "$(id -u)" = 0 ] && chmod u+s five && chown 1:1 five && chmod 4755 five; then
	run 5 "$SHUNT" run ./five
	has err 'is setuid'; lines err 1
	if command -v setpriv >/dev/null; then
		run 5 setpriv --no-new-privs "$SHUNT" run ./five
		lines err 0
	fi
	if mkdir nosuid && unshare -m mount -t tmpfs -o nosuid none nosuid 2>/dev/null; then
		run 5 unshare -m sh -c 'mount -t tmpfs -o nosuid none nosuid && cp -p five nosuid &&
			exec "$0" run nosuid/five' "$SHUNT"
		lines err 0
	fi
fi
finish
