# hooks.def -> a linker version script that exports the hooks and nothing else
BEGIN { print "{\nglobal:" }
/^HOOK[A-Z_]*\(/ {
	sub(/^[^(]*\(/, "")
	split($0, f, ",")
	name = f[2]
	gsub(/[ \t]/, "", name)
	print "\t" name ";"
}
END { print "local:\n\t*;\n};" }
