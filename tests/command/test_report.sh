#!/bin/sh
# SPDX-License-Identifier: MIT
# shunt report: every form, families, process ids, and files that nobody should trust.
. "${srcdir:-.}/tests/command/common.sh"
make_counters=${COUNTERS:-$top_builddir/tests/command/counters}
[ -x "$make_counters" ] || { echo "no $make_counters"; exit 77; }
counters()
{
	"$make_counters" "$@" || fail "counters $*"
}
export TMPDIR=$work
unset RUNTIME_DIRECTORY XDG_RUNTIME_DIR

counters a.shunt
run 0 "$SHUNT" report a.shunt
has out 'server[4711]'; has out '1.0 GiB'; has out 'looked-at'; has out 'serve_file+0x4e'
has out '1 process, ended: exit'; lines err 0
run 0 "$SHUNT" report -v a.shunt
has out 'looked-at: the program reads or changes the data between read and write'
run 0 "$SHUNT" report -n 1 a.shunt
has out 'more'
# sorted by looks or bytes: the order of the rows
run 0 "$SHUNT" report -f csv -n 1 a.shunt
has out '"sendfile"'; lacks out '"looked-at"'; lines out 2
run 0 "$SHUNT" report -f csv -n 0 -s bytes a.shunt
lines out 3; has out 'example_sink'; has out '"looked-at"'

# a row that was rewritten as a whole has no reason, in no form
counters whole.shunt limit=7
for form in text csv html; do
	run 0 "$SHUNT" report -n 1 -f $form whole.shunt
	grep sendfile out | grep -q limit && fail "$form has a reason where there is none" || pass
done
# what mode:observe would have done was not done; and what cost more is not told as nothing saved
counters observe.shunt observe=1
counters more.shunt calls=-42
for form in text html; do
	run 0 "$SHUNT" report -f $form observe.shunt
	has out 'would go without a copy'; lacks out saved
	run 0 "$SHUNT" report -f $form more.shunt
	has out 'saved: '; has out '43 more system calls made'
done
run 0 "$SHUNT" report -f csv observe.shunt
has out ',observe'; has out ',true'; lacks out ',false'
run 0 "$SHUNT" report -f prometheus observe.shunt
[ "$(grep -v '^#' out | grep -vc 'observe="true"')" = 0 ] && pass || fail 'observe is not told'
run 0 "$SHUNT" report -f prometheus a.shunt
lacks out observe

# wrong use
run 2 "$SHUNT" report
lines err 1
run 2 "$SHUNT" report -f xml a.shunt
has err 'accepted: text, json, csv, prometheus, html'; lines err 1
run 2 "$SHUNT" report -s size a.shunt
has err 'accepted: bytes, chunks, rewritten, looks'; lines err 1
run 2 "$SHUNT" report -n x a.shunt
lines err 1
run 2 "$SHUNT" report --nonsense a.shunt
lines err 1
run 0 "$SHUNT" report --help
lines err 0

# files that are none: one line each, and the good ones are still told
echo nonsense >text.shunt
: >empty.shunt
head -c 1000 a.shunt >short.shunt
counters layout.shunt layout=99
ln -s a.shunt link.shunt
mkfifo fifo.shunt
mkdir dir.shunt
run 1 "$SHUNT" report nothing.shunt
has err 'nothing.shunt: No such file'; lines err 1
for f in text empty short layout link fifo dir; do
	run 1 timeout 10 "$SHUNT" report $f.shunt
	has err "$f.shunt: "; lines err 1; lines out 0
done
run 1 "$SHUNT" report empty.shunt
has err 'empty: its process ended before it counted anything'
run 1 "$SHUNT" report short.shunt a.shunt
has out 'server[4711]'; has err 'short.shunt'; lines err 1
# random bytes behind a good beginning, in every form; nothing may crash or upset a terminal
counters hostile.shunt hostile=1
counters noise.shunt
dd if=/dev/urandom of=noise.shunt bs=1 seek=1000 count=20000 conv=notrunc 2>/dev/null
counters evil.shunt program='<b>"x",&' symbol="$(printf 'a\033[31m"<i>\\')" example='/srv/"q"<s>'
for f in hostile noise evil; do
	for form in text json csv prometheus html; do
		run 0 timeout 20 "$SHUNT" report -n 0 -f $form $f.shunt
		LC_ALL=C tr -d '\012\015\040-\176\200-\377' <out | grep -q . &&
			fail "control characters in $form of $f" || pass
	done
done
run 0 "$SHUNT" report -f html evil.shunt
lacks out '<b>'; lacks out '<i>'; has out '&lt;b&gt;'; lacks out '<script'
run 0 "$SHUNT" report -f csv evil.shunt
has out '"<b>""x"",&"'
run 0 "$SHUNT" report -f prometheus evil.shunt
has out 'program="<b>\"x\",&"'; has out '\"<i>\\'

# families: same root, or same program, are one table; JSON and CSV keep them apart
counters c1.shunt pid=4712 parent=4711 program=worker bytes=2147483648
counters c2.shunt pid=5000 root=5000 started=1700000001000000000
counters other.shunt pid=6000 root=6000 program=unlike
run 0 "$SHUNT" report c1.shunt other.shunt c2.shunt a.shunt
[ "$(grep -c '^shunt ' out)" = 2 ] || fail "not two families"
has out 'server[4711]'; has out 'unlike[6000]'; has out '4.0 GiB'; has out '3 processes'
run 0 "$SHUNT" report -f json c1.shunt other.shunt c2.shunt a.shunt a.shunt
lines out 4
run 0 "$SHUNT" report -f html c1.shunt other.shunt a.shunt
[ "$(grep -c '<h2>' out)" = 2 ] || fail "not two families in HTML"

# many files, which are mostly holes: what they do not hold takes up no memory
mkdir many
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	cp --sparse=always a.shunt many/$i-1.shunt
done
if [ "$(stat -c %b many/1-1.shunt)" -lt 200 ] && command -v python3 >/dev/null; then
	run 0 python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print("used", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' "$SHUNT" report many/*
	[ "$(sed -n 's/^used //p' out)" -lt 50000 ] && pass || fail "300 files: $(tail -n 1 out) KiB"
fi

# more places than a table holds: the last row is of all that are left, and names none of them
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	counters many/$i-2.shunt offset=$((4096 * i)) pid=$i bytes=131072
done
run 0 "$SHUNT" report -n 0 many/*-2.shunt
[ "$(grep -c -e ' -> ' out)" = 513 ] && pass || fail "$(grep -c -e ' -> ' out) rows"
[ "$(grep -c 'unknown -> unknown .* \.\.\. -> \.\.\.' out)" = 1 ] && pass || fail 'the rest has a name'

# a process id: in the directory of the setting, with its children; the newest, or the living one
mkdir live "shunt-$(id -u)"
run 1 "$SHUNT" report 4711
has err '4711: no counters'; lines err 1
for word in '' 0 2147483648 99999999999999999999; do
	run 1 "$SHUNT" report "$word"
	has err "shunt: report: $word: "; lines err 1
done
cp a.shunt "shunt-$(id -u)/4711-100.shunt"
cp c1.shunt "shunt-$(id -u)/4712-101.shunt"
counters "shunt-$(id -u)/4711-100-family.shunt" bytes=1
counters "shunt-$(id -u)/4713-102.shunt" pid=4713 parent=4711 reported=1
run 0 "$SHUNT" report 4711
has out ' 2 processes (with children that ended), the first ended: exit'; has out '3.0 GiB'
run 0 "$SHUNT" report -f html 4711
has out '; 2 processes (with children that ended), the first ended: exit<'
run 0 "$SHUNT" report 4712
has out '1 process,'; has out 'worker[4712]'
counters again.shunt started=1700000000001000000
run 0 "$SHUNT" report -f prometheus 4711 again.shunt
grep -v '^#' out | sed 's/} .*/}/' | sort | uniq -d >twice
[ -s twice ] && fail "samples with the same labels: $(head -n 1 twice)"
sed -n 's/^\([a-z_]*\){.*/\1/p' out | uniq | sort | uniq -d >apart
[ -s apart ] && fail "samples of a metric are not together: $(head -n 1 apart)"
# what stands in a report is taken away by the command, but not where all files were asked for
[ -e "shunt-$(id -u)/4713-102.shunt" ] && fail 'what was reported is still there'
counters "shunt-$(id -u)/4713-102.shunt" pid=4713 parent=4711 reported=1
run 0 env SHUNT_CONF="stats:$work/shunt-$(id -u)" "$SHUNT" report 4711
has out ' 3 processes (with'
[ -e "shunt-$(id -u)/4713-102.shunt" ] || fail 'a file that was asked for is gone'
run 1 env SHUNT_CONF="stats:$work/live" "$SHUNT" report 4711
chmod 700 live
ticks=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f20)
counters "live/$$-$ticks.shunt" pid=$$ root=$$ ended=0 finished=0 ticks="$ticks" program=living
counters "live/$$-5.shunt" pid=$$ root=$$ ended=0 finished=0 ticks=5 program=elder
touch -d '2038-01-01' "live/$$-5.shunt"
run 0 env SHUNT_CONF="stats:$work/live" "$SHUNT" report $$
has out "living[$$]"; has out 'still running'
mkdir before && chmod 700 before && cp "live/$$-5.shunt" before/
run 1 env SHUNT_CONF="stats:$work/before" "$SHUNT" report $$
has err "$$: no counters"
run 0 "$SHUNT" report -f csv "live/$$-5.shunt"
has out ',unknown,'
run 0 "$SHUNT" report -f csv "live/$$-$ticks.shunt"
has out ',running,'

# file and line, where debug information is there and the module is older than the process
cat >lines.c <<'END'
void callee(void) {}
void caller(void)
{
	callee();
}
int main(void) { caller(); return 0; }
END
if ${CC:-cc} -g -O0 -o lines lines.c 2>/dev/null && command -v objdump >/dev/null &&
	ldd "$SHUNT" | grep -q libdw; then
	# where the call of callee returns to
	back=$(objdump -d --no-show-raw-insn lines | awk '/<caller>:/ { on = 1 }
		on && seen { sub(":", "", $1); print "0x" $1; exit } on && /<callee>/ { seen = 1 }')
	counters l.shunt module="$work/lines" offset="$back" started=2000000000000000000
	run 0 "$SHUNT" report l.shunt
	has out '(lines.c:4)'
	counters l.shunt module="$work/lines" offset="$back"
	run 0 "$SHUNT" report l.shunt
	lacks out 'lines.c'
	counters l.shunt module="$work/lines" offset="$back" started=2000000000000000000
	# what debug information names beside a module may be a pipe, and a stranger's anything
	if [ "$(id -u)" = 0 ]; then
		chown 65534 lines
		run 0 "$SHUNT" report l.shunt
		lacks out 'lines.c'
		chown 0 lines
	fi
	if objcopy --only-keep-debug lines x.debug && objcopy -g --remove-section .note.gnu.build-id \
		--add-gnu-debuglink=x.debug lines; then
		rm x.debug
		mkfifo x.debug
		run 0 timeout 10 "$SHUNT" report l.shunt
	fi
	rm lines && mkfifo lines
	counters l.shunt module="$work/lines" offset="$back" started=2000000000000000000
	run 0 timeout 10 "$SHUNT" report l.shunt
fi

# the schema that lies beside the man pages is that of the JSON
if python3 -c 'import jsonschema' 2>/dev/null; then
	for f in a hostile evil c1; do
		run 0 "$SHUNT" report -f json $f.shunt
		cp out $f.json
		run 0 python3 -c 'import json, sys, jsonschema
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))' \
			$f.json "$top_srcdir/doc/shunt-report.schema.json"
	done
fi
# an output that takes nothing
run 1 sh -c '"$0" report a.shunt >/dev/full' "$SHUNT"
has err 'No space left'; lines err 1
finish
