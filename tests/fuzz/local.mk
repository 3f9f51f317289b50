# Random programs, plain and under shunt: tests/fuzz/fuzz runs them, tests/fuzz/same is the suite.
fuzz_shared = tests/fuzz/program.c tests/fuzz/program.h
check_PROGRAMS += tests/fuzz/interpreter tests/fuzz/fuzz
tests_fuzz_interpreter_SOURCES = $(fuzz_shared) tests/fuzz/vm.h tests/fuzz/interpreter.c \
	tests/fuzz/op_action.c tests/fuzz/op_crowd.c tests/fuzz/op_edge.c tests/fuzz/op_file.c tests/fuzz/op_memory.c tests/fuzz/op_process.c \
	tests/fuzz/op_read.c tests/fuzz/op_remap.c tests/fuzz/op_result.c tests/fuzz/op_until.c \
	tests/fuzz/op_signal.c tests/fuzz/op_stalled.c tests/fuzz/op_thread.c tests/fuzz/op_write.c
tests_fuzz_interpreter_LDADD = -lpthread
tests_fuzz_fuzz_SOURCES = $(fuzz_shared) tests/fuzz/fuzz.h tests/fuzz/compare.c tests/fuzz/files.c \
	tests/fuzz/fuzz.c tests/fuzz/generate.c tests/fuzz/peer.c tests/fuzz/run.c \
	tests/fuzz/settings.c tests/fuzz/shrink.c
test_scripts += tests/fuzz/same

# What reads the text and the files of others: over a corpus, and with libFuzzer (tests/fuzz/parsers).
parse_shared = tests/fuzz/parse.h tests/fuzz/parse_main.c tests/fuzz/parse_forms.c \
	tests/fuzz/parse_forms.h src/config.c src/format.c src/prim_gate.c src/stats_words.c src/verdict.c
check_PROGRAMS += tests/fuzz/parse_config tests/fuzz/parse_counters
tests_fuzz_parse_config_SOURCES = tests/fuzz/parse_config.c $(parse_shared)
tests_fuzz_parse_counters_SOURCES = tests/fuzz/parse_counters.c $(parse_shared) \
	src/report_walk.c src/report_text.c src/report_json.c src/stats_table.c \
	tools/counters.c tools/families.c tools/out.c tools/out_csv.c tools/out_html.c \
	tools/out_prometheus.c tools/complain.c
tests_fuzz_parse_counters_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(top_srcdir)/tools
test_scripts += tests/fuzz/parsers
EXTRA_DIST += tests/fuzz/corpus

# `make fuzz FUZZFLAGS="-t 3600 -j 2"`: as long as one likes; no part of check.
fuzz: tests/fuzz/fuzz$(EXEEXT) tests/fuzz/interpreter$(EXEEXT) src/libshunt.la
	tests/fuzz/fuzz -i tests/fuzz/interpreter -l $(abs_top_builddir)/src/.libs/libshunt.so \
		-S 1000000 -t 600 -j 2 $(FUZZFLAGS)
.PHONY: fuzz

# `make fuzz-parsers EACH=3600 KEEP=DIRECTORY`: seconds for each (600), and where finds are kept
fuzz-parsers: tests/fuzz/parse_config$(EXEEXT) tests/fuzz/parse_counters$(EXEEXT)
	srcdir='$(srcdir)' builddir=. $(top_srcdir)/tests/fuzz/parsers $${EACH:-600} $(KEEP)
.PHONY: fuzz-parsers
