# The unit tests: a cmocka program for each part that can be tested without a server.
# No flags of their own, so that they share their objects.
unit_programs = tests/unit/test_choice tests/unit/test_config tests/unit/test_engine \
	tests/unit/test_joint tests/unit/test_landing tests/unit/test_mapping tests/unit/test_meter tests/unit/test_pair \
	tests/unit/test_pipes tests/unit/test_races \
	tests/unit/test_report tests/unit/test_segment tests/unit/test_sig tests/unit/test_stats \
	tests/unit/test_tally tests/unit/test_verdict

unit_words = src/config.c src/config.h src/verdict.c src/verdict.h src/stats_words.c src/stats.h
unit_report = src/format.c src/format.h src/prim_gate.c src/report.h src/report_walk.c src/report_walk.h \
	src/report_text.c src/report_json.c

# Landings with what they are read by and filled from; lazy.c has doubles for the rest.
unit_landing = tests/unit/lazy.c tests/unit/lazy.h src/arena.c src/choice.c src/config.c \
	src/copy.c src/fault.c src/fd.c src/fill.c src/remap.c src/filter.c src/format.c src/immutable.c \
	src/land.c src/landing.c src/lease.c src/mapping.c src/maps.c src/meter.c \
	src/pipes.c src/prim.c src/prim_gate.c src/site.c src/source.c src/stdio_files.c src/stream.c

tests_unit_test_choice_SOURCES = tests/unit/test_choice.c src/choice.c
tests_unit_test_choice_LDADD = $(CMOCKA_LIBS) -lpthread

tests_unit_test_meter_SOURCES = tests/unit/test_meter.c $(unit_landing)
tests_unit_test_meter_LDADD = $(CMOCKA_LIBS)

tests_unit_test_config_SOURCES = tests/unit/test_config.c src/config.c src/config.h
tests_unit_test_config_LDADD = $(CMOCKA_LIBS)

tests_unit_test_engine_SOURCES = tests/unit/test_engine.c src/engine_sendfile.c src/prim.c \
	src/prim_gate.c
tests_unit_test_engine_LDADD = $(CMOCKA_LIBS)

tests_unit_test_joint_SOURCES = tests/unit/test_joint.c $(unit_landing) src/joint.c
tests_unit_test_joint_LDADD = $(CMOCKA_LIBS)

tests_unit_test_mapping_SOURCES = tests/unit/test_mapping.c $(unit_landing) src/segment.c
tests_unit_test_mapping_LDADD = $(CMOCKA_LIBS)

tests_unit_test_landing_SOURCES = tests/unit/test_landing.c $(unit_landing)
tests_unit_test_landing_LDADD = $(CMOCKA_LIBS)

tests_unit_test_pair_SOURCES = tests/unit/test_pair.c src/arena.c src/fd.c src/filter.c src/format.c src/pair.c \
	src/prim.c src/prim_gate.c
tests_unit_test_pair_LDADD = $(CMOCKA_LIBS)

tests_unit_test_pipes_SOURCES = tests/unit/test_pipes.c $(unit_landing)
tests_unit_test_pipes_LDADD = $(CMOCKA_LIBS)

tests_unit_test_races_SOURCES = tests/unit/test_races.c $(unit_landing) src/segment.c \
	src/report_walk.c src/stats_table.c
tests_unit_test_races_LDADD = $(CMOCKA_LIBS) -lpthread

tests_unit_test_report_SOURCES = tests/unit/test_report.c $(unit_words) $(unit_report)
tests_unit_test_report_LDADD = $(CMOCKA_LIBS)

tests_unit_test_segment_SOURCES = tests/unit/test_segment.c $(unit_landing) src/segment.c
tests_unit_test_segment_LDADD = $(CMOCKA_LIBS)

tests_unit_test_sig_SOURCES = tests/unit/test_sig.c src/sig.c src/sig_late.c src/sig_mask.c src/sig_stack.c \
	src/prim_gate.c src/tally.c src/thread.c
tests_unit_test_sig_LDADD = $(CMOCKA_LIBS) -lpthread

tests_unit_test_stats_SOURCES = tests/unit/test_stats.c $(unit_words) $(unit_report) \
	src/choice.c src/stats.c src/stats_file.c src/stats_table.c src/stats_family.c \
	src/report_path.c src/report_end.c src/unwind.c src/symbols.c src/prim.c src/filter.c
tests_unit_test_stats_LDADD = $(CMOCKA_LIBS)
tests_unit_test_stats_LDFLAGS = -export-dynamic

tests_unit_test_tally_SOURCES = tests/unit/test_tally.c src/tally.c
tests_unit_test_tally_LDADD = $(CMOCKA_LIBS) -lpthread

tests_unit_test_verdict_SOURCES = tests/unit/test_verdict.c src/config.c src/site.c src/verdict.c
tests_unit_test_verdict_LDADD = $(CMOCKA_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
else
TESTS += tests/unit/none
endif
EXTRA_DIST += tests/unit/none

# What tests/sanitizers/run builds.
unit-programs: $(unit_programs)
.PHONY: unit-programs
