/* SPDX-License-Identifier: MIT */
/* op_thread.c - bodies in threads, onlookers, one thread that reads and one that writes. */
#include "vm.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* ---- a body in a thread ---- */

struct body {
	struct log *log;
	int from, end, depth;
};

static void *in_thread(void *argument)
{
	struct body *b = argument;

	task_log = b->log;
	run_ops(b->from, b->end);
	return NULL;
}

/*
 * The body by another thread, for which this one waits. how: 0 at once, 1 with its stack's
 * size set
 */
int op_thread(const struct op *op)
{
	struct body b = { task_log, vm.at + 1, body_end(op->a[1]), vm.depth };
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, old;
	int at = vm.at;

	pthread_attr_init(&attributes);
	if (op->a[0] & 1)
		pthread_attr_setstacksize(&attributes, 1024 * 1024);
	sigemptyset(&all);
	sigaddset(&all, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, &attributes, in_thread, &b) == 0)
		pthread_join(thread, NULL);
	vm.peek.valid = 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	vm.at = at;
	return b.end - b.from;
}

/* ---- a write while another thread looks ---- */

struct onlooker {
	char *p;
	size_t n;
	int how;
	uint64_t hash;
};

static void *look_on(void *argument)
{
	struct onlooker *o = argument;

	if (o->how & 1)
		o->hash = (unsigned char)*(volatile char *)(o->p + o->n / 2);
	else
		o->hash = fuzz_hash(o->p, o->n);
	return NULL;
}

/* how: 0 all of it, 1 one byte */
int op_racewrite(const struct op *op)
{
	int n = op->a[3];
	char *p = piece_defined(op->a[1], op->a[2], &n);
	struct onlooker o = { p, (size_t)n, op->a[4], 0 };
	pthread_t thread;
	sigset_t all, old;

	if (n == 0)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, NULL, look_on, &o) != 0)
		return 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	write_all(op->a[0], p, (size_t)n, 0, 0, 0);
	pthread_join(thread, NULL);
	SAY("seen meanwhile", (long)o.hash);
	return 0;
}

/* ---- one reads, the other writes ---- */

struct halves {
	int fd, site, how;
	char *p[2];
	size_t n;
	sem_t empty[2], full[2];
	ssize_t got[2];
	int rounds;
};

static void *read_halves(void *argument)
{
	struct halves *h = argument;

	for (int i = 0; i < h->rounds; i++) {
		sem_wait(&h->empty[i & 1]);
		h->got[i & 1] = read_as(h->fd, h->p[i & 1], h->n, h->how, h->site);
		sem_post(&h->full[i & 1]);
	}
	return NULL;
}

static void write_halves(struct halves *h, int k)
{
	for (int i = 0; i < h->rounds; i++) {
		sem_wait(&h->full[i & 1]);
		SAY("half", h->got[i & 1]);
		if (h->got[i & 1] > 0)
			write_all(k, h->p[i & 1], (size_t)h->got[i & 1], h->how / 8, 0, 0);
		sem_post(&h->empty[i & 1]);
	}
}

/* Two halves of buffer B by turns. how: as op_read, and in eights as op_write */
int op_relay(const struct op *op)
{
	int s = slot_of(op->a[0]), n = op->a[3];
	char *p = piece_defined(op->a[2], 0, &n);
	struct halves h = { .fd = vm.slot[s], .site = op->a[5], .how = op->a[6] & 127,
			    .n = (size_t)n / 2, .p = { p, p + n / 2 },
			    .rounds = (int)((unsigned)op->a[4] % 10) };
	sigset_t all, old;
	pthread_t thread;

	if (vm.slot[s] < 0 || n < 100)
		return 0;
	for (int i = 0; i < 2; i++) {
		sem_init(&h.empty[i], 0, 1);
		sem_init(&h.full[i], 0, 0);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, NULL, read_halves, &h) == 0) {
		write_halves(&h, op->a[1]);
		pthread_join(thread, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return 0;
}

/* ---- a connection that goes from thread to thread ---- */

enum { SHAPES = 4, SENDMSG = 4, SMALL = 8, NONBLOCKING = 16, UNBLOCKED = 32, MAPPED = 64,
       BOTH = 128, LONG = 256, CUT = 512 };

struct handed {
	struct log *log;
	int sink, how;
	char *p, *map;
	size_t n, mapped;
};

/* What lies between the pieces: an answer's header, a chunk's length and its end, a long header. */
static size_t shape(const struct handed *h, struct iovec v[PIECES_MOST])
{
	static char header[] = "HTTP/1.1 200 OK\r\n\r\n", length[] = "4000\r\n";
	static char end[] = "\r\n0\r\n\r\n";
	static char many[9000];
	size_t long_one = h->how & LONG ? sizeof(many) : sizeof(header) - 1, count = 0;
	int form = h->how % SHAPES;

	v[count++] = (struct iovec){ h->how & LONG ? many : header, long_one };
	if (form & 1)
		v[count++] = (struct iovec){ length, sizeof(length) - 1 };
	v[count++] = (struct iovec){ h->p, h->how & CUT ? h->n / 3 : h->n };
	if (h->how & CUT)
		v[count++] = (struct iovec){ h->p + h->n / 3, h->n - h->n / 3 };
	if (form & 1)
		v[count++] = (struct iovec){ end, sizeof(end) - 1 };
	if (h->map)
		v[count++] = (struct iovec){ h->map, h->mapped };
	if (form & 2)
		v[count++] = (struct iovec){ end, sizeof(end) - 1 };
	return count;
}

static void *hand_on(void *argument)
{
	struct handed *h = argument;
	struct iovec v[PIECES_MOST];

	task_log = h->log;
	write_pieces(h->sink, v, (int)shape(h, v), (h->how & SENDMSG) != 0);
	return NULL;
}

static void *map_file(int f, int from, size_t *n)
{
	static const char *const names[] = { "f0", "f1", "f2" };
	size_t length = file_length[f], at = (unsigned)from % length & ~(size_t)4095;
	int fd = open(names[f], O_RDONLY);
	char *p = mmap(NULL, length - at, PROT_READ, MAP_SHARED, fd, (off_t)at);

	close(fd);
	*n = length - at < *n ? length - at : *n;
	return p == MAP_FAILED ? NULL : p;
}

/*
 * A header and the buffer, or a file that is mapped, or both, in one call of a thread that has not
 * written before. how: two bits of shape, then the sum of what is named above
 */
int op_handed(const struct op *op)
{
	int n = op->a[3], k = sink_of(op->a[0]), how = op->a[4], f = (int)((unsigned)op->a[5] % 3);
	char *p = piece_defined(op->a[1], op->a[2], &n), *map = NULL;
	struct handed h = { task_log, k, how, p, NULL, (size_t)n, (size_t)n };
	bool tcp = vm.program->sink[vm.target[k]].kind == SINK_TCP;
	int room = tcp ? 32768 : 4608;
	pthread_t thread;
	sigset_t set, old;

	if (n < 100 || vm.sink[k] < 0)
		return 0;
	if (how & SMALL)
		setsockopt(vm.sink[k], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (how & NONBLOCKING)
		fcntl(vm.sink[k], F_SETFL, fcntl(vm.sink[k], F_GETFL) ^ O_NONBLOCK);
	if (how & (MAPPED | BOTH))
		map = map_file(f, op->a[6], &h.mapped);
	if (map && (how & BOTH))
		h.map = map;
	else if (map) {
		h.p = map;
		h.n = h.mapped;
	}
	sigfillset(&set);
	if (how & UNBLOCKED)
		sigdelset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	if (pthread_create(&thread, NULL, hand_on, &h) == 0) {
		sigaddset(&set, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		pthread_join(thread, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (map)
		munmap(map, file_length[f] - ((unsigned)op->a[6] % file_length[f] & ~(size_t)4095));
	return 0;
}
