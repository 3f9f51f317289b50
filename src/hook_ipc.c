/* SPDX-License-Identifier: MIT */
/*
 * hook_ipc.c - System V's semaphores and messages, for which one process waits until another
 * has done its part: perhaps written the file that is landed here.
 *
 * What is to be had at once is taken so, and leaves things as they are. Else what was read is made
 * safe (sleep.h), and the program's own call is made: what it says, and how long it waits, comes of
 * that alone.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <string.h>

#include "hook_idle.h"
#include "sleep.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#define HOOK_OPEN(ret, name, params, args, open)
#include "hooks_open.def"
#undef HOOK
#undef HOOK_OPEN

/* As many as are tried; a longer list is waited for as it is. */
enum { FEW = 64 };

/*
 * The operations OPS are made if none has to wait; T is a time to wait, or NULL, that the kernel looks
 * at even so. Were they? errno is kept.
 */
static bool done_at_once(int id, const struct sembuf *ops, size_t n, const struct timespec *t)
{
	struct sembuf now[FEW];
	int saved = errno, ret;

	if (n > FEW || !hook_readable(ops, n * sizeof(*ops)))
		return false;
	memcpy(now, ops, n * sizeof(*ops));
	for (size_t i = 0; i < n; i++)
		now[i].sem_flg |= IPC_NOWAIT;
	ret = t ? REAL(semtimedop)(id, now, n, t) : REAL(semop)(id, now, n);
	errno = saved;
	return ret == 0;
}

/* Opens OPS and T; true if all is done, else what was read is safe. Keeps errno. */
static COLD bool before_semop(int id, const struct sembuf *ops, size_t n, const struct timespec *t)
{
	hook_open_bytes((uintptr_t)ops, n < SIZE_MAX / sizeof(*ops) ? n * sizeof(*ops) : SIZE_MAX);
	hook_open_bytes((uintptr_t)t, sizeof(*t));
	if (hook_passive())
		return false;
	if (done_at_once(id, ops, n, t))
		return true;
	sleep_settle();
	return false;
}

EXPORT int semop(int id, struct sembuf *ops, size_t n)
{
	if (sleep_matters() && before_semop(id, ops, n, NULL))
		return 0;
	return REAL(semop)(id, ops, n);
}

EXPORT int semtimedop(int id, struct sembuf *ops, size_t n, const struct timespec *t)
{
	if (sleep_matters() && before_semop(id, ops, n, t))
		return 0;
	return REAL(semtimedop)(id, ops, n, t);
}

static COLD ssize_t landed_msgrcv(int id, void *p, size_t n, long type, int flags)
{
	int saved = errno;
	ssize_t ret;

	hook_open_message(p, n);
	if (hook_passive() || (flags & IPC_NOWAIT))
		return REAL(msgrcv)(id, p, n, type, flags);
	ret = REAL(msgrcv)(id, p, n, type, flags | IPC_NOWAIT);
	if (ret >= 0)
		return ret;
	errno = saved;
	sleep_settle();
	return REAL(msgrcv)(id, p, n, type, flags);
}

EXPORT ssize_t msgrcv(int id, void *p, size_t n, long type, int flags)
{
	if (!sleep_matters())
		return REAL(msgrcv)(id, p, n, type, flags);
	return landed_msgrcv(id, p, n, type, flags);
}
