#!/bin/sh
# SPDX-License-Identifier: MIT
# Other users of the machine: what they put where counters and reports go, what they say in the
# environment of a program with more rights than theirs, and files under the names of others' processes.
. "${srcdir:-.}/tests/command/common.sh"
make_counters=${COUNTERS:-$top_builddir/tests/command/counters}
[ -x "$make_counters" ] || { echo "no $make_counters"; exit 77; }
[ -r "$LIBSHUNT" ] || { echo "LIBSHUNT does not name the library"; exit 77; }
export SHUNT_LIB=$LIBSHUNT TMPDIR=$work
unset RUNTIME_DIRECTORY XDG_RUNTIME_DIR

cat >copy.c <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static char buf[16384];
int main(int argc, char **argv)
{
	int ends[2], room = 1 << 20, fd = open("/proc/self/exe", O_RDONLY);

	umask(0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, 4))
		return 1;
	for (int i = 0; i < 8; i++)
		if (pread(fd, buf, 4096, 0) != 4096 || write(ends[0], buf, 4096) != 4096)
			return 1;
	printf("%d\n", (int)getpid());
	fflush(stdout);
	return argc > 1 && argv[1][0] == 'k' ? pause() : 0;
}
END
${CC:-cc} -o copy copy.c 2>/dev/null || { echo "no C compiler"; exit 77; }

# what lies where the report is to go: a link, a FIFO that nobody reads, a directory
echo victim >victim
ln -s victim link
mkfifo fifo
mkdir dir
for what in link dir; do
	run 125 "$SHUNT" run -o "$work/$what" ./copy
	has err "shunt: run: the report cannot be written to $work/$what: "
done
for what in link fifo dir; do
	run 0 timeout -s KILL 10 env LD_PRELOAD="$LIBSHUNT" SHUNT_CONF="report:$work/$what" ./copy
	lines err 1
	has err "shunt: the report cannot be written to $work/$what: "
done
run 0 timeout -s KILL 10 "$SHUNT" run -o "$work/fifo" ./copy
has err "shunt: the report cannot be written to $work/fifo: "
# a disk that is full: the process ends as it does, and it is told that the report is not all there
run 0 "$SHUNT" run -o /dev/full ./copy
lines err 1
has err 'shunt: the report cannot be written to /dev/full: No space left on device'
pid=$(cat out)
run 0 "$SHUNT" report "$pid"
has out "copy[$pid]"
rm -f /run/shunt/"$pid"-*.shunt 2>/dev/null
[ "$(cat victim)" = victim ] && pass || fail 'a link was followed'
[ -z "$(ls dir)" ] && [ -p fifo ] && pass || fail 'a report in a directory or a FIFO'
run 0 "$SHUNT" run -o "$work/report" ./copy
[ "$(stat -c %a report)" = 644 ] && pass || fail "the report has mode $(stat -c %a report)"

# counters are their owner's alone, whatever umask says; so is the directory for them
run 0 env LD_PRELOAD="$LIBSHUNT" XDG_RUNTIME_DIR="$work" ./copy
[ "$(stat -c %a shunt)" = 700 ] && pass || fail "the directory has mode $(stat -c %a shunt)"
[ "$(stat -c %a shunt/*)" = 600 ] && pass || fail "counters have mode $(stat -c %a shunt/*)"
rm -rf shunt

# a directory that is none, a link to one, one that others write to: the next will do, in silence
for what in file link open; do
	case $what in
	file) echo >shunt ;;
	link) mkdir elsewhere; ln -s elsewhere shunt ;;
	open) mkdir shunt; chmod 777 shunt ;;
	esac
	run 0 env LD_PRELOAD="$LIBSHUNT" XDG_RUNTIME_DIR="$work" ./copy
	lines err 0
	found=$(find "/run/shunt" "shunt-$(id -u)" -name "$(cat out)-*" 2>/dev/null)
	[ -n "$found" ] && pass || fail "no counters where there is a $what"
	rm -rf shunt elsewhere "shunt-$(id -u)" $found
done

# inetd's client has the socket that is 0, 1 and 2: it reads no word of ours
cat >client.py <<'END'
import os, socket, subprocess, sys
near, far = socket.socketpair()
environment = {**os.environ, "SHUNT_CONF": "nonsense:1,confirm:true,report:stderr"}
for preload, words in (os.environ["LIBSHUNT"], []), ("", [os.environ["SHUNT"], "run", "-v"]):
    environment["LD_PRELOAD"] = preload
    subprocess.run([*words, "echo", "served"], stdin=far, stdout=far, stderr=far, env=environment)
far.close()
while data := near.recv(65536):
    sys.stdout.buffer.write(data)
END
if command -v python3 >/dev/null; then
	run 0 env SHUNT="$SHUNT" LIBSHUNT="$LIBSHUNT" python3 client.py
	[ "$(sort -u out)" = served ] && pass || fail "the client read $(cat out)"
fi

# names that are taken already, by whatever: another name is found, nothing is written there
cat >planted.py <<'END'
import os, subprocess, sys
# the name of its file is known before it counts: it waits for a byte
environment = {**os.environ, "XDG_RUNTIME_DIR": os.getcwd(), "LD_PRELOAD": os.environ["LIBSHUNT"]}
child = subprocess.Popen(["sh", "-c", "read x; exec ./copy"], stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, env=environment)
ticks = open(f"/proc/{child.pid}/stat").read().rsplit(") ", 1)[1].split()[19]
os.mkdir("shunt", 0o700)
os.symlink("../victim", f"shunt/{child.pid}-{ticks}.shunt")
os.mkfifo(f"shunt/{child.pid}-{ticks}-2.shunt")
os.mkdir(f"shunt/{child.pid}-{ticks}-3.shunt")
child.stdin.write(b"\n")
child.stdin.close()
sys.exit(child.wait())
END
if command -v python3 >/dev/null; then
	run 0 timeout 20 python3 planted.py
	[ "$(cat victim)" = victim ] && pass || fail 'a planted link was followed'
	ls shunt | grep -q -e '-4\.shunt$' && pass || fail "no counters beside what was planted: $(ls shunt)"
	rm -rf shunt
fi

if [ "$(id -u)" != 0 ]; then
	echo 'without other users, which only root has'
	finish
fi
chmod 755 "$work"

# a program with more rights than who calls it believes nothing of the environment
mkdir runtime
chmod 1777 runtime
cp "$LIBSHUNT" libshunt.so
chmod 755 libshunt.so
${CC:-cc} -o linked copy.c -Wl,--no-as-needed "$work/libshunt.so" -Wl,-rpath,"$work" 2>/dev/null
run 0 env SHUNT_CONF="report:$work/told" ./linked
run 0 env RUNTIME_DIRECTORY="$work/runtime" ./linked
if [ -e told ] && [ -n "$(ls runtime)" ]; then
	pass
	rm -rf told runtime/* shunt-0
	chown 65534 linked
	chmod 4755 linked
	for variable in "SHUNT_CONF=report:$work/runtime/told" "RUNTIME_DIRECTORY=$work/runtime" \
		"XDG_RUNTIME_DIR=$work/runtime" "TMPDIR=$work/runtime"; do
		run 0 env "$variable" ./linked
		[ -z "$(ls runtime)" ] && pass || fail "a setuid program heeds $variable"
		rm -rf /run/shunt/"$(cat out)"-*.shunt /tmp/shunt-65534/"$(cat out)"-*.shunt runtime/*
	done
	rmdir /tmp/shunt-65534 2>/dev/null
else
	fail 'a program that is linked with the library reports nothing'
fi

# a process with mounts of its own, as systemd's PrivateTmp makes them: its file, not what lies here
mkdir here there
if unshare -m mount --bind there here 2>/dev/null; then
	XDG_RUNTIME_DIR=$work/here LD_PRELOAD=$LIBSHUNT unshare -m \
		sh -c 'mount --bind there here && exec ./copy k' >pid &
	n=0
	until [ -s pid ] || [ $n -ge 100 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	mkdir -p here/shunt
	for file in there/shunt/"$!"-*; do
		"$make_counters" "here/${file#there/}" pid=$! root=$! program=liar
	done
	run 0 "$SHUNT" report $!
	has out "copy[$!]"; has out 'still running'; lacks out liar
	kill $!
	wait $! 2>/dev/null
fi

# the files of a stranger, in a directory that all may write to, under the name of root's process
mkdir shared
chmod 1777 shared
export SHUNT_CONF="stats:$work/shared"
ticks=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
"$make_counters" "shared/$$-$ticks.shunt" pid=$$ root=$$ ended=0 finished=0 ticks="$ticks" program=liar
chown 65534 "shared/$$-$ticks.shunt"
run 1 "$SHUNT" report $$
has err "$$: no counters"
"$make_counters" shared/4194303-77.shunt pid=4194303 root=4194303 program=liar
chown 65534 shared/4194303-77.shunt
run 1 "$SHUNT" report 4194303
# by its own name it is told of
run 0 "$SHUNT" report shared/4194303-77.shunt
has out 'liar['
# a true one, and a stranger's that says it is of the same family
"$make_counters" "shared/$$-$ticks-2.shunt" pid=$$ root=$$ ended=0 finished=0 ticks="$ticks" program=honest
"$make_counters" shared/4194302-7.shunt pid=4194302 parent=$$ root=$$ program=liar bytes=99999999999
chown 65534 shared/4194302-7.shunt
run 0 "$SHUNT" report $$
has out 'honest['; has out '1 process,'; lacks out '93.1 GiB'
chown 0 shared/4194302-7.shunt
run 0 "$SHUNT" report $$
has out '2 processes,'
finish
