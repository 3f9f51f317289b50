# ---- tests/command: the command, its forms of report, and the documents against the tables ----
check_PROGRAMS += tests/command/counters
tests_command_counters_SOURCES = tests/command/counters.c src/stats.h src/verdict.h
test_scripts += tests/command/test_run.sh tests/command/test_report.sh \
	tests/command/test_check.sh tests/command/test_docs.py \
	tests/command/test_family.sh tests/command/test_others.sh
EXTRA_DIST += tests/command/common.sh
