# The unit tests: a cmocka program for each part that can be tested without a server.
# No flags of their own, so that they share their objects.
unit_programs = tests/unit/test_config tests/unit/test_report tests/unit/test_stats

unit_words = src/config.c src/config.h src/verdict.c src/verdict.h src/stats_words.c src/stats.h
unit_report = src/format.c src/format.h src/report.h src/report_walk.c src/report_walk.h \
	src/report_text.c src/report_json.c

tests_unit_test_config_SOURCES = tests/unit/test_config.c src/config.c src/config.h
tests_unit_test_config_LDADD = $(CMOCKA_LIBS)

tests_unit_test_report_SOURCES = tests/unit/test_report.c $(unit_words) $(unit_report)
tests_unit_test_report_LDADD = $(CMOCKA_LIBS)

tests_unit_test_stats_SOURCES = tests/unit/test_stats.c $(unit_words) $(unit_report) \
	src/stats.c src/stats_file.c src/stats_table.c src/stats_family.c \
	src/report_path.c src/report_end.c src/unwind.c src/prim.c
tests_unit_test_stats_LDADD = $(CMOCKA_LIBS)
tests_unit_test_stats_LDFLAGS = -export-dynamic

if HAVE_CMOCKA
check_PROGRAMS += $(unit_programs)
TESTS += $(unit_programs)
else
TESTS += tests/unit/none
endif
EXTRA_DIST += tests/unit/none
