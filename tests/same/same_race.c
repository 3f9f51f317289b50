/* SPDX-License-Identifier: MIT */
/*
 * same_race.c - threads and processes that do it at the same moment. What is said is
 * what must hold whoever is first.
 */
#include "same.h"

#include <fcntl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/uio.h>
#include <time.h>

/* A function of which there is one copy, so that its calls are one site each. clang makes no others. */
#ifdef __clang__
#define ONE_SITE __attribute__((noinline))
#else
#define ONE_SITE __attribute__((noinline, noclone))
#endif

/* ---- two processes take chunks from one offset ---- */

enum { TAKERS = 2, MOST = 1024 };

struct shared {
	atomic_int at_start, round, taken[TAKERS];
	uint64_t first[TAKERS][MOST]; /* the first bytes of each chunk that a taker got */
	off_t total[TAKERS];
};

/* The buffer's first bytes lie on a page that is not armed: no look. */
static void take_all(struct same_rig *r, struct shared *s, int me)
{
	ssize_t n;

	s->taken[me] = 0;
	s->total[me] = 0;
	while ((n = same_get(r->source, r->buf, r->size)) > 0 && s->taken[me] < MOST) {
		memcpy(&s->first[me][s->taken[me]++], r->buf, 8);
		s->total[me] += n;
	}
}

/* All wait for all, without a call. */
static void meet(struct shared *s, int round)
{
	if (atomic_fetch_add(&s->at_start, 1) == TAKERS * round - 1)
		s->round = round;
	while (s->round < round)
		sched_yield();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int doubles(const struct shared *s)
{
	static uint64_t all[TAKERS * MOST];
	int n = 0, twice = 0;

	for (int i = 0; i < TAKERS; i++)
		for (int j = 0; j < s->taken[i]; j++)
			all[n++] = s->first[i][j];
	qsort(all, (size_t)n, sizeof(*all), compare);
	for (int i = 1; i < n; i++)
		twice += all[i] == all[i - 1];
	return twice;
}

/* ROUNDS times the last BYTES of the file are read by two processes. */
static void taken_by_two(struct same_rig *r, int rounds, off_t bytes)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);
	int twice = 0, wrong_total = 0, wrong_offset = 0;
	struct stat st;
	off_t start;
	pid_t child;

	same_write(r);
	fstat(r->source, &st);
	start = bytes && bytes < st.st_size ? st.st_size - bytes : 0;
	lseek(r->source, start, SEEK_SET);
	child = fork();
	for (int i = 0; i < rounds; i++) {
		meet(s, 2 * i + 1);
		take_all(r, s, child == 0);
		meet(s, 2 * i + 2);
		if (child == 0)
			continue;
		twice += doubles(s);
		wrong_total += s->total[0] + s->total[1] != st.st_size - start;
		wrong_offset += lseek(r->source, 0, SEEK_CUR) != st.st_size;
		lseek(r->source, start, SEEK_SET);
	}
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	same_say("handed out twice", twice);
	same_say("not all was read", wrong_total);
	same_say("offset not at the end", wrong_offset);
}

static void one_offset(struct same_rig *r)
{
	taken_by_two(r, 6, 0);
}

static void one_offset_at_the_end(struct same_rig *r)
{
	taken_by_two(r, 1500, 6 * 65536 + 777);
}

/* Whoever shares the offset never sees it beyond the end of the file. */
static void never_beyond_the_end(struct same_rig *r)
{
	volatile int *beyond = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				    -1, 0);
	struct stat st;
	pid_t child;

	same_write(r);
	fstat(r->source, &st);
	child = fork();
	while (child == 0)
		*beyond += lseek(r->source, 0, SEEK_CUR) > st.st_size;
	for (int i = 0; i < 3000; i++) {
		lseek(r->source, -3 * SAME_CHUNK - 777, SEEK_END);
		while (same_get(r->source, r->buf, r->size) > 0)
			;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	same_say("beyond the end", *beyond);
}

/* ---- a page is never seen half filled ---- */

/* Until A is at least ROUND: at once where the other runs now. */
static void await(atomic_int *a, int round)
{
	for (int i = 0; *a < round; i++)
		if (i > 5000)
			sched_yield();
}

struct seer {
	struct same_rig *r;
	const volatile char *where;
	const char *truth;
	atomic_int go, done;
	int wrong;
};

static void *seeing_thread(void *arg)
{
	struct seer *s = arg;

	for (int round = 1;; round++) {
		await(&s->go, round);
		if (s->go > 1000000)
			return NULL;
		for (volatile int spin = 0; spin < round % 80 * 300; spin++)
			;
		s->wrong += *s->where != *s->truth;
		s->done = round;
	}
}

/*
 * One thread has all landings filled (dlopen does), the other looks at the last byte of the
 * chunk meanwhile.
 */
static void half_filled(struct same_rig *r)
{
	struct seer s = { .r = r };
	pthread_t t;
	struct stat st;
	char *data;

	fstat(r->source, &st);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, open("../data", O_RDONLY), 0);
	same_write(r);
	pthread_create(&t, NULL, seeing_thread, &s);
	for (int round = 1; round <= 240; round++) {
		if (lseek(r->source, 0, SEEK_CUR) > 15 << 20)
			lseek(r->source, 0, SEEK_SET);
		for (int i = 0; i < 2; i++) {
			r->got = (size_t)same_get(r->source, r->buf, r->size);
			if (i == 0 && write(r->sink, r->buf, r->got) < 0)
				break;
		}
		s.where = r->buf + r->got - 12000;
		s.truth = data + lseek(r->source, 0, SEEK_CUR) - 12000;
		while (*(volatile const char *)s.truth == 0) /* what an unfilled page shows */
			s.where++, s.truth++;
		s.go = round;
		dlopen(NULL, RTLD_NOW);
		await(&s.done, round);
		if (write(r->sink, r->buf, r->got) < 0)
			break;
	}
	s.go = 1000001;
	pthread_join(t, NULL);
	r->got = 0;
	same_say("wrong bytes seen", s.wrong);
}

/* ---- two threads write to one socket ---- */

static atomic_bool enough;

static void *marking_thread(void *arg)
{
	struct same_rig *r = arg;

	while (!enough) {
		if (write(r->sink, "<marker>", 8) != 8)
			break;
		sched_yield();
	}
	return NULL;
}

/* A header and its chunk in one call are one piece to whoever else writes there. */
static void header_and_marks(struct same_rig *r)
{
	char head[16] = "<---header--->\n";
	struct iovec iov[2] = { { head, 16 }, { r->buf, 20000 } };
	char *got, *first, *p, *end;
	struct stat st;
	int fd, torn = 0, heads = 0;
	pthread_t t;

	same_write(r);
	pthread_create(&t, NULL, marking_thread, r);
	for (int i = 0; i < 150; i++) {
		r->got = (size_t)same_get(r->source, r->buf, r->size);
		/* while the socket is full the kernel itself lets others in behind the header */
		same_drain(r, 'g');
		if (writev(r->sink, iov, 2) != 20016 ||
		    write(r->sink, r->buf + 20000, r->got - 20000) < 0)
			break;
	}
	enough = true;
	pthread_join(t, NULL);
	r->got = 0;
	same_finish(r);
	fd = open("received", O_RDONLY);
	fstat(fd, &st);
	got = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	end = got + st.st_size;
	for (p = got; (first = memmem(p, (size_t)(end - p), head, 15)) != NULL; p = first + 16) {
		heads++;
		torn += end - first >= 24 && memcmp(first + 16, "<marker>", 8) == 0;
	}
	same_say("outcome: headers", heads);
	same_say("outcome: torn from their chunk", torn);
}

/*
 * A socket to which a second thread writes for the first time, as soon as something has come
 * through.
 */
struct meeting {
	int sink, peer;
	atomic_int go, done;
};

static void *late_thread(void *arg)
{
	struct meeting *m = arg;
	char c;

	for (int round = 1;; round++) {
		await(&m->go, round);
		if (m->go > 1000000)
			return NULL;
		while (recv(m->peer, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
			;
		if (write(m->sink, "<marker>", 8) != 8)
			return NULL;
		m->done = round;
	}
}

static int torn_between(int fd, const char *head, size_t n)
{
	static char got[65536];
	size_t total = 0;
	char *first;

	for (ssize_t m; total < n && (m = read(fd, got + total, n - total)) > 0;)
		total += (size_t)m;
	first = memmem(got, total, head, 15);
	return !first || memcmp(first + 16, "<marker>", 8) == 0;
}

/*
 * The header goes by itself only where nobody else can write: where a second thread begins, it
 * waits.
 */
static void first_write_meets(struct same_rig *r, int flags)
{
	char head[16] = "<---header--->\n";
	struct iovec iov[2] = { { head, 16 }, { r->buf, 20000 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct meeting m = { .sink = -1 };
	int torn = 0, pair[2];
	pthread_t t;

	same_write(r);
	pthread_create(&t, NULL, late_thread, &m);
	for (int round = 1; round <= 200; round++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			break;
		if (lseek(r->source, 0, SEEK_CUR) > 12 << 20)
			lseek(r->source, 0, SEEK_SET);
		r->got = (size_t)same_get(r->source, r->buf, r->size);
		m.sink = pair[0];
		m.peer = pair[1];
		m.go = round;
		if ((flags ? sendmsg(pair[0], &msg, flags) : writev(pair[0], iov, 2)) != 20016)
			break;
		await(&m.done, round);
		torn += torn_between(pair[1], head, 20024);
		close(pair[0]);
		close(pair[1]);
		if (write(r->sink, r->buf, r->got) < 0)
			break;
	}
	m.go = 1000001;
	pthread_join(t, NULL);
	r->got = 0;
	same_say("outcome: torn from their chunk", torn);
}

static void first_write_meets_header(struct same_rig *r)
{
	first_write_meets(r, 0);
}

static void first_write_meets_dontwait(struct same_rig *r)
{
	first_write_meets(r, MSG_DONTWAIT);
}

static void *heading_thread(void *arg)
{
	struct same_rig *r = arg;
	char head[16] = "<---header--->\n";
	struct iovec iov[2] = { { head, 16 }, { r->buf, r->got } };

	while (writev(r->sink, iov, 2) == (ssize_t)r->got + 16)
		r->got = (size_t)same_get(r->source, r->buf, r->size);
	return NULL;
}

/* Who must not wait does not wait for another thread that does, though that has sent its header only. */
static void dontwait_meets_blocked(struct same_rig *r)
{
	pthread_t t;
	ssize_t n;

	same_write(r);
	r->got = (size_t)same_get(r->source, r->buf, r->size);
	same_drain(r, 'p');
	pthread_create(&t, NULL, heading_thread, r);
	usleep(300000);
	alarm(20); /* ends a wait */
	do
		n = send(r->sink, "some more", 9, MSG_DONTWAIT);
	while (n > 0);
	alarm(0);
	same_say("outcome: full", n);
	same_drain(r, 'r');
	pthread_join(t, NULL);
	r->got = 0;
}

/* ---- the number comes to mean another socket while a call blocks ---- */

struct swap {
	struct same_rig *r;
	int other;
};

static void *swapping_thread(void *arg)
{
	struct swap *s = arg;

	usleep(200000);
	dup2(s->other, s->r->sink);
	same_drain(s->r, 'g');
	return NULL;
}

/* Not one byte of the call may reach the other socket. */
static void other_socket(struct same_rig *r)
{
	static char head[1 << 20];
	struct iovec iov[2] = { { head, sizeof(head) }, { r->buf, 60000 } };
	struct swap s = { r, same_second_sink() };
	int kept = dup(r->sink);
	pthread_t t;
	struct stat st = { 0 };

	memset(head, 'h', sizeof(head));
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_drain(r, 'p');
	pthread_create(&t, NULL, swapping_thread, &s);
	same_say("outcome: written", writev(r->sink, iov, 2) > 0);
	pthread_join(t, NULL);
	close(s.other);
	close(kept);
	same_finish(r);
	usleep(300000);
	stat("received2", &st);
	same_say("outcome: bytes at the other socket", st.st_size);
}

/*
 * The same with a socket that is known to have one writer, since it is younger than the second
 * thread: the header and the chunk go by two calls then.
 */
struct young {
	int pair[2], other[2];
	atomic_bool born;
};

static void *replacing_thread(void *arg)
{
	static char part[65536];
	struct young *y = arg;

	while (!y->born)
		sched_yield();
	usleep(300000);
	dup2(y->other[0], y->pair[0]);
	while (recv(y->pair[1], part, sizeof(part), 0) > 0)
		;
	return NULL;
}

static void other_young_socket(struct same_rig *r)
{
	static char head[1 << 20];
	struct iovec iov[2] = { { head, sizeof(head) }, { r->buf, 60000 } };
	struct young y = { .born = false };
	int waiting = -1;
	pthread_t t;

	same_write(r);
	pthread_create(&t, NULL, replacing_thread, &y);
	for (int i = 0; i < 4; i++) { /* from the first such call on it is noted who writes */
		if (i == 0 || i == 2) {
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, i ? y.pair : y.other) != 0)
				return;
		}
		r->got = (size_t)same_get(r->source, r->buf, r->size);
		iov[0].iov_len = i == 3 ? sizeof(head) : 20;
		y.born = i == 3;
		same_say("outcome: written", writev(i < 2 ? r->sink : y.pair[0], iov, 2) > 0);
	}
	pthread_join(t, NULL);
	r->got = 0;
	ioctl(y.other[1], FIONREAD, &waiting);
	same_say("outcome: bytes at the other socket", waiting);
}

/* ---- a file is closed while another thread sends of it ---- */

static void *closing_thread(void *arg)
{
	struct same_rig *r = arg;
	char *p = malloc(70000);
	int other;

	usleep(200000);
	close(r->source);
	/* what was ours is free; other files come, and may get its number */
	for (int i = 0; i < 8; i++) {
		other = open(i % 2 ? "../other" : "../large", O_RDONLY);
		same_get(other, p, 65536);
		close(other);
	}
	same_drain(r, 'g');
	return NULL;
}

static void closed_meanwhile(struct same_rig *r)
{
	pthread_t t;
	size_t done = 0;
	ssize_t n;

	same_drain(r, 'p');
	pthread_create(&t, NULL, closing_thread, r);
	while (done < r->got) {
		n = write(r->sink, r->buf + done, r->got - done);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	same_say("all of it", done == r->got);
	pthread_join(t, NULL);
	r->source = -1;
	r->got = 0;
}

/*
 * The file is closed while the header before its chunk blocks; its descriptor, if
 * nobody needed it, would be another file's by the time of the chunk.
 */
static void closed_behind_a_header(struct same_rig *r)
{
	static char head[1 << 20];
	struct iovec iov[2] = { { head, sizeof(head) }, { r->buf, r->got } };
	pthread_t t;

	memset(head, 'h', sizeof(head));
	same_drain(r, 'p');
	pthread_create(&t, NULL, closing_thread, r);
	same_say("all of it", writev(r->sink, iov, 2) == (ssize_t)(sizeof(head) + r->got));
	pthread_join(t, NULL);
	r->source = -1;
	r->got = 0;
}

/*
 * A thread waits with a header and its chunk for room in a socket that others may write to, too.
 * Its handler forks: the call goes on in the child as well.
 */
static int handed[2];
static pid_t handed_child;

static void make_room(void)
{
	static char got[65536];

	while (recv(handed[1], got, sizeof(got), MSG_DONTWAIT) > 0)
		continue;
}

static char *handed_map;

/* Another call of that kind, by the child alone. */
static void write_handed_map(void)
{
	struct iovec iov[2] = { { "<->", 3 }, { handed_map, 32768 } };
	int pair[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	close(dup(pair[0]));
	same_say("writev in the handler", writev(pair[0], iov, 2));
	close(pair[0]);
	close(pair[1]);
}

static void fork_in_write(int signal)
{
	handed_child = fork();
	if (handed_child)
		waitpid(handed_child, NULL, 0);
	else if (handed_map)
		write_handed_map();
	make_room();
}

static void *forked_thread(void *arg)
{
	static char got[SAME_CHUNK + 16];
	struct same_rig *r = arg;
	char head[16] = "<---header--->\n";
	struct iovec iov[2] = { { head, 16 }, { r->buf, r->got } };
	sigset_t alarm;
	ssize_t n;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	n = writev(handed[0], iov, 2);
	same_say(handed_child ? "writev" : "writev of the child", n);
	if (n > 0)
		same_say_memory("came", got, (size_t)recv(handed[1], got, (size_t)n, MSG_WAITALL));
	if (!handed_child)
		_exit(0);
	return NULL;
}

static void fork_while_handed(struct same_rig *r)
{
	struct sigaction a = { .sa_handler = fork_in_write, .sa_flags = SA_RESTART };
	struct itimerval soon = { .it_value = { 0, 300000 } };
	char full[2000] = { 0 };
	sigset_t alarm;
	pthread_t t;

	socketpair(AF_UNIX, SOCK_STREAM, 0, handed);
	close(dup(handed[0])); /* who writes there is not known from now on */
	while (send(handed[0], full, sizeof(full), MSG_DONTWAIT) > 0)
		continue;
	sigaction(SIGALRM, &a, NULL);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	pthread_create(&t, NULL, forked_thread, r);
	pthread_join(t, NULL);
	close(handed[0]);
	close(handed[1]);
	same_write(r);
}

static void fork_in_a_handed_write(struct same_rig *r)
{
	fork_while_handed(r);
}

/* The child's own call takes the numbers that the parent's has there. */
static void write_in_a_fork_in_a_write(struct same_rig *r)
{
	int fd = open("../data", O_RDONLY);

	handed_map = mmap(NULL, 32768, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	fork_while_handed(r);
}

/* ---- two look at the same moment, or one looks while the other has it filled ---- */

static void *second_looker(void *arg)
{
	struct seer *s = arg;

	for (int round = 1;; round++) {
		await(&s->go, round);
		if (s->go > 1000000)
			return NULL;
		for (volatile int spin = 0; spin < round % 97 * 60; spin++)
			;
		s->wrong += *s->where != *s->truth;
		s->done = round;
	}
}

static void looked_at_together(struct same_rig *r)
{
	struct seer s = { .r = r };
	pthread_t t;
	struct stat st;
	char *data;

	fstat(r->source, &st);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, open("../data", O_RDONLY), 0);
	same_write(r);
	pthread_create(&t, NULL, second_looker, &s);
	for (int round = 1; round <= 1000; round++) {
		if (lseek(r->source, 0, SEEK_CUR) > 15 << 20)
			lseek(r->source, 0, SEEK_SET);
		r->got = (size_t)same_get(r->source, r->buf, r->size);
		s.where = r->buf + 30000;
		s.truth = data + lseek(r->source, 0, SEEK_CUR) - (off_t)r->got + 30000;
		s.go = round;
		dlopen(NULL, RTLD_NOW);
		s.wrong += *s.where != *s.truth;
		await(&s.done, round);
	}
	s.go = 1000001;
	pthread_join(t, NULL);
	r->got = 0;
	same_say("wrong bytes seen", s.wrong);
}

/* ---- a process forks while another thread of it reads ---- */

static char *other_buffer;

static void *reading_thread(void *arg)
{
	struct same_rig *r = arg;
	int fd = open("../data", O_RDONLY);

	while (!enough) {
		if (same_get(fd, other_buffer, 65536) < 65536)
			lseek(fd, 0, SEEK_SET);
		if (*(volatile char *)(other_buffer + 30000) == 0)
			r->got = 0;
	}
	close(fd);
	return NULL;
}

/* What the other thread held at that moment nobody holds in the child. */
static void fork_beside_a_reader(struct same_rig *r)
{
	int bad = 0, status;
	pthread_t t;
	pid_t child;

	same_write(r);
	other_buffer = malloc(65536);
	pthread_create(&t, NULL, reading_thread, r);
	for (int i = 0; i < 300; i++) {
		child = fork();
		if (child == 0) {
			alarm(20); /* or it would hang */
			_exit(pread(r->source, other_buffer, 65536, 0) != 65536 ||
			      same_get(r->source, r->buf, 4) != 4);
		}
		bad += waitpid(child, &status, 0) != child || status != 0;
	}
	enough = true;
	pthread_join(t, NULL);
	same_say("bad children", bad);
}

/* ---- the process's lock on the file goes while threads send from it and look at it ---- */

enum { SENDERS = 3, SENT = 57765, TIMES = 12 };

/* Returns how often it is wrong. To close any descriptor of the file is to give the lock back. */
static int send_and_look(const char *data)
{
	int fd = open("../data", O_RDONLY), s[2], wrong = 0, large = 4 * SENT;
	char *buf = malloc(SENT), *back = malloc(SENT);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return -1;
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	for (int i = 0; i < TIMES; i++) {
		off_t at = lseek(fd, i * (off_t)SENT, SEEK_SET);

		if (same_get(fd, buf, SENT) != SENT || write(s[0], buf, SENT) != SENT ||
		    recv(s[1], back, SENT, MSG_WAITALL) != SENT)
			return -1;
		wrong += memcmp(back, data + at, SENT) != 0;
		if (i == TIMES / 2) {
			close(fd);
			fd = open("../data", O_RDONLY);
		}
	}
	/* what was landed last is there still */
	for (int i = 0; i < SENT; i += 4096)
		wrong += buf[i] != back[i];
	close(s[0]);
	close(s[1]);
	close(fd);
	free(buf);
	free(back);
	return wrong;
}

static void *sending_thread(void *data)
{
	return (void *)(intptr_t)send_and_look(data);
}

static void lock_goes_meanwhile(struct same_rig *r)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = open("../data", O_RDONLY), bad = 0;
	pthread_t sender[SENDERS];
	struct stat st;
	void *wrong;
	char *data;

	fstat(fd, &st);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	same_write(r);
	for (int round = 0; round < 200; round++) {
		bad += fcntl(r->source, F_SETLK, &whole) != 0;
		for (int i = 0; i < SENDERS; i++)
			pthread_create(&sender[i], NULL, sending_thread, data);
		for (int i = 0; i < SENDERS; i++) {
			pthread_join(sender[i], &wrong);
			bad += wrong != NULL;
		}
	}
	same_say("bad", bad);
	munmap(data, (size_t)st.st_size);
}

/* ---- two threads at the same file at the same moment ---- */

/* The other does WORK(ARGUMENT) each time that GO is raised, some time later. */
struct other_hand {
	atomic_int go, done;
	int spread; /* what is waited at most, in turns */
	void (*work)(void *argument);
	void *argument;
	pthread_t thread;
};

static void dawdle(unsigned *seed, int spread)
{
	for (volatile int i = rand_r(seed) % spread; i > 0; i--)
		;
}

static void *lend_hand(void *argument)
{
	struct other_hand *h = argument;
	unsigned seed = 1;

	for (int round = 1;; round++) {
		while (h->go < round)
			;
		if (h->go == INT32_MAX)
			return NULL;
		dawdle(&seed, h->spread);
		h->work(h->argument);
		h->done = round;
	}
}

static void lock_a_part(void *fd)
{
	struct flock part = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 100 };

	fcntl(*(int *)fd, F_SETLK, &part);
}

enum { FILES = 200 };

/* Returns how many locks were lost. Each file is a new one: what was locked once does not land. */
static int meet_first_reads(struct same_rig *r)
{
	struct flock seen;
	int fd, lost = 0, mine[FILES], other;
	struct other_hand h = { .spread = 4000, .work = lock_a_part, .argument = &fd };
	char name[32];

	pthread_create(&h.thread, NULL, lend_hand, &h);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "locked%d", i);
		other = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
		if (ftruncate(other, 100000) != 0)
			return -1;
		close(other);
		fd = open(name, O_RDONLY);
		mine[i] = open(name, O_RDONLY);
		h.go = i + 1;
		r->got = (size_t)same_get(mine[i], r->buf, r->size);
		while (h.done <= i)
			;
		if (r->got != r->size || write(r->sink, r->buf, r->got) != (ssize_t)r->got)
			return -1;
		fcntl(mine[i], F_SETFL, O_NONBLOCK); /* what shunt has of the file goes */
		seen = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
		other = open(name, O_RDWR);
		fcntl(other, F_OFD_GETLK, &seen);
		lost += seen.l_type == F_UNLCK;
		close(other);
		close(fd);
		close(mine[i]);
	}
	h.go = INT32_MAX;
	pthread_join(h.thread, NULL);
	return lost;
}

static void lock_meets_first_read(struct same_rig *r)
{
	int status, bad = 0;
	pid_t child;

	same_write(r);
	for (int i = 0; i < 8; i++) {
		child = fork();
		if (child == 0)
			_exit(meet_first_reads(r) != 0);
		bad += waitpid(child, &status, 0) != child || status != 0;
	}
	same_say("bad children", bad);
}

static void close_number(void *fd)
{
	close(*(int *)fd);
}

/*
 * One site for all; from the start of FD, through a pair of sockets. Returns what the write did. H
 * closes FD meanwhile.
 */
static ONE_SITE ssize_t
pass_on(int fd, char *buf, const int pair[2], bool *right, struct other_hand *h, int round)
{
	static char back[SAME_CHUNK], truth[SAME_CHUNK];
	static unsigned seed = 77;
	ssize_t n;

	if (h) {
		h->go = round;
		dawdle(&seed, h->spread);
	}
	n = pread(fd, buf, SAME_CHUNK, 0);
	while (h && h->done < round)
		;
	if (n > 0)
		n = write(pair[0], buf, (size_t)n);
	if (n > 0 && recv(pair[1], back, (size_t)n, MSG_WAITALL) != n)
		return -1;
	if (round < 0)
		memcpy(truth, back, sizeof(truth));
	*right = n == SAME_CHUNK && memcmp(back, truth, sizeof(truth)) == 0;
	return n;
}

/*
 * A number is closed while it is read from, in turn with another file, into whole pages: what the
 * read gave is there. The second file takes the buffer over from the first, whose last chunk was
 * sent and need not be kept; and no other number is of the first.
 */
static void close_meets_read(struct same_rig *r)
{
	int fd = open("../other", O_RDONLY), other = open("../data", O_RDONLY), bad = 0;
	struct other_hand h = { .spread = 300, .work = close_number, .argument = &fd };
	int pair[2], large = 4 * SAME_CHUNK;
	time_t begin = time(NULL);
	bool right;

	same_write(r);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	for (int i = 0; i < 8; i++)
		pass_on(fd, r->buf, pair, &right, NULL, -1);
	close(fd);
	pthread_create(&h.thread, NULL, lend_hand, &h);
	/* for some seconds: where there is little time to run, the two wait for each other longer */
	for (int round = 1; round <= 60000 && time(NULL) - begin < 6; round++) {
		fd = open("../other", O_RDONLY);
		pass_on(fd, r->buf, pair, &right, NULL, 0);
		pass_on(other, r->buf, pair, &right, NULL, 0);
		errno = 0;
		bad += pass_on(fd, r->buf, pair, &right, &h, round) < 0 ? errno != EBADF : !right;
	}
	h.go = INT32_MAX;
	pthread_join(h.thread, NULL);
	same_say("bad", bad);
}

/* ---- a thread that may be cancelled at any instruction ---- */

static void *read_for_ever(void *argument)
{
	struct same_rig *r = argument;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		lseek(r->source, 0, SEEK_SET);
		for (int i = 0; i < 8; i++)
			same_get(r->source, r->buf, r->size);
	}
	return NULL;
}

/* It holds a lock most of the time: whoever reads into the buffer next must not wait for it. */
static void cancelled_anywhere(struct same_rig *r)
{
	pthread_t t;
	int rounds;

	same_write(r);
	for (rounds = 0; rounds < 100; rounds++) {
		if (pthread_create(&t, NULL, read_for_ever, r) != 0)
			break;
		usleep(1000);
		pthread_cancel(t);
		pthread_join(t, NULL);
		lseek(r->source, 0, SEEK_SET);
		same_get(r->source, r->buf, r->size);
	}
	same_say("rounds", rounds);
	same_say_buffer(r);
	same_loop(r, 4);
}

static const struct same_case cases[] = {
	{ "one_offset", one_offset, 0, 0 },
	{ "one_offset_at_the_end", one_offset_at_the_end, 0, 0 },
	{ "never_beyond_the_end", never_beyond_the_end, 0, 0 },
	{ "half_filled", half_filled, 0, 262144 },
	{ "header_and_marks", header_and_marks, SAME_UNIX | SAME_OUTCOME, 0 },
	{ "header_and_marks_tcp", header_and_marks, SAME_OUTCOME, 0 },
	{ "first_write_meets_header", first_write_meets_header, SAME_OUTCOME, 0 },
	{ "first_write_meets_dontwait", first_write_meets_dontwait, SAME_OUTCOME, 0 },
	{ "dontwait_meets_blocked", dontwait_meets_blocked, SAME_OUTCOME | SAME_LOOSE, 0 },
	{ "other_socket", other_socket, SAME_BARE | SAME_OUTCOME, 0 },
	{ "other_young_socket", other_young_socket, SAME_OUTCOME, 0 },
	{ "closed_meanwhile", closed_meanwhile, 0, 1 << 20 },
	{ "closed_behind_a_header", closed_behind_a_header, 0, 0 },
	{ "fork_in_a_handed_write", fork_in_a_handed_write, 0, 0 },
	{ "write_in_a_fork_in_a_write", write_in_a_fork_in_a_write, 0, 0 },
	{ "looked_at_together", looked_at_together, 0, 0 },
	{ "fork_beside_a_reader", fork_beside_a_reader, 0, 0 },
	{ "lock_goes_meanwhile", lock_goes_meanwhile, 0, 0 },
	{ "lock_meets_first_read", lock_meets_first_read, SAME_LOOSE, 0 },
	{ "close_meets_read", close_meets_read, SAME_PAGE, 0 },
	{ "cancelled_anywhere", cancelled_anywhere, 0, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
