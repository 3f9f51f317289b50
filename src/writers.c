/* SPDX-License-Identifier: MIT */
/*
 * writers.c - does only one thread write to a socket? See writers.h.
 *
 * Two threads meet over two words, the writer in the socket's entry and the entry in
 * the record of the thread that sends by several calls. Each stores its own and
 * then looks at the other's (both sequentially consistent), so that one of them sees
 * the other: the sender gives up, or the newcomer waits.
 */
#include <poll.h>
#include <sys/socket.h>

#include "prim.h"
#include "thread.h"
#include "writers.h"

/*
 * What is not a thread in fd_entry.writer. JOINING: a second one waits for the first, and so does
 * who comes then.
 */
enum { NOBODY = 0, SEVERAL = -1, JOINING = -2 };

/* Whoever left the call in a way that is not seen (an exception) holds nobody up for longer. */
#define LONGEST_NS UINT64_C(1000000000)

HOT _Atomic bool writers_noted;

static bool sent_to(const struct fd_entry *e, const struct thread *self)
{
	for (struct thread *t = thread_list(); t; t = t->next)
		if (t != self && atomic_load(&t->tid) > 0 && atomic_load(&t->several) == e)
			return true;
	return false;
}

/*
 * Waits for a thread that is between two calls for one. While the socket is full it is
 * blocked there, as this one will be; one that does not block is told so by the kernel.
 */
static void wait_for_sender(int fd, const struct fd_entry *e, const struct thread *self, int flags)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t begin = prim_now();
	int ready = 1;

	while (ready >= 0 && sent_to(e, self) && prim_now() - begin < LONGEST_NS) {
		prim_yield();
		ready = prim_poll(&p, 1, 0);
		if (ready != 0)
			continue;
		if ((flags & MSG_DONTWAIT) || fd_is_nonblocking(fd))
			return;
		ready = prim_poll(&p, 1, -1);
		begin = prim_now();
	}
}

static COLD void second_writer(int fd, struct fd_entry *e, const struct thread *self, int flags)
{
	atomic_store(&e->writer, JOINING);
	wait_for_sender(fd, e, self, flags);
	atomic_store(&e->writer, SEVERAL);
}

COLD void writers_note_slow(int fd, int flags)
{
	struct fd_entry *e = fd_peek(fd);
	struct thread *t;
	int before;

	if (!e || !atomic_load_explicit(&e->noted, memory_order_relaxed))
		return;
	before = atomic_load_explicit(&e->writer, memory_order_relaxed);
	t = thread_self();
	if (likely(before == SEVERAL || (t && before == t->tid)))
		return;
	if (t && before == NOBODY && atomic_compare_exchange_strong(&e->writer, &before, t->tid))
		return;
	second_writer(fd, e, t, flags);
}

/*
 * Noting begins with threads about, of which we did not hear: nothing is known of the sockets that
 * there are.
 */
static COLD void begin_late(void)
{
	atomic_store(&writers_noted, true);
	for (int fd = fd_next_entry(0); fd >= 0; fd = fd_next_entry(fd + 1))
		fd_peek(fd)->noted = false;
}

void writers_born(int fd)
{
	struct fd_entry *e = fd_entry(fd);

	if (unlikely(!relaxed(writers_noted) && !thread_single()))
		begin_late();
	if (e)
		e->noted = true;
}

void writers_before_thread(void)
{
	atomic_store(&writers_noted, true);
}

FORKS void writers_forked(void)
{
	if (!atomic_exchange(&writers_noted, false))
		return;
	for (int fd = fd_next_entry(0); fd >= 0; fd = fd_next_entry(fd + 1))
		if (relaxed(fd_peek(fd)->writer) != NOBODY)
			set_relaxed(fd_peek(fd)->writer, NOBODY);
}

void writers_shared(int fd)
{
	struct fd_entry *e = fd_peek(fd);

	if (!e || !e->noted)
		return;
	if (!thread_single())
		second_writer(fd, e, thread_self(), 0);
	e->noted = false;
}

bool writers_alone(struct fd_entry *e)
{
	struct thread *t;
	int before = NOBODY;

	if (thread_single())
		return true;
	t = thread_self();
	if (!t || !e->noted || !atomic_load(&writers_noted))
		return false;
	if (!atomic_compare_exchange_strong(&e->writer, &before, t->tid) && before != t->tid)
		return false;
	atomic_store(&t->several, e);
	if (atomic_load(&e->writer) == t->tid)
		return true;
	writers_done();
	return false;
}

void writers_done(void)
{
	struct thread *t = thread_self_record;

	if (t && atomic_load_explicit(&t->several, memory_order_relaxed))
		atomic_store_explicit(&t->several, NULL, memory_order_release);
}
