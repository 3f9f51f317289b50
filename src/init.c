/* SPDX-License-Identifier: MIT */
/* init.c - the library's life: settings, tables, LOADING to LIVE, and the end. */
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "fd.h"
#include "filter.h"
#include "guard.h"
#include "hook.h"
#include "landing.h"
#include "pipes.h"
#include "prim.h"
#include "process.h"
#include "report.h"
#include "report_path.h"
#include "sig.h"
#include "stats.h"
#include "stream.h"

HOT_FIRST _Atomic unsigned char shunt_state; /* LOADING */
size_t shunt_page = 4096;

/* One line on standard error, where somebody may read it. */
static void say(void *context, const char *text)
{
	struct iovec line[] = {
		{ (void *)"shunt: ", 7 },
		{ (void *)text, strlen(text) },
		{ (void *)"\n", 1 },
	};

	if (report_path_error_is_ours())
		PRIM3(SYS_writev, STDERR_FILENO, line, 3);
}

/* The file, if there is one. */
static int read_settings_file(void)
{
	static LARGE_TABLE char text[CONFIG_FILE_MAX + 1];
	int fd = prim_openat(AT_FDCWD, SYSCONFDIR "/shunt.conf", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = prim_read(fd, text, sizeof(text) - 1);
	prim_close(fd);
	text[n > 0 ? config_whole_lines(text, (size_t)n) : 0] = 0;
	return config_parse(&config, text, ORIGIN_FILE, say, NULL);
}

static void read_settings(void)
{
	const char *variable = secure_getenv("SHUNT_CONF");
	int wrong;

	config_defaults(&config);
	wrong = read_settings_file();
	if (variable)
		wrong += config_parse(&config, variable, ORIGIN_VARIABLE, say, NULL);
	if (wrong && config.strict) {
		say(NULL, "not started: the settings are wrong, and strict is set");
		PRIM1(SYS_exit_group, 125);
	}
	if (config.confirm)
		config_confirm(&config, say, NULL);
}

static const char *program_name(char **argv)
{
	const char *name = argv && argv[0] ? argv[0] : "", *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

__attribute__((constructor)) static void shunt_init(int argc, char **argv)
{
	int saved = errno;
	size_t page = getauxval(AT_PAGESZ);

	hook_resolve();
	if (page)
		shunt_page = page;
	read_settings();
	if (config.mode == MODE_OFF || !config_applies_to(&config, program_name(argv)) ||
	    filter_is_sanitized() || !landing_init()) {
		shunt_state = SHUNT_ASIDE;
	} else {
		fd_socket_calls = hook_socket_calls && config.mode != MODE_OBSERVE;
		guard_init();
		sig_init();
		process_init();
		stream_init();
		stats_init(argc, argv);
		shunt_state = SHUNT_LIVE;
	}
	errno = saved;
}

/* Standing aside, a process may still have a report to make of what was before. */
__attribute__((destructor)) static void shunt_fini(void)
{
	process_ending();
}

void shunt_stand_aside(void)
{
	landing_hold();
	landing_open_all();
	pipes_rest();
	shunt_state = SHUNT_ASIDE;
	guard_end();
}
