# SPDX-License-Identifier: MIT
# compiled.sh - what the tests begin with that compile a program: included, with their arguments. Sets
# library, cc and work, a directory that goes at the end; try counts in passed and failed.
set -u
library=${1:-src/.libs/libshunt.so}
case $library in /*) ;; *) library=$PWD/$library ;; esac
cc=${CC:-cc}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

command -v "${cc%% *}" >/dev/null || { echo "${0##*/}: no C compiler"; exit 77; }

passed=0 failed=0
try() { # WHAT COMMAND...
	what=$1
	shift
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $what"; fi
}
