/* SPDX-License-Identifier: MIT */
/*
 * faults.c - each system call that shunt makes fails, in turn, with what it may fail with, and
 * random programs (tests/fuzz) must go on as if shunt were not there.
 *
 * A program is run plain, and under the test build of the library, where the calls are counted by
 * the place that makes them. Then for each place and each error: the first call fails, the last
 * one, all of them. Without -a each of these is done once, with the first program that comes by the
 * place.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "plan.h"
#include "table.h"

enum { WAYS = 4, SEEN = 63, LONGEST_MS = 250, DIFFERENCES = 8 };

struct options options = { .setting = -1, .jobs = 1, .most = DIFFERENCES };

static bool everything; /* -a */
static struct plan *plan;
static char plan_path[300];
static struct {
	uint64_t at; /* 0: not asked for */
	int result;
	unsigned first, many;
} only;

/* What all jobs share: which places have failed how, and the sums. */
static struct {
	_Atomic uint64_t passed, failed, unsteady, idle, next;
	struct {
		_Atomic uint64_t at, done; /* done: a bit for each error and way, and SEEN */
	} place[PLAN_PLACES];
} *sum;

/* ---- the settings; see fuzz.h ---- */

static const struct {
	const char *name, *words;
} settings[] = {
	{ "trust", "source:trust,learn:1,min:4k,engines:sendfile+splice+mapped" },
	{ "settled", "learn:1,min:4k,engines:sendfile+splice+mapped" },
	{ "guard", "source:trust,learn:1,min:4k,guard:on" },
	{ "family", "source:trust,learn:1,min:4k,landings:2,report:%s/report" },
};
enum { FAMILY = 3 }; /* here the counters lie where nobody asked for them */
const int setting_count = sizeof(settings) / sizeof(settings[0]);

const char *setting_name(int setting)
{
	return setting == PLAINLY ? "plain" : settings[setting].name;
}

int setting_of(uint64_t seed)
{
	return (int)(seed / 7 % (unsigned)setting_count);
}

char *const *setting_environment(int setting)
{
	static char preload[512], words[512], conf[1024], planned[512], runtime[512];
	static char path[] = "PATH=/usr/bin:/bin", *all[6];

	words[0] = '\0';
	if (setting != PLAINLY)
		snprintf(words, sizeof(words), settings[setting].words, options.work);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", options.library);
	snprintf(conf, sizeof(conf), "SHUNT_CONF=%s,stats:%s/counters", words, options.work);
	snprintf(runtime, sizeof(runtime), "RUNTIME_DIRECTORY=%s/counters", options.work);
	if (setting == FAMILY)
		snprintf(conf, sizeof(conf), "SHUNT_CONF=%s", words);
	snprintf(planned, sizeof(planned), PLAN_VARIABLE "=%s", plan_path);
	all[0] = path;
	all[1] = conf;
	all[2] = planned;
	all[3] = runtime;
	all[4] = setting == PLAINLY ? NULL : preload;
	return all;
}

/* ---- one run ---- */

static void plan_begin(uint64_t at, unsigned first, unsigned many, int result)
{
	memset(plan, 0, sizeof(*plan));
	plan->at = at;
	plan->first = first;
	plan->many = many;
	plan->result = result;
}

static void describe(const struct program *p, int setting)
{
	struct table_place where = table_place(plan->at);

	printf("seed %llu, setting %s: %s at %s+%#llx gave %s at call %u%s (-x %#llx,%d,%u,%u)\n",
	       (unsigned long long)p->seed, setting_name(setting),
	       table_call_name(table_number(plan, plan->at)), where.function,
	       (unsigned long long)where.offset, table_error_name(plan->result), plan->first,
	       plan->many == PLAN_FOREVER ? " and after" : "", (unsigned long long)plan->at, plan->result,
	       plan->first, plan->many);
}

/* Is a plain run like another? What is not tells nothing. */
static bool steady(const struct program *p, const struct result *plain)
{
	bool same = true;

	for (int i = 0; i < 2 && same; i++) {
		struct result again;

		run_program(p, PLAINLY, &again);
		same = compare(plain, &again, p, NULL);
		result_free(&again);
	}
	return same;
}

static void fail_once(const struct program *p, int setting, const struct result *plain, uint64_t at,
		      unsigned first, unsigned many, int result)
{
	enum table_outcome outcome;
	struct result shunt;
	struct plan was;

	plan_begin(at, first, many, result);
	run_program(p, setting, &shunt);
	was = *plan;
	outcome = table_outcome(table_number(plan, at), at, result, many > 1);
	if (!was.fired) {
		sum->idle++;
	} else if (outcome == ENDS ? !shunt.hung : compare(plain, &shunt, p, NULL)) {
		sum->passed++;
	} else if (!steady(p, plain)) {
		sum->unsteady++;
	} else {
		*plan = was;
		sum->failed++;
		printf("FAILED: ");
		describe(p, setting);
		compare(plain, &shunt, p, stdout);
		fflush(stdout);
	}
	if (options.verbose) {
		*plan = was;
		describe(p, setting);
		fflush(stdout);
	}
	result_free(&shunt);
}

/* Is it to be done by this job, now? */
static bool claim(uint64_t at, unsigned bit)
{
	for (unsigned i = 0; i < PLAN_PLACES; i++) {
		unsigned k = (unsigned)((at + i) % PLAN_PLACES);
		uint64_t none = 0;

		if (atomic_load(&sum->place[k].at) == at ||
		    atomic_compare_exchange_strong(&sum->place[k].at, &none, at) || none == at)
			return !(atomic_fetch_or(&sum->place[k].done, UINT64_C(1) << bit) >> bit & 1);
	}
	return false;
}

/* All ways for the error of that number. WAYS: the first call, the last, all, and one between. */
static void fail_place(const struct program *p, int setting, const struct result *plain,
		       const struct plan_place *place, unsigned error, int result)
{
	unsigned calls = place->calls < 100 || !everything ? place->calls : 100;
	const unsigned first[WAYS] = { 1, 1, calls, (calls + 1) / 2 };
	const unsigned many[WAYS] = { 1, PLAN_FOREVER, 1, 1 };

	for (unsigned i = 2; everything && i <= calls && sum->failed < options.most; i++)
		if (table_outcome(place->number, place->at, result, false) != TOLD)
			fail_once(p, setting, plain, place->at, i, 1, result);
	for (unsigned way = 0; way < WAYS && sum->failed < options.most; way++) {
		if (way > 1 && (calls <= way || everything))
			break;
		if (table_outcome(place->number, place->at, result, many[way] > 1) != TOLD &&
		    (claim(place->at, error * WAYS + way) || everything))
			fail_once(p, setting, plain, place->at, first[way], many[way], result);
	}
}

static void fail_all(const struct program *p, int setting, const struct result *plain)
{
	static struct plan counted;

	counted = *plan;
	for (unsigned i = 0; i < PLAN_PLACES; i++) {
		const struct plan_place *place = &counted.place[i];
		const int *errors = table_errors(place->number, place->at);

		if (place->at)
			claim(place->at, SEEN);
		for (unsigned e = 0; place->at && errors[e]; e++)
			fail_place(p, setting, plain, place, e, errors[e]);
	}
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void run_one(const struct program *p)
{
	int setting = options.setting >= 0 ? options.setting : setting_of(p->seed);
	struct result plain, shunt;
	long begun, took;

	run_program(p, PLAINLY, &plain);
	plan_begin(0, 0, 0, 0);
	begun = now_ms();
	run_program(p, setting, &shunt);
	took = now_ms() - begun;
	if (only.at)
		fail_once(p, setting, &plain, only.at, only.first, only.many, only.result);
	else if (!compare(&plain, &shunt, p, NULL))
		sum->unsteady++; /* tests/fuzz/same tells whether it is */
	else if (took < LONGEST_MS)
		fail_all(p, setting, &plain);
	result_free(&shunt);
	result_free(&plain);
}

/* ---- the jobs ---- */

static void die(const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void make_plan(void)
{
	int fd;

	snprintf(plan_path, sizeof(plan_path), "%s/plan", options.work);
	fd = open(plan_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, sizeof(*plan)) < 0)
		die(plan_path);
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (plan == MAP_FAILED)
		die(plan_path);
	close(fd);
}

static void remove_reports(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", options.work);
	if (system(command) != 0)
		die(options.work);
}

/* A report that cannot be written is complained of, as it should. */
static void silence(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		die("/dev/null");
	close(fd);
}

static void job(void)
{
	static struct program p;
	const char *base = getenv("TMPDIR");
	time_t until = time(NULL) + options.seconds;

	snprintf(options.work, sizeof(options.work), "%s/shunt-faults-XXXXXX",
		 base && *base ? base : "/var/tmp");
	close_range(3, ~0u, 0);
	signal(SIGPIPE, SIG_IGN);
	files_make();
	make_plan();
	run_begin();
	silence();
	while (!options.seconds || time(NULL) < until) {
		uint64_t i = atomic_fetch_add(&sum->next, 1);

		if (i >= options.count || sum->failed >= options.most)
			break;
		generate(&p, options.first + i, false);
		run_one(&p);
	}
	files_remove();
	remove_reports();
}

static int run_jobs(void)
{
	int bad = 0, status;

	fflush(stdout);
	for (int i = 0; i < options.jobs; i++)
		if (fork() == 0) {
			setvbuf(stdout, NULL, _IOFBF, 1 << 16);
			job();
			exit(0);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	return bad;
}

/* ---- main ---- */

static const char usage[] =
	"usage: faults -i INTERPRETER -l LIBRARY [-S SEED] [-n COUNT] [-t SECONDS] [-j JOBS] ...\n"
	"  -a          all calls of all places with each program\n"
	"  -s SETTING  one setting for all programs\n"
	"  -m COUNT    ends after so many failures\n"
	"  -x PLACE,RESULT,FIRST,MANY  only this, as a failure prints it, with the seed of -S\n"
	"  -c          tell which places programs came by\n"
	"  -v          tell of each run\n";

static bool parse_setting(const char *name)
{
	for (options.setting = 0; options.setting < setting_count; options.setting++)
		if (strcmp(name, setting_name(options.setting)) == 0)
			return true;
	return false;
}

static bool parse_only(const char *text)
{
	unsigned long long at;

	options.verbose = true;
	if (sscanf(text, "%lli,%d,%u,%u", (long long *)&at, &only.result, &only.first, &only.many) != 4)
		return false;
	only.at = at;
	return true;
}

static bool parse(int argc, char **argv, bool *places)
{
	for (int c; (c = getopt(argc, argv, "i:l:n:t:S:s:j:m:x:acv")) != -1;)
		switch (c) {
		case 'i': options.interpreter = realpath(optarg, NULL); break;
		case 'l': options.library = realpath(optarg, NULL); break;
		case 'n': options.count = strtoull(optarg, NULL, 10); break;
		case 't': options.seconds = atol(optarg); break;
		case 'S': options.first = strtoull(optarg, NULL, 10); break;
		case 'j': options.jobs = atoi(optarg); break;
		case 'm': options.most = strtoull(optarg, NULL, 10); break;
		case 'a': everything = true; break;
		case 'c': *places = true; break;
		case 'v': options.verbose = true; break;
		case 's':
			if (!parse_setting(optarg))
				return false;
			break;
		case 'x':
			if (!parse_only(optarg))
				return false;
			break;
		default:
			return false;
		}
	if (!options.count)
		options.count = options.seconds ? UINT64_MAX : 1;
	return options.interpreter && options.library && optind == argc;
}

static unsigned print_places(bool all)
{
	const uint64_t seen = UINT64_C(1) << SEEN;
	unsigned n = 0;

	for (unsigned i = 0; i < PLAN_PLACES; i++) {
		struct table_place where = table_place(sum->place[i].at);

		if (!sum->place[i].at)
			continue;
		n += (sum->place[i].done & ~seen) != 0;
		if (all)
			printf("place %#llx %s+%#llx\n", (unsigned long long)sum->place[i].at,
			       where.function, (unsigned long long)where.offset);
	}
	return n;
}

int main(int argc, char **argv)
{
	bool places = false;
	int bad;

	if (!parse(argc, argv, &places)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!table_load(options.library)) {
		printf("skipped: the functions of the library cannot be told apart (nm)\n");
		return 77;
	}
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED)
		return 1;
	bad = run_jobs();
	printf("%llu programs, %u places failed, %llu runs unsteady, %llu did not come by\n",
	       (unsigned long long)sum->next, print_places(places), (unsigned long long)sum->unsteady,
	       (unsigned long long)sum->idle);
	printf("%llu passed, %llu failed\n", (unsigned long long)sum->passed,
	       (unsigned long long)sum->failed + (bad != 0));
	return bad || sum->failed || sum->passed == 0;
}
