# ---- tests/faults: each system call of shunt's own fails in turn ----
# The library with its calls by way of plan.c. Nothing is inlined but what says so: a place is a function's.
check_LTLIBRARIES += tests/faults/libfaults.la
tests_faults_libfaults_la_SOURCES = $(src_libshunt_la_SOURCES) tests/faults/plan.c tests/faults/plan.h
tests_faults_libfaults_la_CFLAGS = $(src_libshunt_la_CFLAGS) -DSHUNT_FAULTS -fno-inline \
	-Dinline='inline __attribute__((always_inline))'
tests_faults_libfaults_la_LDFLAGS = $(src_libshunt_la_LDFLAGS) -rpath /nowhere
tests_faults_libfaults_la_DEPENDENCIES = src/libshunt.map

check_PROGRAMS += tests/faults/faults
tests_faults_faults_SOURCES = tests/faults/faults.c tests/faults/table.c tests/faults/table.h \
	tests/faults/plan.h $(fuzz_shared) tests/fuzz/fuzz.h tests/fuzz/compare.c tests/fuzz/files.c \
	tests/fuzz/generate.c tests/fuzz/peer.c tests/fuzz/run.c
tests_faults_faults_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/fuzz
test_scripts += tests/faults/run

# `make faults FAULTSFLAGS="-t 3600"`: all calls of all places; no part of check.
faults: tests/faults/faults$(EXEEXT) tests/faults/libfaults.la tests/fuzz/interpreter$(EXEEXT)
	tests/faults/faults -i tests/fuzz/interpreter -l tests/faults/.libs/libfaults.so \
		-S 1 -t 3600 -j 2 -a $(FAULTSFLAGS)
.PHONY: faults
