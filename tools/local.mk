# The command. Only here is debug information read; the library does without.
bin_PROGRAMS += tools/shunt

tools_shunt_SOURCES = $(shunt_common_sources) \
	tools/shunt.c tools/tool.h tools/complain.c tools/settings.c tools/library.c \
	tools/cmd_run.c tools/cmd_report.c tools/cmd_check.c \
	tools/target.c tools/target.h tools/elfview.c tools/elfview.h \
	tools/procfs.c tools/procfs.h tools/kernel.c tools/kernel.h tools/hooks.c tools/hooks.h \
	tools/counters.c tools/counters_find.c tools/counters.h \
	src/prim.c src/prim.h src/stats_file.c src/stats_file.h src/stats_sweep.c src/stats_sweep.h \
	tools/sweep.c tools/families.c tools/families.h tools/lines.c tools/lines.h \
	tools/out.c tools/out.h tools/out_csv.c tools/out_html.c tools/out_prometheus.c
tools_shunt_CFLAGS = $(AM_CFLAGS) $(DW_CFLAGS)
tools_shunt_LDADD = $(DW_LIBS)

dist_man_MANS += doc/shunt.1 doc/libshunt.7 doc/shunt.conf.5
dist_doc_DATA = doc/shunt-report.schema.json

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = tools/completion/shunt
