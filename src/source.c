/* SPDX-License-Identifier: MIT */
/*
 * source.c - the files that landings refer to; see source.h.
 *
 * Sets of eight by a hash of device and inode, a lock for each set. The lock is
 * taken when a file is met and when it is closed, never for a chunk.
 */
#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "config.h"
#include "immutable.h"
#include "landing.h"
#include "lease.h"
#include "mapping.h"
#include "prim.h"
#include "sig.h"
#include "source.h"
#include "stats.h"
#include "stdio_files.h"
#include "thread.h"

enum { WAYS = 8, SETS = SOURCES / WAYS, LOCKS = 256 };
#define SECOND UINT64_C(1000000000)
#define SETTLE_AGE (10 * SECOND)
#define CLOCK_STEPS (20 * 1000000) /* two steps of the coarsest clock that stamps are taken from */

static LARGE_TABLE struct source sources[SOURCES];
static bool set_used[SETS]; /* so that no page is touched in vain: most processes have a source or two */
static _Atomic bool any_used; /* before a lock is taken for the first time */
static struct lock set_lock[SETS];

/* Files that this process has locked. Full: every file counts as one that may not land. */
enum lock_state { NOT_LOCKED, HELD_WHOLE, NEVER_AGAIN };
static LARGE_TABLE struct {
	dev_t device;
	ino_t inode;
	_Atomic uint8_t state;
} locks[LOCKS];
static _Atomic int lock_count;
static struct lock locks_lock;

uint32_t source_identity(dev_t device, ino_t inode)
{
	return (uint32_t)(((uint64_t)inode * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)device * 31) >> 32);
}

static unsigned set_of(uint32_t identity)
{
	return identity % SETS;
}

struct source *source_at(int index)
{
	return &sources[index];
}

static enum lock_state lock_state(dev_t device, ino_t inode)
{
	int n = atomic_load_explicit(&lock_count, memory_order_acquire);

	if (n > LOCKS)
		return NEVER_AGAIN;
	for (int i = 0; i < n; i++)
		if (locks[i].inode == inode && locks[i].device == device)
			return locks[i].state;
	return NOT_LOCKED;
}

static void set_lock_state(dev_t device, ino_t inode, enum lock_state state)
{
	struct lock_held held;
	int i;

	lock_take(&locks_lock, &held);
	for (i = 0; i < lock_count && i < LOCKS; i++)
		if (locks[i].inode == inode && locks[i].device == device)
			break;
	if (i < LOCKS) {
		locks[i].device = device;
		locks[i].inode = inode;
		if (locks[i].state != NEVER_AGAIN || i == lock_count)
			locks[i].state = (uint8_t)state;
	}
	if (i == lock_count || i == LOCKS)
		atomic_store_explicit(&lock_count, i + 1, memory_order_release);
	lock_drop(&locks_lock, &held);
}

/*
 * Gets the descriptor of S if there is none: a duplicate of FD, under source:lease of its file.
 * Called with the set locked.
 */
static enum verdict duplicate(struct source *s, int fd)
{
	bool own = config.source == SOURCE_LEASE;
	int high;

	if (s->fd >= 0)
		return VERDICT_REWRITTEN;
	high = own ? lease_open(fd) : prim_dup_high(fd);
	if (high < 0)
		return own && high != -EMFILE ? VERDICT_NO_LEASE : VERDICT_DESCRIPTORS;
	fd_mark_ours(high);
	atomic_store(&s->fd, high);
	return VERDICT_REWRITTEN;
}

/* ---- may this file land? ---- */

static bool lease_tells(long type)
{
	/* on overlayfs a lease is granted while the upper file is open for writing beside it */
	return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC ||
	       type == F2FS_SUPER_MAGIC;
}

/* File systems on which st_size is what read would return. */
static bool trusted_type(long type, const struct stat *st)
{
	if (type == TMPFS_MAGIC)
		return st->st_nlink > 0; /* not a memfd */
	return lease_tells(type) || type == EROFS_SUPER_MAGIC_V1 || type == SQUASHFS_MAGIC ||
	       type == ISOFS_SUPER_MAGIC;
}

static bool stamps_old(const struct stat *st, uint64_t age)
{
	uint64_t now = prim_wall();
	uint64_t m = (uint64_t)st->st_mtim.tv_sec * SECOND + (uint64_t)st->st_mtim.tv_nsec;
	uint64_t c = (uint64_t)st->st_ctim.tv_sec * SECOND + (uint64_t)st->st_ctim.tv_nsec;

	return m + age <= now && c + age <= now;
}

/*
 * A read lease is granted only while nobody has the file open for writing.
 * F_UNLCK clears F_SETOWN and F_SETSIG, so it is not asked where the program set either.
 */
static enum verdict ask_lease(int fd)
{
	int ret, signal = sig_unheard();

	/* first: a lease sets the owner */
	if (prim_fcntl(fd, F_GETLEASE, 0) != F_UNLCK)
		return VERDICT_LOCKED;
	if (prim_fcntl(fd, F_GETOWN, 0) != 0 || prim_fcntl(fd, F_GETSIG, 0) != 0 || !signal)
		return VERDICT_UNSETTLED;
	/*
	 * who opens the file for writing just now has us told of it: by default by SIGIO, which
	 * kills
	 */
	if (prim_fcntl(fd, F_SETSIG, signal) < 0)
		return VERDICT_UNSETTLED;
	ret = prim_fcntl(fd, F_SETLEASE, F_RDLCK);
	prim_fcntl(fd, F_SETLEASE, F_UNLCK);
	prim_fcntl(fd, F_SETSIG, 0);
	if (ret == 0)
		return VERDICT_REWRITTEN;
	return ret == -EAGAIN ? VERDICT_BEING_WRITTEN : VERDICT_UNSETTLED;
}

static enum verdict settled(int fd, const struct stat *st, long type)
{
	enum verdict v = lease_tells(type) ? ask_lease(fd) : VERDICT_UNSETTLED;

	if (v == VERDICT_REWRITTEN) {
		stats_add(&stats_get()->lease_granted, 1);
		return v;
	}
	/* where we may not ask (not the owner), age must do: the report says which it was */
	if (v != VERDICT_UNSETTLED || !stamps_old(st, SETTLE_AGE))
		return v;
	stats_add(&stats_get()->age_granted, 1);
	return VERDICT_REWRITTEN;
}

/*
 * The lease is taken when something lands (lease_hold), on the descriptor of S, which is a file
 * description of its own: here it is only asked whether that can be. The program's is not changed.
 */
static enum verdict judge_lease(struct source *s, int fd)
{
	enum verdict v;

	if (prim_fcntl(fd, F_GETLEASE, 0) != F_UNLCK)
		return VERDICT_LOCKED;
	v = duplicate(s, fd);
	if (v == VERDICT_REWRITTEN)
		v = lease_ask(s->fd);
	if (v == VERDICT_REWRITTEN)
		stats_add(&stats_get()->lease_granted, 1);
	return v;
}

/*
 * The attribute keeps those out who come from now on; on some file systems not those who have
 * the file open for writing, so it must be settled as well. The others leave nobody.
 */
static enum verdict judge_immutable(int fd, const struct stat *st, long type)
{
	switch (immutable_why(fd, type)) {
	case IMMUTABLE_NOT:
		return VERDICT_MUTABLE;
	case IMMUTABLE_ATTRIBUTE:
		return trusted_type(type, st) ? settled(fd, st, type) : VERDICT_FILE_SYSTEM;
	case IMMUTABLE_WHOLLY:
		break;
	}
	return VERDICT_REWRITTEN;
}

static enum verdict judge_file(struct source *s, int fd, const struct stat *st)
{
	struct statfs fs;

	if (stdio_files_write(st))
		return VERDICT_BEING_WRITTEN;
	if (config.source == SOURCE_TRUST)
		return VERDICT_REWRITTEN;
	if (prim_fstatfs(fd, &fs) < 0)
		return VERDICT_FILE_SYSTEM;
	if (config.source == SOURCE_IMMUTABLE)
		return judge_immutable(fd, st, fs.f_type);
	if (config.source == SOURCE_LEASE)
		return lease_tells(fs.f_type) ? judge_lease(s, fd) : VERDICT_FILE_SYSTEM;
	if (!trusted_type(fs.f_type, st))
		return VERDICT_FILE_SYSTEM;
	return settled(fd, st, fs.f_type);
}

/* ---- the table ---- */

int source_index(const struct source *s)
{
	return (int)(s - sources);
}

bool source_sending(const struct source *s)
{
	int index = source_index(s);

	for (struct thread *t = thread_list(); t; t = t->next)
		for (unsigned i = 0; i < atomic_load(&t->pins); i++)
			if (atomic_load(&t->hazard[i]) == index + 1)
				return true;
	return false;
}

/* Closes the duplicate unless somebody needs it. Called with the set locked. */
static void let_go(struct source *s)
{
	int fd = atomic_load(&s->fd);

	if (fd < 0 || atomic_load(&s->landings) > 0 || atomic_load(&s->mappings) > 0 || s->locked)
		return;
	if (atomic_load(&s->holders) > 0 && s->verdict == VERDICT_REWRITTEN)
		return;
	if (source_sending(s))
		return;
	lease_end(s);
	atomic_store(&s->fd, -1);
	if (atomic_exchange(&s->stays, false))
		return;
	fd_unmark_ours(fd);
	prim_close(fd);
}

static struct source *find_slot(unsigned set, const struct stat *st)
{
	struct source *unused = NULL;

	for (struct source *s = &sources[set * WAYS]; s < &sources[(set + 1) * WAYS]; s++) {
		if (s->inode == st->st_ino && s->device == st->st_dev)
			return s;
		if (s->inode == 0) /* never used: zero would be a descriptor */
			atomic_store(&s->fd, -1);
		if (s->holders > 0 || s->landings > 0 || s->mappings > 0)
			continue;
		let_go(s);
		if (s->fd < 0 && !unused)
			unused = s;
	}
	if (unused) {
		set_used[set] = true;
		unused->inode = st->st_ino;
		unused->device = st->st_dev;
		unused->verdict = VERDICT_UNSETTLED;
		unused->retry = 0;
	}
	return unused;
}

bool source_same_stamps(const struct source *s, const struct stat *st)
{
	return s->mtime.tv_sec == st->st_mtim.tv_sec && s->mtime.tv_nsec == st->st_mtim.tv_nsec &&
	       s->ctime.tv_sec == st->st_ctim.tv_sec && s->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

/*
 * Judges S if it was not, or if its time has come, and gets the duplicate. Called with the set
 * locked.
 */
static enum verdict prepare(struct source *s, int fd, const struct stat *st)
{
	if (s->verdict != VERDICT_REWRITTEN && prim_now() < s->retry)
		return s->verdict;
	if (s->verdict == VERDICT_REWRITTEN && s->fd >= 0 &&
	    (config.source == SOURCE_TRUST || source_same_stamps(s, st)))
		return VERDICT_REWRITTEN;
	if (s->landings > 0)
		return VERDICT_CHANGED; /* those that land refer to what it was */
	let_go(s);
	s->verdict = judge_file(s, fd, st);
	s->retry = prim_now() + SECOND;
	s->aged = stamps_old(st, CLOCK_STEPS);
	s->mtime = st->st_mtim;
	s->ctime = st->st_ctim;
	if (s->verdict == VERDICT_REWRITTEN)
		s->verdict = duplicate(s, fd);
	return s->verdict;
}

enum verdict source_bind(int fd, struct fd_entry *e, const struct stat *st)
{
	unsigned set = set_of(source_identity(st->st_dev, st->st_ino));
	struct lock_held held;
	enum verdict v = VERDICT_LIMIT;
	enum lock_state locked;
	struct source *s = NULL;

	if (st->st_size == 0)
		return VERDICT_SPECIAL_FILE;
	if (!any_used)
		any_used = true;
	lock_take(&set_lock[set], &held);
	locked = lock_state(st->st_dev, st->st_ino);
	/* a descriptor of our own is not made without closing one, which drops a lock */
	if (locked == NEVER_AGAIN || (locked && config.source == SOURCE_LEASE))
		v = VERDICT_LOCKED;
	else
		s = find_slot(set, st);
	if (s)
		v = prepare(s, fd, st);
	if (v == VERDICT_REWRITTEN) {
		int none = 0;

		if (locked == HELD_WHOLE)
			s->locked = true;
		if (atomic_compare_exchange_strong(&e->source, &none, (int)(s - sources) + 1))
			atomic_fetch_add(&s->holders, 1);
	}
	lock_drop(&set_lock[set], &held);
	return v;
}

enum verdict source_still(int index, const struct stat *st)
{
	struct source *s = &sources[index];
	enum verdict v = atomic_load(&s->verdict);

	if (s->inode != st->st_ino || s->device != st->st_dev)
		return VERDICT_CHANGED;
	if (v != VERDICT_REWRITTEN || config.source == SOURCE_TRUST || likely(source_same_stamps(s, st)))
		return v;
	s->retry = prim_now() + SETTLE_AGE;
	atomic_store(&s->verdict, VERDICT_CHANGED);
	return VERDICT_CHANGED;
}

bool source_unchanged(int index, const struct stat *st)
{
	return sources[index].aged && source_same_stamps(&sources[index], st);
}

/* ---- mappings ---- */

/* What the descriptor FD itself says against a source that is kept beyond its close. */
static enum verdict judge_descriptor(int fd)
{
	int flags = prim_fcntl(fd, F_GETFL, 0);

	if (flags < 0 || (flags & O_DIRECT))
		return VERDICT_DIRECT_IO;
	/* no lease would be granted: we have it open for writing */
	if ((flags & O_ACCMODE) != O_RDONLY && config.source != SOURCE_TRUST)
		return VERDICT_BEING_WRITTEN;
	return VERDICT_REWRITTEN;
}

/* It is judged by the first write: most mappings are never written to a socket. */
enum verdict source_adopt(int fd, const struct stat *st, int *index)
{
	unsigned set = set_of(source_identity(st->st_dev, st->st_ino));
	enum verdict v = judge_descriptor(fd);
	struct lock_held held;
	struct source *s;

	*index = -1;
	if (v != VERDICT_REWRITTEN)
		return v;
	if (st->st_size == 0)
		return VERDICT_SPECIAL_FILE;
	if (!any_used)
		any_used = true;
	lock_take(&set_lock[set], &held);
	s = find_slot(set, st);
	if (s && s->fd < 0) {
		/* what was found when it was last held no longer counts */
		s->verdict = VERDICT_UNSETTLED;
		s->retry = 0;
	}
	/*
	 * a lock on the whole file too: it ends with the descriptor's close, the mapping does not
	 */
	if (lock_state(st->st_dev, st->st_ino) != NOT_LOCKED)
		v = VERDICT_LOCKED;
	else
		v = !s ? VERDICT_LIMIT : s->locked ? VERDICT_LOCKED : duplicate(s, fd);
	if (v == VERDICT_REWRITTEN) {
		atomic_fetch_add(&s->mappings, 1);
		*index = (int)(s - sources);
	}
	lock_drop(&set_lock[set], &held);
	return v;
}

void source_hold_mapping(int index)
{
	atomic_fetch_add(&sources[index].mappings, 1);
}

void source_abandon(int index)
{
	if (atomic_fetch_sub(&sources[index].mappings, 1) == 1)
		source_reap(index);
}

enum verdict source_fresh(int index, struct stat *st)
{
	struct source *s = &sources[index];
	int fd = atomic_load(&s->fd);
	struct lock_held held;
	enum verdict v;

	if (fd < 0 || prim_fstat(fd, st) < 0)
		return VERDICT_DESCRIPTORS;
	v = source_still(index, st);
	if (v == VERDICT_REWRITTEN || v == VERDICT_LOCKED || prim_now() < s->retry)
		return v;
	lock_take(&set_lock[index / WAYS], &held);
	if (s->fd == fd && s->mappings > 0 && s->inode == st->st_ino && s->device == st->st_dev)
		v = prepare(s, fd, st);
	lock_drop(&set_lock[index / WAYS], &held);
	return v;
}

/* ---- the end of a source ---- */

void source_reap(int index)
{
	unsigned set = (unsigned)index / WAYS;
	struct lock_held held;

	lock_take(&set_lock[set], &held);
	let_go(&sources[index]);
	lock_drop(&set_lock[set], &held);
}

/*
 * The program closes a file that it holds a POSIX lock on: the lock goes now in any
 * case, so now is when our duplicate may go. If another thread is sending from it
 * just now, or has just landed from it, it stays for good: a close later could drop a lock
 * taken later.
 */
static void close_locked(int index)
{
	struct source *s = &sources[index];
	struct lock_held held;
	int fd;

	/* first the verdict: few who land now come too late to be opened */
	s->retry = 0;
	atomic_store(&s->verdict, VERDICT_UNSETTLED);
	landing_open_source(index);
	lock_take(&set_lock[index / WAYS], &held);
	fd = s->fd;
	s->locked = false;
	let_go(s);
	s->stays = s->fd >= 0;
	if (fd >= 0)
		set_lock_state(s->device, s->inode, NOT_LOCKED);
	lock_drop(&set_lock[index / WAYS], &held);
}

void source_unbind(struct fd_entry *e, bool closing)
{
	int index = atomic_exchange(&e->source, 0) - 1;

	if (index < 0)
		return;
	if (closing && sources[index].locked)
		close_locked(index);
	if (atomic_fetch_sub(&sources[index].holders, 1) == 1)
		source_reap(index);
}

enum verdict source_hold(int index)
{
	struct source *s = &sources[index];

	atomic_fetch_add(&s->landings, 1);
	return config.source == SOURCE_LEASE ? lease_hold(s) : VERDICT_REWRITTEN;
}

void source_release(int index)
{
	struct source *s = &sources[index];

	if (atomic_fetch_sub(&s->landings, 1) != 1)
		return;
	if (s->leased)
		lease_rest(s);
	if (s->holders == 0 || s->verdict != VERDICT_REWRITTEN)
		source_reap(index);
}

static struct source *find_landed(const struct stat *st)
{
	unsigned set = set_of(source_identity(st->st_dev, st->st_ino));

	for (struct source *s = &sources[set * WAYS]; s < &sources[(set + 1) * WAYS]; s++)
		if (s->inode == st->st_ino && s->device == st->st_dev && (s->landings > 0 || s->fd > 0))
			return s;
	return NULL;
}

/* The same, if another thread is about to give it a descriptor, with that. */
static struct source *find_prepared(const struct stat *st)
{
	struct lock *lock = &set_lock[set_of(source_identity(st->st_dev, st->st_ino))];
	struct lock_held held;
	struct source *s;

	lock_take(lock, &held);
	s = find_landed(st);
	lock_drop(lock, &held);
	return s;
}

/*
 * Our duplicate of S, which nothing lands from any more, is closed here and now; or, where another
 * thread needs it still, not at all: see close_locked. With the set locked, so that one that is
 * just being closed is waited for.
 */
static void close_before_lock(struct source *s, enum source_use use)
{
	struct lock *lock = &set_lock[source_index(s) / WAYS];
	struct lock_held held;

	lock_take(lock, &held);
	let_go(s);
	if (s->fd >= 0) {
		s->locked = true;
		if (use != SOURCE_FLAGS)
			set_lock_state(s->device, s->inode, NEVER_AGAIN);
	}
	lock_drop(lock, &held);
}

void source_before_use(int fd, enum source_use use)
{
	enum lock_state state = use == SOURCE_WHOLE_LOCK ? HELD_WHOLE : NEVER_AGAIN;
	struct source *s;
	struct stat st;

	if (prim_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	s = find_landed(&st);
	if (s && s->locked && use == SOURCE_WHOLE_LOCK)
		return; /* locked anew, under the same rule */
	/* first the state, then the source: who gets a duplicate now sees the one or is waited for */
	if (use != SOURCE_FLAGS)
		set_lock_state(st.st_dev, st.st_ino, state);
	s = find_prepared(&st);
	if (s) {
		/*
		 * first the verdict, then the landings: who lands now sees the one or is seen by
		 * the other
		 */
		s->retry = 0;
		atomic_store(&s->verdict, VERDICT_LOCKED);
		landing_open_source((int)(s - sources));
		lease_end(s);
		mapping_forget_source((int)(s - sources));
		close_before_lock(s, use);
	}
}

/* Does the program hold a descriptor of source INDEX that outlives an exec? */
static bool outlives_exec(int index)
{
	for (int fd = fd_next_known(0); fd >= 0; fd = fd_next_known(fd + 1))
		if (atomic_load(&fd_peek(fd)->source) == index + 1 && prim_fcntl(fd, F_GETFD, 0) == 0)
			return true;
	return false;
}

void source_before_exec(void)
{
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		if (sources[i].locked && sources[i].fd >= 0 && outlives_exec(i))
			prim_fcntl(sources[i].fd, F_SETFD, 0);
}

void source_after_failed_exec(void)
{
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		if (sources[i].locked && sources[i].fd >= 0)
			prim_fcntl(sources[i].fd, F_SETFD, FD_CLOEXEC);
}

void source_before_unlock(int fd)
{
	struct source *s;
	struct stat st;

	if (prim_fstat(fd, &st) < 0 || lock_state(st.st_dev, st.st_ino) != HELD_WHOLE)
		return;
	set_lock_state(st.st_dev, st.st_ino, NEVER_AGAIN);
	s = find_landed(&st);
	if (!s)
		return;
	atomic_store(&s->verdict, VERDICT_LOCKED);
	landing_open_source((int)(s - sources));
}

bool source_may_be(uint32_t identity)
{
	unsigned set = set_of(identity);

	for (struct source *s = &sources[set * WAYS]; s < &sources[(set + 1) * WAYS]; s++)
		if (s->inode && source_identity(s->device, s->inode) == identity)
			return true;
	return false;
}

void source_changes(const struct stat *st)
{
	struct source *s = S_ISREG(st->st_mode) ? find_landed(st) : NULL;

	if (!s)
		return;
	if (config.source != SOURCE_TRUST || stdio_files_write(st)) {
		s->retry = prim_now() + SECOND; /* then it is judged again */
		atomic_store(&s->verdict, VERDICT_BEING_WRITTEN);
	}
	landing_open_source((int)(s - sources));
	/* a handler in the middle of a send would wait for its own thread */
	lease_end(s);
}

void source_written(int fd)
{
	struct stat st;
	int ret;

	if (!source_any())
		return;
	ret = prim_fstat(fd, &st);
	if (ret == 0)
		source_changes(&st);
	else if (ret != -EBADF) /* which file it is cannot be told: it may be any */
		landing_open_all();
}

void source_written_path(int dir, const char *path)
{
	struct stat st;

	if (source_any() && PRIM4(SYS_newfstatat, dir, path, &st, 0) == 0)
		source_changes(&st);
}

FORKS int source_next(int from)
{
	for (int i = from; any_used && i < SOURCES; i++) {
		if (!set_used[i / WAYS])
			i |= WAYS - 1;
		else if (sources[i].inode)
			return i;
	}
	return -1;
}

void source_written_any(void)
{
	for (int i = source_next(0); lease_any() && i >= 0; i = source_next(i + 1))
		if (sources[i].leased) {
			landing_open_source(i);
			lease_end(&sources[i]);
		}
}

void source_evade(int fd)
{
	for (int i = source_next(0); i >= 0; i = source_next(i + 1)) {
		int high;

		if (sources[i].fd != fd)
			continue;
		high = prim_dup_high(fd);
		if (high < 0) {
			sources[i].verdict = VERDICT_DESCRIPTORS;
			landing_open_source(i);
		} else {
			fd_mark_ours(high);
		}
		atomic_store(&sources[i].fd, high < 0 ? -1 : high);
		fd_unmark_ours(fd);
	}
}

/* POSIX locks are the parent's alone: what was landed under one is like any other file here. */
static void forget_locks(void)
{
	for (int i = 0; i < lock_count && i < LOCKS; i++)
		if (locks[i].state == HELD_WHOLE)
			locks[i].state = NOT_LOCKED;
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		sources[i].locked = false;
}

FORKS void source_forked(void)
{
	lock_reset(&locks_lock);
	if (lock_count)
		forget_locks();
	for (int i = 0; any_used && i < SETS; i++)
		lock_reset(&set_lock[i]);
	/*
	 * the duplicates are the child's as well; no landing is left, so those without a holder go
	 */
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		sources[i].landings = sources[i].mappings = 0;
	mapping_forked();
	for (int i = source_next(0); i >= 0; i = source_next(i + 1))
		if (sources[i].fd > 0 && sources[i].holders == 0)
			let_go(&sources[i]);
	if (config.source == SOURCE_LEASE)
		lease_forked_all();
}
