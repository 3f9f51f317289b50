/* SPDX-License-Identifier: MIT */
/*
 * serve.c - a loop that sends a file to a child, in circumstances under which it must,
 * or must not, be rewritten. The runner says which, and compares the output with a plain
 * run: the length and a hash of what the child received.
 *
 *     serve CASE FILE [SINK]: FILE may be "fd:N", SINK is the number of a socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { CHUNK = 65536, STACK = 1 << 20 };

static const char *path;
static int source, sink;

static uint64_t hash_on(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int open_source(void)
{
	return strncmp(path, "fd:", 3) == 0 ? atoi(path + 3) : open(path, O_RDONLY);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void send_all(const char *p, ssize_t n)
{
	for (ssize_t m; n > 0; p += m, n -= m) {
		m = write(sink, p, (size_t)n);
		if (m < 0)
			die("write");
	}
}

/* The one call that reads: what is learned hangs on it. */
static ssize_t __attribute__((noinline)) get(char *p, size_t n)
{
	ssize_t got = read(source, p, n);

	__asm__ volatile("" : "+r"(got));
	if (got < 0)
		die("read");
	return got;
}

typedef void step_fn(char *p, ssize_t n, int i);

/* COUNT chunks, or all of them; before each write STEP has the chunk. */
static void loop(char *p, int count, step_fn *step)
{
	ssize_t n;

	for (int i = 0; i != count && (n = get(p, CHUNK)) > 0; i++) {
		if (step)
			step(p, n, i);
		send_all(p, n);
	}
}

/* A mapping of its own, which no other, a thread's stack say, becomes one with. */
static char *page_buffer(size_t n)
{
	char *p = mmap(NULL, n + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + 4096, n, PROT_READ | PROT_WRITE) != 0)
		die("mmap");
	return p + 4096;
}

/* ---- cases ---- */

static void plain(void)
{
	loop(page_buffer(CHUNK), -1, NULL);
}

static void touch(char *p, ssize_t n, int i)
{
	(void)p;
	(void)n;
	if (i == 10)
		utimensat(AT_FDCWD, path, NULL, 0);
}

static void changed(void)
{
	loop(page_buffer(CHUNK), -1, touch);
}

static void set_direct(char *p, ssize_t n, int i)
{
	(void)p;
	(void)n;
	if (i == 10)
		fcntl(source, F_SETFL, O_DIRECT);
}

static void direct_later(void)
{
	loop(page_buffer(CHUNK), -1, set_direct);
}

static void flocked(void)
{
	if (flock(source, LOCK_SH) != 0)
		die("flock");
	plain();
}

static void data_limit(void)
{
	struct rlimit limit = { 1 << 30, RLIM_INFINITY };

	setrlimit(RLIMIT_DATA, &limit);
	plain();
}

/* Then no room can be kept for what is protected. */
static void data_and_space_limit(void)
{
	struct rlimit limit = { UINT64_C(1) << 36, RLIM_INFINITY };

	setrlimit(RLIMIT_AS, &limit);
	data_limit();
}

static void memfd(void)
{
	char *p = page_buffer(CHUNK);
	int fd = memfd_create("x", 0);
	ssize_t n;

	while ((n = read(source, p, CHUNK)) > 0)
		if (write(fd, p, (size_t)n) != n)
			die("write");
	source = fd;
	lseek(fd, 0, SEEK_SET);
	sleep(11); /* until it is old */
	plain();
}

/* A file that is read whole, as its size says. */
static void one_large_read(void)
{
	struct stat st;
	char *p;

	fstat(source, &st);
	p = page_buffer(((size_t)st.st_size + 4095) & ~(size_t)4095);
	send_all(p, get(p, (size_t)st.st_size));
}

static void look_at_last_page(char *p, ssize_t n, int i)
{
	(void)i;
	if (n == CHUNK)
		*(volatile char *)(p + CHUNK - 5000);
}

static void last_page(void)
{
	loop(page_buffer(CHUNK), -1, look_at_last_page);
}

static void look_at_first_page(char *p, ssize_t n, int i)
{
	(void)n;
	(void)i;
	*(volatile char *)(p + 100);
}

static void first_page(void)
{
	loop(page_buffer(CHUNK), -1, look_at_first_page);
}

/* A block for each chunk: the loop gets the same one again. */
static void fresh_blocks(void)
{
	ssize_t n = 1;

	while (n > 0) {
		char *p = malloc(100000);

		n = get(p, 100000);
		send_all(p, n);
		free(p);
	}
}

/* More buffers than there may be landings, all read before any is written. */
static void many_buffers(void)
{
	enum { BUFFERS = 7 };
	char *p[BUFFERS];
	ssize_t n[BUFFERS];

	for (int i = 0; i < BUFFERS; i++)
		p[i] = page_buffer(CHUNK);
	do {
		for (int i = 0; i < BUFFERS; i++)
			n[i] = get(p[i], CHUNK);
		for (int i = 0; i < BUFFERS; i++)
			send_all(p[i], n[i]);
	} while (n[BUFFERS - 1] > 0);
}

static ucontext_t here, there;

static void on_coroutine(void)
{
	char room[CHUNK];

	loop(room, -1, NULL);
	swapcontext(&there, &here);
}

static void coroutine(void)
{
	getcontext(&there);
	there.uc_stack.ss_sp = page_buffer(STACK);
	there.uc_stack.ss_size = STACK;
	there.uc_link = &here;
	makecontext(&there, on_coroutine, 0);
	swapcontext(&here, &there);
}

/* Another process cuts the file when a chunk is read and not written. */
static void cut(void)
{
	char *p = page_buffer(CHUNK);
	ssize_t n;
	volatile int *step = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* forked before anything is landed, and told without a call */
	if (fork() == 0) {
		close(sink);
		while (*step == 0)
			;
		*step = truncate(path, 1000) == 0 ? 2 : 3;
		_exit(0);
	}
	signal(SIGPIPE, SIG_IGN);
	loop(p, 10, NULL);
	n = get(p, CHUNK);
	*step = 1;
	while (*step == 1)
		;
	n = write(sink, p, (size_t)n);
	fprintf(stderr, "%s", n < 0 ? strerrorname_np(errno) : "written");
	n = write(sink, "more", 4);
	fprintf(stderr, " %s", n < 0 ? strerrorname_np(errno) : "written");
}

/* ---- one thread reads, another writes ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static ssize_t full = -1;
static char *shared, *truth;

static void *reader(void *arg)
{
	ssize_t n = 1;

	while (n > 0) {
		pthread_mutex_lock(&lock);
		while (full >= 0)
			pthread_cond_wait(&moved, &lock);
		if (arg)
			posix_fadvise(source, 0, 0, POSIX_FADV_DONTNEED);
		n = full = get(shared, CHUNK);
		pthread_cond_broadcast(&moved);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void two_threads(bool cold)
{
	pthread_t t;
	ssize_t n = 1;

	shared = page_buffer(CHUNK);
	posix_fadvise(source, 0, 0, POSIX_FADV_RANDOM);
	if (pthread_create(&t, NULL, reader, cold ? &t : NULL) != 0)
		die("pthread_create");
	while (n > 0) {
		pthread_mutex_lock(&lock);
		while (full < 0)
			pthread_cond_wait(&moved, &lock);
		n = full;
		send_all(shared, n);
		full = -1;
		pthread_cond_broadcast(&moved);
		pthread_mutex_unlock(&lock);
	}
	pthread_join(t, NULL);
}

static void not_in_memory(void)
{
	two_threads(true);
}

static void in_memory(void)
{
	two_threads(false);
}

/* Two threads with a buffer each, and room for one landing. */
static atomic_int wrong;

static void *looping(void *arg)
{
	char *p = page_buffer(CHUNK), *is = malloc(CHUNK);
	int pair[2], fd = open(path, O_RDONLY);
	off_t at = *(off_t *)arg;
	ssize_t n, m;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		die("socketpair");
	for (int i = 0; i < 3000; i++) {
		at = (at + CHUNK) % (20 * CHUNK);
		n = pread(fd, p, CHUNK, at);
		if (write(pair[0], p, (size_t)n) != n)
			die("write");
		for (m = 0; m < n;)
			m += recv(pair[1], is + m, (size_t)(n - m), 0);
		wrong += memcmp(is, truth + at, (size_t)n) != 0;
	}
	return NULL;
}

static void two_loops(void)
{
	off_t at[2] = { 0, 10 * CHUNK };
	pthread_t t[2];
	struct stat st;

	fstat(source, &st);
	truth = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, source, 0);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, looping, &at[i]) != 0)
			die("pthread_create");
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	printf("wrong chunks: %d\n", wrong);
	fflush(stdout);
}

/* A header and a chunk by one call, to a socket that is new when another thread is there. */
static void *receiving_thread(void *arg)
{
	static char part[CHUNK];
	uint64_t h = 0;
	ssize_t n;

	while ((n = recv(*(int *)arg, part, sizeof(part), 0)) > 0)
		h = hash_on(h, part, (size_t)n);
	printf("received %016llx\n", (unsigned long long)h);
	fflush(stdout);
	return NULL;
}

static void header_to(int fd, char *p, int count)
{
	struct iovec iov[2] = { { "header: of a chunk\n", 19 }, { p, CHUNK } };

	for (int i = 0; i < count && get(p, CHUNK) == CHUNK; i++)
		if (writev(fd, iov, 2) != 19 + CHUNK)
			die("writev");
}

/* The chunk alone, with MSG_DONTWAIT. */
static void chunks_to(int fd, char *p, int count)
{
	for (int i = 0; i < count && get(p, CHUNK) == CHUNK; i++)
		for (size_t done = 0; done < CHUNK;) {
			ssize_t n = send(fd, p + done, CHUNK - done, MSG_DONTWAIT);

			if (n < 0 && poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1, -1) < 0)
				die("poll");
			done += n > 0 ? (size_t)n : 0;
		}
}

static void send_beside_thread(void (*send_to)(int fd, char *p, int count))
{
	char *p = page_buffer(CHUNK);
	int pair[2], to;
	pthread_t t;

	for (int i = 0; i < 2; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
		    pthread_create(&t, NULL, receiving_thread, &pair[1]) != 0)
			die("socketpair");
		to = i ? pair[0] : dup(pair[0]);
		if (to != pair[0])
			close(pair[0]);
		send_to(to, p, i ? 25 : 2);
		close(to);
		pthread_join(t, NULL);
		close(pair[1]);
	}
}

static void header_beside_thread(void)
{
	send_beside_thread(header_to);
}

static void dontwait_beside_thread(void)
{
	send_beside_thread(chunks_to);
}

/* The buffer lies right above the stack of the thread that reads: one mapping, two things. */
static void *beside_thread(void *arg)
{
	loop(arg, -1, NULL);
	return NULL;
}

static void beside_stack(void)
{
	char *p = page_buffer(STACK + CHUNK);
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, p, STACK);
	if (pthread_create(&t, &attr, beside_thread, p + STACK) != 0)
		die("pthread_create");
	pthread_join(t, NULL);
}

/* ---- other circumstances ---- */

/* A loop in a root directory that has no /proc. */
static void in_chroot(void)
{
	if (chroot("/dev") != 0)
		die("chroot");
	plain();
}

/* The same, by a call that no hook hears. */
static void in_chroot_unheard(void)
{
#ifdef __x86_64__
	const char *path = "/dev";
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(161), "D"(path) : "rcx", "r11", "memory");
	if (ret != 0)
		die("chroot");
#endif
	plain();
}

/* Standard error is the file itself, from the start: what is printed goes there unheard. */
static void print_into(char *p, ssize_t n, int i)
{
	(void)p;
	(void)n;
	if (i < 8 || i > 20)
		return;
	lseek(STDERR_FILENO, i * CHUNK + CHUNK / 2, SEEK_SET);
	fprintf(stderr, "over%s", "written");
}

static void standard_error(void)
{
	loop(page_buffer(CHUNK), -1, print_into);
}

/* Whoever waits for children has its own only. */
static void waits(void)
{
	siginfo_t info;
	pid_t child;

	loop(page_buffer(CHUNK), 5, NULL);
	child = fork();
	if (child == 0)
		_exit(7);
	if (waitid(P_ALL, 0, &info, WEXITED) != 0 || info.si_pid != child || info.si_status != 7)
		die("waitid");
	plain();
}

static void echo_there(void)
{
	const char *root = getenv("SERVE_ROOT");
	pid_t child;

	loop(page_buffer(CHUNK), 5, NULL);
	child = fork();
	if (child == 0) {
		if (!root || chroot(root) != 0 || chdir("/") != 0)
			die("chroot");
		execl("/bin/echo", "echo", "echo:", "there", (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	plain();
}

/* The pages of the last chunk are sealed by a call that no hook hears, and then looked at. */
static void sealed_unheard(void)
{
	char *p = page_buffer(CHUNK);
	long ret;

	loop(p, 10, NULL);
	get(p, CHUNK);
#ifdef __x86_64__
	__asm__ volatile("syscall" : "=a"(ret) : "a"(462), "D"(p), "S"(CHUNK), "d"(0)
			 : "rcx", "r11", "memory");
#else
	ret = -ENOSYS;
#endif
	if (ret != 0)
		exit(77);
	if (*(volatile char *)(p + 30000))
		puts("it was filled all the same");
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "in_chroot", in_chroot },
	{ "in_chroot_unheard", in_chroot_unheard },
	{ "standard_error", standard_error },
	{ "waits", waits },
	{ "echo_there", echo_there },
	{ "sealed_unheard", sealed_unheard },
	{ "plain", plain },
	{ "changed", changed },
	{ "direct_later", direct_later },
	{ "flocked", flocked },
	{ "data_limit", data_limit },
	{ "data_and_space_limit", data_and_space_limit },
	{ "memfd", memfd },
	{ "one_large_read", one_large_read },
	{ "last_page", last_page },
	{ "first_page", first_page },
	{ "fresh_blocks", fresh_blocks },
	{ "many_buffers", many_buffers },
	{ "coroutine", coroutine },
	{ "not_in_memory", not_in_memory },
	{ "in_memory", in_memory },
	{ "beside_stack", beside_stack },
	{ "two_loops", two_loops },
	{ "header_beside_thread", header_beside_thread },
	{ "dontwait_beside_thread", dontwait_beside_thread },
	{ "cut", cut },
};

static void receive(int fd)
{
	static char part[CHUNK];
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	long long total = 0;
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0) {
		h = hash_on(h, part, (size_t)n);
		total += n;
	}
	printf("%lld %016llx\n", total, (unsigned long long)h);
	exit(0);
}

int main(int argc, char **argv)
{
	int pair[2] = { -1, -1 };

	if (argc != 3 && argc != 4)
		return 2;
	path = argv[2];
	sink = argc == 4 ? atoi(argv[3]) : -1;
	if (sink < 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			die("socketpair");
		if (fork() == 0) {
			close(pair[0]);
			receive(pair[1]);
		}
		close(pair[1]);
		sink = pair[0];
	}
	source = open_source();
	if (source < 0)
		die(path);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			cases[i].run();
	close(sink);
	wait(NULL);
	return 0;
}
