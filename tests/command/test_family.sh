#!/bin/sh
# SPDX-License-Identifier: MIT
# Who reports: the process that shunt run became, with its forked children; of the programs
# that those started each that found something; nobody else.
. "${srcdir:-.}/tests/command/common.sh"
[ -r "$LIBSHUNT" ] || { echo "LIBSHUNT does not name the library"; exit 77; }
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
export SHUNT_LIB=$LIBSHUNT RUNTIME_DIRECTORY=$work/counters
mkdir counters

cat >copy.py <<'END'
"""copy.py COUNT: that many forked children, one after the other, each copy 8 chunks; 0: it copies itself."""
import os, signal, socket, sys

def copy():
    a, b = socket.socketpair()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    fd = os.open("data", os.O_RDONLY)
    for _ in range(8):
        os.write(b.fileno(), os.read(fd, 16384))

count = int(sys.argv[1])
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        if len(sys.argv) > 2:
            os.chroot(sys.argv[2]) if os.geteuid() == 0 else None
        os.chdir("/") if len(sys.argv) > 2 else None
        copy() if len(sys.argv) < 3 else None
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
if count == 0:
    copy()
END
head -c 131072 /dev/zero >data

headings()
{
	grep -c '^shunt [^ ]*: ' err
}

# what run became found nothing and says so; what it started and found nothing is silent
run 0 "$SHUNT" run sh -c 'true; env true; :'
[ "$(headings)" = 1 ] || fail "$(headings) reports of one sh"
has err ': sh['; has err 'nothing found'; lacks err 'true['; lacks err 'env['

# what it started and found something has a report of its own
run 0 "$SHUNT" run sh -c 'true; python3 copy.py 0; true'
[ "$(headings)" = 2 ] || fail "$(headings) reports of sh and python3"
has err ': python3['; has err '128.0 KiB seen'; has err ': sh['; lacks err 'true['

# with its forked children, as one
run 0 "$SHUNT" run sh -c 'true; python3 copy.py 5; true'
[ "$(headings)" = 2 ] || fail "$(headings) reports of sh and python3 with children"
has err ': python3['; has err '640.0 KiB seen'

# forked children are summed up by what run became
run 0 "$SHUNT" run python3 copy.py 5
[ "$(headings)" = 1 ] || fail "$(headings) reports of one family"
has err '640.0 KiB seen'; has err ' 40 '

# mode:observe does nothing, and does not say that it would save nothing
run 0 "$SHUNT" run -m observe --conf source:trust,learn:1,min:4k python3 copy.py 0
has err 'would go without a copy'; lacks err 'no copies'

# the same process, after an exec: still what run became
run 0 "$SHUNT" run sh -c 'exec env true'
[ "$(headings)" = 1 ] || fail "$(headings) reports of a process that became another"
has err ': true['; has err 'nothing found'

# a run within a run is one of its own
run 0 "$SHUNT" run sh -c "'$SHUNT' run true; true"
[ "$(grep -c 'nothing found' err)" = 2 ] || fail 'a run within a run'

# without run there is no first one: each is
run 0 env LD_PRELOAD="$LIBSHUNT" SHUNT_CONF=report:stderr sh -c 'env true; :'
has err ': sh['; has err ': true['

# JSON is one object a process, as ever
run 0 "$SHUNT" run -f json sh -c 'env true; :'
[ "$(grep -c '"tool":"shunt"' err)" = 2 ] || fail 'JSON is one object a program'

# nothing is left behind, also by children that lost their rights and then counted nothing
[ -z "$(ls -A counters)" ] || fail "counters are left: $(ls counters)"
mkdir empty
run 0 env LD_PRELOAD="$LIBSHUNT" python3 copy.py 5 empty
[ -z "$(ls -A counters)" ] || fail "empty counters are left: $(ls counters)"

# where nobody asked for a report, the counts stay: of five children in one file
run 0 env LD_PRELOAD="$LIBSHUNT" python3 copy.py 5
lines err 0
[ "$(ls counters | wc -l)" = 1 ] || fail "not one file of a family: $(ls counters)"
run 0 "$SHUNT" report counters/*
has out '640.0 KiB seen'
# somebody empties the file of a process that has landed nothing yet: it goes on
cat >emptied.py <<'END'
import glob, os
exec(open("copy.py").read().split("count =")[0])
copy()
found = glob.glob("counters/%d-*" % os.getpid())
for path in found:
    os.truncate(path, 0)
copy()
print(len(found), "emptied")
END
run 0 env LD_PRELOAD="$LIBSHUNT" SHUNT_CONF=min:1m python3 emptied.py
has out '1 emptied'

# what shunt run starts first takes away what others have left and a report has told
"${COUNTERS:-$top_builddir/tests/command/counters}" counters/4194303-1.shunt reported=1
run 0 "$SHUNT" run -q true
[ -e counters/4194303-1.shunt ] && fail 'what was reported is still there after shunt run'
finish
