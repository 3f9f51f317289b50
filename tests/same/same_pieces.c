/* SPDX-License-Identifier: MIT */
/*
 * same_pieces.c - MSG_NOSIGNAL where SIGPIPE would come, and SO_SNDTIMEO, on a socket that blocks.
 *
 * Here the loops send so themselves: what is rewritten is rewritten in spite of it, in pieces that do not
 * wait. When a call is interrupted, or gives up, is not the same from run to run; what must hold then
 * is said.
 */
#include "same.h"
#include "inline.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { BIG = 1 << 20, ROUNDS = 24 };

static int flags; /* of every send */
static volatile sig_atomic_t seen;
static sigjmp_buf back;

static void note(int signal)
{
	seen = signal;
}

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void alarms(void (*handler)(int), int how, long first_us, long then_us)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = how };
	struct itimerval when = { { 0, then_us }, { first_us / 1000000, first_us % 1000000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &when, NULL);
}

static void no_alarms(void)
{
	struct itimerval never = { 0 };

	setitimer(ITIMER_REAL, &never, NULL);
}

static void let_wait(struct same_rig *r, int ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(r->sink, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* The two kinds: a signal that must not come, a time that is long enough. */
static void without_signal(struct same_rig *r)
{
	(void)r;
	flags = MSG_NOSIGNAL;
}

static void with_time(struct same_rig *r)
{
	let_wait(r, 60000);
}

/* A call that ends before its time, for no signal, is said. */
static bool send_all(struct same_rig *r, char *p, size_t n)
{
	ssize_t m = 0;

	for (size_t done = 0; done < n; done += (size_t)m) {
		m = send(r->sink, p + done, n - done, flags);
		if (m < 0 && errno == EINTR)
			m = 0;
		if (m < 0 || (!seen && (size_t)m < n - done))
			same_say("send", m);
		if (m < 0)
			return false;
	}
	return true;
}

static void send_rounds(struct same_rig *r, int rounds)
{
	int i = 0;

	while (i < rounds && same_get(r->source, r->buf, r->size) == (ssize_t)r->size &&
	       send_all(r, r->buf, r->size))
		i++;
	same_say("rounds", i);
}

static void loop(struct same_rig *r, void (*kind)(struct same_rig *))
{
	kind(r);
	send_rounds(r, ROUNDS);
	send_rounds(r, same_slow_down(r));
	same_say_buffer(r);
}

static void loop_without_signal(struct same_rig *r)
{
	loop(r, without_signal);
}

static void loop_with_time(struct same_rig *r)
{
	loop(r, with_time);
}

static void header(struct same_rig *r, void (*kind)(struct same_rig *))
{
	char head[100];
	struct iovec v[2] = { { head, sizeof(head) }, { r->buf, r->size } };
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = 2 };

	kind(r);
	memset(head, 'h', sizeof(head));
	for (int i = 0; i < ROUNDS && same_get(r->source, r->buf, r->size) > 0; i++)
		if (sendmsg(r->sink, &msg, flags) != (ssize_t)(sizeof(head) + r->size))
			same_say("sendmsg", -1);
	same_say_buffer(r);
}

static void header_without_signal(struct same_rig *r)
{
	header(r, without_signal);
}

static void header_with_time(struct same_rig *r)
{
	header(r, with_time);
}

/* What is mapped, of which nothing is landed. */
static void mapped(struct same_rig *r)
{
	flags = MSG_NOSIGNAL;
	for (int i = 0; i < 8; i++) {
		char *p = mmap(NULL, BIG, PROT_READ, MAP_PRIVATE, r->source, i * (off_t)BIG);

		if (i == 6)
			same_slow_down(r);
		if (p == MAP_FAILED || !send_all(r, p, BIG))
			break;
		munmap(p, BIG);
	}
}

/* ---- signals ---- */

static void storm(struct same_rig *r, void (*kind)(struct same_rig *), int how)
{
	kind(r);
	send_rounds(r, ROUNDS / 2);
	seen = 1;
	alarms(note, how, 150, 150);
	for (int i = same_slow_down(r); i > 0; i--) {
		ssize_t n = 0, m;

		while (n < (ssize_t)r->size && (m = read(r->source, r->buf + n, r->size - (size_t)n)) != 0)
			n += m > 0 ? m : 0;
		send_all(r, r->buf, r->size);
	}
	no_alarms();
	same_say("alarms", seen == SIGALRM);
}

static void storm_without_signal(struct same_rig *r)
{
	storm(r, without_signal, 0);
}

static void storm_restarting(struct same_rig *r)
{
	storm(r, without_signal, SA_RESTART);
}

static void storm_with_time(struct same_rig *r)
{
	storm(r, with_time, SA_RESTART);
}

/* A handler comes while a call waits that has sent a part: that is told, and the mask is as it was. */
static void one_alarm(struct same_rig *r)
{
	sigset_t before = { 0 }, after = { 0 };
	ssize_t n;

	flags = MSG_NOSIGNAL;
	send_rounds(r, ROUNDS);
	sigprocmask(SIG_BLOCK, NULL, &before);
	same_drain(r, 'p');
	do {
		if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
			lseek(r->source, 0, SEEK_SET);
		alarms(note, SA_RESTART, 300000, 0);
		n = send(r->sink, r->buf, r->size, flags);
	} while (n == (ssize_t)r->size);
	same_say("outcome: a part", n > 0 && n < (ssize_t)r->size);
	same_say("outcome: alarm", seen);
	same_say("outcome: no room", send(r->sink, r->buf, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	sigprocmask(SIG_BLOCK, NULL, &after);
	same_say("outcome: same mask", memcmp(&before, &after, sizeof(before)));
	same_drain(r, 'g');
}

/*
 * A handler ends a call that has sent nothing: what else it may mean the kernel alone knows. By a
 * UNIX socket: one that is full stays so, while TCP may hand on what it holds after it said that it is.
 */
static void no_part(struct same_rig *r)
{
	ssize_t n;

	flags = MSG_NOSIGNAL;
	send_rounds(r, ROUNDS);
	same_drain(r, 'p');
	while (send(r->sink, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	lseek(r->source, 0, SEEK_SET);
	same_get(r->source, r->buf, r->size);
	alarms(note, 0, 300000, 0);
	n = send(r->sink, r->buf, r->size, flags);
	same_say("outcome: send", n);
	same_say("outcome: alarm", seen);
	same_drain(r, 'g');
}

/* The handler leaves the call for good; SIGPIPE is not blocked, and what is read next is right. */
static void jumps_out(struct same_rig *r)
{
	char *again = malloc(r->size);
	sigset_t set = { 0 };
	off_t end;

	flags = MSG_NOSIGNAL;
	send_rounds(r, ROUNDS);
	same_drain(r, 'p');
	if (sigsetjmp(back, 0) == 0)
		for (;;) {
			if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
				lseek(r->source, 0, SEEK_SET);
			alarms(jump, SA_NODEFER, 300000, 0);
			send(r->sink, r->buf, r->size, flags);
		}
	sigprocmask(SIG_BLOCK, NULL, &set);
	same_say("outcome: SIGPIPE blocked", sigismember(&set, SIGPIPE));
	end = lseek(r->source, 0, SEEK_CUR);
	lseek(r->source, end - (off_t)r->size, SEEK_SET);
	same_say("outcome: read", read(r->source, again, r->size) == (ssize_t)r->size);
	same_say("outcome: as the file", memcmp(again, r->buf, r->size));
	free(again);
	same_drain(r, 'g');
}

/* Neither a call that sends nothing nor one that sends a part raises it. */
static void nobody_there(struct same_rig *r)
{
	ssize_t n = 0;

	flags = MSG_NOSIGNAL;
	send_rounds(r, ROUNDS);
	same_drain(r, 'R'); /* in a while: in the middle of a call, perhaps */
	for (int i = 0; i < 2000 && n >= 0; i++) {
		if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
			lseek(r->source, 0, SEEK_SET);
		n = send(r->sink, r->buf, r->size, flags);
	}
	same_say("outcome: send", n < 0);
	same_say("outcome: send", send(r->sink, r->buf, r->size, flags));
	signal(SIGPIPE, note);
	same_say("outcome: send", send(r->sink, r->buf, r->size, flags));
	same_say("outcome: signal", seen);
	same_say("outcome: send", send(r->sink, r->buf, r->size, 0));
	same_say("outcome: signal", seen);
}

/* One that is pending is the program's, and stays. */
static void pending(struct same_rig *r)
{
	struct timespec none = { 0, 0 };
	sigset_t set;

	flags = MSG_NOSIGNAL;
	send_rounds(r, ROUNDS);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGPIPE); /* of the process: one of the thread's own would come beside it */
	send_rounds(r, 2);
	same_drain(r, 'c');
	usleep(50000);
	for (int i = 0; i < ROUNDS; i++) {
		same_get(r->source, r->buf, r->size);
		send(r->sink, r->buf, i ? r->size : 1, flags);
		if (i < 2) /* the first may still be taken: the reset has to come */
			usleep(50000);
	}
	for (int i = 0; i < 2; i++)
		same_say("pending", sigtimedwait(&set, NULL, &none));
}

/* ---- a time that is over ---- */

/* The call returns what went, after its time and not much later; then there is no room. */
static void over(struct same_rig *r)
{
	enum { TIME = 1200, MORE = 1100 };
	long long begin, took;
	ssize_t n;

	let_wait(r, TIME);
	send_rounds(r, ROUNDS);
	same_drain(r, 'p');
	do {
		if (same_get(r->source, r->buf, r->size) != (ssize_t)r->size)
			lseek(r->source, 0, SEEK_SET);
		begin = same_ms();
		n = send(r->sink, r->buf, r->size, 0);
		took = same_ms() - begin;
	} while (n == (ssize_t)r->size);
	same_say("outcome: a part", n > 0);
	same_say("outcome: not before the time", took >= TIME - 20);
	same_say("outcome: not much later", took < TIME + MORE);
	lseek(r->source, 0, SEEK_SET);
	same_get(r->source, r->buf, r->size);
	begin = same_ms();
	same_say("outcome: nothing more", send(r->sink, r->buf, r->size, 0));
	took = same_ms() - begin;
	same_say("outcome: not before the time", took >= TIME - 20);
	same_say("outcome: not much later", took < TIME + MORE);
	same_drain(r, 'g');
}

/* All waits of a call count together, however the peer trickles. */
static void trickle(struct same_rig *r, int time)
{
	enum { MORE = 1500 };
	char *large = mmap(NULL, 16 * BIG, PROT_READ, MAP_PRIVATE, r->source, 0);
	long long begin;
	ssize_t n;

	send_rounds(r, ROUNDS);
	same_slow_down(r);
	begin = same_ms();
	n = send(r->sink, large, 16 * BIG, 0);
	same_say("outcome: a part", n > 0 && n < 16 * BIG);
	same_say("outcome: not much later", same_ms() - begin < time + MORE);
	same_drain(r, 'g');
}

static void trickle_heard(struct same_rig *r)
{
	let_wait(r, 500);
	trickle(r, 500);
}

/* The time was set where no hook heard of it, as by who ran the program. */
static void trickle_before(struct same_rig *r)
{
	struct timeval t = { 0, 500000 };

	inline_call(SYS_setsockopt, r->sink, SOL_SOCKET, SO_SNDTIMEO, (long)&t, sizeof(t), 0);
	trickle(r, 500);
}

/* It was set by another number of the same socket's, after the first was used. */
static void trickle_other(struct same_rig *r, bool heard)
{
	struct timeval t = { 0, 500000 };
	int other = dup(r->sink);

	send_rounds(r, ROUNDS);
	if (heard)
		setsockopt(other, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	else
		inline_call(SYS_setsockopt, other, SOL_SOCKET, SO_SNDTIMEO, (long)&t, sizeof(t), 0);
	trickle(r, 500);
	close(other);
}

static void trickle_other_heard(struct same_rig *r)
{
	trickle_other(r, true);
}

static void trickle_other_inline(struct same_rig *r)
{
	trickle_other(r, false);
}

/* ---- a connection that is not there yet ---- */

static void *shuts_down(void *fd)
{
	usleep(400000);
	shutdown(*(int *)fd, SHUT_RDWR);
	return NULL;
}

/* Such a send waits for it, with the program's signals: an alarm ends it. */
static void not_connected_yet(struct same_rig *r)
{
	struct same_full full;
	pthread_t t;
	int fd;

	flags = MSG_NOSIGNAL;
	same_full_open(&full);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(fd, (struct sockaddr *)&full.where, sizeof(full.where));
	fcntl(fd, F_SETFL, 0);
	send_rounds(r, ROUNDS);
	same_get(r->source, r->buf, r->size);
	alarms(note, 0, 200000, 0);
	pthread_create(&t, NULL, shuts_down, &fd);
	same_say("send", send(fd, r->buf, r->size, flags));
	same_say("alarm", seen);
	pthread_join(t, NULL);
	close(fd);
	same_full_close(&full);
}

enum { OUTCOME = SAME_BARE | SAME_LOOSE | SAME_OUTCOME };

static const struct same_case cases[] = {
	{ "loop_without_signal", loop_without_signal, SAME_BARE, 0 },
	{ "loop_without_signal_big", loop_without_signal, SAME_BARE, BIG },
	{ "loop_without_signal_unix", loop_without_signal, SAME_BARE | SAME_UNIX, 0 },
	{ "loop_with_time", loop_with_time, SAME_BARE, 0 },
	{ "loop_with_time_big", loop_with_time, SAME_BARE, BIG },
	{ "loop_with_time_unix", loop_with_time, SAME_BARE | SAME_UNIX, 0 },
	{ "header_without_signal", header_without_signal, SAME_BARE, 0 },
	{ "header_with_time", header_with_time, SAME_BARE, 0 },
	{ "header_with_time_unix", header_with_time, SAME_BARE | SAME_UNIX, 0 },
	{ "mapped", mapped, SAME_BARE, 0 },
	{ "storm_without_signal", storm_without_signal, SAME_BARE, BIG / 4 },
	{ "storm_restarting", storm_restarting, SAME_BARE, BIG / 4 },
	{ "storm_with_time", storm_with_time, SAME_BARE, BIG / 4 },
	{ "storm_unix", storm_without_signal, SAME_BARE | SAME_UNIX, BIG / 4 },
	{ "one_alarm", one_alarm, OUTCOME, BIG },
	{ "one_alarm_unix", one_alarm, OUTCOME | SAME_UNIX, BIG },
	{ "no_part", no_part, OUTCOME | SAME_UNIX, 0 },
	{ "jumps_out", jumps_out, OUTCOME, BIG },
	{ "jumps_out_unix", jumps_out, OUTCOME | SAME_UNIX, BIG },
	{ "nobody_there", nobody_there, OUTCOME, 0 },
	{ "nobody_there_big", nobody_there, OUTCOME, BIG },
	{ "nobody_there_unix", nobody_there, OUTCOME | SAME_UNIX, 0 },
	{ "pending", pending, SAME_BARE | SAME_LOOSE, 0 },
	{ "pending_unix", pending, SAME_BARE | SAME_LOOSE | SAME_UNIX, 0 },
	{ "over", over, OUTCOME, BIG },
	{ "over_unix", over, OUTCOME | SAME_UNIX, BIG },
	{ "trickle", trickle_heard, OUTCOME, 0 },
	{ "trickle_before", trickle_before, OUTCOME, 0 },
	{ "trickle_other", trickle_other_heard, OUTCOME, 0 },
	{ "trickle_other_inline", trickle_other_inline, OUTCOME | SAME_GUARD, 0 },
	{ "not_connected_yet", not_connected_yet, SAME_BARE, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
