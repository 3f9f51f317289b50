/* SPDX-License-Identifier: MIT */
/* same.c - the rig, the transcript and the table of the small programs. */
#include "same.h"

#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "drain.h"

void *volatile same_bad = (void *)16;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole line in one write, so that what a dying process said is all there. */
static void put(const char *format, ...)
{
	char line[256];
	static int lines;
	va_list ap;
	int n;

	if (++lines > 20000) /* a loop that went wrong */
		_exit(94);
	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(99);
}

ssize_t same_say(const char *call, ssize_t ret)
{
	int saved = errno;

	if (ret == -1)
		put("%s = -1 %s\n", call, strerrorname_np(saved));
	else
		put("%s = %zd\n", call, ret);
	errno = saved;
	return ret;
}

static uint64_t hash_on(uint64_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t same_hash(const void *p, size_t n)
{
	return hash_on(UINT64_C(0xcbf29ce484222325), p, n);
}

void same_say_memory(const char *what, const void *p, size_t n)
{
	int saved = errno;

	put("%s: %zu bytes %016llx\n", what, n, (unsigned long long)same_hash(p, n));
	errno = saved;
}

void same_say_file(const char *path)
{
	char part[4096];
	uint64_t h = same_hash(NULL, 0);
	long long total = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, part, sizeof(part))) > 0) {
		h = hash_on(h, part, (size_t)n);
		total += n;
	}
	if (fd >= 0)
		close(fd);
	put("file %s: %lld bytes %016llx\n", path, fd < 0 ? -1 : total, (unsigned long long)h);
}

void same_allow_all_numbers(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void same_copy_file(const char *from, const char *to)
{
	char part[4096];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t n;

	while ((n = read(in, part, sizeof(part))) > 0)
		if (write(out, part, (size_t)n) != n)
			_exit(98);
	close(in);
	close(out);
}

ssize_t same_get(int fd, void *p, size_t n)
{
	ssize_t got = read(fd, p, n);

	__asm__ volatile("" : "+r"(got)); /* no tail call: the site is here */
	return got;
}

void same_loop(struct same_rig *r, int rounds)
{
	ssize_t n, m, total = 0;

	for (int i = 0; i < rounds; i++) {
		n = same_get(r->source, r->buf, r->size);
		if (n <= 0)
			break;
		for (ssize_t done = 0; done < n; done += m) {
			m = write(r->sink, r->buf + done, (size_t)(n - done));
			if (m < 0) {
				same_say("write in the loop", m);
				return;
			}
		}
		total += n;
	}
	same_say("loop", total);
}

void same_read(struct same_rig *r)
{
	ssize_t n = same_say("read", same_get(r->source, r->buf, r->size));

	r->got = n > 0 ? (size_t)n : 0;
}

void same_write(struct same_rig *r)
{
	ssize_t n;

	for (size_t done = 0; done < r->got; done += (size_t)n) {
		n = same_say("write", write(r->sink, r->buf + done, r->got - done));
		if (n < 0)
			break;
	}
	r->got = 0;
}

void same_say_buffer(struct same_rig *r)
{
	same_say_memory("buffer", r->buf, r->size);
	same_say_memory("before", r->buf - 4096, 4096);
	same_say_memory("after", r->buf + r->size, 4096);
}

/* Until the peer's kernel has all that was written. */
static void wait_for_delivery(int sink)
{
	int queued = 1;

	while (queued > 0 && ioctl(sink, SIOCOUTQ, &queued) == 0)
		sched_yield();
}

void same_drain(struct same_rig *r, char command)
{
	int before = *r->done;

	if (!r->paused)
		wait_for_delivery(r->sink);
	r->paused = command == 'p' || (r->paused && command != 'g' && command != 'G');
	if (write(r->control, &command, 1) != 1)
		_exit(97);
	while (*r->done == before)
		sched_yield();
}

int same_slow_down(struct same_rig *r)
{
	enum { SLOW = 2 << 20, SMALL = 128 * 1024 };
	int small = SMALL;

	setsockopt(r->sink, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	same_drain(r, 's');
	return (int)(SLOW / r->size);
}

long long same_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int same_second_sink(void)
{
	struct same_rig other = { .sink = -1 };

	drain_start(&other, false, "received2");
	return other.sink;
}

void same_full_open(struct same_full *f)
{
	socklen_t n = sizeof(f->where);

	f->where = (struct sockaddr_in){ .sin_family = AF_INET };
	f->where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(f->listener, (struct sockaddr *)&f->where, n);
	listen(f->listener, 0);
	getsockname(f->listener, (struct sockaddr *)&f->where, &n);
	for (int i = 0; i < SAME_WAITING; i++) {
		f->waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(f->waiting[i], (struct sockaddr *)&f->where, n);
	}
}

void same_full_close(struct same_full *f)
{
	for (int i = 0; i < SAME_WAITING; i++)
		close(f->waiting[i]);
	close(f->listener);
}

static void rig_open(struct same_rig *r, const struct same_case *c)
{
	uintptr_t a;

	memset(r, 0, sizeof(*r));
	r->size = c->size != 0 ? c->size : SAME_CHUNK;
	drain_start(r, (c->flags & SAME_UNIX) != 0, "received");
	if (c->flags & SAME_OWN)
		same_copy_file("../data", "mine");
	r->source = open(c->flags & SAME_OWN ? "mine" : "../data", O_RDONLY);
	r->area = malloc(r->size + 2 * SAME_AROUND + 4096);
	a = ((uintptr_t)r->area + SAME_AROUND + 4095) & ~(uintptr_t)4095;
	r->buf = (char *)(c->flags & SAME_PAGE ? a : a + 1233);
	memset(r->buf - 4096, 0xa5, r->size + 8192);
}

void same_finish(struct same_rig *r)
{
	int status;

	if (r->drain == 0)
		return;
	if (r->source >= 0)
		same_say("offset", lseek(r->source, 0, SEEK_CUR));
	if (r->sink >= 0)
		close(r->sink);
	r->sink = r->source = -1;
	close(r->control);
	if (waitpid(r->drain, &status, 0) == r->drain)
		same_say_file("received");
	r->drain = 0;
}

static int list(const struct same_case *cases)
{
	for (; cases->name != NULL; cases++)
		printf("%s %d\n", cases->name, cases->flags);
	return 0;
}

int same_main(int argc, char **argv, const struct same_case *cases)
{
	struct same_rig rig;

	if (argc == 2 && strcmp(argv[1], "-l") == 0)
		return list(cases);
	for (; argc == 2 && cases->name != NULL; cases++) {
		if (strcmp(argv[1], cases->name) != 0)
			continue;
		rig_open(&rig, cases);
		if (!(cases->flags & SAME_BARE)) {
			same_loop(&rig, SAME_ROUNDS);
			same_read(&rig);
		}
		cases->run(&rig);
		same_finish(&rig);
		return 0;
	}
	fprintf(stderr, "usage: %s -l | CASE\n", argv[0]);
	return 2;
}
