# Random programs, plain and under shunt: tests/fuzz/fuzz runs them, tests/fuzz/same is the suite.
fuzz_shared = tests/fuzz/program.c tests/fuzz/program.h
check_PROGRAMS += tests/fuzz/interpreter tests/fuzz/fuzz
tests_fuzz_interpreter_SOURCES = $(fuzz_shared) tests/fuzz/vm.h tests/fuzz/interpreter.c \
	tests/fuzz/op_crowd.c tests/fuzz/op_file.c tests/fuzz/op_memory.c tests/fuzz/op_process.c \
	tests/fuzz/op_read.c \
	tests/fuzz/op_signal.c tests/fuzz/op_stalled.c tests/fuzz/op_thread.c tests/fuzz/op_write.c
tests_fuzz_interpreter_LDADD = -lpthread
tests_fuzz_fuzz_SOURCES = $(fuzz_shared) tests/fuzz/fuzz.h tests/fuzz/compare.c tests/fuzz/files.c \
	tests/fuzz/fuzz.c tests/fuzz/generate.c tests/fuzz/peer.c tests/fuzz/run.c \
	tests/fuzz/settings.c tests/fuzz/shrink.c
test_scripts += tests/fuzz/same

# `make fuzz FUZZFLAGS="-t 3600 -j 2"`: as long as one likes; no part of check.
fuzz: tests/fuzz/fuzz$(EXEEXT) tests/fuzz/interpreter$(EXEEXT) src/libshunt.la
	tests/fuzz/fuzz -i tests/fuzz/interpreter -l $(abs_top_builddir)/src/.libs/libshunt.so \
		-S 1000000 -t 600 -j 2 $(FUZZFLAGS)
.PHONY: fuzz
