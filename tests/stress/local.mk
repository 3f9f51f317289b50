# ---- tests/stress: many threads under a storm of signals, and servers that are killed ----
stress_programs = tests/stress/stress tests/stress/killed tests/stress/make_files \
	tests/stress/old_kernel
check_PROGRAMS += $(stress_programs)
tests_stress_stress_SOURCES = tests/stress/stress.c tests/stress/content.c tests/stress/content.h
tests_stress_stress_LDADD = -lpthread
tests_stress_killed_SOURCES = tests/stress/killed.c tests/stress/content.c tests/stress/content.h
tests_stress_make_files_SOURCES = tests/stress/make_files.c tests/stress/content.c tests/stress/content.h
tests_stress_old_kernel_SOURCES = tests/stress/old_kernel.c
test_scripts += tests/stress/run
