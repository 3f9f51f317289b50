/* SPDX-License-Identifier: MIT */
/*
 * generate.c - a seed's program. Operations at random would hardly ever make a loop of which
 * something is learned; so a program is a few episodes, each a loop of reads and writes through
 * one buffer, with looks, changes and everything else strewn in between.
 */
#include "program.h"

/* What an episode keeps from round to round. */
struct episode {
	int slot, file, buffer, at, size, sink, site, read_how, write_how, write_flags;
	bool by_offset; /* pread */
	int offset;
};

struct maker {
	struct program *p;
	uint64_t state;
	bool raw;
	struct episode e;
};

static uint64_t next(struct maker *m)
{
	uint64_t x = (m->state += UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static int below(struct maker *m, int n)
{
	return (int)(next(m) % (unsigned)n);
}

static bool percent(struct maker *m, int n)
{
	return below(m, 100) < n;
}

static int one_of(struct maker *m, const int *list, int n)
{
	return list[below(m, n)];
}
#define ONE_OF(m, ...)                                                                             \
	one_of(m, (const int[]){ __VA_ARGS__ }, (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)))

static void add(struct maker *m, int code, const int *a, int n)
{
	struct op *op = &m->p->op[m->p->count];

	if (m->p->count == OPS - 1)
		return;
	*op = (struct op){ .code = code };
	for (int i = 0; i < n; i++)
		op->a[i] = a[i];
	m->p->count++;
}
#define ADD(m, name, ...)                                                                          \
	add(m, OP_##name, (const int[]){ __VA_ARGS__ },                                            \
	    (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)))

/* ---- the loop ---- */

static int some_size(struct maker *m)
{
	static const int sizes[] = { 65536, 65536,  32768, 16384, 131072,
				     262144, 20000, 100000, 8192 };

	if (percent(m, 70))
		return one_of(m, sizes, 9);
	return 4096 + below(m, percent(m, 50) ? 30000 : 200000);
}

static void begin_episode(struct maker *m)
{
	struct episode *e = &m->e;

	*e = (struct episode){
		.slot = below(m, 4),
		.file = percent(m, 5) ? ONE_OF(m, 2, 3, 4) : ONE_OF(m, 0, 0, 0, 0, 1, MUTABLE),
		.buffer = percent(m, 5) ? ONE_OF(m, 6, 7) : ONE_OF(m, 0, 1, 2, 2, 3, 4, 4, 5, 8),
		.at = percent(m, 60) ? 0 : percent(m, 50) ? below(m, 5000) : 4096 * below(m, 8),
		.size = some_size(m),
		.sink = percent(m, 4) ? SINKS - 1 : below(m, SINKS - 1),
		.site = below(m, 16),
		.read_how = percent(m, 6) ? below(m, 5) : ONE_OF(m, 0, 0, 0, 1, 3),
		.by_offset = percent(m, 25),
		.write_how = below(m, 9),
		.write_flags = percent(m, 70) ? 0 : below(m, 7),
	};
	if (percent(m, 92))
		ADD(m, open, e->slot, e->file, below(m, 8));
	if (percent(m, 25))
		ADD(m, seek, e->slot, 0, below(m, 300000));
	e->offset = percent(m, 50) ? 0 : below(m, 100000);
	if (percent(m, 10))
		ADD(m, slow, e->sink, 1);
}

static void read_part(struct maker *m, int buffer, int at, int n)
{
	struct episode *e = &m->e;

	if (e->by_offset) {
		ADD(m, pread, e->slot, buffer, at, n, e->offset, e->read_how, e->site);
		e->offset += n;
	} else {
		ADD(m, read, e->slot, buffer, at, n, e->read_how, e->site);
	}
}

static void add_read(struct maker *m)
{
	struct episode *e = &m->e;

	read_part(m, e->buffer, e->at, e->size);
	if (percent(m, 4))
		e->site = below(m, 16);
}

static void write_part(struct maker *m, int at, int n)
{
	struct episode *e = &m->e;

	ADD(m, write, e->sink, e->buffer, at, n, e->write_how, e->write_flags,
	    percent(m, 15) ? 1 + below(m, 4) : 0);
}

/* What was read goes to the sink, in one of the ways that servers have. */
static void add_write(struct maker *m)
{
	struct episode *e = &m->e;
	int cut = 1 + below(m, e->size), how = below(m, 21);

	if (how < 9) {
		write_part(m, e->at, e->size);
	} else if (how < 11) {
		write_part(m, e->at, cut);
		write_part(m, e->at + cut, e->size - cut);
	} else if (how == 11) {
		write_part(m, e->at + cut, e->size - cut);
		write_part(m, e->at, cut);
	} else if (how == 12) {
		write_part(m, e->at, e->size);
		write_part(m, e->at, e->size);
	} else if (how == 13) {
		write_part(m, e->at + cut / 3, cut - cut / 3);
	} else if (how == 14) {
		write_part(m, e->at > 300 ? e->at - 300 : 0, e->size + 600);
	} else if (how < 17) {
		ADD(m, write, e->sink, e->buffer, e->at, e->size, 9 + below(m, 18), 0, 0);
	} else if (how == 17) {
		ADD(m, racewrite, e->sink, e->buffer, e->at, e->size, below(m, 2));
	} else if (how == 18) {
		ADD(m, pair, e->sink, e->buffer, e->at, e->size, below(m, BUFFERS), below(m, 3000),
		    below(m, 100000), below(m, 3));
	} else if (how == 19) {
		ADD(m, handed, e->sink, e->buffer, e->at, e->size, below(m, 1024), below(m, 3),
		    below(m, 100000));
	} else {
		ADD(m, write, below(m, SINKS), e->buffer, e->at, e->size, below(m, 27),
		    below(m, 7), 0);
	}
}

/* ---- what lies between ---- */

/* A place in the chunk: near its ends, at a page's edge, anywhere; a byte or many. */
static void some_piece(struct maker *m, int *at, int *n)
{
	struct episode *e = &m->e;
	int size = e->size > 1 ? e->size : 2;

	*at = percent(m, 50) ? below(m, size) : below(m, size < 20 ? size : 20);
	if (percent(m, 20))
		*at = size - 1 - *at;
	*n = percent(m, 40) ? 1 + below(m, 16) : percent(m, 50) ? 1 + below(m, 9000) : size - *at;
	*at += e->at;
	if (percent(m, 10))
		*at = *at > 5000 ? *at - 5000 : 0;
}

static void add_look(struct maker *m)
{
	int at, n;

	some_piece(m, &at, &n);
	ADD(m, look, m->e.buffer, at, n, below(m, 12));
}

static void add_change(struct maker *m)
{
	int at, n;

	some_piece(m, &at, &n);
	ADD(m, change, m->e.buffer, at, n, below(m, 14), 1 + below(m, 250));
}

static void add_memory(struct maker *m)
{
	int at, n;

	some_piece(m, &at, &n);
	if (percent(m, 50))
		ADD(m, heap, percent(m, 50) ? m->e.buffer : ONE_OF(m, 2, 3, 8), below(m, 9),
		    percent(m, 60) ? 1 : below(m, 300000));
	else
		ADD(m, map, m->e.buffer, at, percent(m, 50) ? m->e.size : n, below(m, 13));
}

static void add_descriptor(struct maker *m)
{
	int s = m->e.slot;

	switch (below(m, 14)) {
	case 0:
	case 1:
		ADD(m, close, s);
		ADD(m, open, s, m->e.file, 0);
		break;
	case 2:
		ADD(m, close, s);
		break;
	case 3:
	case 4:
		ADD(m, dup, s, below(m, SLOTS), below(m, 6));
		break;
	case 5:
	case 6:
		ADD(m, dup, below(m, SLOTS), s, 1 + below(m, 2));
		break;
	case 7:
	case 8:
	case 9:
		ADD(m, seek, s, below(m, 3), below(m, 100000) - (percent(m, 50) ? 100000 : 0));
		break;
	case 10:
		ADD(m, range, below(m, 4));
		break;
	case 11:
		ADD(m, lock, s, below(m, 6));
		break;
	case 12:
		ADD(m, state, below(m, 5));
		break;
	default:
		ADD(m, open, below(m, SLOTS), below(m, FILES), below(m, 8));
	}
}

/* Calls at the edges of what they take. */
static void add_edge(struct maker *m)
{
	struct episode *e = &m->e;
	int at, n;

	some_piece(m, &at, &n);
	switch (below(m, 13)) {
	case 10:
	case 11:
		ADD(m, action, e->buffer, at, n, below(m, 46));
		break;
	case 12:
		ADD(m, feed, percent(m, 50), below(m, 30000));
		ADD(m, recvedge, m->p->op[m->p->count - 1].a[0], e->buffer, percent(m, 50) ? e->at : at,
		    e->size, below(m, 24));
		break;
	case 0:
	case 1:
		ADD(m, readedge, e->slot, e->buffer, percent(m, 50) ? e->at : at, e->size,
		    below(m, 28));
		break;
	case 2:
	case 3:
		ADD(m, writeedge, e->sink, e->buffer, e->at, e->size, below(m, 128));
		break;
	case 4:
		ADD(m, brink, e->slot, e->sink, e->size, below(m, 32), e->site);
		break;
	case 5:
		ADD(m, result, e->slot, e->buffer, at, below(m, 35));
		break;
	case 6:
		ADD(m, stream, e->sink, e->buffer, e->at, percent(m, 50) ? e->size : n, below(m, 12));
		break;
	case 7:
		ADD(m, until, below(m, 48));
		break;
	case 8:
		ADD(m, remap, e->buffer, percent(m, 50) ? e->at : at, percent(m, 50) ? e->size : n,
		    below(m, 32));
		break;
	default:
		ADD(m, number, e->slot, below(m, 16));
	}
}

static void disturb(struct maker *m, int depth);

static void add_body(struct maker *m, int code, int variants, int depth)
{
	int at = m->p->count, how = below(m, variants);

	add(m, code, (const int[]){ how, 0 }, 2);
	for (int i = 1 + below(m, 4); i > 0; i--) {
		if (percent(m, 50))
			disturb(m, depth + 1);
		else if (percent(m, 50))
			add_read(m);
		else
			add_write(m);
	}
	m->p->op[at].a[1] = m->p->count - at - 1;
}

static void add_process(struct maker *m, int depth)
{
	int how = below(m, 20);

	if (how < 6)
		ADD(m, fork, ONE_OF(m, 2, 2, 2, 4), 0);
	else if (how < 9)
		add_body(m, OP_fork, 5, depth);
	else if (how < 11)
		add_body(m, OP_thread, 2, depth);
	else if (how < 12)
		ADD(m, crowd, 3 + below(m, 13), below(m, 140000), percent(m, 30) ? 0 : below(m, 64),
		    below(m, 1000));
	else if (how < 13)
		ADD(m, relay, m->e.slot, m->e.sink, m->e.buffer, 2 * m->e.size, below(m, 10),
		    m->e.site, below(m, 72));
	else if (how < 17)
		add_body(m, OP_raise, 6, depth);
	else if (how < 19)
		ADD(m, spawn, below(m, 10), m->e.slot, m->e.buffer);
	else
		ADD(m, exec, 0);
}

static void add_signal(struct maker *m)
{
	int how = below(m, 10);

	if (how < 4)
		ADD(m, timer, below(m, 4), below(m, 2000));
	else if (how < 6)
		ADD(m, mask, below(m, 5));
	else if (how < 8)
		ADD(m, fault, below(m, 3));
	else if (how == 8 && percent(m, 30))
		ADD(m, full, m->e.sink, m->e.buffer, m->e.at, m->e.size, below(m, 4));
	else if (how == 8 && percent(m, 50))
		ADD(m, breakoff, m->e.sink, m->e.buffer, m->e.at, m->e.size);
	else if (how == 8)
		ADD(m, alarmjump, m->e.sink, m->e.buffer, m->e.at, m->e.size);
	else
		ADD(m, wait, below(m, 6), below(m, 3));
}

static void add_sink(struct maker *m)
{
	int k = m->e.sink;

	switch (below(m, 12)) {
	case 0:
	case 1:
		ADD(m, sinkdup, k, below(m, SINKS));
		break;
	case 2:
		ADD(m, sinkclose, below(m, SINKS), below(m, 3));
		break;
	case 3:
		ADD(m, reset, k);
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		ADD(m, sinkopt, k, below(m, 6), below(m, 2));
		break;
	case 8:
	case 9:
		ADD(m, slow, k, below(m, 2));
		break;
	default:
		ADD(m, sync, k);
	}
}

static void add_other_io(struct maker *m)
{
	struct episode *e = &m->e;
	int j = below(m, FEEDS);

	switch (below(m, 10)) {
	case 0:
	case 1:
		ADD(m, stdio, e->slot, e->buffer, e->at, e->size, below(m, 12));
		break;
	case 2:
	case 3:
		ADD(m, out, e->buffer, e->at, e->size, below(m, 5));
		break;
	case 4:
		ADD(m, sendfile, e->sink, e->slot, below(m, 200000), below(m, 4));
		break;
	case 5:
	case 6:
		ADD(m, mapped, e->sink, below(m, 3), below(m, 100000), e->size, below(m, 36));
		break;
	case 7:
		ADD(m, copy, e->slot, e->sink, e->buffer, e->size, below(m, 8), e->site,
		    below(m, 72));
		break;
	default:
		ADD(m, feed, j, below(m, 30000));
		ADD(m, recv, j, e->buffer, e->at, e->size, below(m, 7));
		if (percent(m, 50))
			write_part(m, e->at, 30000);
	}
}

static void disturb(struct maker *m, int depth)
{
	int how = below(m, 100);

	if (m->e.file == MUTABLE && percent(m, 30))
		how = 90 + below(m, 8);
	else if (percent(m, 20))
		return add_edge(m);
	else if (m->raw && percent(m, 15))
		how = 98;
	if (how < 24)
		add_look(m);
	else if (how < 42)
		add_change(m);
	else if (how < 52)
		add_memory(m);
	else if (how < 62)
		add_descriptor(m);
	else if (how < 70 && depth < 2)
		add_process(m, depth);
	else if (how < 75)
		add_signal(m);
	else if (how < 82)
		add_sink(m);
	else if (how < 90)
		add_other_io(m);
	else if (how < 96)
		ADD(m, own, percent(m, 60) ? ONE_OF(m, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7)
					     : 8 + below(m, 14), below(m, 200000),
		    below(m, 60000), percent(m, 60) ? m->e.slot : -1);
	else if (how < 98)
		ADD(m, other, below(m, 5), below(m, 200000), below(m, 60000));
	else if (m->raw)
		ADD(m, raw, below(m, 19), 0, m->e.buffer, m->e.at, m->e.size, m->e.slot);
}

/* ---- the whole ---- */

/* Two chunks that lie in a row in the buffer, and perhaps in the file, and go by one write. */
static void add_row(struct maker *m)
{
	struct episode *e = &m->e;
	int cut = percent(m, 50) ? e->size / 2 & ~4095 : 1 + below(m, e->size);

	read_part(m, e->buffer, e->at, cut);
	if (percent(m, 20))
		disturb(m, 0);
	read_part(m, e->buffer, e->at + cut, e->size - cut);
	if (percent(m, 20))
		disturb(m, 0);
	write_part(m, e->at, e->size);
}

/* Two chunks in two buffers that go by one call. */
static void add_pair(struct maker *m)
{
	struct episode *e = &m->e;
	int other = ONE_OF(m, 1, 2, 4, 5, 8);

	read_part(m, e->buffer, e->at, e->size);
	read_part(m, other, 0, e->size);
	if (percent(m, 30))
		disturb(m, 0);
	ADD(m, pair, e->sink, e->buffer, e->at, e->size, other, 0, e->size, below(m, 3));
	ADD(m, pair, e->sink, e->buffer, e->at, e->size, other, 0, e->size, below(m, 3));
}

/* A smaller chunk over a larger one, or one that begins elsewhere; the rest is written too. */
static void add_over(struct maker *m)
{
	struct episode *e = &m->e;
	int at = e->at + (percent(m, 50) ? 0 : below(m, 20000)), n = 4096 + below(m, e->size);

	read_part(m, e->buffer, at, n);
	if (percent(m, 30))
		disturb(m, 0);
	write_part(m, e->at, e->size);
	if (percent(m, 50))
		write_part(m, at, n);
}

static void add_round(struct maker *m)
{
	int shape = below(m, 100);

	if (shape < 8)
		return add_row(m);
	if (shape < 14)
		return add_pair(m);
	if (percent(m, 5))
		m->e.slot = below(m, 4);
	add_read(m);
	if (shape < 22)
		add_over(m);
	for (int i = ONE_OF(m, 0, 0, 0, 1, 1, 2); i > 0; i--)
		disturb(m, 0);
	if (!percent(m, 4))
		add_write(m);
	if (percent(m, 15))
		disturb(m, 0);
	if (percent(m, 15)) {
		ADD(m, look, below(m, BUFFERS), below(m, 60000), below(m, 60000), below(m, 12));
	}
}

void generate(struct program *p, uint64_t seed, bool raw)
{
	struct maker m = { .p = p, .state = seed * UINT64_C(0xd1342543de82ef95), .raw = raw };

	*p = (struct program){ .seed = seed };
	for (int k = 0; k < SINKS; k++) {
		struct sink_plan *plan = &p->sink[k];

		plan->kind = k == SINKS - 1 ? SINK_PIPE : percent(&m, 60) ? SINK_TCP : SINK_UNIX;
		if (percent(&m, 30)) /* less of TCP makes it wait for delayed acknowledgements */
			plan->room = plan->kind == SINK_TCP ? 32768 : 4096;
		plan->nonblocking = percent(&m, 25);
	}
	p->sigpipe = ONE_OF(&m, PIPE_IGNORED, PIPE_IGNORED, PIPE_DEFAULT, PIPE_HANDLED);
	for (int i = 1 + below(&m, 4); i > 0; i--) {
		begin_episode(&m);
		/* two chunks that nobody looks into: of these it is learned */
		for (int j = percent(&m, 85) ? 2 : 0; j > 0; j--) {
			add_read(&m);
			ADD(&m, write, m.e.sink, m.e.buffer, m.e.at, m.e.size, below(&m, 6), 0, 0);
		}
		for (int j = 1 + below(&m, 6); j > 0; j--)
			add_round(&m);
	}
	if (percent(&m, 15))
		ADD(&m, exit, below(&m, 8));
}
