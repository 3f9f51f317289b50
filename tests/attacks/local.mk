# What may land and what may not: a loop, and a runner that makes the circumstances.
check_PROGRAMS += tests/attacks/serve
tests_attacks_serve_SOURCES = tests/attacks/serve.c
tests_attacks_serve_LDADD = -lpthread
test_scripts += tests/attacks/run
EXTRA_DIST += tests/attacks/auditor.c tests/attacks/walker.c
