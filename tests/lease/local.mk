# source:lease and source:immutable: a writer that comes while a file is served.
check_PROGRAMS += tests/lease/lease
tests_lease_lease_SOURCES = tests/lease/lease.c tests/guard/inline.h tests/same/inline.h
tests_lease_lease_LDADD = -lpthread
test_scripts += tests/lease/run
