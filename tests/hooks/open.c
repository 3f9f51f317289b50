/* SPDX-License-Identifier: MIT */
/*
 * open.c - each case hands a pointer at a protected page to one function. Without
 * the hook it must fail (else the case proves nothing), with it it must work; once
 * with the object on the page, once with its first two bytes before it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "double.h"

#define at(p, type) (*(type *)(p))
#if defined(__aarch64__)
#define STAT_VERSION 0
#else
#define STAT_VERSION 1
#endif

static char directory[] = "/tmp/shunt-hooks-XXXXXX";
static char scratch[4096], *scratch_page;
static struct stat st;
static struct statfs fs;
static struct statvfs vfs;
static struct file_handle handle;
static int number;
static unsigned ids[2];
static int file, folder, inotify, timerfd, listener, client, epoll, event, queue, semaphores;
static int segment, terminal, ends[2];
static timer_t timer;
static struct itimerspec never;
static struct dirent **list;
static struct sockaddr_in server;
static socklen_t length;
static struct aiocb aio;
static FILE *stream;
static struct iovec into, words = { scratch + 100, 8 };
static struct {
	long type;
	char text[5];
} message = { 1, "text" };

/* What a full path or a missing privilege may refuse: here only EFAULT is a failure. */
#define not_fault(ret) ((ret) >= 0 || errno != EFAULT)

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void spawn(int status)
{
	if (fork() == 0)
		_exit(status);
}

static ssize_t aio_done(struct aiocb *cb)
{
	while (aio_error(cb) == EINPROGRESS)
		usleep(1000);
	return aio_return(cb);
}

#define CASE(name, before, call)                                                                   \
	static void before_##name(char *p)                                                         \
	{                                                                                          \
		(void)p;                                                                           \
		(void)before;                                                                      \
	}                                                                                          \
	static bool call_##name(char *p)                                                           \
	{                                                                                          \
		return call;                                                                       \
	}
#include "open_cases.def"
#undef CASE

static const struct open_case {
	const char *name;
	void (*before)(char *p);
	bool (*call)(char *p);
} cases[] = {
#define CASE(name, before, call) { #name, before_##name, call_##name },
#include "open_cases.def"
#undef CASE
};

static void fixtures(void)
{
	length = sizeof(server);
	server = loopback();
	mkdir("folder", 0700);
	file = open("file", O_RDWR | O_CREAT, 0644);
	if (write(file, "hello", 5) != 5 || symlink("file", "link") != 0)
		exit(1);
	folder = open("folder", O_RDONLY | O_DIRECTORY);
	inotify = inotify_init();
	timerfd = timerfd_create(CLOCK_MONOTONIC, 0);
	timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_notify = SIGEV_NONE }, &timer);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (void *)&server, sizeof(server));
	listen(listener, 64);
	getsockname(listener, (void *)&server, &length);
	client = socket(AF_INET, SOCK_STREAM, 0);
	connect(client, (void *)&server, sizeof(server));
	epoll = epoll_create1(0);
	event = eventfd(0, EFD_NONBLOCK);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 4, 0600);
	segment = shmget(IPC_PRIVATE, 4096, 0600);
	openpty(&ends[0], &terminal, NULL, NULL, NULL);
	scratch_page = mmap(NULL, 4 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void clean_up(void)
{
	msgctl(queue, IPC_RMID, NULL);
	semctl(semaphores, 0, IPC_RMID);
	shmctl(segment, IPC_RMID, NULL);
	unlink("file");
	unlink("link");
	unlink("gone");
	unlink("went");
	rmdir("folder");
	rmdir("made");
	rmdir(directory);
}

enum { WORKED, FAILED, UNASKED };

/* One case in a process of its own: it may die of SIGSEGV, or spoil a fixture. */
static int run(const struct open_case *c, char *page, size_t before, bool hooked)
{
	char *p = page - before;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_notify = SIGEV_NONE }, &timer);
		memset(p, 0, 3000);
		c->before(p);
		double_arm(page, 2 * shunt_page);
		landing_armed = hooked;
		if (!c->call(p))
			_exit(FAILED);
		_exit(hooked && !asked.opened ? UNASKED : WORKED);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

static void tidy(void)
{
	unlink("gone");
	rmdir("made");
	msgrcv(queue, &message, 4, 0, IPC_NOWAIT);
	while (eventfd_read(event, &(eventfd_t){ 0 }) == 0)
		;
	epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL);
	fflush(stdout);
}

/* Pointers that lead nowhere, just below a landing: EFAULT is the kernel's word, not our death. */
static void wild(char *page)
{
	volatile size_t endless = SIZE_MAX;
	char *nowhere = page - 100;

	munmap(page - shunt_page, shunt_page);
	double_arm(page, 2 * shunt_page);
	check(access(nowhere, F_OK) == -1 && errno == EFAULT, "a path that is nowhere");
	check(process_vm_readv(getpid(), (void *)nowhere, 1, &words, 1, 0) == -1 && errno == EFAULT,
	      "an iovec that is nowhere");
	check(process_vm_readv(getpid(), NULL, 1, &words, 1, 0) == -1 && errno == EFAULT, "no iovec at all");
	check(getcwd((void *)-100, endless) == NULL && errno == EFAULT, "a range with no end");
	check(mount(NULL, NULL, NULL, 0, NULL) == -1 && errno == EFAULT, "no path at all");
	check(!asked.opened, "what leads nowhere opens nothing");
	check(chroot("") == -1 && errno == ENOENT && asked.chroot, "chroot is announced");
	double_disarm();
}

int main(void)
{
	char *area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *page = area + shunt_page;

	if (!mkdtemp(directory) || chdir(directory) != 0)
		return 1;
	fixtures();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t before = 0; before <= 2; before += 2) {
			int bare = run(&cases[i], page, before, false);
			int hooked;

			tidy();
			hooked = run(&cases[i], page, before, true);
			tidy();
			check(bare == FAILED, "%s (%zu before the page) works without its hook",
			      cases[i].name, before);
			check(hooked == WORKED, "%s (%zu before the page)%s", cases[i].name, before,
			      hooked == UNASKED ? " did not open the page" : "");
		}
	}
	wild(page);
	clean_up();
	return check_summary();
}
