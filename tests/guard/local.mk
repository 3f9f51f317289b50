# ---- tests/guard: inline system calls, plain and under the guard ----
guard_programs = tests/guard/calls tests/guard/tasks
check_PROGRAMS += $(guard_programs)
tests_guard_calls_SOURCES = tests/guard/calls.c tests/guard/inline.h tests/signals/signals.h
tests_guard_calls_LDADD = -lpthread
tests_guard_tasks_SOURCES = tests/guard/tasks.c tests/guard/inline.h tests/signals/signals.h
tests_guard_tasks_LDADD = -lpthread
test_scripts += tests/guard/run
