/* SPDX-License-Identifier: MIT */
/* fuzz.c - main: seeds one after the other; see fuzz.h. */
#include "fuzz.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AGAIN = 16, SHRINK_SECONDS = 40, FAILURES = 8, UNSTEADY = 4 };

struct options options = { .setting = -1, .jobs = 1, .most = FAILURES, .shrink = true };

/* Of all jobs; in memory that they share. */
static struct {
	_Atomic uint64_t passed, failed, unsteady, rewrote, could, next;
	_Atomic uint64_t verdict[VERDICT_COUNT];
} *sum;

static const char usage[] =
	"usage: fuzz -i INTERPRETER [-l LIBSHUNT] [-n COUNT] [-t SECONDS] [-S SEED] [-j JOBS] ...\n"
	"  -S SEED     the first seed, and the only one if neither -n nor -t is given\n"
	"  -s SETTING  one setting for all, or \"all\" of them for each seed\n"
	"  -m COUNT    ends after so many failures (8)\n"
	"  -w PERCENT  fails if shunt rewrote something in fewer of the programs\n"
	"  -f FILE     a program as text (\"-\": standard input)\n"
	"  -p          print the programs, do not run them\n"
	"  -r          with system calls that go past libc (needs the guard)\n"
	"  -k          keep what fails as it is, do not make it small\n"
	"  -v          print transcripts\n";

static void print_result(const char *who, const struct result *r)
{
	printf("  ---- %s: status %#x%s, %llu bytes rewritten\n", who, (unsigned)r->status,
	       r->hung ? ", hangs" : "", (unsigned long long)r->rewritten);
	fwrite(r->transcript.p, 1, r->transcript.n, stdout);
	for (int k = 0; k < SINKS; k++)
		printf("  received by peer %d: %zu bytes %016llx\n", k, r->received[k].n,
		       (unsigned long long)fuzz_hash(r->received[k].p, r->received[k].n));
}

/* Is a plain run like another? What is not tells nothing. */
static bool steady(const struct program *p, const struct result *plain)
{
	struct result again;
	bool same;

	run_program(p, PLAINLY, &again);
	same = !plain->hung && compare(plain, &again, p, NULL);
	if (!same) {
		printf("unsteady: seed %llu differs between two plain runs\n",
		       (unsigned long long)p->seed);
		compare(plain, &again, p, stdout);
		fflush(stdout);
	}
	result_free(&again);
	return same;
}

static void show_again(const struct program *p, int setting)
{
	struct result plain, shunt;

	run_program(p, PLAINLY, &plain);
	run_program(p, setting, &shunt);
	if (compare(&plain, &shunt, p, stdout))
		printf("    (not this time: it is a matter of timing)\n");
	result_free(&plain);
	result_free(&shunt);
}

static void report_failure(const struct program *p, int setting, const struct result *plain,
			   const struct result *shunt)
{
	struct program small = *p;

	printf("FAILED: seed %llu, setting %s\n", (unsigned long long)p->seed,
	       setting_name(setting));
	compare(plain, shunt, p, stdout);
	fflush(stdout);
	if (options.shrink) {
		int runs = shrink(&small, setting, SHRINK_SECONDS);

		printf("  %d operations, made %d in %d steps:\n", p->count, small.count, runs);
		program_print(stdout, &small);
		show_again(&small, setting);
	}
	fflush(stdout);
}

/* One program with one setting, compared with PLAIN. */
static void run_setting(const struct program *p, int setting, const struct result *plain)
{
	struct result shunt;
	const char *name = setting_name(setting);
	bool rewriting = strcmp(name, "off") && strcmp(name, "observe");

	run_program(p, setting, &shunt);
	if (options.verbose)
		print_result(setting_name(setting), &shunt);
	sum->could += rewriting;
	sum->rewrote += rewriting && shunt.rewritten > 0;
	for (int v = 0; v < VERDICT_COUNT; v++)
		sum->verdict[v] += shunt.verdict[v];
	if (compare(plain, &shunt, p, NULL)) {
		sum->passed++;
	} else if (!steady(p, plain)) {
		sum->unsteady++;
	} else {
		sum->failed++;
		report_failure(p, setting, plain, &shunt);
	}
	result_free(&shunt);
}

static void run_one(const struct program *p)
{
	struct result plain;

	run_program(p, PLAINLY, &plain);
	if (options.verbose)
		print_result("plain", &plain);
	if (p->seed % AGAIN == 0 && !steady(p, &plain))
		sum->unsteady++;
	if (options.setting >= 0)
		run_setting(p, options.setting, &plain);
	for (int i = 0; i < setting_count && options.setting == -2; i++)
		run_setting(p, i, &plain);
	if (options.setting == -1)
		run_setting(p, setting_of(p->seed), &plain);
	result_free(&plain);
}

static void run_seeds(void)
{
	time_t until = time(NULL) + options.seconds;
	static struct program p;

	while (!options.seconds || time(NULL) < until) {
		uint64_t i = atomic_fetch_add(&sum->next, 1);

		if (i >= options.count || sum->failed >= options.most)
			break;
		generate(&p, options.first + i, options.raw);
		run_one(&p);
	}
}

static int read_program(const char *path, struct program *p)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	int line = 0;

	if (f && program_parse(f, p, &line))
		return 0;
	fprintf(stderr, "fuzz: %s: line %d: %s\n", path, line,
		f ? "no operation" : strerror(errno));
	return 2;
}

/* ---- the jobs ---- */

static void job(void)
{
	static struct program p;
	const char *base = getenv("TMPDIR");
	char interpreter[512], library[512];

	snprintf(options.work, sizeof(options.work), "%s/shunt-fuzz-XXXXXX",
		 base && *base ? base : "/var/tmp");
	if (!realpath(options.interpreter, interpreter) ||
	    (options.library && !realpath(options.library, library))) {
		perror("fuzz: the interpreter or the library");
		exit(2);
	}
	options.interpreter = interpreter;
	options.library = options.library ? library : NULL;
	if (options.file && read_program(options.file, &p))
		exit(2);
	close_range(3, ~0u, 0);
	signal(SIGPIPE, SIG_IGN);
	files_make();
	run_begin();
	if (options.file)
		run_one(&p);
	else
		run_seeds();
	files_remove();
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

static bool parse_setting(const char *name)
{
	options.setting = -2;
	if (strcmp(name, "all") == 0)
		return true;
	for (options.setting = 0; options.setting < setting_count; options.setting++)
		if (strcmp(name, setting_name(options.setting)) == 0)
			return true;
	return false;
}

static void print_programs(void)
{
	static struct program p;

	for (uint64_t i = 0; i < options.count; i++) {
		generate(&p, options.first + i, options.raw);
		printf("# seed %llu, setting %s\n", (unsigned long long)p.seed,
		       setting_name(setting_of(p.seed)));
		program_print(stdout, &p);
	}
}

/* False: wrong. PRINT is set where nothing is to be run. */
static bool parse(int argc, char **argv, bool *print)
{
	for (int c; (c = getopt(argc, argv, "i:l:n:t:S:s:j:f:m:w:prkv")) != -1;)
		switch (c) {
		case 'i': options.interpreter = optarg; break;
		case 'l': options.library = optarg; break;
		case 'n': options.count = strtoull(optarg, NULL, 10); break;
		case 't': options.seconds = atol(optarg); break;
		case 'S': options.first = strtoull(optarg, NULL, 10); break;
		case 'j': options.jobs = atoi(optarg); break;
		case 'f': options.file = optarg; break;
		case 'p': *print = true; break;
		case 'm': options.most = strtoull(optarg, NULL, 10); break;
		case 'w': options.share = atoi(optarg); break;
		case 'r': options.raw = true; break;
		case 'k': options.shrink = false; break;
		case 'v': options.verbose = true; break;
		case 's':
			if (parse_setting(optarg))
				break;
			return false;
		default:
			return false;
		}
	if (!options.count)
		options.count = options.seconds ? UINT64_MAX : 1;
	return (*print || options.interpreter) && optind == argc;
}

static void print_sum(double seconds)
{
	uint64_t all = sum->next < options.count ? sum->next : options.count;

	if (sum->could)
		printf("shunt rewrote bytes in %.1f %% of %llu programs\n",
		       100.0 * (double)sum->rewrote / (double)sum->could,
		       (unsigned long long)sum->could);
	printf("chunks:");
	for (int v = 0; v < VERDICT_COUNT; v++)
		if (sum->verdict[v])
			printf(" %s %llu", verdict_name(v), (unsigned long long)sum->verdict[v]);
	printf("\n");
	if (!options.file)
		printf("seeds %llu .. %llu, %.0f programs a second, %llu unsteady\n",
		       (unsigned long long)options.first,
		       (unsigned long long)(options.first + (all ? all - 1 : 0)),
		       (double)all / seconds, (unsigned long long)sum->unsteady);
	printf("%llu passed, %llu failed\n", (unsigned long long)sum->passed,
	       (unsigned long long)sum->failed);
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	bool print = false;
	int bad;

	if (!parse(argc, argv, &print)) {
		fputs(usage, stderr);
		return 2;
	}
	if (print) {
		print_programs();
		return 0;
	}
	sum = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &from);
	bad = run_jobs();
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (sum->rewrote * 100 < sum->could * (unsigned)options.share) {
		sum->failed++;
		printf("FAILED: too little was rewritten for this to be a test\n");
	}
	print_sum((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return bad || sum->failed || sum->passed == 0 || sum->unsteady > UNSTEADY ? 1 : 0;
}
