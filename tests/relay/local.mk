# ---- tests/relay: relays whose peers reset, stop, half-close and crash ----
check_PROGRAMS += tests/relay/relay tests/relay/peers tests/relay/random
tests_relay_relay_SOURCES = tests/relay/relay.c tests/relay/loop.c tests/relay/relay.h \
	tests/relay/crash.h
tests_relay_relay_LDADD = -lpthread
tests_relay_peers_SOURCES = tests/relay/peers.c tests/relay/plan.c tests/relay/plan.h \
	tests/relay/crash.h
tests_relay_random_SOURCES = tests/relay/random.c tests/relay/plan.c tests/relay/plan.h
test_scripts += tests/relay/run
