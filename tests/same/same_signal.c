/* SPDX-License-Identifier: MIT */
/* same_signal.c - the program's own handlers, masks and deaths, while a buffer is lazy. */
#include "same.h"

#include <fcntl.h>
#include <poll.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#ifdef __x86_64__
#include "inline.h"
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static struct same_rig *rig;
static sigjmp_buf back;
static volatile sig_atomic_t seen, code;
static char *volatile forbidden;

static void note(int signal)
{
	seen = signal;
}

static void note_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	seen = signal;
	code = info->si_code;
	if (info->si_addr == forbidden)
		siglongjmp(back, 1);
}

/* Opens the page, as a collector or an interpreter does, and lets the access go on. */
static void allow(int signal, siginfo_t *info, void *context)
{
	(void)context;
	seen = signal;
	if (info->si_addr == forbidden)
		mprotect(forbidden, 4096, PROT_READ | PROT_WRITE);
	else
		_exit(77);
}

static void jump(int signal)
{
	seen = signal;
	siglongjmp(back, 1);
}

static void look(int signal)
{
	seen = signal;
	same_say_buffer(rig);
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	if (flags & SA_NODEFER)
		sigfillset(&sa.sa_mask);
	same_say("sigaction", sigaction(signal, &sa, NULL));
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	same_say("sigaction", sigaction(signal, &sa, NULL));
}

static void more(struct same_rig *r)
{
	same_write(r);
	same_loop(r, 4);
	same_read(r);
	same_say_buffer(r);
	same_write(r);
	same_read(r);
}

static char *guard_page(void)
{
	return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* ---- SIGSEGV and SIGBUS that are the program's ---- */

static void own_segv(struct same_rig *r)
{
	forbidden = guard_page();
	handle_info(SIGSEGV, allow, 0);
	for (int i = 0; i < 4; i++) {
		mprotect(forbidden, 4096, PROT_NONE);
		*forbidden = 'x';
		same_say("seen", seen);
		more(r);
	}
}

static void own_segv_jump(struct same_rig *r)
{
	forbidden = guard_page();
	handle_info(SIGSEGV, note_info, 0);
	for (volatile int i = 0; i < 4; i++) {
		if (sigsetjmp(back, 1) == 0)
			*forbidden = 'x';
		same_say("seen", seen);
		same_say("code", code);
		more(r);
	}
}

static void own_segv_on_stack(struct same_rig *r)
{
	stack_t ss = { .ss_sp = malloc(65536), .ss_size = 65536 }, old;

	same_say("sigaltstack", sigaltstack(&ss, NULL));
	forbidden = guard_page();
	handle_info(SIGSEGV, allow, SA_ONSTACK);
	more(r);
	*forbidden = 'x';
	same_say("seen", seen);
	same_say("sigaltstack", sigaltstack(NULL, &old));
	same_say("same stack", old.ss_sp == ss.ss_sp && old.ss_size == ss.ss_size);
	more(r);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
/* Those that libc keeps for itself, and none. */
static void held_and_released(struct same_rig *r)
{
	static const int signals[] = { 0, 1, 31, 32, 33, 34, 64, 65 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		same_say("sighold", sighold(signals[i]));
		same_say("sigrelse", sigrelse(signals[i]));
	}
	more(r);
}
#pragma GCC diagnostic pop

/* What the kernel takes for a stack, and what it shows of it. */
static void stacks_of_all_sizes(struct same_rig *r)
{
	static const size_t sizes[] = { 0, 1, 2047, 2048, 2500, 3000, 3500, 5119, 5120, 8192, 16383, 16384, 65536 };
	stack_t ss = { .ss_sp = malloc(65536) }, old;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		same_say("size", (long)sizes[i]);
		ss.ss_size = sizes[i];
		for (int flags = 0; flags <= SS_DISABLE + 1; flags++) {
			ss.ss_flags = flags;
			same_say("sigaltstack", sigaltstack(&ss, NULL));
			sigaltstack(NULL, &old);
			same_say("shown", old.ss_flags);
			same_say("of size", (long)old.ss_size);
		}
		more(r);
	}
}

#if defined(__x86_64__)
static const unsigned char code_of_42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
#else
static const uint32_t code_of_42[] = { 0x52800540, 0xd65f03c0 };
#endif
static char *data_page;

static void make_code(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	seen++;
	code = info->si_code;
	mprotect(data_page, 4096, PROT_READ | PROT_EXEC);
}

/* A jump to what may be read and written only: its handler makes it code, as those of some compilers do. */
static void jump_to_data(struct same_rig *r)
{
	handle_info(SIGSEGV, make_code, 0);
	for (int i = 0; i < 3; i++) {
		data_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(data_page, code_of_42, sizeof(code_of_42));
		__builtin___clear_cache(data_page, data_page + sizeof(code_of_42));
		same_say("call", ((int (*)(void))(uintptr_t)data_page)());
		same_say("seen", seen);
		same_say("code", code);
		more(r);
	}
}

/* And without a handler. */
static void crash_in_data(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	data_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(data_page, code_of_42, sizeof(code_of_42));
	same_say("call", ((int (*)(void))(uintptr_t)data_page)());
}

static void no_stack_of_its_own(struct same_rig *r)
{
	stack_t old;

	same_say("sigaltstack", sigaltstack(NULL, &old));
	same_say("flags", old.ss_flags);
	same_write(r);
}

/* What sigaction and signal say of the handler before: never one of ours. */
static void shown_handlers(struct same_rig *r)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGSYS };
	struct sigaction sa;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		same_say("sigaction", sigaction(signals[i], NULL, &sa));
		same_say("default", sa.sa_handler == SIG_DFL);
		same_say("flags", sa.sa_flags);
		same_say("signal", signal(signals[i], note) == SIG_DFL);
		same_say("signal", signal(signals[i], SIG_IGN) == note);
		same_say("signal", signal(signals[i], SIG_DFL) == SIG_IGN);
	}
	handle_info(SIGSEGV, note_info, SA_RESTART | SA_NODEFER);
	more(r);
	same_say("sigaction", sigaction(SIGSEGV, NULL, &sa));
	same_say("mine", sa.sa_sigaction == note_info);
	same_say("flags", sa.sa_flags & ~0x04000000);
}

static void raised_segv(struct same_rig *r)
{
	handle(SIGSEGV, note, 0);
	same_say("raise", raise(SIGSEGV));
	same_say("seen", seen);
	more(r);
	same_say("kill", kill(getpid(), SIGBUS));
}

static void ignored_segv(struct same_rig *r)
{
	signal(SIGSEGV, SIG_IGN);
	same_say("raise", raise(SIGSEGV));
	more(r);
}

static void one_shot(struct same_rig *r)
{
	handle_info(SIGSEGV, note_info, (int)SA_RESETHAND);
	forbidden = guard_page();
	if (sigsetjmp(back, 1) == 0)
		*forbidden = 'x';
	same_say("seen", seen);
	same_say("default", signal(SIGSEGV, SIG_DFL) == SIG_DFL);
	more(r);
}

/* A handler that is forgotten with the first call, as those are that tell of a crash. */
static void called_once(struct same_rig *r)
{
	static const int signals[] = { SIGABRT, SIGFPE, SIGUSR1, SIGCHLD },
			 ways[] = { 0, SA_SIGINFO, SA_NODEFER | SA_RESTART };
	struct sigaction sa = { .sa_flags = 0 };
	int status = 0;
	pid_t child;

	for (int i = 0; i < 12; i++) {
		int signal = signals[i % 4];

		sa.sa_handler = note;
		sa.sa_flags = (int)SA_RESETHAND | ways[i / 4];
		same_say("set", sigaction(signal, &sa, NULL));
		same_say("shown", sigaction(signal, NULL, &sa));
		same_say("mine", sa.sa_handler == note);
		same_say("flags", sa.sa_flags & ~0x04000000);
		same_loop(r, 2);
		same_read(r);
		seen = 0;
		same_say("raise", raise(signal));
		same_say("seen", seen);
		same_write(r);
		sigaction(signal, NULL, &sa);
		same_say("default", sa.sa_handler == SIG_DFL);
		same_say("flags", sa.sa_flags & ~0x04000000);
		child = fork();
		if (child == 0) {
			raise(signal);
			_exit(3);
		}
		waitpid(child, &status, 0);
		same_say("the second", status);
	}
}

static _Atomic int *handled; /* signals; the sender sees it, too */

static void set_again(int signal)
{
	struct sigaction sa = { .sa_handler = set_again, .sa_flags = (int)SA_RESETHAND | SA_RESTART };

	sigaction(signal, &sa, NULL);
	++*handled;
}

/*
 * Each call sets it anew, before the next is sent; some of them come while shunt holds a lock. Not by a
 * timer: the kernel ends a process for a signal that is sent when the handler of the one before is
 * forgotten already and the signal not blocked yet (complete_signal).
 */
static void set_again_and_again(struct same_rig *r)
{
	pid_t sender;

	handled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	set_again(SIGALRM);
	sender = fork();
	if (sender == 0) {
		for (int sent = 1; sent <= 50; sent++) {
			kill(getppid(), SIGALRM);
			while (*handled <= sent)
				usleep(200);
		}
		_exit(0);
	}
	while (*handled <= 50) {
		lseek(r->source, 0, SEEK_SET);
		same_loop(r, 4);
	}
	waitpid(sender, NULL, 0);
}

static void crash(struct same_rig *r)
{
	same_write(r);
	same_read(r);
	*(volatile char *)same_bad = 1;
}

static void crash_by_raise(struct same_rig *r)
{
	same_write(r);
	raise(SIGSEGV);
}

static void crash_beside(struct same_rig *r)
{
	char *p = mmap(NULL, r->size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + r->size, 4096, PROT_NONE);
	r->buf = p;
	same_loop(r, SAME_ROUNDS);
	same_read(r);
	same_say_memory("buffer", p, r->size);
	same_write(r);
	same_read(r);
	*(volatile char *)(p + r->size) = 1;
}

static void crash_ignored(struct same_rig *r)
{
	signal(SIGSEGV, SIG_IGN);
	same_write(r);
	same_read(r);
	*(volatile char *)same_bad = 1;
}

static void bus_error(struct same_rig *r)
{
	int fd = open("out", O_RDWR | O_CREAT, 0644);

	if (ftruncate(fd, 8192) != 0)
		return;
	forbidden = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ftruncate(fd, 0) != 0)
		return;
	handle_info(SIGBUS, note_info, 0);
	for (volatile int i = 0; i < 3; i++) {
		if (sigsetjmp(back, 1) == 0)
			*forbidden = 'x';
		same_say("seen", seen);
		same_say("code", code);
		more(r);
	}
}

static void bus_error_dies(struct same_rig *r)
{
	int fd = open("out", O_RDWR | O_CREAT, 0644);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	same_write(r);
	same_read(r);
	*(volatile char *)p = 1;
}

/* ---- masks ---- */

static void say_mask(void)
{
	sigset_t set;
	int n = 0;

	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int i = 1; i < 32; i++)
		n += sigismember(&set, i);
	same_say("blocked", n);
	same_say("SIGSEGV blocked", sigismember(&set, SIGSEGV));
}

static void all_blocked(struct same_rig *r)
{
	sigset_t all, old;

	sigfillset(&all);
	same_say("sigprocmask", sigprocmask(SIG_SETMASK, &all, &old));
	say_mask();
	same_say("was blocked", sigismember(&old, SIGSEGV));
	more(r);
	same_say("sigprocmask", sigprocmask(SIG_SETMASK, &old, NULL));
	say_mask();
	more(r);
}

static void segv_blocked(struct same_rig *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGBUS);
	same_say("sigprocmask", sigprocmask(SIG_BLOCK, &set, NULL));
	more(r);
	same_say("sigprocmask", sigprocmask(SIG_UNBLOCK, &set, NULL));
	say_mask();
	same_write(r);
}

/* A SIGSEGV of kill() that is blocked stays pending, and comes when it is let in. */
static void segv_pending(struct same_rig *r)
{
	sigset_t set, pending;

	handle(SIGSEGV, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	same_say("kill", kill(getpid(), SIGSEGV));
	same_say("seen", seen);
	sigpending(&pending);
	same_say("pending", sigismember(&pending, SIGSEGV));
	more(r);
	same_say("seen", seen);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	same_say("seen", seen);
	same_write(r);
}

/* The same in a program that has not landed anything yet. */
static void segv_pending_early(struct same_rig *r)
{
	r->got = 0;
	segv_pending(r);
	same_loop(r, SAME_ROUNDS);
}

/* The handler looks into the buffer with everything blocked. */
static void looking_handler(struct same_rig *r)
{
	rig = r;
	handle(SIGUSR1, look, SA_NODEFER);
	for (int i = 0; i < 4; i++) {
		raise(SIGUSR1);
		same_write(r);
		same_read(r);
	}
	same_write(r);
}

static void looking_under_sigsuspend(struct same_rig *r)
{
	sigset_t set;

	rig = r;
	handle(SIGUSR1, look, 0);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	sigdelset(&set, SIGUSR1);
	same_say("sigsuspend", sigsuspend(&set));
	say_mask();
	same_write(r);
}

static void looking_under_ppoll(struct same_rig *r)
{
	struct pollfd p = { .fd = -1 };
	sigset_t set;

	rig = r;
	handle(SIGUSR1, look, 0);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR1);
	sigdelset(&set, SIGUSR1);
	same_say("ppoll", ppoll(&p, 1, NULL, &set));
	same_write(r);
	same_read(r);
	raise(SIGUSR1);
	same_say("pselect", pselect(0, NULL, NULL, NULL, NULL, &set));
	same_write(r);
}

/* All is blocked after sigsetjmp, so that siglongjmp unblocks it. */
static void mask_before_jump(struct same_rig *r)
{
	static sigjmp_buf outer;
	sigset_t full;

	forbidden = guard_page();
	handle_info(SIGSEGV, note_info, 0);
	sigfillset(&full);
	if (sigsetjmp(outer, 1) == 0) {
		sigprocmask(SIG_SETMASK, &full, NULL);
		more(r);
		siglongjmp(outer, 1);
	}
	say_mask();
	if (sigsetjmp(back, 1) == 0)
		*forbidden = 'x';
	same_say("seen", seen);
	sigprocmask(SIG_SETMASK, &full, NULL);
	if (sigsetjmp(outer, 1) == 0)
		siglongjmp(outer, 1);
	say_mask();
	more(r);
}

/* ---- masks by syscall() ---- */

/* As libraries ask whether an address can be read: the kernel looks there before it refuses. */
static void probed_by_mask(struct same_rig *r)
{
	uint64_t all = ~UINT64_C(0);

	same_say("nowhere", syscall(SYS_rt_sigprocmask, ~0, guard_page(), NULL, sizeof(all)));
	same_say("here", syscall(SYS_rt_sigprocmask, ~0, &all, NULL, sizeof(all)));
	same_say("to block", syscall(SYS_rt_sigprocmask, SIG_BLOCK, guard_page(), NULL, sizeof(all)));
	same_say("clone3", syscall(SYS_clone3, guard_page(), 64));
	more(r);
}

/* The mask of the wait, all but SIGUSR1, holds in this handler: it may land, and look. */
static void read_and_look(int signal)
{
	seen = signal;
	same_loop(rig, 4);
	same_read(rig);
	same_say_buffer(rig);
	same_write(rig);
}

static const uint64_t most = ~(UINT64_C(1) << (SIGUSR1 - 1));

static void begin_raw(struct same_rig *r)
{
	sigset_t usr1;

	rig = r;
	handle(SIGUSR1, read_and_look, 0);
	same_write(r);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
}

static void end_raw(struct same_rig *r)
{
	same_say("seen", seen);
	say_mask();
	same_read(r);
}

static void raw_ppoll(struct same_rig *r)
{
	begin_raw(r);
	same_say("ppoll", syscall(SYS_ppoll, NULL, 0, NULL, &most, sizeof(most)));
	end_raw(r);
}

static void raw_pselect(struct same_rig *r)
{
	struct { const uint64_t *mask; size_t size; } pair = { &most, sizeof(most) };

	begin_raw(r);
	same_say("pselect6", syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, &pair));
	end_raw(r);
}

static void raw_epoll(struct same_rig *r)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	begin_raw(r);
	same_say("epoll_pwait", syscall(SYS_epoll_pwait, fd, &event, 1, -1, &most, sizeof(most)));
	end_raw(r);
}

static void raw_sigsuspend(struct same_rig *r)
{
	begin_raw(r);
	same_say("rt_sigsuspend", syscall(SYS_rt_sigsuspend, &most, sizeof(most)));
	end_raw(r);
}

static void raw_handler(struct same_rig *r)
{
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } k;

	rig = r;
	handle(SIGUSR1, read_and_look, 0);
	same_write(r);
	syscall(SYS_rt_sigaction, SIGUSR1, NULL, &k, sizeof(k.mask));
	k.handler = (void *)read_and_look;
	k.flags &= ~(unsigned long)SA_SIGINFO;
	k.mask = most;
	same_say("rt_sigaction", syscall(SYS_rt_sigaction, SIGUSR1, &k, NULL, sizeof(k.mask)));
	raise(SIGUSR1);
	end_raw(r);
}

/* ---- SIGPIPE ---- */

static void to_closed_peer(struct same_rig *r)
{
	same_drain(r, 'p');
	same_drain(r, 'c');
	usleep(50000);
	/* the first is answered with a reset */
	same_say("write", write(r->sink, r->buf, r->got));
	usleep(50000);
	same_read(r);
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
	same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	same_say_buffer(r);
}

static void pipe_ignored(struct same_rig *r)
{
	signal(SIGPIPE, SIG_IGN);
	to_closed_peer(r);
}

static void pipe_handled(struct same_rig *r)
{
	signal(SIGPIPE, note);
	to_closed_peer(r);
}

static void pipe_default(struct same_rig *r)
{
	to_closed_peer(r);
}

static void pipe_jump(struct same_rig *r)
{
	sigset_t set;

	same_drain(r, 'c');
	signal(SIGPIPE, jump);
	for (volatile int i = 0; i < 3; i++)
		if (sigsetjmp(back, 1) == 0)
			same_say("write", write(r->sink, r->buf, r->got));
		else
			same_say("seen", seen);
	sigprocmask(SIG_BLOCK, NULL, &set);
	same_say("blocked", sigismember(&set, SIGPIPE));
}

static void pipe_blocked(struct same_rig *r)
{
	sigset_t set, pending;

	same_drain(r, 'c');
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 2; i++) {
		same_say("write", write(r->sink, r->buf, r->got));
		sigpending(&pending);
		same_say("pending", sigismember(&pending, SIGPIPE));
	}
	same_say("sigwait", sigwaitinfo(&set, NULL));
	same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	sigpending(&pending);
	same_say("pending", sigismember(&pending, SIGPIPE));
}

static void no_signal(struct same_rig *r)
{
	signal(SIGPIPE, note);
	same_drain(r, 'c');
	for (int i = 0; i < 3; i++)
		same_say("send", send(r->sink, r->buf, r->got, MSG_NOSIGNAL));
	same_say("seen", seen);
	same_say("write", write(r->sink, r->buf, r->got));
	same_say("seen", seen);
}

/* ---- other signals ---- */

static void usual_words(struct same_rig *r)
{
	handle(SIGTERM, note, 0);
	same_say("kill", kill(getpid(), SIGTERM));
	same_say("seen", seen);
	handle(SIGCHLD, note, SA_RESTART);
	if (fork() == 0)
		_exit(0);
	same_say("wait", wait(NULL) > 0);
	same_say("seen", seen);
	more(r);
}

/* ---- handlers that come while shunt holds a lock ---- */

static volatile sig_atomic_t alarms, strange;

/*
 * A read into the buffer that is landed, which brings nothing: its pages are to be filled, which
 * takes their lock.
 */
static void read_nothing(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	alarms++;
	if (signal != SIGALRM || info->si_signo != SIGALRM || info->si_code != SI_KERNEL ||
	    pread(rig->source, rig->buf + rig->size / 2, 4096, (off_t)1 << 40) != 0)
		strange++;
	errno = saved;
}

/*
 * An alarm every 40 us: many come while a chunk lands. They come later then, as they are, and
 * nothing stays blocked.
 */
static void alarm_storm(struct same_rig *r)
{
	struct itimerval often = { { 0, 40 }, { 0, 40 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa;

	rig = r;
	handle_info(SIGALRM, read_nothing, SA_RESTART);
	same_write(r);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 60; i++) {
		lseek(r->source, 0, SEEK_SET);
		same_loop(r, 16);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	same_say("alarms came", alarms > 100);
	same_say("strange", strange);
	say_mask();
	same_say("sigaction", sigaction(SIGALRM, NULL, &sa));
	same_say("mine", sa.sa_sigaction == read_nothing);
}

static long cut, interrupted, wrong;

/* One chunk of N bytes to a socket that has room for it, and out of it again. */
static void pass_large(const int *pair, char *p, char *is, size_t n)
{
	ssize_t w = write(pair[0], p, n);

	if (w < 0)
		interrupted++;
	else
		cut += w != (ssize_t)n;
	for (ssize_t got = 0, k; got < w; got += k)
		while ((k = recv(pair[1], is + got, (size_t)(w - got), 0)) <= 0)
			;
	wrong += w > 0 && memcmp(p, is, (size_t)w) != 0;
}

/*
 * A write to a socket that has room does not wait, so no signal cuts it, whatever SA_RESTART says.
 * The chunks are of N bytes; ROOM is what is asked for, of which the kernel makes the double.
 */
static void storm_over(struct same_rig *r, size_t n, int room)
{
	struct itimerval often = { { 0, 60 }, { 0, 60 } }, never = { { 0, 0 }, { 0, 0 } };
	char *p = mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pair[2], fd = open("../data", O_RDONLY);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (int restart = 0; restart < 2; restart++) {
		handle(SIGALRM, note, restart ? SA_RESTART : 0);
		setitimer(ITIMER_REAL, &often, NULL);
		for (int i = 0; i < 1500; i++)
			if (pread(fd, p, n, (i % 32) * 2 * SAME_CHUNK) == (ssize_t)n)
				pass_large(pair, p, p + n, n);
		setitimer(ITIMER_REAL, &never, NULL);
	}
	same_say("interrupted", interrupted);
	same_say("cut", cut);
	same_say("wrong", wrong);
	more(r);
}

static void storm_over_room(struct same_rig *r)
{
	storm_over(r, 2 * SAME_CHUNK, 16 * SAME_CHUNK);
}

/* Room for a chunk, but a third of the chunk is enough for poll to say that there is none. */
static void storm_over_little_room(struct same_rig *r)
{
	storm_over(r, 5 * SAME_CHUNK, 3 * SAME_CHUNK);
}

static struct { int pair[2], calls; char *buf, *room; } meeting;

/* Takes all that has come out of PAIR, as far as it fits into ROOM. */
static ssize_t take(int fd, char *room, size_t n)
{
	ssize_t got = 0, k;

	while ((size_t)got < n && (k = recv(fd, room + got, n - (size_t)got, MSG_DONTWAIT)) > 0)
		got += k;
	return got;
}

/*
 * Comes when a write waits for room: sends a file itself, ends all that the program has of the one that is being
 * written, and reads a third. The second time it makes room.
 */
static void meet(int signal)
{
	static char is[SAME_CHUNK];
	int pair[2];

	(void)signal;
	if (meeting.calls++) {
		take(meeting.pair[1], meeting.room, 8 * SAME_CHUNK);
		return;
	}
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (int i = 1; i < 3; i++) {
		int fd = open(i == 1 ? "../other" : "third", O_RDONLY);
		char *p = meeting.buf + i * SAME_CHUNK;

		same_get(fd, p, SAME_CHUNK);
		if (i == 2)
			break;
		wrong += write(pair[0], p, SAME_CHUNK) != SAME_CHUNK;
		take(pair[1], is, SAME_CHUNK);
		((volatile char *)meeting.buf)[SAME_CHUNK / 2] ^= 0;
		close(rig->source);
	}
}

/*
 * A write of which nothing went yet is repeated by the kernel behind a handler (SA_RESTART): what it is
 * sent from is still what it was.
 */
static void handler_sends_meanwhile(struct same_rig *r)
{
	struct itimerval soon = { { 0, 150000 }, { 0, 150000 } }, never = { { 0, 0 }, { 0, 0 } };
	char *truth = malloc(SAME_CHUNK), *full = malloc(8 * SAME_CHUNK);

	same_copy_file("../other", "third");
	rig = r;
	meeting.buf = mmap(NULL, 3 * SAME_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	meeting.room = full;
	socketpair(AF_UNIX, SOCK_STREAM, 0, meeting.pair);
	for (int i = 0; i < SAME_ROUNDS; i++) {
		same_get(r->source, meeting.buf, SAME_CHUNK);
		wrong += write(meeting.pair[0], meeting.buf, SAME_CHUNK) != SAME_CHUNK;
		take(meeting.pair[1], full, SAME_CHUNK);
	}
	while (send(meeting.pair[0], full, 1000, MSG_DONTWAIT) > 0)
		;
	pread(r->source, truth, SAME_CHUNK, lseek(r->source, 0, SEEK_CUR));
	same_get(r->source, meeting.buf, SAME_CHUNK);
	handle(SIGALRM, meet, SA_RESTART);
	setitimer(ITIMER_REAL, &soon, NULL);
	same_say("write", write(meeting.pair[0], meeting.buf, SAME_CHUNK));
	setitimer(ITIMER_REAL, &never, NULL);
	same_say("received", take(meeting.pair[1], full, SAME_CHUNK));
	same_say("right", memcmp(full, truth, SAME_CHUNK) == 0);
	same_say("handlers", meeting.calls >= 2);
	same_say("wrong", wrong);
}

/* A connection: both ends to PAIR. */
static bool connected(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&a, n) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		return false;
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(pair[1], (struct sockaddr *)&a, n) != 0)
		return false;
	pair[0] = accept(fd, NULL, NULL);
	close(fd);
	return pair[0] >= 0;
}

/*
 * A write waits, and is not woken for the little room that there is again meanwhile: the handler ends
 * it, and nothing waits after that until the peer takes something.
 */
static void waits_beside_little_room(struct same_rig *r)
{
	enum { SIZE = 128 * 1024, LATE_MS = 2500 };
	struct itimerval once = { { 0, 0 }, { 0, 500000 } };
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pair[2], fd = open("../data", O_RDONLY);
	struct timespec from, to;
	pid_t peer;

	if (!connected(pair))
		return;
	handle(SIGALRM, note, 0);
	peer = fork();
	if (peer == 0) {
		usleep(LATE_MS * 1000);
		while (read(pair[1], p, SIZE) > 0)
			;
		_exit(0);
	}
	seen = 0;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; !seen && i < 1000; i++) {
		setitimer(ITIMER_REAL, &once, NULL);
		if (pread(fd, p, SIZE, i % 8 * SIZE) != SIZE || write(pair[0], p, SIZE) <= 0)
			break;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	same_say("seen", seen);
	same_say("late", (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >
				 LATE_MS - 500);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	close(pair[0]);
	close(pair[1]);
	more(r);
}

/* The child of a vfork has its parent's handlers, and is shown the same. */
static void shown_to_vforked(struct same_rig *r)
{
	static struct sigaction sa;
	static sighandler_t before;
	pid_t pid;

	handle(SIGUSR1, note, SA_RESTART);
	handle_info(SIGUSR2, note_info, 0);
	same_write(r);
	pid = vfork();
	if (pid == 0) {
		sigaction(SIGUSR1, NULL, &sa);
		before = signal(SIGUSR2, SIG_DFL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	same_say("mine", sa.sa_handler == note);
	same_say("flags", sa.sa_flags & ~0x04000000);
	same_say("mine", before == (sighandler_t)(void *)note_info);
	raise(SIGUSR1);
	same_say("seen", seen);
	same_read(r);
	same_write(r);
}

/* The same of those that it left alone, and of one that it ignores. */
static void defaults_shown_to_vforked(struct same_rig *r)
{
	static const int asked[] = { SIGSEGV, SIGBUS, SIGSYS, SIGTERM, SIGPIPE };
	static char *const argv[] = { "grep", "SigIgn", "/proc/self/status", NULL };
	static char *const environment[] = { NULL };
	static struct sigaction sa[5];
	static sighandler_t before[5];
	pid_t pid;

	signal(SIGBUS, SIG_IGN);
	same_write(r);
	same_read(r);
	pid = vfork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			sigaction(asked[i], NULL, &sa[i]);
			before[i] = signal(asked[i], SIG_DFL);
		}
		execve("/bin/grep", argv, environment);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 5; i++) {
		same_say("default", sa[i].sa_handler == SIG_DFL);
		same_say("ignored", sa[i].sa_handler == SIG_IGN);
		same_say("flags", sa[i].sa_flags & ~0x04000000);
		same_say("the same", before[i] == sa[i].sa_handler);
	}
	same_say_buffer(r);
	same_write(r);
}

/* What a program inherits that is started without us. */
static void starts_after(struct same_rig *r, int how, int signal)
{
	static char *const argv[] = { "grep", "-E", "SigBlk|SigIgn", "/proc/self/status", NULL };
	static char *const environment[] = { NULL };
	static sigset_t set, old;
	static int told;
	pid_t pid;

	sigfillset(&set);
	if (signal) {
		sigemptyset(&set);
		sigaddset(&set, signal);
	} else if (how == SIG_SETMASK) {
		sigemptyset(&set);
	}
	told = -1;
	pid = vfork();
	if (pid == 0) {
		if (how >= 0) {
			sigprocmask(how, &set, NULL);
			sigprocmask(SIG_BLOCK, NULL, &old);
			told = sigismember(&old, SIGSEGV);
		}
		execve("/bin/grep", argv, environment);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	same_say("blocked in the child", told);
	say_mask();
	same_write(r);
	same_read(r);
}

/* A shell blocks all before it makes a child, and nothing in the child. */
static void masks_of_vforked(struct same_rig *r)
{
	sigset_t full, old;

	sigfillset(&full);
	starts_after(r, -1, 0);
	starts_after(r, SIG_BLOCK, SIGSEGV);
	sigprocmask(SIG_SETMASK, &full, &old);
	starts_after(r, -1, 0);
	starts_after(r, SIG_SETMASK, 0);
	starts_after(r, SIG_UNBLOCK, SIGSEGV);
	starts_after(r, SIG_UNBLOCK, SIGBUS);
	starts_after(r, 77, SIGBUS);
	sigprocmask(SIG_SETMASK, &old, NULL);
	starts_after(r, -1, 0);
	more(r);
}

/* What a program inherits is what the program that started it sees, also when we stand aside. */
static void inherited_aside(struct same_rig *r)
{
	static char *const argv[] = { "grep", "SigBlk", "/proc/self/status", NULL };
	static char *const environment[] = { NULL };
	sigset_t segv;
	pid_t pid;
	int error;

	same_say("to stand aside", prctl(PR_SET_SYSCALL_USER_DISPATCH, 77, 0, 0, 0));
	sigemptyset(&segv);
	sigaddset(&segv, SIGSEGV);
	sigaddset(&segv, SIGUSR1);
	sigprocmask(SIG_SETMASK, &segv, NULL);
	starts_after(r, -1, 0);
	starts_after(r, SIG_SETMASK, 0);
	error = posix_spawn(&pid, "/bin/grep", NULL, NULL, argv, environment);
	waitpid(pid, NULL, 0);
	same_say("posix_spawn", error);
	same_say("execve", execve("/no/such/program", argv, environment));
	say_mask();
	sigprocmask(SIG_UNBLOCK, &segv, NULL);
	signal(SIGBUS, SIG_IGN);
	starts_after(r, -1, 0);
	pid = fork();
	if (pid == 0) {
		execve("/bin/grep", argv, environment);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	more(r);
}

/* The same by syscall(). */
static void raw_exec(struct same_rig *r)
{
	static char *const argv[] = { "grep", "SigBlk", "/proc/self/status", NULL };
	static char *const environment[] = { NULL };
	sigset_t segv;
	pid_t pid;

	sigemptyset(&segv);
	sigaddset(&segv, SIGSEGV);
	sigaddset(&segv, SIGUSR1);
	sigprocmask(SIG_SETMASK, &segv, NULL);
	for (int i = 0; i < 2; i++) {
		pid = fork();
		if (pid == 0) {
			if (i == 0)
				syscall(SYS_execve, "/bin/grep", argv, environment);
			else
				syscall(SYS_execveat, AT_FDCWD, "/bin/grep", argv, environment, 0);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
	same_say("execve", syscall(SYS_execve, "/no/such/program", argv, environment));
	same_say("execve of nothing", syscall(SYS_execve, NULL, NULL, NULL));
	same_say("execveat", syscall(SYS_execveat, -1, "", argv, NULL, 0));
	say_mask();
	more(r);
}

#ifdef __x86_64__

/* ---- a mask that is changed past libc: what was blocked by name is not any more ---- */

static void *unblocks_unheard(void *arg)
{
	uint64_t none = 0;

	(void)arg;
	inline_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none), 0, 0);
	forbidden = guard_page();
	if (sigsetjmp(back, 1) == 0)
		*forbidden = 1;
	same_say("seen", seen);
	seen = 0;
	inline_call(SYS_tkill, gettid(), SIGSEGV, 0, 0, 0, 0);
	same_say("sent", seen);
	return NULL;
}

/* Nor is it told of as blocked, and so made so again by who puts back what he was told. */
static void *makes_thread(void *arg)
{
	uint64_t none = 0;
	sigset_t full, old;
	pthread_t t;

	inline_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof(none), 0, 0);
	sigfillset(&full);
	pthread_sigmask(SIG_SETMASK, &full, &old);
	same_say("told of", sigismember(&old, SIGSEGV));
	pthread_create(&t, NULL, unblocks_unheard, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_join(t, NULL);
	return unblocks_unheard(arg);
}

static void unblocked_unheard(struct same_rig *r)
{
	sigset_t full, old;
	pthread_t t;

	handle_info(SIGSEGV, note_info, 0);
	more(r);
	sigfillset(&full);
	pthread_sigmask(SIG_SETMASK, &full, &old);
	pthread_create(&t, NULL, makes_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_join(t, NULL);
	more(r);
}

/* The handler's own mask, which the kernel takes back, is blocked beside SIGSEGV only while it runs. */
static void sets_mask_again(int signal)
{
	sigset_t mask;

	(void)signal;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void blocked_over_handler(struct same_rig *r)
{
	sigset_t mask;

	handle(SIGUSR1, sets_mask_again, 0);
	more(r);
	sigemptyset(&mask);
	sigaddset(&mask, SIGSEGV);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	same_say("blocked", sigismember(&mask, SIGSEGV));
	raise(SIGSEGV);
	sigpending(&mask);
	same_say("waits", sigismember(&mask, SIGSEGV));
	more(r);
}

/* ---- a program that steps itself ---- */

enum { TRAP_FLAG = 0x100 };
static volatile sig_atomic_t stepping, steps;

static void step(int signal, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)signal;
	(void)info;
	steps++;
	*flags = stepping ? *flags | TRAP_FLAG : *flags & ~(greg_t)TRAP_FLAG;
}

/* All small chunks are written by one call. */
static void put_small(int fd, const char *p, size_t n) __attribute__((noinline));
static void put_small(int fd, const char *p, size_t n)
{
	if (write(fd, p, n) != (ssize_t)n)
		same_say("short write", -1);
}

/* As more, but of what is read it looks at one byte: a step takes microseconds. */
static void more_in_steps(struct same_rig *r)
{
	same_write(r);
	same_loop(r, 4);
	same_read(r);
	same_say("in the middle", r->buf[r->size / 2]);
	same_write(r);
	same_read(r);
}

/* A trap after each instruction: it kills where SIGTRAP is blocked, or its handler is not there. */
static void steps_itself(struct same_rig *r)
{
	handle_info(SIGTRAP, step, 0);
	stepping = 1;
	__asm__ volatile("int3");
	more_in_steps(r);
	handle(SIGUSR1, note, 0);
	raise(SIGTRAP);
	more_in_steps(r);
	stepping = 0;
	__asm__ volatile("int3");
	same_say("stepped", steps > 1000);
	same_say_buffer(r);
}

static volatile sig_atomic_t read_at;

/* At the instruction READ_AT another small chunk comes from the same file. */
static void read_between(int signal, siginfo_t *info, void *context)
{
	step(signal, info, context);
	if (steps == read_at)
		same_get(rig->source, rig->buf, 1400);
}

/*
 * Two buffers of small chunks, whose loop is known. While one is written the other is read into,
 * in each round some instructions later: what is known changes under the one that counts.
 */
static void read_while_written(struct same_rig *r)
{
	char *other = r->buf + 8192;
	int most = 0;

	rig = r;
	handle_info(SIGTRAP, read_between, 0);
	for (read_at = 1; read_at < 1200; read_at += 5) {
		ssize_t n = same_get(r->source, r->buf, 600), m;

		put_small(r->sink, r->buf, (size_t)n);
		m = same_get(r->source, other, 600 + (size_t)read_at % 600);
		steps = 0;
		stepping = 1;
		__asm__ volatile("int3");
		put_small(r->sink, other, (size_t)m);
		stepping = 0;
		lseek(r->source, 0, SEEK_SET);
		most = steps > most ? steps : most;
	}
	same_say("instructions enough", most < 1200);
}
#endif

/* ---- what cannot be read is the kernel's to refuse ---- */

static void refused(const char *what, long ret)
{
	same_say(what, ret);
	same_say("errno", errno);
}

static void bad_mask(struct same_rig *r)
{
	char *wall = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const sigset_t *bad[] = { (const void *)wall, (const void *)8, (const void *)-8 };
	struct timespec none = { 0, 0 };
	struct epoll_event event;
	int epoll = epoll_create1(0);

	for (int i = 0; i < 3; i++) {
		refused("ppoll", ppoll(NULL, 0, &none, bad[i]));
		refused("pselect", pselect(0, NULL, NULL, NULL, &none, bad[i]));
		refused("epoll_pwait", epoll_pwait(epoll, &event, 1, 0, bad[i]));
		refused("epoll_pwait2", epoll_pwait2(epoll, &event, 1, &none, bad[i]));
		refused("sigsuspend", sigsuspend(bad[i]));
		refused("sigtimedwait", sigtimedwait(bad[i], NULL, &none));
		refused("sigwaitinfo", sigwaitinfo(bad[i], NULL));
		refused("signalfd", signalfd(-1, bad[i], 0));
		refused("by number", syscall(SYS_ppoll, NULL, 0, NULL, bad[i], 8));
		refused("by number", syscall(SYS_rt_sigsuspend, bad[i], 8));
		refused("by number", syscall(SYS_epoll_pwait, epoll, &event, 1, -1, bad[i], 8));
		refused("by number", syscall(SYS_rt_sigtimedwait, bad[i], NULL, NULL, 8));
		same_write(r);
		same_read(r);
	}
	same_say_buffer(r);
	same_write(r);
}

static void bad_timeout(struct same_rig *r)
{
	const void *wall = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct epoll_event event;
	sigset_t set;

	sigemptyset(&set);
	refused("sigtimedwait", sigtimedwait(&set, NULL, wall));
	refused("epoll_pwait2", epoll_pwait2(epoll_create1(0), &event, 1, wall, &set));
	refused("by number", syscall(SYS_ppoll, NULL, 0, wall, &set, 8));
	same_say_buffer(r);
	same_write(r);
}

static const struct same_case cases[] = {
#ifdef __x86_64__
	{ "unblocked_unheard", unblocked_unheard, SAME_LAZY, 0 },
	{ "blocked_over_handler", blocked_over_handler, SAME_LAZY, 0 },
	{ "steps_itself", steps_itself, SAME_LAZY, 0 },
	{ "read_while_written", read_while_written, SAME_BARE | SAME_PLAIN, 0 },
#endif
	{ "own_segv", own_segv, SAME_LAZY, 0 },
	{ "own_segv_jump", own_segv_jump, SAME_LAZY, 0 },
	{ "own_segv_on_stack", own_segv_on_stack, SAME_LAZY, 0 },
	{ "no_stack_of_its_own", no_stack_of_its_own, 0, 0 },
	{ "shown_handlers", shown_handlers, 0, 0 },
	{ "raised_segv", raised_segv, SAME_DIES, 0 },
	{ "ignored_segv", ignored_segv, 0, 0 },
	{ "one_shot", one_shot, 0, 0 },
	{ "called_once", called_once, 0, 0 },
	{ "set_again_and_again", set_again_and_again, SAME_OUTCOME | SAME_LOOSE, 0 },
	{ "crash", crash, SAME_DIES, 0 },
	{ "crash_in_data", crash_in_data, SAME_DIES, 0 },
	{ "jump_to_data", jump_to_data, 0, 0 },
	{ "held_and_released", held_and_released, 0, 0 },
	{ "stacks_of_all_sizes", stacks_of_all_sizes, 0, 0 },
	{ "crash_by_raise", crash_by_raise, SAME_DIES, 0 },
	{ "crash_beside", crash_beside, SAME_DIES, 0 },
	{ "crash_ignored", crash_ignored, SAME_DIES, 0 },
	{ "bus_error", bus_error, 0, 0 },
	{ "bus_error_dies", bus_error_dies, SAME_DIES, 0 },
	{ "all_blocked", all_blocked, SAME_LAZY, 0 },
	{ "segv_blocked", segv_blocked, SAME_LAZY, 0 },
	{ "segv_pending", segv_pending, 0, 0 },
	{ "segv_pending_early", segv_pending_early, SAME_BARE, 0 },
	{ "defaults_shown_to_vforked", defaults_shown_to_vforked, SAME_LAZY, 0 },
	{ "masks_of_vforked", masks_of_vforked, 0, 0 },
	{ "raw_exec", raw_exec, SAME_LAZY, 0 },
	{ "inherited_aside", inherited_aside, 0, 0 },
	{ "looking_handler", looking_handler, SAME_LAZY, 0 },
	{ "looking_under_sigsuspend", looking_under_sigsuspend, SAME_LAZY, 0 },
	{ "looking_under_ppoll", looking_under_ppoll, SAME_LAZY, 0 },
	{ "mask_before_jump", mask_before_jump, SAME_LAZY, 0 },
	{ "probed_by_mask", probed_by_mask, SAME_LAZY, 0 },
	{ "raw_ppoll", raw_ppoll, 0, 0 },
	{ "raw_pselect", raw_pselect, 0, 0 },
	{ "raw_epoll", raw_epoll, 0, 0 },
	{ "raw_sigsuspend", raw_sigsuspend, 0, 0 },
	{ "raw_handler", raw_handler, 0, 0 },
	{ "pipe_ignored", pipe_ignored, SAME_UNIX, 0 },
	{ "pipe_ignored_tcp", pipe_ignored, 0, 0 },
	{ "pipe_handled", pipe_handled, SAME_UNIX, 0 },
	{ "pipe_handled_tcp", pipe_handled, 0, 0 },
	{ "pipe_default", pipe_default, SAME_UNIX | SAME_DIES, 0 },
	{ "pipe_default_tcp", pipe_default, SAME_DIES, 0 },
	{ "pipe_jump", pipe_jump, SAME_UNIX, 0 },
	{ "pipe_blocked", pipe_blocked, SAME_UNIX, 0 },
	{ "no_signal", no_signal, SAME_UNIX, 0 },
	{ "usual_words", usual_words, 0, 0 },
	{ "alarm_storm", alarm_storm, SAME_LAZY, 0 },
	{ "storm_over_room", storm_over_room, SAME_LAZY, 0 },
	{ "storm_over_little_room", storm_over_little_room, SAME_LAZY, 0 },
	{ "handler_sends_meanwhile", handler_sends_meanwhile, SAME_LAZY, 0 },
	{ "waits_beside_little_room", waits_beside_little_room, SAME_LAZY, 0 },
	{ "shown_to_vforked", shown_to_vforked, 0, 0 },
	{ "bad_mask", bad_mask, 0, 0 },
	{ "bad_timeout", bad_timeout, SAME_LAZY, 0 },
	{ NULL, NULL, 0, 0 },
};

int main(int argc, char **argv)
{
	return same_main(argc, argv, cases);
}
