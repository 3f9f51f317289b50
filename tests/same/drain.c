/* SPDX-License-Identifier: MIT */
/*
 * drain.c - the child that receives. It is forked before anything is landed, so
 * that it can also be the other process that changes a file.
 */
#include "drain.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct drain {
	int peer, control, out;
	bool paused, slow;
	volatile int *done;
};

/* Small buffers, so that a megabyte blocks; the kernel then leaves them at that. */
static void tcp_pair(int pair[2])
{
	int small = 65536;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t n = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&sin, &n) != 0 ||
	    connect(pair[0], (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		perror("tcp");
		exit(96);
	}
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void close_peer(struct drain *d, bool reset)
{
	struct linger linger = { 1, 0 };

	if (reset)
		setsockopt(d->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(d->peer);
	d->peer = -1;
}

/* Another process overwrites the file in place. */
static void overwrite(void)
{
	static char zeros[65536];
	int fd = open("mine", O_WRONLY | O_NONBLOCK);

	for (off_t at = 0; at < 4 << 20; at += (off_t)sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) < 0)
			break;
	close(fd);
}

static void append(void)
{
	int fd = open("mine", O_WRONLY | O_APPEND);

	if (write(fd, "a thousand bytes", 16) != 16)
		_exit(95);
	close(fd);
}

static void receive(struct drain *d)
{
	static char part[65536];
	ssize_t n;

	if (d->slow)
		usleep(100000);
	n = read(d->peer, part, sizeof(part));
	if (n > 0 && write(d->out, part, (size_t)n) == n)
		return;
	close(d->peer);
	d->peer = -1;
}

/* Takes what has arrived; for a reset would throw it away. */
static void catch_up(struct drain *d)
{
	struct pollfd p = { d->peer, POLLIN, 0 };

	while (!d->paused && d->peer >= 0 && poll(&p, 1, 0) > 0)
		receive(d);
}

static bool is_delayed(char command)
{
	return command == 'R' || command == 'C' || command == 'G' || command == 'O' || command == 'T';
}

static void obey(struct drain *d, char command)
{
	catch_up(d);
	/* the delayed ones are answered first: the parent then goes on into a call that blocks */
	if (is_delayed(command)) {
		++*d->done;
		usleep(command == 'O' ? 1500000 : command == 'T' ? 1000000 : 300000);
	}
	switch (command) {
	case 'p': d->paused = true; break;
	case 's': d->slow = true; break;
	case 'f': shutdown(d->peer, SHUT_WR); break;
	case 'g':
	case 'G': d->paused = d->slow = false; break;
	case 'r':
	case 'R':
	case 'T': close_peer(d, true); break;
	case 'c':
	case 'C': close_peer(d, false); break;
	case 't':
		if (truncate("mine", 1000) != 0)
			_exit(95);
		break;
	case 'a': append(); break;
	case 'o':
	case 'O': overwrite(); break;
	}
	if (!is_delayed(command) || command == 'O')
		++*d->done;
}

/* Until the peer has closed; the control socket may be closed long before. */
static void drain_main(struct drain *d)
{
	char command;

	while (d->peer >= 0) {
		struct pollfd p[2] = { { d->control, POLLIN, 0 },
				       { d->paused ? -1 : d->peer, POLLIN, 0 } };

		if (poll(p, 2, -1) < 0)
			break;
		if (p[0].revents != 0) {
			if (read(d->control, &command, 1) == 1) {
				obey(d, command);
			} else {
				d->control = -1;
				d->paused = false;
			}
		} else if (p[1].revents != 0) {
			receive(d);
		}
	}
}

void drain_start(struct same_rig *r, bool unix_socket, const char *name)
{
	struct drain d = { .out = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644) };
	int pair[2], control[2];

	if (!unix_socket)
		tcp_pair(pair);
	else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		exit(96);
	d.done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (d.done == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0)
		exit(96);
	r->drain = fork();
	if (r->drain == 0) {
		signal(SIGPIPE, SIG_IGN);
		close(pair[0]);
		close(control[0]);
		d.peer = pair[1];
		d.control = control[1];
		drain_main(&d);
		_exit(0);
	}
	close(pair[1]);
	close(control[1]);
	close(d.out);
	r->sink = pair[0];
	r->control = control[0];
	r->done = d.done;
}
