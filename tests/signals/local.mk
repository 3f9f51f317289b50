# ---- tests/signals: handlers, masks, stacks, threads, other processes, and ends by signal ----
signal_programs = tests/signals/handlers tests/signals/masks tests/signals/stacks \
	tests/signals/threads tests/signals/spawn tests/signals/ending
check_PROGRAMS += $(signal_programs)
tests_signals_handlers_SOURCES = tests/signals/handlers.c tests/signals/signals.h
tests_signals_handlers_LDADD = -lpthread
tests_signals_masks_SOURCES = tests/signals/masks.c tests/signals/signals.h
tests_signals_masks_LDADD = -lpthread
tests_signals_stacks_SOURCES = tests/signals/stacks.c tests/signals/signals.h
tests_signals_stacks_LDADD = -lpthread
tests_signals_threads_SOURCES = tests/signals/threads.c tests/signals/signals.h
tests_signals_threads_LDADD = -lpthread
tests_signals_spawn_SOURCES = tests/signals/spawn.c tests/signals/signals.h
tests_signals_spawn_LDADD = -lpthread
tests_signals_ending_SOURCES = tests/signals/ending.c tests/signals/signals.h
tests_signals_ending_LDADD = -lpthread
test_scripts += tests/signals/run
