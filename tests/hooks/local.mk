# The table of hooks: against libc, against the library, and each row at a protected page.
check_PROGRAMS += tests/hooks/table tests/hooks/next tests/hooks/open tests/hooks/memory
TESTS += tests/hooks/table tests/hooks/next tests/hooks/open tests/hooks/memory tests/hooks/exports.sh \
	tests/hooks/runpath.sh tests/hooks/sysv.sh
EXTRA_DIST += tests/hooks/exports.sh tests/hooks/runpath.sh tests/hooks/sysv.sh \
	tests/hooks/compiled.sh

hooks_double = tests/hooks/double.c tests/hooks/double.h src/prim_gate.c src/copy.c
hooks_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/hooks

tests_hooks_table_SOURCES = tests/hooks/table.c
tests_hooks_table_LDADD = -ldl

tests_hooks_next_SOURCES = tests/hooks/next.c src/resolve.c src/symbols.c src/symbols.h
tests_hooks_next_LDADD = -ldl

tests_hooks_open_SOURCES = tests/hooks/open.c tests/hooks/open_cases.def src/hook_ipc.c src/hook_open.c \
	$(hooks_double)
tests_hooks_open_CPPFLAGS = $(hooks_cppflags)
tests_hooks_open_LDADD = -ldl

tests_hooks_memory_SOURCES = tests/hooks/memory.c src/hook_memory.c src/hook_open.c \
	src/jump.S $(hooks_double)
tests_hooks_memory_CPPFLAGS = $(hooks_cppflags)
tests_hooks_memory_LDADD = -ldl
