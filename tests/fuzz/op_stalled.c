/* SPDX-License-Identifier: MIT */
/* op_stalled.c - a peer that reads no more. How much it got differs; its sink is closed then. */
#include "vm.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

bool may_be_loose(int k)
{
	if (vm.timer || vm.depth > 1 || vm.sink[k] < 0 || vm.target[k] != k || vm.shared->loose)
		return false;
	for (int i = 0; i < SINKS; i++)
		if (i != k && vm.target[i] == k)
			return false;
	return true;
}

/*
 * The peer reads no more, the write blocks, the peer resets the connection: an error comes,
 * after a short count or at once, and then what comes after an error.
 */
int op_breakoff(const struct op *op)
{
	int k = sink_of(op->a[0]), n = op->a[3];
	char *p = piece_defined(op->a[1], op->a[2], &n);
	struct pollfd state = { .fd = vm.sink[k], .events = POLLIN | POLLOUT };
	ssize_t ret;

	if (n < 1000 || !may_be_loose(k) || vm.program->sink[k].kind != SINK_TCP)
		return 0;
	vm.shared->loose |= 1u << k;
	fcntl(vm.sink[k], F_SETFL, 0);
	ask(PEER_RESET_SOON, k, 0, 0);
	do
		ret = write(vm.sink[k], p, (size_t)n);
	while (ret == n);
	if (ret >= 0)
		ret = write(vm.sink[k], p, (size_t)n);
	SAY("broken", ret, errno);
	poll(&state, 1, 0);
	SAY("poll", state.revents);
	SAY("recv", recv(vm.sink[k], &ret, 1, MSG_DONTWAIT), errno);
	SAY("again", write(vm.sink[k], p, (size_t)n), errno);
	SAY("close", close(vm.sink[k]));
	vm.sink[k] = -1;
	return 0;
}

static ssize_t write_soon(int fd, char *p, size_t n, int how)
{
	struct iovec v[2] = { { p, n / 2 }, { p + n / 2, n - n / 2 } };
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = 2 };

	if (how == 0)
		return send(fd, p, n, MSG_DONTWAIT);
	return how == 1 ? sendmsg(fd, &msg, MSG_DONTWAIT) : write(fd, p, n);
}

/*
 * The peer reads no more; what must not wait, or not for long, comes back in time.
 * how: 0 MSG_DONTWAIT, 1 the same on one message of two pieces, 2 SO_SNDTIMEO, 3 O_NONBLOCK
 */
int op_full(const struct op *op)
{
	int k = sink_of(op->a[0]), n = op->a[3], how = (int)((unsigned)op->a[4] % 4);
	char *p = piece_defined(op->a[1], op->a[2], &n);
	struct timeval short_time = { 0, 20000 };
	size_t at = 0;
	ssize_t ret;

	if (n < 1000 || !may_be_loose(k) || vm.program->sink[k].kind == SINK_PIPE)
		return 0;
	vm.shared->loose |= 1u << k;
	ask(PEER_STALL, k, 1, 0);
	fcntl(vm.sink[k], F_SETFL, how == 3 ? O_NONBLOCK : 0);
	if (how == 2)
		setsockopt(vm.sink[k], SOL_SOCKET, SO_SNDTIMEO, &short_time, sizeof(short_time));
	/* the bytes over and over, wherever a short write ended */
	while ((ret = write_soon(vm.sink[k], p + at, (size_t)n - at, how)) > 0)
		at = (at + (size_t)ret) % (size_t)n;
	SAY("full", ret, errno);
	ask(PEER_STALL, k, 0, 0);
	SAY("close", close(vm.sink[k]));
	vm.sink[k] = -1;
	return 0;
}
