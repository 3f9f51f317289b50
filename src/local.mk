# The preloaded object. It links with nothing but libc: it lives in other people's processes.
pkglib_LTLIBRARIES += src/libshunt.la

# What the library and the command both need.
shunt_common_sources = \
	src/config.c src/config.h \
	src/verdict.c src/verdict.h \
	src/stats_words.c src/stats.h \
	src/report.h src/report_text.c src/report_json.c

src_libshunt_la_SOURCES = $(shunt_common_sources)

src_libshunt_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -ftls-model=initial-exec \
	-fexceptions -fasynchronous-unwind-tables -fno-strict-aliasing -fno-stack-protector
src_libshunt_la_LDFLAGS = -module -avoid-version -shared \
	-Wl,-z,now -Wl,--version-script=src/libshunt.map
src_libshunt_la_DEPENDENCIES = src/libshunt.map
src_libshunt_la_LIBADD =

# The version script exports the hooks and nothing else; it is made from the table.
src/libshunt.map: $(top_srcdir)/src/hooks.def $(top_srcdir)/src/map.awk
	$(AM_V_GEN)$(MKDIR_P) src && $(AWK) -f $(top_srcdir)/src/map.awk $(top_srcdir)/src/hooks.def > $@.tmp && mv $@.tmp $@
CLEANFILES += src/libshunt.map
EXTRA_DIST += src/hooks.def src/map.awk
