/* SPDX-License-Identifier: MIT */
/*
 * loop.c - what a chunk costs: plain, by a hand-written sendfile, and under shunt.
 *
 *   loop [-l LIBSHUNT] [-c CONF] [-f FILE] [-r ROUNDS] [-m MIB] [-s CHUNKS] [-a CPU,CPU] [-H | -L]
 *
 *   gcc -O2 -Wall -Wextra -o loop tests/bench/loop.c -pthread
 *   ./loop -l src/.libs/libshunt.so                  everything
 *   ./loop -l src/.libs/libshunt.so -L -s 65536      the loops only, one chunk size
 *   ./loop -l src/.libs/libshunt.so -H               the cost of hooks that pass through, only
 *
 * Without -l (or $LIBSHUNT) the plain columns alone are shown. CONF is the
 * SHUNT_CONF of the measured process; FILE is a file of ours to serve (default
 * a random one in /var/tmp, made once: a file has to be settled to be served
 * without a copy, so a new one is left alone for eleven seconds).
 *
 * The loops: a file in the page cache, to TCP on loopback, blocking; sender and
 * receiver are pinned to different processors, and the receiver discards. What is
 * counted is the sending thread's cycles, user and kernel (perf_event_open), or its CPU
 * time where the machine has no counters. "look" is the same loop with one word of
 * each page added up between read and write. "odd" buffers start at 1552
 * modulo the page.
 *
 * The program starts itself twice, plain and with LD_PRELOAD; the two are asked in
 * turn, and medians over the rounds are shown.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, ODD = 1552, WARM_UP = 24, CALLS = 20000, ROUNDS_MAX = 101 };
enum { FILE_SIZE = 64 << 20 };

enum work { LOOP_PLAIN, LOOP_SENDFILE, LOOP_LOOK, HOOK_READ, HOOK_WRITE, HOOK_RECV, HOOK_CLOSE,
	    HOOK_POLL, HOOK_FREE, WORKS };

static const char *const hook_names[WORKS] = {
	[HOOK_READ] = "read 1 byte of /dev/zero", [HOOK_WRITE] = "write 1 byte to /dev/null",
	[HOOK_RECV] = "recv 1 byte, socketpair",  [HOOK_CLOSE] = "close(-1)",
	[HOOK_POLL] = "poll, 1 ready descriptor", [HOOK_FREE] = "malloc and free, 64 bytes",
};

/* what the parent asks of a worker, and the answer */
struct job {
	enum work work;
	size_t chunk, bytes;
	bool odd, armed;
};

struct answer {
	double value; /* loops: cycles (or ns) a byte; hooks: ns a call */
	bool cycles;
};

struct worker {
	int control;
	pid_t pid, receiver;
};

static struct {
	const char *library, *conf, *file;
	int rounds;
	size_t bytes;
	int cpu[2];
	bool hooks, loops;
	size_t chunk[16];
	int chunks;
} option = {
	.rounds = 15, .bytes = 32 << 20, .cpu = { 0, 1 }, .hooks = true, .loops = true,
	.chunk = { 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20, 4 << 20 },
	.chunks = 7,
};

/* ---- the worker's side ---- */

static int source = -1, sink = -1, counter = -1;
static volatile uint64_t looked;

static double now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Cycles of this thread, user and kernel; -1 where the machine does not count them. */
static int counter_open(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(a), .config = PERF_COUNT_HW_CPU_CYCLES,
		.exclude_hv = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint64_t n = 0;

	if (fd >= 0 && (read(fd, &n, sizeof(n)) != sizeof(n) || n == 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static double spent(void)
{
	uint64_t n;

	if (counter < 0)
		return now_ns(CLOCK_THREAD_CPUTIME_ID);
	if (read(counter, &n, sizeof(n)) != sizeof(n))
		err(1, "counter");
	return (double)n;
}

static void write_whole(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(sink, p, n);

		if (w < 0)
			err(1, "write");
		p += w;
		n -= (size_t)w;
	}
}

static void rewound(ssize_t n)
{
	if (n < 0)
		err(1, "read");
	if (lseek(source, 0, SEEK_SET) < 0)
		err(1, "lseek");
}

static __attribute__((noinline)) void loop_plain(char *buf, size_t chunk, size_t chunks)
{
	while (chunks > 0) {
		ssize_t n = read(source, buf, chunk);

		if (n <= 0) {
			rewound(n);
			continue;
		}
		write_whole(buf, (size_t)n);
		chunks--;
	}
}

static __attribute__((noinline)) void loop_look(char *buf, size_t chunk, size_t chunks)
{
	while (chunks > 0) {
		ssize_t n = read(source, buf, chunk);

		if (n <= 0) {
			rewound(n);
			continue;
		}
		for (ssize_t i = 0; i < n; i += PAGE)
			looked += (unsigned char)buf[i];
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(sink, buf + done, (size_t)(n - done));
			if (w < 0)
				err(1, "write");
		}
		chunks--;
	}
}

/* What a port by hand does: as many bytes a call as the plain loop. */
static __attribute__((noinline)) void loop_sendfile(size_t chunk, size_t chunks)
{
	while (chunks > 0) {
		size_t left = chunk;

		while (left > 0) {
			ssize_t n = sendfile(sink, source, NULL, left);

			if (n <= 0) {
				rewound(n);
				break;
			}
			left -= (size_t)n;
		}
		chunks--;
	}
}

static void loop(enum work work, char *buf, size_t chunk, size_t chunks)
{
	if (work == LOOP_SENDFILE)
		loop_sendfile(chunk, chunks);
	else if (work == LOOP_LOOK)
		loop_look(buf, chunk, chunks);
	else
		loop_plain(buf, chunk, chunks);
}

static char *buffer_new(size_t chunk, bool odd)
{
	void *p;

	if (posix_memalign(&p, PAGE, chunk + 2 * PAGE) != 0)
		errx(1, "no memory");
	memset(p, 1, chunk + 2 * PAGE);
	return (char *)p + (odd ? ODD : 0);
}

static void buffer_free(char *buf, bool odd)
{
	free(buf - (odd ? ODD : 0));
}

static double loop_measure(const struct job *job)
{
	size_t chunks = job->bytes / job->chunk;
	char *buf = buffer_new(job->chunk, job->odd);
	double before;

	loop(job->work, buf, job->chunk, WARM_UP);
	before = spent();
	loop(job->work, buf, job->chunk, chunks);
	before = spent() - before;
	buffer_free(buf, job->odd);
	return before / (double)(chunks * job->chunk);
}

static __attribute__((noinline)) void *block_new(void)
{
	void *p = malloc(64);

	__asm__ volatile("" : "+r"(p)); /* else the compiler leaves out the pair */
	return p;
}

static void hook_calls(enum work work, int fd, int calls)
{
	struct pollfd p = { .fd = sink, .events = POLLOUT };
	char byte = 0;

	for (int i = 0; i < calls; i++) {
		ssize_t n = 1;

		if (work == HOOK_READ)
			n = read(fd, &byte, 1);
		else if (work == HOOK_WRITE)
			n = write(fd, &byte, 1);
		else if (work == HOOK_RECV)
			n = recv(fd, &byte, 1, 0);
		else if (work == HOOK_POLL)
			n = poll(&p, 1, 1000);
		else if (work == HOOK_CLOSE)
			n = close(-1) == -1;
		else
			free(block_new());
		if (n != 1)
			err(1, "%s", hook_names[work]);
	}
}

/* The descriptor that the calls of WORK use; *OTHER is the second end, if there is one. */
static int hook_open(enum work work, int *other)
{
	static char bytes[CALLS];
	int pair[2];

	*other = -1;
	if (work != HOOK_RECV)
		return open(work == HOOK_WRITE ? "/dev/null" : "/dev/zero", O_RDWR | O_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    write(pair[1], bytes, sizeof(bytes)) != sizeof(bytes))
		err(1, "socketpair");
	*other = pair[1];
	return pair[0];
}

static double hook_measure(const struct job *job)
{
	char *buf = job->armed ? buffer_new(job->chunk, false) : NULL;
	int other, fd = hook_open(job->work, &other);
	double before;

	if (buf)
		loop(LOOP_PLAIN, buf, job->chunk, WARM_UP);
	before = now_ns(CLOCK_MONOTONIC);
	hook_calls(job->work, fd, CALLS);
	before = now_ns(CLOCK_MONOTONIC) - before;
	close(fd);
	close(other);
	if (buf)
		buffer_free(buf, false);
	return before / CALLS;
}

static int connected(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		err(1, "connect");
	return fd;
}

static int worker_main(char **argv)
{
	int control = atoi(argv[2]);
	struct answer answer = { 0 };
	struct job job;

	sink = connected(atoi(argv[3]));
	source = open(argv[4], O_RDONLY | O_CLOEXEC);
	if (source < 0)
		err(1, "%s", argv[4]);
	counter = counter_open();
	answer.cycles = counter >= 0;
	while (recv(control, &job, sizeof(job), 0) == sizeof(job)) {
		answer.value = job.work <= LOOP_LOOK ? loop_measure(&job) : hook_measure(&job);
		if (send(control, &answer, sizeof(answer), 0) < 0)
			err(1, "answer");
	}
	return 0;
}

/* ---- the parent's side ---- */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		warn("cpu %d", cpu);
}

/* MSG_TRUNC: the bytes are thrown away in the kernel, so the receiver is never the slower one. */
static void receive(int listener)
{
	int fd = accept(listener, NULL, NULL);

	while (recv(fd, NULL, 4 << 20, MSG_TRUNC) > 0)
		;
	_exit(0);
}

static pid_t receiver_start(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);
	pid_t pid;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		err(1, "receiver");
	*port = ntohs(a.sin_port);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(option.cpu[1]);
		receive(fd);
	}
	close(fd);
	return pid;
}

static void worker_exec(int control, int port, bool shunt, const char *report)
{
	char number[16], tcp[16], conf[1024];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(option.cpu[0]);
	unsetenv("LD_PRELOAD");
	if (shunt) {
		snprintf(conf, sizeof(conf), "report:%s,format:json%s%s", report,
			 option.conf ? "," : "", option.conf ? option.conf : "");
		setenv("LD_PRELOAD", option.library, 1);
		setenv("SHUNT_CONF", conf, 1);
	}
	snprintf(number, sizeof(number), "%d", control);
	snprintf(tcp, sizeof(tcp), "%d", port);
	execl("/proc/self/exe", "loop", "--worker", number, tcp, option.file, (char *)NULL);
	err(1, "exec");
}

static struct worker worker_start(bool shunt, const char *report)
{
	struct worker w;
	int pair[2], port;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		err(1, "socketpair");
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	w.receiver = receiver_start(&port);
	w.pid = fork();
	if (w.pid == 0)
		worker_exec(pair[1], port, shunt, report);
	close(pair[1]);
	w.control = pair[0];
	return w;
}

static void worker_stop(struct worker *w)
{
	int status;

	shutdown(w->control, SHUT_RDWR); /* the receivers hold copies */
	close(w->control);
	if (waitpid(w->pid, &status, 0) == w->pid && status != 0)
		warnx("a worker ended with status %#x", status);
	waitpid(w->receiver, &status, 0);
}

static struct answer ask(struct worker *w, struct job job)
{
	struct answer a;

	if (send(w->control, &job, sizeof(job), MSG_NOSIGNAL) < 0 ||
	    recv(w->control, &a, sizeof(a), 0) != sizeof(a))
		errx(1, "a worker died");
	return a;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), double_compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* One line of the table: every way in turn, ROUNDS times. Returns whether cycles were counted. */
static bool loop_line(struct worker *plain, struct worker *shunt, size_t chunk, bool odd)
{
	static double v[5][ROUNDS_MAX];
	static const enum work works[5] = { LOOP_PLAIN, LOOP_SENDFILE, LOOP_PLAIN, LOOP_LOOK,
					    LOOP_LOOK };
	struct worker *who[5] = { plain, plain, shunt, plain, shunt };
	double m[5] = { 0 };
	bool cycles = false;

	for (int r = 0; r < option.rounds; r++) {
		for (int i = 0; i < 5; i++) {
			struct job job = { works[i], chunk, option.bytes, odd, false };
			struct answer a = who[i] ? ask(who[i], job) : (struct answer){ 0 };

			v[i][r] = a.value * (a.cycles ? 1 : 1024);
			cycles |= a.cycles;
		}
	}
	for (int i = 0; i < 5; i++)
		m[i] = median(v[i], option.rounds);
	printf("%6zuk %-7s %8.3f %9.3f", chunk >> 10, odd ? "odd" : "aligned", m[0], m[1]);
	if (shunt)
		printf(" %8.3f %8.2fx %8.2fx %9.3f %9.3f %+7.1f %%", m[2], m[0] / m[2],
		       m[0] / m[1], m[3], m[4], 100 * (m[4] / m[3] - 1));
	putchar('\n');
	fflush(stdout);
	return cycles;
}

static void loop_table(struct worker *plain, struct worker *shunt)
{
	bool cycles = false;

	printf("  chunk buffer     plain  sendfile%s\n",
	       shunt ? "    shunt    gain  sendfile's      look look shunt     more" : "");
	for (int odd = 0; odd < 2; odd++)
		for (int i = 0; i < option.chunks; i++)
			cycles = loop_line(plain, shunt, option.chunk[i], odd);
	printf("%s of the sending thread, medians of %d rounds of %zu MiB\n\n",
	       cycles ? "cycles a byte" : "ns of CPU time a KiB (no cycle counter here)",
	       option.rounds, option.bytes >> 20);
}

static void hook_line(struct worker *plain, struct worker *shunt, enum work work)
{
	static double v[3][ROUNDS_MAX];
	double m[3] = { 0 };

	for (int r = 0; r < option.rounds; r++) {
		for (int i = 0; i < 3; i++) {
			struct job job = { work, 256 << 10, 0, false, i == 2 };
			struct worker *w = i ? shunt : plain;

			v[i][r] = w ? ask(w, job).value : 0;
		}
	}
	for (int i = 0; i < 3; i++)
		m[i] = median(v[i], option.rounds);
	printf("%-28s %7.1f", hook_names[work], m[0]);
	if (shunt)
		printf(" %7.1f %+7.1f %7.1f %+7.1f", m[1], m[1] - m[0], m[2], m[2] - m[0]);
	putchar('\n');
	fflush(stdout);
}

static void hook_table(struct worker *plain, struct worker *shunt)
{
	printf("%-28s   plain%s\n", "a call that passes through",
	       shunt ? "   shunt    more   armed    more" : "");
	for (enum work w = HOOK_READ; w < WORKS; w++)
		hook_line(plain, shunt, w);
	printf("ns a call; armed: while a buffer of 256 KiB is landed\n");
}

static void file_fill(int fd)
{
	static char block[1 << 20];

	for (int i = 0; i < FILE_SIZE / (int)sizeof(block); i++) {
		for (size_t done = 0; done < sizeof(block); done += 256)
			if (getrandom(block + done, 256, 0) != 256)
				err(1, "getrandom");
		if (write(fd, block, sizeof(block)) != sizeof(block))
			err(1, "%s", option.file);
	}
	if (fsync(fd) < 0)
		warn("fsync");
}

/* Sees to it that the file exists, is in the page cache, and has not changed for ten seconds. */
static void file_prepare(void)
{
	static char name[64], block[1 << 20];
	struct stat st;
	int fd;

	if (!option.file) {
		snprintf(name, sizeof(name), "/var/tmp/shunt-bench.%u", (unsigned)getuid());
		option.file = name;
	}
	fd = open(option.file, O_RDONLY);
	if (fd < 0 && errno == ENOENT) {
		fd = open(option.file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (fd >= 0)
			file_fill(fd);
		close(fd);
		fd = open(option.file, O_RDONLY);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", option.file);
	while (read(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	while (time(NULL) - st.st_ctime < 11)
		usleep(100 * 1000);
}

/* What the library says that it did: two numbers out of its report. */
static void report_show(const char *report)
{
	static char text[1 << 20];
	const char *all, *ours;
	FILE *f = fopen(report, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	unlink(report);
	text[n] = 0;
	all = strstr(text, "\"bytes\":");
	ours = strstr(text, "\"bytes_rewritten\":");
	if (!all || !ours)
		printf("libshunt wrote no report\n");
	else
		printf("libshunt's report: %.1f of %.1f GiB rewritten\n",
		       strtod(ours + 18, NULL) / (1 << 30), strtod(all + 8, NULL) / (1 << 30));
}

static void chunks_parse(char *list)
{
	option.chunks = 0;
	for (char *s = strtok(list, ","); s && option.chunks < 16; s = strtok(NULL, ",")) {
		char *end;
		size_t n = strtoul(s, &end, 10);

		n <<= *end == 'k' ? 10 : *end == 'm' ? 20 : 0;
		if (n == 0)
			errx(2, "bad chunk size %s", s);
		option.chunk[option.chunks++] = n;
	}
}

static void options_parse(int argc, char **argv)
{
	int c;

	option.library = getenv("LIBSHUNT");
	while ((c = getopt(argc, argv, "l:c:f:r:m:s:a:HL")) != -1) {
		if (c == 'l')
			option.library = optarg;
		else if (c == 'c')
			option.conf = optarg;
		else if (c == 'f')
			option.file = optarg;
		else if (c == 'r')
			option.rounds = atoi(optarg);
		else if (c == 'm')
			option.bytes = strtoul(optarg, NULL, 10) << 20;
		else if (c == 's')
			chunks_parse(optarg);
		else if (c == 'a')
			sscanf(optarg, "%d,%d", &option.cpu[0], &option.cpu[1]);
		else if (c == 'H')
			option.loops = false;
		else if (c == 'L')
			option.hooks = false;
		else
			exit(2);
	}
	if (option.rounds < 1 || option.rounds > ROUNDS_MAX || option.bytes < 4 << 20)
		errx(2, "-r wants 1 to %d rounds, -m at least 4 MiB", ROUNDS_MAX);
}

int main(int argc, char **argv)
{
	char report[64];
	struct worker plain, shunt, *second = NULL;

	if (argc == 5 && strcmp(argv[1], "--worker") == 0)
		return worker_main(argv);
	options_parse(argc, argv);
	file_prepare();
	plain = worker_start(false, NULL);
	snprintf(report, sizeof(report), "/var/tmp/shunt-bench.%d.json", (int)getpid());
	if (option.library) {
		shunt = worker_start(true, report);
		second = &shunt;
	}
	if (option.loops)
		loop_table(&plain, second);
	if (option.hooks)
		hook_table(&plain, second);
	worker_stop(&plain);
	if (second) {
		worker_stop(second);
		report_show(report);
	}
	return 0;
}
