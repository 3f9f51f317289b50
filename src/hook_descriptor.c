/* SPDX-License-Identifier: MIT */
/*
 * hook_descriptor.c - what makes, closes, copies, locks and resizes descriptors.
 *
 * Ours stand among the program's numbers: closing them is answered with EBADF, as
 * a number that the program never got, and a dup2 over one moves it away.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>

#include "hook_idle.h"
#include "io.h"
#include "linux_new.h"
#include "prim.h"
#include "process.h"
#include "sleep.h"
#include "source.h"
#include "stdio_files.h"
#include "unwind.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

static int refuse(void)
{
	errno = EBADF;
	return -1;
}

/* The number RET is new: what is known of it is of one that was closed unheard. */
static int fresh(int ret)
{
	if (ret >= 0 && !hook_passive())
		fd_reset(ret);
	return ret;
}

/* The same for what was opened with FLAGS. */
static int fresh_file(int ret, int flags)
{
	if (ret >= 0 && !hook_passive())
		fd_opened(ret, flags);
	return ret;
}

/* ---- opening ---- */

/* A file of which something is landed is about to be emptied or opened for writing. */
static void before_open(int dir, const char *path, int flags)
{
	if (!source_any() || hook_passive())
		return;
	hook_open_string(path);
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		source_written_path(dir, path);
}

/* The mode is there only if a file may be made; reading it then only is what libc does. */
#define OPEN_MODE(flags)                                                                           \
	({                                                                                         \
		mode_t mode_ = 0;                                                                  \
		if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) {                   \
			va_list list_;                                                             \
			va_start(list_, flags);                                                    \
			mode_ = va_arg(list_, mode_t);                                             \
			va_end(list_);                                                             \
		}                                                                                  \
		mode_;                                                                             \
	})

#define OPEN_HOOK(name)                                                                            \
	EXPORT int name(const char *path, int flags, ...)                                          \
	{                                                                                          \
		mode_t mode = OPEN_MODE(flags);                                                    \
                                                                                                   \
		before_open(AT_FDCWD, path, flags);                                                \
		return fresh_file(REAL(name)(path, flags, mode), flags);                           \
	}

#define OPENAT_HOOK(name)                                                                          \
	EXPORT int name(int dir, const char *path, int flags, ...)                                 \
	{                                                                                          \
		mode_t mode = OPEN_MODE(flags);                                                    \
                                                                                                   \
		before_open(dir, path, flags);                                                     \
		return fresh_file(REAL(name)(dir, path, flags, mode), flags);                      \
	}

OPEN_HOOK(open)
OPEN_HOOK(open64)
OPEN_HOOK(__open)
OPEN_HOOK(__open64)
OPENAT_HOOK(openat)
OPENAT_HOOK(openat64)

EXPORT int __open_2(const char *path, int flags)
{
	before_open(AT_FDCWD, path, flags);
	return fresh_file(REAL(__open_2)(path, flags), flags);
}

EXPORT int __open64_2(const char *path, int flags)
{
	before_open(AT_FDCWD, path, flags);
	return fresh_file(REAL(__open64_2)(path, flags), flags);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
	before_open(dir, path, flags);
	return fresh_file(REAL(__openat_2)(dir, path, flags), flags);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	before_open(dir, path, flags);
	return fresh_file(REAL(__openat64_2)(dir, path, flags), flags);
}

EXPORT int creat(const char *path, mode_t mode)
{
	before_open(AT_FDCWD, path, O_WRONLY | O_TRUNC);
	return fresh(REAL(creat)(path, mode));
}

EXPORT int creat64(const char *path, mode_t mode)
{
	before_open(AT_FDCWD, path, O_WRONLY | O_TRUNC);
	return fresh(REAL(creat64)(path, mode));
}

/*
 * libunwind keeps a pipe to try addresses with: the program must not come to see it, nor lose the
 * numbers.
 */
static int own_pipe(int fd[2], int ret)
{
	for (int i = 0; ret == 0 && i < 2; i++) {
		int high = prim_dup_high(fd[i]);

		if (high < 0)
			continue;
		prim_close(fd[i]);
		fd_mark_ours(high);
		fd[i] = high;
	}
	return ret;
}

EXPORT int pipe(int fd[2])
{
	int ret;

	if (unwind_inside())
		return own_pipe(fd, REAL(pipe)(fd));
	landing_open(fd, 2 * sizeof(int));
	ret = REAL(pipe)(fd);
	return ret < 0 ? ret : (fresh(fd[0]), fresh(fd[1]), ret);
}

EXPORT int pipe2(int fd[2], int flags)
{
	int ret;

	if (unwind_inside())
		return own_pipe(fd, REAL(pipe2)(fd, flags));
	landing_open(fd, 2 * sizeof(int));
	ret = REAL(pipe2)(fd, flags);
	return ret < 0 ? ret : (fresh(fd[0]), fresh(fd[1]), ret);
}

/* ---- closing ---- */

/* Before the number is free: another thread may get it in the same moment. */
static void before_close(int fd)
{
	landing_close(fd);
	fd_reset(fd);
}

EXPORT int close(int fd)
{
	if (hook_passive())
		return REAL(close)(fd);
	if (fd_is_ours(fd))
		return refuse();
	before_close(fd);
	return REAL(close)(fd);
}

EXPORT int __close(int fd)
{
	if (hook_passive())
		return REAL(__close)(fd);
	if (fd_is_ours(fd))
		return refuse();
	before_close(fd);
	return REAL(__close)(fd);
}

static void before_close_range(unsigned first, unsigned last)
{
	if (landing_any())
		landing_open_all();
	fd_reset_range(first, last);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	int ours, ret = 0;

	if (flags & CLOSE_RANGE_UNSHARE && !hook_passive())
		process_before_own_table();
	if (hook_passive() || first > last || (flags & CLOSE_RANGE_CLOEXEC))
		return REAL(close_range)(first, last, flags);
	before_close_range(first, last);
	/* the ranges between ours; the first call answers for bad flags */
	for (; ret == 0 && first <= last; first = (unsigned)ours + 1) {
		ours = fd_next_ours(first);
		if (ours < 0 || (unsigned)ours > last)
			return REAL(close_range)(first, last, flags);
		if ((unsigned)ours > first)
			ret = REAL(close_range)(first, (unsigned)ours - 1, flags);
	}
	return ret;
}

EXPORT void closefrom(int first)
{
	int ours;

	if (first < 0)
		first = 0;
	if (hook_passive() || (ours = fd_next_ours((unsigned)first)) < 0) {
		if (!hook_passive())
			before_close_range((unsigned)first, UINT32_MAX);
		REAL(closefrom)(first);
		return;
	}
	before_close_range((unsigned)first, UINT32_MAX);
	for (; ours >= 0; first = ours + 1, ours = fd_next_ours((unsigned)first))
		for (int fd = first; fd < ours; fd++)
			if (REAL(close_range)((unsigned)fd, (unsigned)ours - 1, 0) == 0)
				break;
			else
				REAL(close)(fd); /* kernel before 5.9 */
	REAL(closefrom)(first);
}

/* ---- copying ---- */

EXPORT int dup(int fd)
{
	if (!hook_passive() && fd_is_ours(fd))
		return refuse();
	writers_shared(fd);
	return fresh(REAL(dup)(fd));
}

/*
 * Will the kernel give TO to FD? One of ours that was moved away from there in vain would be left.
 * Where a filter refuses the questions, it may.
 */
static bool may_dup2(int fd, int to)
{
	struct rlimit limit;

	return prim_fcntl(fd, F_GETFD, 0) != -EBADF &&
	       (prim_prlimit(RLIMIT_NOFILE, NULL, &limit) != 0 || (rlim_t)to < limit.rlim_cur);
}

/* True: the call is refused. Else what TO meant is forgotten. */
static bool before_dup2(int fd, int to)
{
	if (hook_passive() || fd == to)
		return false;
	if (fd_is_ours(fd) || (fd_is_ours(to) && !may_dup2(fd, to)))
		return true;
	if (fd_is_ours(to))
		fd_evade(to);
	/* a bad FD leaves TO alone: what is forgotten then is only looked up again */
	before_close(to);
	writers_shared(fd);
	if (to == STDOUT_FILENO || to == STDERR_FILENO)
		stdio_files_opened(fd, to);
	return false;
}

EXPORT int dup2(int fd, int to)
{
	return before_dup2(fd, to) ? refuse() : REAL(dup2)(fd, to);
}

EXPORT int __dup2(int fd, int to)
{
	return before_dup2(fd, to) ? refuse() : REAL(__dup2)(fd, to);
}

EXPORT int dup3(int fd, int to, int flags)
{
	return before_dup2(fd, to) ? refuse() : REAL(dup3)(fd, to, flags);
}

/* ---- locks, flags, sizes ---- */

static void before_lock(int fd, int command, const struct flock *lock)
{
	bool whole;

	if (!hook_readable(lock, sizeof(*lock)))
		return;
	whole = lock->l_whence == SEEK_SET && lock->l_start == 0 && lock->l_len == 0;
	if (lock->l_type == F_UNLCK)
		source_before_unlock(fd);
	else
		source_before_use(fd, whole && (command == F_SETLK || command == F_SETLKW)
					      ? SOURCE_WHOLE_LOCK : SOURCE_OTHER_LOCK);
}

/*
 * Does fcntl COMMAND take a lock or lease, or change the status flags? Then our duplicate must be
 * gone before.
 */
static void before_fcntl(int fd, int command, void *argument)
{
	const struct flock *lock = argument;

	switch (command) {
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		if (landing_any())
			landing_open(lock, sizeof(*lock));
		before_lock(fd, command, lock);
		break;
	case F_SETLEASE:
		source_before_use(fd, SOURCE_OTHER_LOCK);
		break;
	case F_SETFL:
		if (fd_is_socket(fd))
			break;
		source_before_use(fd, SOURCE_FLAGS);
		fd_reset_file(fd);
		break;
	case F_GETLK:
	case F_OFD_GETLK:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
	case F_GET_FILE_RW_HINT:
	case F_SET_FILE_RW_HINT:
		landing_open(argument, sizeof(*lock));
		break;
	default:
		break;
	}
}

static bool copies(int command)
{
	return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

static bool waits_for_lock(int command)
{
	return command == F_SETLKW || command == F_OFD_SETLKW;
}

/*
 * A lock that another process has, for how long nobody knows. Here and below: what is to be had at
 * once is taken so, and leaves things as they are; whatever else is said comes of the program's own
 * call.
 */
static COLD int landed_setlkw(int (*real)(int, int, ...), int fd, int command, void *lock)
{
	int saved = errno;

	if (real(fd, command == F_SETLKW ? F_SETLK : F_OFD_SETLK, lock) == 0)
		return 0;
	errno = saved;
	sleep_settle();
	return real(fd, command, lock);
}

#define FCNTL_HOOK(name)                                                                           \
	EXPORT int name(int fd, int command, ...)                                                  \
	{                                                                                          \
		va_list list;                                                                      \
		void *argument;                                                                    \
                                                                                                   \
		va_start(list, command);                                                           \
		argument = va_arg(list, void *);                                                   \
		va_end(list);                                                                      \
		if (hook_passive())                                                                \
			return REAL(name)(fd, command, argument);                                  \
		if (fd_is_ours(fd))                                                                \
			return refuse();                                                           \
		before_fcntl(fd, command, argument);                                               \
		if (copies(command)) {                                                             \
			writers_shared(fd);                                                        \
			return fresh(REAL(name)(fd, command, argument));                           \
		}                                                                                  \
		if (waits_for_lock(command) && sleep_matters())                                    \
			return landed_setlkw(REAL(name), fd, command, argument);                   \
		return REAL(name)(fd, command, argument);                                          \
	}

FCNTL_HOOK(fcntl)
FCNTL_HOOK(fcntl64)
FCNTL_HOOK(__fcntl)

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (source_any() && !hook_passive()) {
		/* what it points to is known to the driver only: as much as any has */
		landing_open(argument, 16384);
		io_file_changes(fd);
	}
	return REAL(ioctl)(fd, request, argument);
}

static COLD int landed_flock(int fd, int operation)
{
	int saved = errno;

	if (REAL(flock)(fd, operation | LOCK_NB) == 0)
		return 0;
	errno = saved;
	sleep_settle();
	return REAL(flock)(fd, operation);
}

EXPORT int flock(int fd, int operation)
{
	if (hook_passive() || (operation & LOCK_UN))
		return REAL(flock)(fd, operation);
	source_before_use(fd, SOURCE_OTHER_LOCK);
	if (!(operation & LOCK_NB) && sleep_matters())
		return landed_flock(fd, operation);
	return REAL(flock)(fd, operation);
}

#define LOCKF_HOOK(name, offset)                                                                   \
	static COLD int landed_##name(int fd, offset n)                                            \
	{                                                                                          \
		int saved = errno;                                                                 \
                                                                                                   \
		if (REAL(name)(fd, F_TLOCK, n) == 0)                                               \
			return 0;                                                                  \
		errno = saved;                                                                     \
		sleep_settle();                                                                    \
		return REAL(name)(fd, F_LOCK, n);                                                  \
	}                                                                                          \
	EXPORT int name(int fd, int command, offset n)                                             \
	{                                                                                          \
		if (hook_passive() || command == F_ULOCK)                                          \
			return REAL(name)(fd, command, n);                                         \
		source_before_use(fd, SOURCE_OTHER_LOCK);                                          \
		if (command == F_LOCK && sleep_matters())                                          \
			return landed_##name(fd, n);                                               \
		return REAL(name)(fd, command, n);                                                 \
	}

LOCKF_HOOK(lockf, off_t)
LOCKF_HOOK(lockf64, off64_t)

#define RESIZE(name, fd, ...)                                                                      \
	if (!hook_passive())                                                                       \
		source_written(fd);                                                                \
	return REAL(name)(__VA_ARGS__)

EXPORT int ftruncate(int fd, off_t n)
{
	RESIZE(ftruncate, fd, fd, n);
}

EXPORT int ftruncate64(int fd, off64_t n)
{
	RESIZE(ftruncate64, fd, fd, n);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t n)
{
	RESIZE(fallocate, fd, fd, mode, at, n);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
	RESIZE(fallocate64, fd, fd, mode, at, n);
}

EXPORT int truncate(const char *path, off_t n)
{
	before_open(AT_FDCWD, path, O_WRONLY);
	return REAL(truncate)(path, n);
}

EXPORT int truncate64(const char *path, off64_t n)
{
	before_open(AT_FDCWD, path, O_WRONLY);
	return REAL(truncate64)(path, n);
}
