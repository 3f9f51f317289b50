/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - shunt run: settle the settings, say what the target is, become it.
 *
 * Nothing is left behind in the process but three variables of its environment:
 * no descriptor, no changed signal, no child.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats.h"
#include "target.h"
#include "tool.h"

struct run {
	struct config config;
	const char *output;
	bool quiet, verbose;
	bool bare; /* with the library the command would not start, or its loader would complain */
	int wrong; /* settings that were wrong */
};

static int help(void)
{
	puts("usage: shunt run [OPTION...] [--] COMMAND [ARG...]\n"
	     "Runs COMMAND under shunt. The exit status is the command's own; 125: shunt\n"
	     "failed, 126: COMMAND cannot be executed, 127: COMMAND was not found.\n\n"
	     "  -o, --output FILE     the report goes to FILE (%p pid, %n program, %h host)\n"
	     "  -f, --format FORMAT   text or json\n"
	     "  -m, --mode MODE       observe, rewrite or off\n"
	     "  -q, --quiet           no report unless -o asks for it, no remark on COMMAND\n"
	     "  -v, --verbose         say what is started, with which library and settings\n"
	     "      --conf WORDS      settings, key:value,key:value\n"
	     "      --help            this text\n");
	settings_help();
	return 0;
}

static void set(struct run *r, const char *words)
{
	r->wrong += config_parse(&r->config, words, ORIGIN_COMMAND, settings_warn, "run");
}

static void set_key(struct run *r, const char *key, const char *value)
{
	char words[256];

	snprintf(words, sizeof(words), "%s:%s", key, value);
	set(r, words);
}

/* Returns the index of COMMAND in ARGV, 0 after --help, or -1 after a complaint. */
static int options(struct run *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'o'}, {"format", required_argument, NULL, 'f'},
		{"mode", required_argument, NULL, 'm'},	  {"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},	  {"conf", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:o:f:m:qvh", longs, NULL)) != -1) {
		if (c == 'o')
			r->output = optarg;
		else if (c == 'f')
			set_key(r, "format", optarg);
		else if (c == 'm')
			set_key(r, "mode", optarg);
		else if (c == 'q')
			r->quiet = true;
		else if (c == 'v')
			r->verbose = true;
		else if (c == 'c')
			set(r, optarg);
		else if (c == 'h')
			return help();
		else
			return complain_option("run", c, argv), -1;
	}
	if (optind < argc)
		return optind;
	complain("run", "a command is missing; see shunt run --help");
	return -1;
}

/*
 * A device or a pipe is left as it is: to open it could block or lose something. A link is not
 * followed, here as at the end: who put it there may mean another file.
 */
static int create(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : access(path, W_OK) ? -errno : 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Of a pattern only the directory can be tried: the names are not known yet. */
static int try_output(const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	if (!strchr(path, '%'))
		return create(path);
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	slash[slash == dir] = '\0';
	return strchr(dir, '%') || access(dir, W_OK | X_OK) == 0 ? 0 : -errno;
}

/* FILE made absolute, since the program may change its directory. */
static int absolute(const char *file, char *path, size_t size)
{
	char cwd[PATH_MAX] = "";

	if (file[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return -errno;
	if (snprintf(path, size, "%s%s%s", cwd, cwd[0] ? "/" : "", file) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

/* "report:PATH" with what the grammar wants escaped. */
static void report_words(const char *path, char *words)
{
	words = stpcpy(words, "report:");
	for (; *path; path++) {
		if (*path == ',' || *path == '\\')
			*words++ = '\\';
		*words++ = *path;
	}
	*words = '\0';
}

static bool cannot_write(const struct run *r, const char *why)
{
	complain("run", "the report cannot be written to %s: %s", r->output, why);
	return false;
}

static bool set_output(struct run *r)
{
	char path[sizeof(r->config.report)], words[sizeof(path) * 2 + 8];
	int ret = r->output[0] ? absolute(r->output, path, sizeof(path)) : -ENOENT;

	if (ret < 0)
		return cannot_write(r, strerror(-ret));
	report_words(path, words);
	config_parse(&r->config, words, ORIGIN_COMMAND, NULL, NULL);
	if (strcmp(r->config.report, path) != 0)
		return cannot_write(r, "such a name cannot be written as a setting");
	return true;
}

/* Last of all that can fail, since it empties the file. */
static bool create_output(const struct run *r)
{
	int ret = r->output ? try_output(r->config.report) : 0;

	if (ret == -ELOOP)
		return cannot_write(r, "a symbolic link, which is not followed");
	return ret == 0 || cannot_write(r, strerror(-ret));
}

static bool settle_report(struct run *r)
{
	if (r->output)
		return set_output(r);
	if (r->quiet && r->config.origin[KEY_REPORT] != ORIGIN_COMMAND)
		set(r, "report:none");
	else if (r->config.origin[KEY_REPORT] == ORIGIN_DEFAULT)
		set(r, "report:stderr");
	return true;
}

/* OLD without empty elements and without any libshunt.so, behind LIBRARY ("": none). Malloc'd. */
static char *preload(const char *library, const char *old)
{
	char *list = malloc(strlen(library) + strlen(old) + 2), *end;

	if (!list)
		return NULL;
	end = stpcpy(list, library);
	while (*old) {
		size_t n = strcspn(old, ": ");
		char word[PATH_MAX];

		snprintf(word, sizeof(word), "%.*s", (int)n, old);
		if (n > 0 && strcmp(base_name(word), "libshunt.so") != 0 &&
		    strcmp(word, library) != 0) {
			if (end > list)
				*end++ = ':';
			end = mempcpy(end, old, n);
		}
		old += n + (old[n] != '\0');
	}
	*end = '\0';
	return list;
}

static bool set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	char *list = preload(library, old ? old : "");
	int ret = -1;

	if (list)
		ret = list[0] ? setenv("LD_PRELOAD", list, 1) : unsetenv("LD_PRELOAD");
	free(list);
	return ret == 0;
}

/*
 * The variable holds every setting that somebody made, the command line's over the
 * variable's over the file's. What was wrong was told here and is not handed on; so is confirm.
 */
static bool set_variable(struct run *r)
{
	char words[8192];

	r->config.confirm = false;
	config_dump(&r->config, words, sizeof(words), true);
	return setenv("SHUNT_CONF", words, 1) == 0;
}

/*
 * The process that this one becomes says so when it found nothing; what it starts has the
 * variable with another's number in it, and then is silent.
 */
static bool set_run(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return setenv(STATS_RUN_VARIABLE, pid, 1) == 0;
}

static bool find_library(char *library, size_t size)
{
	int ret = library_find(library, size);

	if (ret < 0) {
		complain("run", "%s: %s", library, strerror(-ret));
		return false;
	}
	if (library[strcspn(library, ": $")] == '\0')
		return true;
	complain("run", "%s: a path with a blank, colon or dollar cannot be preloaded", library);
	return false;
}

static bool settle(struct run *r, char *library, size_t size)
{
	if (!settle_report(r))
		return false;
	if (r->wrong > 0 && r->config.strict) {
		complain("run", "strict:true and %d wrong setting%s: not started", r->wrong,
			 r->wrong == 1 ? "" : "s");
		return false;
	}
	if (!find_library(library, size) || !create_output(r))
		return false;
	if (r->config.confirm || r->verbose)
		config_confirm(&r->config, settings_warn, "run");
	if (set_variable(r) && set_run() && set_preload(r->bare ? "" : library))
		return true;
	complain("run", "%s", strerror(errno));
	return false;
}

static void remark(const struct run *r, const struct target *t, const char *library)
{
	if (r->verbose)
		complain("run", "%s (%s) with %s", t->binary,
			 t->format[0] ? t->format : "no ELF file", library);
	if (r->quiet || t->trouble == TARGET_NONE || t->trouble == TARGET_UNREADABLE)
		return;
	complain("run", "%s is %s: %s; it runs without shunt", t->binary,
		 target_trouble_is(t->trouble), target_trouble_why(t->trouble));
}

static int cannot_start(const char *name, int error)
{
	complain("run", "%s: %s", name,
		 error == ENOENT && !strchr(name, '/') ? "command not found" : strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

int cmd_run(int argc, char **argv)
{
	static struct run r;
	static struct target t;
	char path[PATH_MAX], library[PATH_MAX];
	int at, error;

	r.wrong = settings_load(&r.config, "run");
	at = options(&r, argc, argv);
	if (at <= 0)
		return at < 0 ? EXIT_RUN_FAILED : 0;
	error = target_find(argv[at], path);
	if (error)
		return cannot_start(argv[at], error);
	target_look(&t, path);
	r.bare = t.trouble == TARGET_SANITIZER || t.trouble == TARGET_LOADER ||
		 t.trouble == TARGET_CLASS;
	if (!settle(&r, library, sizeof(library)))
		return EXIT_RUN_FAILED;
	remark(&r, &t, library);
	sweep(&r.config);
	if (t.format[0] && t.scripts == 0)
		execv(path, argv + at); /* ELF that the kernel refuses is no text for the shell */
	else
		execvp(argv[at], argv + at);
	return cannot_start(argv[at], errno);
}
