# The small programs of the comparison, and the module that one of them loads.
same_programs =
same_programs += tests/same/same_segment
same_programs += tests/same/same_kernel
same_programs += tests/same/same_change
same_programs += tests/same/same_file
same_programs += tests/same/same_memory
same_programs += tests/same/same_process
same_programs += tests/same/same_refuse
same_programs += tests/same/same_signal
same_programs += tests/same/same_socket
same_programs += tests/same/same_throw
same_programs += tests/same/same_own
same_programs += tests/same/same_sleep
same_programs += tests/same/same_unheard
same_programs += tests/same/same_race
same_programs += tests/same/same_stream
same_programs += tests/same/same_ahead
same_programs += tests/same/same_mapped
same_programs += tests/same/same_inline
same_programs += tests/same/same_aside
same_programs += tests/same/same_bind
same_shared = tests/same/same.c tests/same/same.h tests/same/drain.c tests/same/drain.h
tests_same_same_segment_SOURCES = tests/same/same_segment.c $(same_shared)
tests_same_same_kernel_SOURCES = tests/same/same_kernel.c $(same_shared)
tests_same_same_change_SOURCES = tests/same/same_change.c $(same_shared)
tests_same_same_file_SOURCES = tests/same/same_file.c $(same_shared)
tests_same_same_memory_SOURCES = tests/same/same_memory.c $(same_shared)
tests_same_same_process_SOURCES = tests/same/same_process.c $(same_shared)
tests_same_same_refuse_SOURCES = tests/same/same_refuse.c $(same_shared)
tests_same_same_signal_SOURCES = tests/same/same_signal.c $(same_shared)
tests_same_same_socket_SOURCES = tests/same/same_socket.c $(same_shared)
tests_same_same_throw_SOURCES = tests/same/same_throw.cc $(same_shared)
tests_same_same_own_SOURCES = tests/same/same_own.c $(same_shared)
tests_same_same_sleep_SOURCES = tests/same/same_sleep.c $(same_shared)
tests_same_same_unheard_SOURCES = tests/same/same_unheard.c tests/same/inline.h $(same_shared)
tests_same_same_race_SOURCES = tests/same/same_race.c $(same_shared)
tests_same_same_ahead_SOURCES = tests/same/same_ahead.c tests/same/inline.h $(same_shared)
tests_same_same_mapped_SOURCES = tests/same/same_mapped.c tests/same/inline.h $(same_shared)
tests_same_same_inline_SOURCES = tests/same/same_inline.c tests/guard/inline.h $(same_shared)
tests_same_same_aside_SOURCES = tests/same/same_aside.c $(same_shared)
tests_same_same_aside_LDADD = -lpthread -ldl
tests_same_same_bind_SOURCES = tests/same/same_bind.c $(same_shared)
tests_same_same_bind_LDADD = -ldl
tests_same_same_stream_SOURCES = tests/same/same_stream.c $(same_shared)
tests_same_same_stream_LDADD = -lpthread
tests_same_same_memory_LDADD = -lpthread -ldl
tests_same_same_socket_LDADD = -lpthread
tests_same_same_sleep_LDADD = -lpthread
tests_same_same_race_LDADD = -lpthread -ldl
tests_same_same_mapped_LDADD = -lpthread -ldl
check_PROGRAMS += $(same_programs)

# -rpath makes libtool build a shared object although nothing installs it.
check_LTLIBRARIES += tests/same/same_module.la
tests_same_same_module_la_SOURCES = tests/same/same_module_code.c
tests_same_same_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere

# The same module, bound when it is loaded and when its functions are first called.
check_LTLIBRARIES += tests/same/same_bind_now.la tests/same/same_bind_lazy.la
tests_same_same_bind_now_la_SOURCES = tests/same/same_bind_code.c
tests_same_same_bind_now_la_LDFLAGS = $(tests_same_same_module_la_LDFLAGS) -Wl,-z,now -Wl,-z,relro
tests_same_same_bind_lazy_la_SOURCES = tests/same/same_bind_code.c
tests_same_same_bind_lazy_la_LDFLAGS = $(tests_same_same_module_la_LDFLAGS) -Wl,-z,lazy

test_scripts += tests/same/run
