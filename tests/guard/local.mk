# ---- tests/guard: inline system calls, plain and under the guard ----
guard_programs = tests/guard/calls tests/guard/tasks tests/guard/heard tests/guard/heard_free \
	tests/guard/heard_fixed
if X86_64
check_PROGRAMS += $(guard_programs)
endif
tests_guard_calls_SOURCES = tests/guard/calls.c tests/guard/inline.h tests/signals/signals.h
tests_guard_calls_LDADD = -lpthread
tests_guard_tasks_SOURCES = tests/guard/tasks.c tests/guard/inline.h tests/signals/signals.h
tests_guard_tasks_LDADD = -lpthread
tests_guard_heard_SOURCES = tests/guard/heard.c tests/guard/inline.h tests/signals/signals.h
tests_guard_heard_LDADD = -lpthread -lrt -ldl
tests_guard_heard_free_SOURCES = $(tests_guard_heard_SOURCES)
tests_guard_heard_free_CPPFLAGS = $(AM_CPPFLAGS) -DOWN_FREE
tests_guard_heard_free_LDADD = $(tests_guard_heard_LDADD)
tests_guard_heard_fixed_SOURCES = $(tests_guard_heard_SOURCES)
tests_guard_heard_fixed_CPPFLAGS = $(AM_CPPFLAGS) -DTAKES_FREE
tests_guard_heard_fixed_CFLAGS = $(AM_CFLAGS) -fno-pie
tests_guard_heard_fixed_LDFLAGS = $(AM_LDFLAGS) -no-pie
tests_guard_heard_fixed_LDADD = $(tests_guard_heard_LDADD)
test_scripts += tests/guard/run tests/guard/heard.py
