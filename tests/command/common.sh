# SPDX-License-Identifier: MIT
# common.sh - sourced by the tests of the command. The last line is "N passed, N failed".
# SHUNT is the command; a test starts in an empty directory of its own.

top_srcdir=$(cd "${srcdir:-.}" && pwd)
top_builddir=${builddir:-$(pwd)}
SHUNT=${SHUNT:-$top_builddir/tools/shunt}
[ -x "$SHUNT" ] || { echo "no command at $SHUNT"; exit 77; }
unset SHUNT_CONF LD_PRELOAD NO_COLOR
export LC_ALL=C
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
passed=0 failures=0

pass()
{
	passed=$((passed + 1))
}

fail()
{
	failures=$((failures + 1))
	echo "FAILED: $*"
}

# run STATUS COMMAND...: its output is in $work/out and $work/err
run()
{
	wanted=$1
	shift
	"$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	[ "$got" = "$wanted" ] && pass || { fail "status $got, not $wanted: $*"; cat "$work/err"; }
}

# has FILE TEXT, lacks FILE TEXT: a fixed string
has()
{
	grep -qF -e "$2" "$work/$1" && pass || { fail "$1 lacks '$2'"; cat "$work/$1"; }
}

lacks()
{
	! grep -qF -e "$2" "$work/$1" && pass || { fail "$1 has '$2'"; cat "$work/$1"; }
}

# lines FILE COUNT
lines()
{
	n=$(wc -l <"$work/$1")
	[ "$n" -eq "$2" ] && pass || { fail "$1 has $n lines, not $2"; cat "$work/$1"; }
}

finish()
{
	echo "$passed passed, $failures failed"
	[ "$passed" -gt 0 ] && [ "$failures" -eq 0 ]
	exit
}
