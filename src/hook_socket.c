/* SPDX-License-Identifier: MIT */
/*
 * hook_socket.c - sockets: receiving, sending, accepting, options; and what the program sends
 * without a copy itself.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>

#include "hook_idle.h"
#include "io.h"
#include "stats.h"
#include "unwind.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

/* ---- receiving ---- */

/* True if the socket owes an error: it is errno now. Else what the call writes to is open. */
static bool before_receive(int fd, void *buf, size_t n, int flags)
{
	if (unlikely(fd_debts) && send_owes(fd))
		return true;
	if (landing_any()) {
		landing_open(buf, n);
		if (!(flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB))) /* none of which waits */
			sleep_before(fd);
	}
	return false;
}

static bool receive_idle(void)
{
	return hook_passive() || (!landing_any() && likely(fd_debts == 0));
}

/*
 * recv without flags is read. With flags it has rules that splice does not know, and is only opened
 * for.
 */
#define RECV_BODY(name, fd, buf, n, flags, ...)                                                    \
	struct watched *known;                                                                     \
	struct io_read r;                                                                          \
	ssize_t ret;                                                                               \
                                                                                                   \
	if ((flags) || !stream_on())                                                               \
		return !receive_idle() && before_receive(fd, buf, n, flags) ? -1                   \
									    : REAL(name)(__VA_ARGS__); \
	if (io_idle(n))                                                                            \
		return REAL(name)(__VA_ARGS__);                                                    \
	known = io_pass(fd, buf, n, CALLER);                                                       \
	if (likely(known != NULL))                                                                 \
		return watch_passed(known, buf, REAL(name)(__VA_ARGS__));                          \
	if (io_read_begin(fd, buf, n, LAND_AT_OFFSET, CALLER, &r, &ret))                           \
		return ret;                                                                        \
	return io_read_done(fd, buf, n, &r, REAL(name)(__VA_ARGS__))

static APART ssize_t recv_whole(int fd, void *buf, size_t n, int flags, const void *caller)
{
	struct io_read r;
	ssize_t ret;

	if (flags || !stream_on())
		return !receive_idle() && before_receive(fd, buf, n, flags) ? -1
									    : REAL(recv)(fd, buf, n, flags);
	if (io_read_begin(fd, buf, n, LAND_AT_OFFSET, caller, &r, &ret))
		return ret;
	return io_read_done(fd, buf, n, &r, REAL(recv)(fd, buf, n, flags));
}

static OFTEN APART ssize_t recv_chunk(int fd, void *buf, size_t n, const void *caller)
{
	struct watched *known = io_pass(fd, buf, n, caller);

	if (likely(known != NULL))
		return watch_passed(known, buf, REAL_LIVE(recv)(fd, buf, n, 0));
	if (io_is_small(fd, n))
		return io_read_small(fd, buf, REAL_LIVE(recv)(fd, buf, n, 0), caller);
	return recv_whole(fd, buf, n, 0, caller);
}

static APART ssize_t recv_passive(int fd, void *buf, size_t n, int flags)
{
	return REAL(recv)(fd, buf, n, flags);
}

EXPORT OFTEN ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	if (hook_passive())
		return recv_passive(fd, buf, n, flags);
	if ((flags || n < WATCH_SMALLEST || stream_least == 0) && !landing_any() && likely(fd_debts == 0))
		return REAL_LIVE(recv)(fd, buf, n, flags);
	return flags ? recv_whole(fd, buf, n, flags, CALLER) : recv_chunk(fd, buf, n, CALLER);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	if (n > room)
		return REAL(__recv_chk)(fd, buf, n, room, flags);
	RECV_BODY(__recv_chk, fd, buf, n, flags, fd, buf, n, room, flags);
}

/* FROM_N may be a bad pointer, which is the kernel's to refuse; it writes no more than that. */
static void open_address(const struct sockaddr *from, socklen_t *from_n)
{
	if (landing_any() && from_n) {
		landing_open(from_n, sizeof(*from_n));
		landing_open(from, sizeof(struct sockaddr_storage));
	}
}

/*
 * An address is filled in for datagrams only; the flag, which no receiving call heeds, stands for
 * "not recv".
 */
#define RECVFROM_FLAGS(flags, from, from_n) ((from) || (from_n) ? (flags) | MSG_DONTROUTE : (flags))

EXPORT ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
			socklen_t *from_n)
{
	if (!hook_passive())
		open_address(from, from_n);
	RECV_BODY(recvfrom, fd, buf, n, RECVFROM_FLAGS(flags, from, from_n),
		  fd, buf, n, flags, from, from_n);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
			      struct sockaddr *from, socklen_t *from_n)
{
	if (n > room)
		return REAL(__recvfrom_chk)(fd, buf, n, room, flags, from, from_n);
	if (!hook_passive())
		open_address(from, from_n);
	RECV_BODY(__recvfrom_chk, fd, buf, n, RECVFROM_FLAGS(flags, from, from_n),
		  fd, buf, n, room, flags, from, from_n);
}

/* Once open, can the message's header be read? If not it is the kernel's to refuse. */
static bool message_readable(const struct msghdr *msg)
{
	landing_open(msg, sizeof(*msg));
	return hook_readable(msg, sizeof(*msg));
}

static void open_message(const struct msghdr *msg)
{
	if (!message_readable(msg))
		return;
	landing_open(msg->msg_name, msg->msg_namelen);
	landing_open(msg->msg_control, msg->msg_controllen);
	io_open_pieces(msg->msg_iov, msg->msg_iovlen);
}

/* Descriptors that came with a message are new meanings of their numbers. */
static void note_passed_descriptors(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++)
			fd_reset(((int *)CMSG_DATA(c))[i]);
	}
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t ret;

	if (hook_passive())
		return REAL(recvmsg)(fd, msg, flags);
	if (!receive_idle()) {
		if (before_receive(fd, NULL, 0, flags))
			return -1;
		if (landing_any())
			open_message(msg);
	}
	ret = REAL(recvmsg)(fd, msg, flags);
	if (ret >= 0 && msg->msg_controllen)
		note_passed_descriptors(msg);
	return ret;
}

/*
 * The kernel sends no more than IOV_MAX of them, and receives as many as there come: it looks at
 * those alone, so that COUNT need not be true.
 */
static void open_messages(struct mmsghdr *msg, unsigned count)
{
	if (!landing_any())
		return;
	if (count > IOV_MAX) {
		landing_open_all();
		return;
	}
	landing_open(msg, count * sizeof(*msg));
	for (unsigned i = 0; i < count && hook_readable(&msg[i], sizeof(*msg)); i++)
		open_message(&msg[i].msg_hdr);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *msg, unsigned count, int flags,
		    struct timespec *timeout)
{
	int ret;

	if (hook_passive())
		return REAL(recvmmsg)(fd, msg, count, flags, timeout);
	if (!receive_idle() && before_receive(fd, NULL, 0, flags))
		return -1;
	landing_open(timeout, sizeof(*timeout));
	open_messages(msg, count);
	ret = REAL(recvmmsg)(fd, msg, count, flags, timeout);
	for (int i = 0; i < ret; i++)
		if (msg[i].msg_hdr.msg_controllen)
			note_passed_descriptors(&msg[i].msg_hdr);
	return ret;
}

/* ---- sending ---- */

#define SEND_BODY(name, fd, buf, n, flags, ...)                                                    \
	struct iovec piece = { (void *)(buf), n };                                                 \
	ssize_t ret;                                                                               \
                                                                                                   \
	if (io_write_idle(n))                                                                      \
		return REAL(name)(__VA_ARGS__);                                                    \
	if (io_write_begin(fd, &piece, 1, flags, CALLER, &ret))                                    \
		return ret;                                                                        \
	return io_write_done(fd, &piece, 1, REAL(name)(__VA_ARGS__), CALLER)

/* An address, or flags that reach beyond this call: for the verdict send-flags. */
enum { WITH_ADDRESS = MSG_OOB };

static APART ssize_t send_whole(int fd, const void *buf, size_t n, int flags, const void *caller)
{
	struct iovec piece = { (void *)buf, n };
	ssize_t ret;

	if (io_write_begin(fd, &piece, 1, flags, caller, &ret))
		return ret;
	return io_write_done(fd, &piece, 1, REAL(send)(fd, buf, n, flags), caller);
}

static OFTEN APART ssize_t send_chunk(int fd, const void *buf, size_t n, int flags, const void *caller)
{
	if (!io_write_plain(fd, buf, n, flags, caller))
		return send_whole(fd, buf, n, flags, caller);
	return io_wrote(fd, buf, REAL_LIVE(send)(fd, buf, n, flags), caller);
}

static APART ssize_t send_passive(int fd, const void *buf, size_t n, int flags)
{
	return REAL(send)(fd, buf, n, flags);
}

EXPORT OFTEN ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	if (hook_passive())
		return send_passive(fd, buf, n, flags);
	return io_write_is_none(n) ? REAL_LIVE(send)(fd, buf, n, flags)
				   : send_chunk(fd, buf, n, flags, CALLER);
}

EXPORT ssize_t __send(int fd, const void *buf, size_t n, int flags)
{
	SEND_BODY(__send, fd, buf, n, flags, fd, buf, n, flags);
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
		      socklen_t to_n)
{
	if (to)
		landing_open(to, to_n);
	SEND_BODY(sendto, fd, buf, n, to ? flags | WITH_ADDRESS : flags, fd, buf, n, flags, to, to_n);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	ssize_t ret;

	if (hook_passive() || !msg)
		return REAL(sendmsg)(fd, msg, flags);
	if (source_any() && message_readable(msg)) {
		landing_open(msg->msg_name, msg->msg_namelen);
		landing_open(msg->msg_control, msg->msg_controllen);
		if (io_pieces_readable(msg->msg_iov, msg->msg_iovlen) &&
		    io_write_begin(fd, msg->msg_iov, msg->msg_iovlen,
				   msg->msg_name || msg->msg_controllen ? flags | WITH_ADDRESS : flags,
				   CALLER, &ret))
			return ret;
	} else if (unlikely(fd_debts) && send_owes(fd)) {
		return -1;
	} else {
		writers_note(fd, flags);
	}
	ret = REAL(sendmsg)(fd, msg, flags);
	return ret >= WATCH_SMALLEST
		       ? io_write_done(fd, msg->msg_iov, msg->msg_iovlen, ret, CALLER) : ret;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *msg, unsigned count, int flags)
{
	if (!hook_passive()) {
		if (unlikely(fd_debts) && send_owes(fd))
			return -1;
		writers_note(fd, flags);
		open_messages(msg, count);
	}
	return REAL(sendmmsg)(fd, msg, count, flags);
}

/* ---- new sockets ---- */

/* The number RET is new: what is known of it is of one that was closed unheard. */
static int fresh(int ret)
{
	if (ret >= 0) {
		fd_made_socket(ret);
		writers_born(ret);
	}
	return ret;
}

static int accepted(int ret, int listener)
{
	if (ret >= 0) {
		fd_accepted(ret, listener);
		writers_born(ret);
	}
	return ret;
}

EXPORT int accept(int fd, struct sockaddr *from, socklen_t *from_n)
{
	if (hook_passive())
		return REAL(accept)(fd, from, from_n);
	open_address(from, from_n);
	sleep_before_accept(fd);
	unwind_expect();
	return accepted(REAL(accept)(fd, from, from_n), fd);
}

EXPORT int accept4(int fd, struct sockaddr *from, socklen_t *from_n, int flags)
{
	if (hook_passive())
		return REAL(accept4)(fd, from, from_n, flags);
	open_address(from, from_n);
	sleep_before_accept(fd);
	unwind_expect();
	return accepted(REAL(accept4)(fd, from, from_n, flags), fd);
}

EXPORT int socket(int domain, int type, int protocol)
{
	int ret = REAL(socket)(domain, type, protocol);

	return hook_passive() ? ret : fresh(ret);
}

EXPORT int socketpair(int domain, int type, int protocol, int fd[2])
{
	int ret;

	landing_open(fd, 2 * sizeof(int));
	ret = REAL(socketpair)(domain, type, protocol, fd);
	if (ret == 0 && !hook_passive()) {
		fresh(fd[0]);
		fresh(fd[1]);
	}
	return ret;
}

/* ---- options ---- */

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	bool times = fd_option_times_out(level, name);
	int ret;
	struct fd_entry *e;

	if (landing_any())
		landing_open(value, n);
	ret = REAL(setsockopt)(fd, level, name, value, n);
	if (ret < 0 || hook_passive())
		return ret;
	if (times)
		fd_others_time_out(fd);
	e = fd_peek(fd);
	if (!e)
		return ret;
	stream_options_changed(e);
	if (times)
		e->timeout = fd_send_timeout(fd) != 0;
	return ret;
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	struct fd_entry *e;
	int ret;

	if (landing_any() && n) {
		landing_open(n, sizeof(*n));
		if (hook_readable(n, sizeof(*n)))
			landing_open(value, *n);
	}
	ret = REAL(getsockopt)(fd, level, name, value, n);
	/* an error that sendfile ate is still the socket's */
	if (ret == 0 && unlikely(fd_debts) && level == SOL_SOCKET && name == SO_ERROR &&
	    !hook_passive() && *n == sizeof(int) && (e = fd_peek(fd)) != NULL && *(int *)value == 0)
		*(int *)value = fd_pay(e);
	return ret;
}

/* ---- what the program sends without a copy itself ---- */

static bool is_socket(int fd)
{
	struct fd_entry *e = fd_entry(fd);
	enum stats_kind kind = e ? fd_classify(fd, e) : STATS_KIND_UNKNOWN;

	return kind == STATS_KIND_TCP || kind == STATS_KIND_UNIX;
}

static ssize_t count_native(int out, ssize_t n)
{
	if (n > 0 && !hook_passive() && is_socket(out))
		stats_add(&stats_get()->native_bytes, (uint64_t)n);
	return n;
}

/* OUT may be a file of ours, or owe an error. */
static bool before_native(int out)
{
	if (hook_passive())
		return false;
	if (unlikely(fd_debts) && send_owes(out))
		return true;
	writers_note(out, 0);
	source_written(out);
	return false;
}

EXPORT ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
	if (before_native(out))
		return -1;
	landing_open(at, sizeof(*at));
	return count_native(out, REAL(sendfile)(out, in, at, n));
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *at, size_t n)
{
	if (before_native(out))
		return -1;
	landing_open(at, sizeof(*at));
	return count_native(out, REAL(sendfile64)(out, in, at, n));
}

EXPORT ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	if (before_native(out))
		return -1;
	landing_open(in_at, sizeof(*in_at));
	landing_open(out_at, sizeof(*out_at));
	return count_native(out, REAL(splice)(in, in_at, out, out_at, n, flags));
}

EXPORT ssize_t vmsplice(int fd, const struct iovec *iov, size_t count, unsigned flags)
{
	if (!hook_passive())
		io_open_pieces(iov, count);
	return REAL(vmsplice)(fd, iov, count, flags);
}

EXPORT ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t n,
			       unsigned flags)
{
	if (before_native(out))
		return -1;
	landing_open(in_at, sizeof(*in_at));
	landing_open(out_at, sizeof(*out_at));
	return REAL(copy_file_range)(in, in_at, out, out_at, n, flags);
}
