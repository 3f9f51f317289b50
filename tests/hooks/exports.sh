#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh - libshunt.so exports the rows of hooks.def, and nothing else.
#	exports.sh TABLE LIBRARY	TABLE is the program made from table.c
set -u
table=${1:-tests/hooks/table}
library=${2:-src/.libs/libshunt.so}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

command -v nm >/dev/null || { echo "exports.sh: no nm"; exit 77; }
"$table" --list | LC_ALL=C sort >"$work/rows" || exit 1
nm -D --defined-only "$library" >"$work/nm" || exit 1
awk '{ print $NF }' "$work/nm" | LC_ALL=C sort >"$work/exports"
[ -s "$work/rows" ] || { echo "FAILED: no rows"; exit 1; }
if diff "$work/rows" "$work/exports" >"$work/diff"; then
	echo "$(wc -l <"$work/rows") passed, 0 failed"
else
	sed -n 's/^< /FAILED: not exported: /p; s/^> /FAILED: exported, but no row: /p' "$work/diff"
	echo "0 passed, $(grep -c '^[<>]' "$work/diff") failed"
	exit 1
fi
