/* SPDX-License-Identifier: MIT */
/*
 * interpreter.c - main, the loop over the operations, buffers, the transcript and the questions
 * to the driver; see vm.h. Started by the driver, with its descriptors at fixed numbers.
 */
#include "vm.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

struct vm vm;
__thread struct log *task_log;

enum { STATIC_SIZE = 300000, HEAP_SMALL = 110000, HEAP_LARGE = 300000, MAP_SIZE = 512 * 1024,
       STACK_SIZE = 200000, LIMIT_MS = 8000, BUDGET = 6 * 1024 * 1024, DEPTH = 3 };

static char static_a[STATIC_SIZE + 1], static_b[STATIC_SIZE];

long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the transcript ---- */

static char *put_number(char *to, long v)
{
	char digits[24];
	unsigned long u = v < 0 ? 0 - (unsigned long)v : (unsigned long)v;
	int n = 0;

	if (v < 0)
		*to++ = '-';
	do
		digits[n++] = (char)('0' + u % 10);
	while (u /= 10);
	while (n)
		*to++ = digits[--n];
	return to;
}

void say(const char *what, unsigned count, const long *v)
{
	struct log *log = task_log;
	uint32_t length = atomic_load(&log->length);
	int saved = errno;
	char *to = log->text + length;

	if (length + 64 + strlen(what) + count * 24 > LOG_SIZE)
		return;
	to = put_number(to, vm.at);
	*to++ = ' ';
	to = stpcpy(to, what);
	*to++ = ':';
	for (unsigned i = 0; i < count; i++) {
		*to++ = ' ';
		to = put_number(to, v[i]);
	}
	*to++ = '\n';
	atomic_store(&log->length, (uint32_t)(to - log->text));
	errno = saved;
}

struct log *new_log(void)
{
	uint32_t n = atomic_fetch_add(&vm.shared->tasks, 1);

	return &vm.shared->log[n < TASKS ? n : TASKS - 1];
}

/* ---- the driver ---- */

/* A write that no library sees: the number goes to the bell. */
static void ring(void)
{
	uint64_t one = 1;
#if defined(__x86_64__)
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(1L), "D"((long)FD_BELL), "S"(&one), "d"(8L)
			 : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long number __asm__("x8") = 64, x0 __asm__("x0") = FD_BELL;
	register const void *x1 __asm__("x1") = &one;
	register long x2 __asm__("x2") = 8;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(number), "r"(x1), "r"(x2) : "memory");
#endif
}

long ask(enum peer_command command, long x, long y, long z)
{
	struct shared *s = vm.shared;
	uint32_t mine = atomic_load(&s->asked) + 1;
	long until = now_ms() + LIMIT_MS;
	int saved = errno;

	s->command = command;
	s->x = x;
	s->y = y;
	s->z = z;
	atomic_store(&s->asked, mine);
	ring();
	while (atomic_load(&s->answered) != mine && now_ms() < until)
		sched_yield();
	errno = saved;
	return s->answer;
}

static void synchronise_one(int k)
{
	long until = now_ms() + LIMIT_MS;

	if (vm.shared->loose & (1u << k))
		return;
	while (atomic_load(&vm.shared->received[k]) < atomic_load(&vm.shared->sent[k]) &&
	       now_ms() < until)
		sched_yield();
	if (atomic_load(&vm.shared->received[k]) != atomic_load(&vm.shared->sent[k]))
		SAY("the peer has", k, (long)vm.shared->received[k], (long)vm.shared->sent[k]);
}

void synchronise(int k)
{
	int saved = errno;

	if (k >= 0)
		synchronise_one(k);
	for (int i = 0; k < 0 && i < SINKS; i++)
		synchronise_one(i);
	errno = saved;
}

/* ---- buffers ---- */

static void make_buffer(int i)
{
	struct buffer *b = &vm.buffer[i];

	if (b->kind == BUFFER_HEAP)
		b->p = malloc(b->size);
	else if (b->kind == BUFFER_MAP || b->kind == BUFFER_SHARED)
		b->p = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS |
			    (b->kind == BUFFER_MAP ? MAP_PRIVATE : MAP_SHARED), -1, 0);
	if (!b->p || b->p == MAP_FAILED)
		_exit(99);
	memset(b->p, 'a' + i, b->size);
	b->used = true;
	b->lo = 0;
	b->hi = b->size;
}

struct buffer *buffer_of(int b)
{
	b = (int)((unsigned)b % BUFFERS);
	if (!vm.buffer[b].used)
		make_buffer(b);
	return &vm.buffer[b];
}

char *piece(int b, int at, int *n)
{
	struct buffer *buffer = buffer_of(b);
	size_t from = (unsigned)at % buffer->size, size = *n > 0 ? (unsigned)*n : 0;

	if (size > buffer->size - from)
		size = buffer->size - from;
	*n = (int)size;
	return buffer->p + from;
}

char *piece_defined(int b, int at, int *n)
{
	struct buffer *buffer = buffer_of(b);
	char *p = piece(b, at, n), *end = p + *n;

	if (p < buffer->p + buffer->lo)
		p = buffer->p + buffer->lo;
	if (end > buffer->p + buffer->hi)
		end = buffer->p + buffer->hi;
	*n = end > p ? (int)(end - p) : 0;
	return *n ? p : buffer->p + buffer->lo;
}

void define(struct buffer *b, const char *p, size_t n)
{
	size_t lo = (size_t)(p - b->p), hi = lo + n;

	if (n == 0)
		return;
	if (lo > b->hi || hi < b->lo || b->lo == b->hi) {
		b->lo = lo;
		b->hi = hi;
	}
	b->lo = lo < b->lo ? lo : b->lo;
	b->hi = hi > b->hi ? hi : b->hi;
}

void undefine(struct buffer *b)
{
	b->lo = b->hi = 0;
}

/* ---- the loop ---- */

static int (*const run_op[OP_COUNT])(const struct op *) = {
#define OP(name, numbers) op_##name,
	FUZZ_OPS(OP)
#undef OP
};

/* What changes neither a buffer nor where it is: a handler may look meanwhile. */
static bool keeps_buffers(int code)
{
	return code == OP_write || code == OP_pair || code == OP_sync || code == OP_wait ||
	       code == OP_look || code == OP_state || code == OP_slow || code == OP_timer ||
	       code == OP_seek || code == OP_sinkopt || code == OP_out || code == OP_close ||
	       code == OP_racewrite;
}

void run_ops(int from, int to)
{
	if (++vm.depth <= DEPTH)
		for (int i = from; i < to; i++) {
			const struct op *op = &vm.program->op[i];

			vm.at = i;
			if (!keeps_buffers(op->code))
				vm.peek.valid = 0;
			i += run_op[op->code](op);
			atomic_fetch_add(&vm.shared->progress, 1);
		}
	vm.depth--;
}

int slot_of(int s)
{
	return (int)((unsigned)s % SLOTS);
}

int sink_of(int k)
{
	return (int)((unsigned)k % SINKS);
}

/* ---- beginning and end ---- */

static void say_buffers(void)
{
	for (int i = 0; i < BUFFERS; i++) {
		struct buffer *b = &vm.buffer[i];

		if (b->used)
			SAY("memory", i, (long)b->lo, (long)b->hi,
			    (long)fuzz_hash(b->p + b->lo, b->hi - b->lo));
	}
}

static void say_descriptors(void)
{
	for (int fd = 3; fd < FD_SINK; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			SAY("descriptor", fd, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL),
			    lseek(fd, 0, SEEK_CUR));
}

void finish(void)
{
	static const struct itimerval off;
	int status;

	setitimer(ITIMER_REAL, &off, NULL);
	vm.at = vm.program->count;
	vm.peek.valid = 0;
	atomic_store(&vm.shared->finished, 1);
	for (int i = 0; i < vm.children; i++) {
		pid_t pid = waitpid(vm.child[i], &status, 0);

		SAY("waited", pid == vm.child[i], status);
	}
	say_buffers();
	say_descriptors();
	SAY("peeks", vm.peek.wrong);
}

static void handle_pipe(int signal)
{
	SAY("SIGPIPE", signal);
}

static void first_state(char *stack)
{
	static const struct buffer plan[BUFFERS] = {
		{ BUFFER_STATIC, static_a + 1, STATIC_SIZE, 0, 0, false },
		{ BUFFER_STATIC, static_b, STATIC_SIZE, 0, 0, false },
		{ BUFFER_HEAP, NULL, HEAP_LARGE, 0, 0, false },
		{ BUFFER_HEAP, NULL, HEAP_SMALL, 0, 0, false },
		{ BUFFER_MAP, NULL, MAP_SIZE, 0, 0, false },
		{ BUFFER_MAP, NULL, MAP_SIZE, 0, 0, false },
		{ BUFFER_SHARED, NULL, MAP_SIZE, 0, 0, false },
		{ BUFFER_STACK, NULL, STACK_SIZE, 0, 0, false },
		{ BUFFER_HEAP, NULL, HEAP_LARGE, 0, 0, false },
	};

	memcpy(vm.buffer, plan, sizeof(plan));
	vm.buffer[7].p = stack;
	for (int i = 0; i < SLOTS; i++)
		vm.slot[i] = vm.slot_file[i] = -1;
	for (int i = 0; i < SINKS; i++) {
		vm.sink[i] = FD_SINK + i;
		vm.target[i] = i;
	}
	for (int i = 0; i < FEEDS; i++)
		vm.feed[i] = FD_FEED + i;
	vm.out = vm.mine = -1;
	vm.budget = BUDGET;
}

void save_for_exec(int next)
{
	struct shared *s = vm.shared;

	s->resume.index = next;
	s->resume.task = (int)(task_log - s->log);
	memcpy(s->resume.slot, vm.slot, sizeof(vm.slot));
	memcpy(s->resume.slot_file, vm.slot_file, sizeof(vm.slot));
	memcpy(s->resume.sink, vm.sink, sizeof(vm.sink));
	memcpy(s->resume.target, vm.target, sizeof(vm.target));
	memcpy(s->resume.feed, vm.feed, sizeof(vm.feed));
	s->resume.out = vm.out;
	s->resume.mine = vm.mine;
}

/* What survived the exec is what has no close-on-exec. */
static int still(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? fd : -1;
}

static int resume(void)
{
	struct shared *s = vm.shared;

	task_log = &s->log[s->resume.task];
	for (int i = 0; i < SLOTS; i++) {
		vm.slot[i] = still(s->resume.slot[i]);
		vm.slot_file[i] = s->resume.slot_file[i];
	}
	memcpy(vm.sink, s->resume.sink, sizeof(vm.sink));
	memcpy(vm.target, s->resume.target, sizeof(vm.target));
	memcpy(vm.feed, s->resume.feed, sizeof(vm.feed));
	vm.out = still(s->resume.out);
	vm.mine = still(s->resume.mine);
	return s->resume.index;
}

int main(int argc, char **argv)
{
	char stack[STACK_SIZE];
	struct sigaction pipe_action = { .sa_handler = SIG_IGN };
	int from = 0;

	vm.shared = mmap(NULL, sizeof(*vm.shared), PROT_READ | PROT_WRITE, MAP_SHARED, FD_SHARED,
			 0);
	if (vm.shared == MAP_FAILED) {
		fprintf(stderr, "%s is started by fuzz\n", argv[0]);
		return 2;
	}
	vm.program = &vm.shared->program;
	first_state(stack);
	if (argc > 1)
		from = resume();
	else
		task_log = new_log();
	if (vm.program->sigpipe == PIPE_HANDLED)
		pipe_action.sa_handler = handle_pipe;
	if (vm.program->sigpipe != PIPE_DEFAULT)
		sigaction(SIGPIPE, &pipe_action, NULL);
	run_ops(from, vm.program->count);
	finish();
	return 7;
}
