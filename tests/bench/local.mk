# tests/bench: `make bench`, no part of check: what shunt wins and costs. BENCH=loops,hooks chooses
# parts, BENCHFLAGS=--full asks for everything.
EXTRA_PROGRAMS = tests/bench/bench
tests_bench_bench_SOURCES = tests/bench/bench.c tests/bench/bench.h tests/bench/cold.c \
	tests/bench/count.c tests/bench/counter.c tests/bench/crowd.c tests/bench/echo.c \
	tests/bench/fetch.c tests/bench/hook.c tests/bench/loop.c tests/bench/peer.c tests/bench/serve.c
tests_bench_bench_LDADD = -lpthread
EXTRA_DIST += doc/performance.md tests/bench/run tests/bench/figures.py \
	tests/bench/machine.py tests/bench/page.py \
	tests/bench/charts.py tests/bench/page.css tests/bench/part_cold.py tests/bench/part_echo.py \
	tests/bench/part_guesses.py tests/bench/part_hooks.py tests/bench/part_latency.py \
	tests/bench/part_loops.py tests/bench/part_relays.py tests/bench/part_scale.py \
	tests/bench/part_servers.py tests/bench/relays.py tests/bench/server.py tests/bench/worker.py \
	tests/bench/servers/apache2.conf tests/bench/servers/haproxy.cfg \
	tests/bench/servers/nginx.conf tests/bench/servers/nginx-stream.conf \
	tests/bench/servers/rinetd.conf tests/bench/servers/tinyproxy.conf \
	tests/bench/servers/vsftpd.conf
CLEANFILES += $(EXTRA_PROGRAMS)

bench: tests/bench/bench$(EXEEXT) tests/relay/relay$(EXEEXT) src/libshunt.la
	$(top_srcdir)/tools/packages bench || :
	LIBSHUNT='$(abs_top_builddir)/src/.libs/libshunt.so' builddir='$(abs_top_builddir)' \
		PYTHONDONTWRITEBYTECODE=1 $(top_srcdir)/tests/bench/run $(BENCHFLAGS) $(BENCH)
clean-local:
	rm -rf bench-results
.PHONY: bench
