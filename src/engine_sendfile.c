/* SPDX-License-Identifier: MIT */
/*
 * engine_sendfile.c - segments of files by sendfile, of streams by splice, memory by sendmsg; see
 * engine.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>

#include "engine.h"
#include "hook.h"
#include "joint.h"
#include "lease.h"
#include "prim.h"
#include "sig.h"
#include "stall.h"
#include "thread.h"

/*
 * A blocked raw call is no cancellation point; with the asynchronous type it is
 * one, which is how libc does it itself. Nothing is held here that could be lost.
 */
ssize_t engine_cancellable(long nr, long a, long b, long c, long d, long e, long f)
{
	int old;
	ssize_t r;

	if (thread_single())
		return PRIM6(nr, a, b, c, d, e, f);
	REAL(pthread_setcanceltype)(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	r = PRIM6(nr, a, b, c, d, e, f);
	REAL(pthread_setcanceltype)(old, NULL);
	return r;
}

/*
 * A connection that is closed by an error: was it given up (ETIMEDOUT), or reset by its peer? The
 * kernel has forgotten, and what is left of its counts speaks for a time-out only where nothing was
 * answered for as long as that takes: a segment that was sent again and would have been once more;
 * probes of a closed window, one behind the other (a single one a living peer leaves unanswered:
 * it says the same thing twice a second at the most); or the program's own limit.
 */
static bool timed_out(int fd, const struct tcp_info *info)
{
	enum { TICK_MS = 10 };
	uint32_t quiet = info->tcpi_last_data_sent + TICK_MS, limit = 0;
	socklen_t n = sizeof(limit);

	if (info->tcpi_probes > 1 || (info->tcpi_retransmits && quiet >= info->tcpi_rto / 1000))
		return true;
	return prim_getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &n) == 0 && limit &&
	       quiet >= limit;
}

/*
 * Had the peer of FD, a connection that is closed, said that it sends no more? The end that it sent
 * counts as a byte in the answer of TCP_INQ (since 4.18), and in that of FIONREAD it does not.
 */
static bool had_ended(int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int on = 0, one = 1, queued = 0, all = 0;
	socklen_t n = sizeof(on);
	ssize_t r;

	if (prim_getsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, &n) < 0 || on ||
	    PRIM5(SYS_setsockopt, fd, IPPROTO_TCP, TCP_INQ, &one, sizeof(one)) < 0)
		return false;
	r = PRIM3(SYS_recvmsg, fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	PRIM5(SYS_setsockopt, fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
	if (r < 0 || msg.msg_controllen < sizeof(control.header) ||
	    control.header.cmsg_level != IPPROTO_TCP || control.header.cmsg_type != TCP_CM_INQ ||
	    prim_ioctl(fd, FIONREAD, &queued) < 0)
		return false;
	memcpy(&all, CMSG_DATA(&control.header), sizeof(all));
	return all == queued + 1;
}

/*
 * Since 6.5 splice_to_socket() repeats sendmsg() after a short one and so eats the
 * error of a connection that was reset meanwhile: it is gone from the socket, and the
 * program would see EPIPE with SIGPIPE, or a clean end. The socket owes it.
 */
void engine_note_swallowed(int fd, struct fd_entry *e)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	if (e->kind != STATS_KIND_TCP || prim_poll(&p, 1, 0) != 1 ||
	    (p.revents & (POLLHUP | POLLERR)) != POLLHUP)
		return;
	if (prim_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 || info.tcpi_state != TCP_CLOSE)
		return;
	/* the reset of a peer that had ended is EPIPE, which the next call meets in any case */
	if (timed_out(fd, &info))
		fd_owe(e, ETIMEDOUT);
	else if (!had_ended(fd))
		fd_owe(e, ECONNRESET);
}

/*
 * The file is shorter than what read promised: the rest cannot be had, and the peer must not take
 * it for complete.
 */
ssize_t engine_end_truncated(int fd, enum verdict *why)
{
	*why = VERDICT_TRUNCATED;
	prim_shutdown(fd, SHUT_RDWR);
	return -EIO;
}

/*
 * Bytes of a mapping are still to be had plainly: what sendfile meets in their file (its end, a
 * disk that fails) is for the plain call to find out, which tells of it in its own way.
 */
bool engine_kernel_cannot(const struct segment *g, ssize_t r)
{
	if (g->mapping && (r == 0 || r == -EIO))
		return true;
	return r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -EPERM || r == -EOVERFLOW ||
	       r == -ENOMEM;
}

/* One call for N bytes of G, *OFFSET of its source on. What leaves a pipe is noted there. */
static ssize_t transfer(int fd, const struct segment *g, off_t *offset, size_t n, int flags)
{
	ssize_t r;

	if (!g->pipe)
		return engine_cancellable(SYS_sendfile, fd, g->fd, (long)offset, (long)n, 0, 0);
	r = engine_cancellable(SYS_splice, g->fd, 0, fd, 0, (long)n,
			flags & MSG_MORE ? SPLICE_F_MORE : 0);
	if (r > 0) {
		g->pipe->bytes -= (size_t)r;
		g->pipe->at += (size_t)r;
	}
	return r ? r : -EINVAL; /* it is not empty: the kernel cannot */
}

/*
 * How much would a write to FD, which blocks, take without a wait? It goes on until what is queued has
 * come to the limit, while poll says no much earlier: at two thirds for TCP, at a quarter for a UNIX
 * socket. 0: nothing, or hardly anything.
 */
static size_t room_of(int fd, const struct fd_entry *e)
{
	enum { LEAST = 512 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	bool ask;
	ssize_t room;

	if (prim_poll(&p, 1, 0) < 0 || (p.revents & ~POLLOUT))
		return 0;
	room = stall_room(fd, e, &ask);
	return room < LEAST || (ask && !p.revents) ? 0 : (size_t)room;
}

/*
 * Would a call more for FD raise SIGPIPE, since the peer went meanwhile? A write of which a part went
 * does not: the program's next one does, or is told of the reset.
 */
static bool raises_pipe(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return sig_pipe_disposition() != SIG_IGN && prim_poll(&p, 1, 0) > 0 &&
	       (p.revents & (POLLERR | POLLHUP));
}

/*
 * Does a call that was cut short, or interrupted, go on, and with how many bytes at the most? 0: no.
 * splice_to_socket() (since 6.5) looks for signals before it sends anything, and so is cut where a
 * write is not, which looks only when it has to wait. So where there is room the handler came a
 * little earlier, or there was none when it came: one who waits is not woken for a little room. The
 * write would not wait after it in either case, nor must what goes on; so it sends what fits. In the
 * handler the program may have closed the socket, taken the number that G is sent from, or sent
 * something itself: then what G stands for may be gone.
 */
static size_t goes_on(int fd, const struct fd_entry *e, uint32_t generation, const struct segment *g)
{
	if (e->generation != generation || !segment_is_pinned(g))
		return 0;
	if (fd_is_nonblocking(fd))
		return raises_pipe(fd) ? 0 : SIZE_MAX;
	return room_of(fd, e);
}

/*
 * N bytes that lie in a row in the source of G, from AT bytes behind where G begins. 0: the file ends
 * before them.
 */
static ssize_t send_file(int fd, struct fd_entry *e, const struct segment *g, size_t at, size_t n,
			 int flags, enum verdict *why)
{
	uint32_t generation = e->generation;
	off_t offset = g->offset + (off_t)at;
	size_t total = 0, most = SIZE_MAX;

	for (;;) {
		size_t rest = n - total;
		ssize_t r = transfer(fd, g, &offset, rest < most ? rest : most, flags);

		if (r > 0)
			total += (size_t)r;
		if (total == n)
			return (ssize_t)total;
		if (r == 0 && total == 0)
			return g->l ? engine_end_truncated(fd, why) : 0;
		if ((r > 0 || r == -EINTR) && (most = goes_on(fd, e, generation, g)) > 0)
			continue;
		if (total && r != -EAGAIN && e->generation == generation)
			engine_note_swallowed(fd, e);
		return total ? (ssize_t)total : r;
	}
}

/* The memory segments from I to NEXT in one sendmsg. */
static ssize_t send_memory(int fd, const struct segments *s, unsigned i, unsigned next, int flags)
{
	struct iovec iov[SEGMENTS_MEMORY];
	struct msghdr msg = { .msg_iov = iov };

	for (; i < next; i++)
		iov[msg.msg_iovlen++] = (struct iovec){ (void *)s->seg[i].p, s->seg[i].n };
	if (next < s->count)
		flags |= MSG_MORE;
	return engine_cancellable(SYS_sendmsg, fd, (long)&msg, flags, 0, 0, 0);
}

/* R bytes went of the segments from..to: spread them. True if that was all of them. */
static bool spread(const struct segments *s, unsigned from, unsigned to, size_t r,
		   size_t sent[SEGMENTS])
{
	for (; from < to; from++) {
		size_t n = r < s->seg[from].n ? r : s->seg[from].n;

		sent[from] = n;
		r -= n;
		if (n < s->seg[from].n)
			return false;
	}
	return true;
}

/*
 * An error after a part was sent is the next call's; one that the kernel forgot meanwhile is owed.
 */
ssize_t engine_stop_at(struct fd_entry *e, uint32_t generation, size_t total, ssize_t r)
{
	if (total == 0)
		return r;
	if ((r == -ECONNRESET || r == -ETIMEDOUT) && e->generation == generation)
		fd_owe(e, (int)-r);
	return (ssize_t)total;
}

/* The beginning of S by one call. *ALL gets how long that was to be. */
static ssize_t send_joint(int fd, struct fd_entry *e, const struct segments *s, int flags, size_t *all,
			  enum verdict *why)
{
	struct pipe *p = joint_make(s);
	struct segment g = { .pipe = p };
	bool more, held;
	ssize_t r;
	int self;

	if (!p) {
		*why = VERDICT_SECOND_WRITER;
		return ENGINE_PLAINLY;
	}
	self = relaxed(p->holder);
	*all = p->bytes;
	g.fd = p->out;
	more = *all < segments_length(s);
	r = send_file(fd, e, &g, 0, *all, more ? flags | MSG_MORE : flags, why);
	/*
	 * not in the child of a handler that forked, where the kernel repeats the call: the pipe is the
	 * parent's, its number closed or that of another, empty one
	 */
	held = relaxed(p->holder) == self;
	if (held)
		pipes_leave(p);
	if (!engine_kernel_cannot(&g, r) && r != -EBADF && (held || r != -EAGAIN))
		return r;
	*why = held && r != -EBADF ? VERDICT_KERNEL_REFUSED : VERDICT_SECOND_WRITER;
	return ENGINE_PLAINLY;
}

ssize_t engine_send(int fd, struct fd_entry *e, struct segments *s, int flags,
		    size_t sent[SEGMENTS], enum verdict *why)
{
	uint32_t generation = e->generation;
	size_t total = 0, at = 0; /* AT: so many of segment I went before */
	unsigned i = 0, next;

	if (lease_any() && stall_threatens(fd, e, s, flags))
		return stall_send(fd, e, s, flags, sent, why);
	if (s->joint) {
		size_t all;
		ssize_t r = send_joint(fd, e, s, flags, &all, why);

		if (r < 0)
			return r;
		total = (size_t)r;
		if (spread(s, 0, s->count, total, sent) || total < all)
			return r;
		while (sent[i] == s->seg[i].n)
			i++;
		at = sent[i];
	}
	for (; i < s->count; i = next, at = 0) {
		bool file = segment_is_file(&s->seg[i]);
		size_t row;
		ssize_t r;

		/*
		 * a call may have blocked, or a handler run: the number must not have come to mean
		 * another socket, and what follows not be gone
		 */
		if (total > 0 && (e->generation != generation || !segment_is_pinned(&s->seg[i])))
			break;
		row = file ? segments_row(s, i, &next) : segments_memory(s, i, &next);
		r = file ? send_file(fd, e, &s->seg[i], at, row - at, flags, why)
			 : send_memory(fd, s, i, next, flags);
		if (r <= 0 && *why == VERDICT_REWRITTEN && file && engine_kernel_cannot(&s->seg[i], r)) {
			*why = VERDICT_KERNEL_REFUSED;
			if (total == 0)
				return ENGINE_PLAINLY;
		}
		if (r < 0)
			return engine_stop_at(e, generation, total, r);
		total += (size_t)r;
		if (!spread(s, i, next, at + (size_t)r, sent))
			break;
	}
	return (ssize_t)total;
}
