/* SPDX-License-Identifier: MIT */
/* fd.c - the table of descriptors; see fd.h. */
#include <netinet/in.h>
#include <sys/mman.h>

#include "fd.h"
#include "filter.h"
#include "maps.h"
#include "pair.h"
#include "pipes.h"
#include "prim.h"
#include "source.h"
#include "unwind.h"
#include "writers.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

LARGE_TABLE _Atomic(struct fd_entry *) fd_blocks[FD_BLOCKS];
HOT _Atomic int fd_debts;
bool fd_socket_calls;
static _Atomic int lowest_ours = INT32_MAX;

static COLD struct fd_entry *make_block(int fd)
{
	struct fd_entry *expected = NULL, *block;
	size_t size = FD_BLOCK * sizeof(*block);

	if ((unsigned)fd >= FD_BLOCK * FD_BLOCKS)
		return NULL;
	block = prim_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (prim_mmap_failed(block))
		return NULL;
	if (!atomic_compare_exchange_strong(&fd_blocks[fd / FD_BLOCK], &expected, block)) {
		prim_munmap(block, size);
		block = expected;
	}
	return &block[fd % FD_BLOCK];
}

struct fd_entry *fd_entry(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	return likely(e != NULL) ? e : make_block(fd);
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	return prim_getsockopt(fd, SOL_SOCKET, name, &value, &n) < 0 ? -1 : value;
}

uint64_t fd_send_timeout(int fd)
{
	struct timeval t = { 0, 0 };
	socklen_t n = sizeof(t);

	prim_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, &n);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

bool fd_option_times_out(int level, int name)
{
	enum { SEND_TIMEOUT_64 = 67 }; /* SO_SNDTIMEO_NEW, which libc does not name */

	return level == SOL_SOCKET && (name == SO_SNDTIMEO || name == SEND_TIMEOUT_64);
}

void fd_others_time_out(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	if (e && e->noted) /* it has one number since its birth */
		return;
	for (int i = fd_next_known(0); i >= 0; i = fd_next_known(i + 1)) {
		struct fd_entry *other = fd_peek(i);

		if (i != fd && !other->noted &&
		    (other->kind == STATS_KIND_TCP || other->kind == STATS_KIND_UNIX))
			other->timeout = true;
	}
}

/*
 * Was a socket looked up? Then one that listens is too, once, and those that it accepts need not
 * be.
 */
static _Atomic bool sinks_asked;

/* Allow-list: what is not TCP, MPTCP or a UNIX stream has rules of its own. */
static enum stats_kind classify_socket(int fd, struct fd_entry *e)
{
	int domain, type, protocol;

	if (e->born == STATS_KIND_TCP || e->born == STATS_KIND_UNIX) {
		e->timeout = fd_send_timeout(fd) != 0;
		return e->born;
	}
	domain = socket_option(fd, SO_DOMAIN);
	type = socket_option(fd, SO_TYPE);
	protocol = socket_option(fd, SO_PROTOCOL);
	if (!relaxed(sinks_asked))
		set_relaxed(sinks_asked, true);
	if (type != SOCK_STREAM) {
		e->refusal = VERDICT_NOT_A_STREAM;
		return STATS_KIND_DATAGRAM;
	}
	e->timeout = fd_send_timeout(fd) != 0;
	if (domain == AF_UNIX)
		return STATS_KIND_UNIX;
	if ((domain == AF_INET || domain == AF_INET6) &&
	    (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP))
		return STATS_KIND_TCP;
	e->refusal = VERDICT_SINK_KIND;
	return STATS_KIND_SOCKET;
}

static enum stats_kind classify_file(int fd, struct fd_entry *e, const struct stat *st)
{
	int flags = e->readable ? O_RDONLY : prim_fcntl(fd, F_GETFL, 0);

	e->identity = source_identity(st->st_dev, st->st_ino);
	e->log2 = (uint8_t)(63 - __builtin_clzll((unsigned long long)st->st_size | 1));
	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return STATS_KIND_OTHER;
	if (flags & O_DIRECT)
		e->refusal = VERDICT_DIRECT_IO;
	return STATS_KIND_FILE;
}

/* FD, not looked at yet, is ST. */
static enum stats_kind classify(int fd, struct fd_entry *e, const struct stat *st)
{
	enum stats_kind kind = S_ISFIFO(st->st_mode) ? STATS_KIND_PIPE : STATS_KIND_OTHER;

	e->refusal = filter_allows() ? VERDICT_REWRITTEN : VERDICT_STOOD_ASIDE;
	e->identity = 0;
	if (unlikely(e->refusal != VERDICT_REWRITTEN))
		return STATS_KIND_OTHER;
	if (S_ISREG(st->st_mode))
		kind = classify_file(fd, e, st);
	else if (S_ISSOCK(st->st_mode))
		kind = classify_socket(fd, e);
	e->no_file = !S_ISREG(st->st_mode);
	e->socket_calls = fd_socket_calls && filter_is_none() &&
			  (kind == STATS_KIND_TCP || kind == STATS_KIND_UNIX);
	atomic_store_explicit(&e->kind, kind, memory_order_release);
	return kind;
}

enum stats_kind fd_classify(int fd, struct fd_entry *e)
{
	uint8_t kind = atomic_load_explicit(&e->kind, memory_order_relaxed);
	struct stat st;

	if (likely(kind != STATS_KIND_UNKNOWN))
		return kind;
	if (e->born != STATS_KIND_UNKNOWN)
		return classify(fd, e, &(struct stat){ .st_mode = S_IFSOCK });
	return prim_fstat(fd, &st) < 0 ? STATS_KIND_UNKNOWN : classify(fd, e, &st);
}

bool fd_is_file(int fd, struct fd_entry *e, struct stat *st)
{
	st->st_mode = 0;
	if (relaxed(e->no_file) || relaxed(e->born) != STATS_KIND_UNKNOWN)
		return false;
	if (likely(e->kind != STATS_KIND_UNKNOWN))
		return e->kind == STATS_KIND_FILE;
	if (prim_fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return classify(fd, e, st) == STATS_KIND_FILE;
	e->no_file = true;
	return false;
}

bool fd_is_known_socket(int fd, struct fd_entry *e)
{
	struct stat st;

	if (relaxed(e->born) != STATS_KIND_UNKNOWN)
		return true;
	if (relaxed(e->kind) != STATS_KIND_UNKNOWN || prim_fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	set_relaxed(e->born, STATS_KIND_SOCKET);
	return true;
}

void fd_owe(struct fd_entry *e, int error)
{
	if (atomic_exchange(&e->owed, error) == 0)
		atomic_fetch_add(&fd_debts, 1);
}

int fd_pay(struct fd_entry *e)
{
	int owed = atomic_exchange(&e->owed, 0);

	if (owed)
		atomic_fetch_sub(&fd_debts, 1);
	return owed;
}

bool fd_is_nonblocking(int fd)
{
	int flags = prim_fcntl(fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}

static void reset_entry(struct fd_entry *e, bool closing)
{
	e->no_file = e->noted = e->readable = false;
	e->born = STATS_KIND_UNKNOWN;
	e->writer = 0;
	if (atomic_load_explicit(&e->kind, memory_order_relaxed) == STATS_KIND_UNKNOWN)
		return;
	atomic_fetch_add(&e->generation, 1);
	source_unbind(e, closing);
	fd_pay(e);
	e->timeout = e->socket_calls = false;
	e->fed = 0;
	e->stream = 0;
	e->refusal = VERDICT_REWRITTEN;
	atomic_store_explicit(&e->kind, STATS_KIND_UNKNOWN, memory_order_release);
}

void fd_reset(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	if (e)
		reset_entry(e, true);
}

void fd_reset_file(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	if (e)
		e->readable = false;
	if (e && e->kind == STATS_KIND_FILE)
		reset_entry(e, false);
}

/* ---- new numbers ---- */

void fd_opened(int fd, int flags)
{
	struct fd_entry *e = fd_peek(fd);
	int access = flags & O_ACCMODE;

	if (!e)
		return;
	reset_entry(e, true);
	e->readable = !(flags & (O_PATH | O_DIRECT)) && (access == O_RDONLY || access == O_RDWR);
}

void fd_made_socket(int fd)
{
	struct fd_entry *e = fd_entry(fd);

	if (!e)
		return;
	reset_entry(e, true);
	e->born = STATS_KIND_SOCKET;
}

/* It has domain, type and protocol of the one that listens. */
void fd_accepted(int fd, int listener)
{
	struct fd_entry *e, *l = fd_peek(listener);

	fd_made_socket(fd);
	if (!l || !relaxed(sinks_asked) || (e = fd_peek(fd)) == NULL)
		return;
	fd_classify(listener, l);
	if (l->refusal == VERDICT_REWRITTEN && (l->kind == STATS_KIND_TCP || l->kind == STATS_KIND_UNIX))
		e->born = l->kind;
}

void fd_reset_range(unsigned first, unsigned last)
{
	for (unsigned b = first / FD_BLOCK; b < FD_BLOCKS && b <= last / FD_BLOCK; b++) {
		struct fd_entry *block = atomic_load(&fd_blocks[b]);

		for (unsigned i = 0; block && i < FD_BLOCK; i++)
			if (b * FD_BLOCK + i >= first && b * FD_BLOCK + i <= last && !block[i].ours)
				reset_entry(&block[i], true);
	}
}

bool fd_is_ours(int fd)
{
	struct fd_entry *e;

	if (likely(fd < atomic_load_explicit(&lowest_ours, memory_order_relaxed)))
		return false;
	e = fd_peek(fd);
	return e && e->ours;
}

void fd_mark_ours(int fd)
{
	struct fd_entry *e = fd_entry(fd);
	int lowest = atomic_load(&lowest_ours);

	if (!e)
		return;
	e->ours = true;
	while (fd < lowest && !atomic_compare_exchange_weak(&lowest_ours, &lowest, fd))
		;
}

void fd_unmark_ours(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	if (e)
		e->ours = false;
}

int fd_next_ours(unsigned from)
{
	unsigned lowest = (unsigned)atomic_load(&lowest_ours);

	for (unsigned fd = from > lowest ? from : lowest; fd < FD_BLOCK * FD_BLOCKS; fd++) {
		struct fd_entry *block = atomic_load(&fd_blocks[fd / FD_BLOCK]);

		if (!block)
			fd |= FD_BLOCK - 1;
		else if (block[fd % FD_BLOCK].ours)
			return (int)fd;
	}
	return -1;
}

void fd_evade(int fd)
{
	if (!fd_is_ours(fd))
		return;
	source_evade(fd);
	maps_evade(fd);
	pipes_evade(fd);
	if (!fd_is_ours(fd))
		return;
	/*
	 * the pipe that libunwind tries addresses with: it must not write to what comes there now
	 */
	unwind_stop();
	fd_unmark_ours(fd);
}

int fd_next_entry(int from)
{
	int fd = from;

	while (fd < FD_BLOCK * FD_BLOCKS && !atomic_load(&fd_blocks[fd / FD_BLOCK]))
		fd = (fd | (FD_BLOCK - 1)) + 1;
	return fd < FD_BLOCK * FD_BLOCKS ? fd : -1;
}

int fd_next_known(int from)
{
	for (int fd = from; fd < FD_BLOCK * FD_BLOCKS; fd++) {
		struct fd_entry *block = atomic_load(&fd_blocks[fd / FD_BLOCK]);

		if (!block)
			fd |= FD_BLOCK - 1;
		else if (block[fd % FD_BLOCK].kind != STATS_KIND_UNKNOWN)
			return fd;
	}
	return -1;
}

FORKS void fd_forked(void)
{
	/* entries stay true in the child: the descriptors are the same */
	pair_forked();
	source_forked();
	writers_forked();
	pipes_forked();
}
