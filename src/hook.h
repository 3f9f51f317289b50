/* SPDX-License-Identifier: MIT */
/*
 * hook.h - how a hook reaches the function that it stands for.
 *
 * REAL(name) is the next definition of NAME behind ours: libc's, or that of
 * another preloaded library. It is found at the start, or at its first use, and does not
 * change. In LOADING it may still be missing; then it is looked up on the spot.
 */
#ifndef SHUNT_HOOK_H
#define SHUNT_HOOK_H

#include "shunt.h"
#include "hook_types.h"
#include "thread.h"

#define HOOK(ret, name, params, args, class) extern HIDDEN ret(*real_##name) params;
#define HOOK_OPEN(ret, name, params, args, open) extern HIDDEN ret(*real_##name) params;
#include "hooks.def"
#undef HOOK
#undef HOOK_OPEN

#define REAL(name)                                                                                 \
	(likely(real_##name != NULL) ? real_##name                                     \
				     : (hook_find((void **)&real_##name, #name), real_##name))

/* The same where shunt is seen to be live, of a name that is not looked up late: it is there. */
#define REAL_LIVE(name) real_##name

/*
 * malloc_usable_size of the object that REAL(free) is of, NULL if that has none: another
 * allocator's would read a length out of bytes that are none. Known when hook_resolve is through.
 */
extern size_t (*hook_usable_size)(void *p);

/*
 * Are the real read, write, recv and send all libc's? Another preloaded library may mean
 * something by the one that it does not by the other. Known when hook_resolve is through.
 */
extern bool hook_socket_calls;

/* Finds the real functions that are needed at once; idempotent, from any thread. errno is kept. */
void hook_resolve(void);

/*
 * Finds the real function NAME, if it is not there yet: *REAL. From any thread, in signal
 * handlers and in the child of a vfork; errno is kept. NULL stays within hook_resolve alone.
 */
void hook_find(void **real, const char *name);

/*
 * libc's dlsym: ours is the program's. With RTLD_NEXT it is to be called from here. By the loader's
 * lookup, the first time.
 */
void *(*hook_dlsym(void))(void *handle, const char *name);

/*
 * In a server that forks for each connection each child would look up again what the one before it
 * called first. NEEDS is memory of zeros that the family shares: whoever finds a function late
 * notes it there, and before a fork what others noted is found. What stands in NEEDS is not believed
 * further than that. Keep errno.
 */
enum { HOOK_NEEDS = 64 };
struct hook_needs {
	_Atomic unsigned count;
	_Atomic uint32_t hash[HOOK_NEEDS]; /* of the name; 0: not written yet */
};
void hook_share(struct hook_needs *needs);
void hook_before_fork(void);

/* The hook of that name, NULL if there is none; and what it goes on to. */
void *hook_own(const char *name);
void *hook_behind(const char *name);

/* Shall a hook only pass through? Not at work, or in the child of a vfork. */
static inline bool hook_passive(void)
{
	return unlikely(!shunt_live() || thread_passive);
}

#endif
