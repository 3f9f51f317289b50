/* SPDX-License-Identifier: MIT */
/* inline.h - system calls that no library makes: what only the guard can hear. */
#ifndef INLINE_H
#define INLINE_H

#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#include "../same/inline.h"
#define inline6 inline_call
#else
/* Elsewhere there is no guard, and the calls go by libc. */
#include <errno.h>
static inline long inline6(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = syscall(nr, a, b, c, d, e, f);

	return ret < 0 ? -errno : ret;
}
#endif

#define INLINE(nr, a, b, c, d, e, f)                                                              \
	inline6(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define INLINE4(nr, a, b, c, d) INLINE(nr, a, b, c, d, 0, 0)
#define INLINE3(nr, a, b, c) INLINE(nr, a, b, c, 0, 0, 0)
#define INLINE2(nr, a, b) INLINE(nr, a, b, 0, 0, 0, 0)
#define INLINE1(nr, a) INLINE(nr, a, 0, 0, 0, 0, 0)

#endif
