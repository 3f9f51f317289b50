# The tests. Each suite is a program that ends with a line "N passed, N failed", or a cmocka
# program; status 77: skipped, and the last line says what was missing. `make check` runs them,
# tests/total adds the lines up.
AM_TESTS_ENVIRONMENT = \
	LIBSHUNT='$(abs_top_builddir)/src/.libs/libshunt.so'; export LIBSHUNT; \
	SHUNT='$(abs_top_builddir)/tools/shunt'; export SHUNT; \
	builddir='$(abs_top_builddir)'; export builddir; \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	unset LD_PRELOAD SHUNT_CONF SHUNT_LIB; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

# Suites that are scripts, in the order in which they run.
test_scripts =
dist_check_SCRIPTS = tests/total
EXTRA_DIST += tests/place.py

include tests/unit/local.mk
include tests/apps/local.mk
include tests/hooks/local.mk
include tests/command/local.mk
include tests/same/local.mk
include tests/signals/local.mk
include tests/attacks/local.mk
include tests/lease/local.mk
include tests/fuzz/local.mk
include tests/guard/local.mk
include tests/faults/local.mk
include tests/stress/local.mk
include tests/relay/local.mk

# ---- tests/sanitizers: `make check-sanitizers`, a minute or two; tools/check --full does it ----
EXTRA_DIST += tests/sanitizers/run tests/sanitizers/tsan.supp
check-sanitizers:
	$(MAKE) check TESTS=
	srcdir='$(abs_top_srcdir)' builddir='$(abs_top_builddir)' $(top_srcdir)/tests/sanitizers/run
.PHONY: check-sanitizers

# ---- tests/trace: the system calls of a loop, seen by strace ----
check_PROGRAMS += tests/trace/loop
tests_trace_loop_SOURCES = tests/trace/loop.c
tests_trace_loop_LDADD = -lpthread
check_PROGRAMS += tests/trace/serve
tests_trace_serve_SOURCES = tests/trace/serve.c
check_PROGRAMS += tests/trace/small tests/trace/sockets
tests_trace_sockets_SOURCES = tests/trace/sockets.c
check_LTLIBRARIES += tests/trace/send_module.la
tests_trace_send_module_la_SOURCES = tests/trace/send_module_code.c
tests_trace_send_module_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
tests_trace_small_SOURCES = tests/trace/small.c
tests_trace_small_LDADD = -lpthread
test_scripts += tests/trace/run

# ---- tests/real: servers of the distribution ----
check_PROGRAMS += tests/real/connections
tests_real_connections_SOURCES = tests/real/connections.c
tests_real_connections_LDADD = -lpthread
EXTRA_DIST += tests/real/client.py tests/real/servers.py tests/real/Serve.java
EXTRA_DIST += tests/real/serve.php tests/real/serve.pl
EXTRA_DIST += tests/real/go/serve.go tests/real/go/serve_c.go tests/real/go/serve_without_c.go
test_scripts += tests/real/run tests/real/attached

dist_check_SCRIPTS += $(test_scripts)
TESTS += $(test_scripts)

include tests/bench/local.mk
