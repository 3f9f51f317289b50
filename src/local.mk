# The preloaded object. It links with nothing but libc: it lives in other people's processes.
pkglib_LTLIBRARIES += src/libshunt.la

# What the library and the command both need.
shunt_common_sources = \
	src/config.c src/config.h \
	src/format.c src/format.h src/prim_gate.c \
	src/report.h src/report_json.c src/report_text.c src/report_walk.c src/report_walk.h \
	src/stats.h src/stats_words.c \
	src/verdict.c src/verdict.h

hook_tables = src/hooks.def src/hooks_io.def src/hooks_memory.def src/hooks_open.def \
	src/hooks_signal.def

src_libshunt_la_SOURCES = $(shunt_common_sources) \
	src/arena.c src/arena.h src/bind.c src/bind.h src/choice.c src/choice.h src/copy.c src/copy.h \
	src/cpu.c src/cpu.h \
	src/debts.c src/debts.h src/dontwait.c src/dontwait.h src/engine.h src/engine_sendfile.c src/stall.c src/stall.h \
	src/fault.c src/fault.h src/fd.c src/fd.h src/fill.c src/fill.h src/remap.c src/remap.h \
	src/filter.c src/filter.h \
	src/guard.S src/guard.c src/guard.h src/guard_args.c src/guard_fit.c src/guard_fit.h \
	src/hook.h src/hook_idle.h src/hook_types.h \
	src/hook_descriptor.c src/hook_exec.c src/hook_io.c src/hook_ipc.c src/hook_meet.c src/hook_memory.c src/hook_open.c \
	src/hook_process.c src/hook_signal.c src/hook_sigwait.c src/hook_sleep.c \
	src/hook_socket.c src/hook_stdio.c src/hook_syscall.c \
	src/host.c src/host.h src/init.c src/io.c src/io.h src/jump.S \
	src/immutable.c src/immutable.h src/joint.c src/joint.h \
	src/land.c src/land.h src/landing.c src/landing.h src/lease.c src/lease.h src/libc_version.h src/linux_new.h src/lock.h \
	src/mapping.c src/mapping.h src/maps.c src/maps.h \
	src/meter.c src/meter.h src/pair.c src/pair.h src/pass.h src/pieces.c src/pieces.h \
	src/peer.c src/peer.h src/pipes.c src/pipes.h \
	src/prim.c src/prim.h src/process.h src/quiet.h \
	src/report_end.c src/report_path.c src/report_path.h src/relink.c src/relink.h src/resolve.c \
	src/segment.c src/segment.h src/send.c src/send.h src/shunt.h \
	src/sig.c src/sig.h src/sig_late.c src/sig_mask.c src/sig_stack.c src/site.c src/site.h \
	src/sleep.c src/sleep.h src/sockio.h src/source.c src/source.h src/stdio_files.c src/stdio_files.h \
	src/stream.c src/stream.h \
	src/stats.c src/stats_family.c src/stats_family.h src/stats_file.c src/stats_file.h \
	src/stats_own.h src/stats_sweep.c src/stats_sweep.h src/stats_table.c src/stats_table.h \
	src/symbols.c src/symbols.h src/tally.c src/tally.h src/thread.c src/thread.h src/unwind.c src/unwind.h src/vfork.S \
	src/watch.c src/watch.h src/writers.c src/writers.h

src_libshunt_la_CFLAGS = $(AM_CFLAGS) $(UNWIND_CFLAGS) $(STACK_CFLAGS) -fvisibility=hidden \
	-ftls-model=initial-exec -fexceptions -fasynchronous-unwind-tables -fno-strict-aliasing \
	-fno-stack-protector
# noseparate-code: two mappings and four page faults fewer at each start and fork
src_libshunt_la_LDFLAGS = -module -avoid-version -shared -Wl,-z,noseparate-code \
	-Wl,-z,now -Wl,-Bsymbolic-functions -Wl,--sort-section=name -Wl,--version-script=src/libshunt.map
src_libshunt_la_DEPENDENCIES = src/libshunt.map

# The version script exports the hooks and nothing else; it is made from the tables.
src/libshunt.map: $(hook_tables) src/map.awk
	$(AM_V_GEN)$(MKDIR_P) src && { for t in $(hook_tables); do cat $(top_srcdir)/$$t; done; } | \
		$(AWK) -f $(top_srcdir)/src/map.awk > $@.tmp && mv $@.tmp $@
CLEANFILES += src/libshunt.map
EXTRA_DIST += $(hook_tables) src/map.awk src/ahead.S
