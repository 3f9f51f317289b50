/* SPDX-License-Identifier: MIT */
/*
 * hook_stdio.c - streams: libc reads and writes big blocks between the kernel and
 * the caller's memory, and closes numbers without our hearing of it.
 */
#undef _FORTIFY_SOURCE

#include <string.h>

#include "hook_idle.h"
#include "io.h"
#include "source.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

static COLD void open_block(const void *p, size_t size, size_t n)
{
	size_t bytes;

	if (!__builtin_mul_overflow(size, n, &bytes))
		landing_open(p, bytes);
}

#define BLOCK_BODY(name, p, size, n, ...)                                                          \
	if (landing_any())                                                                         \
		open_block(p, size, n);                                                            \
	return REAL(name)(__VA_ARGS__)

EXPORT size_t fread(void *p, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(fread, p, size, n, p, size, n, f);
}

EXPORT size_t fread_unlocked(void *p, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(fread_unlocked, p, size, n, p, size, n, f);
}

EXPORT size_t __fread_chk(void *p, size_t room, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(__fread_chk, p, size, n, p, room, size, n, f);
}

EXPORT size_t __fread_unlocked_chk(void *p, size_t room, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(__fread_unlocked_chk, p, size, n, p, room, size, n, f);
}

EXPORT size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(fwrite, p, size, n, p, size, n, f);
}

EXPORT size_t fwrite_unlocked(const void *p, size_t size, size_t n, FILE *f)
{
	BLOCK_BODY(fwrite_unlocked, p, size, n, p, size, n, f);
}

/* ---- streams come and go with descriptors ---- */

static void before_fopen(const char *path, const char *mode)
{
	if (!landing_any() || hook_passive())
		return;
	hook_open_string(path);
	hook_open_string(mode);
	if (mode && (mode[0] != 'r' || strchr(mode, '+')))
		source_written_path(AT_FDCWD, path);
}

static void forget(int fd)
{
	if (fd < 0 || hook_passive())
		return;
	landing_close(fd);
	fd_reset(fd);
}

static FILE *opened(FILE *f)
{
	if (f)
		forget(fileno(f));
	return f;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	before_fopen(path, mode);
	return opened(REAL(fopen)(path, mode));
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	before_fopen(path, mode);
	return opened(REAL(fopen64)(path, mode));
}

/* What goes through the stream is written by libc, unheard. */
EXPORT FILE *fdopen(int fd, const char *mode)
{
	if (!hook_passive())
		writers_shared(fd);
	return REAL(fdopen)(fd, mode);
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *f)
{
	before_fopen(path, mode);
	forget(fileno(f));
	return opened(REAL(freopen)(path, mode, f));
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *f)
{
	before_fopen(path, mode);
	forget(fileno(f));
	return opened(REAL(freopen64)(path, mode, f));
}

EXPORT int fclose(FILE *f)
{
	forget(fileno(f));
	return REAL(fclose)(f);
}

EXPORT int pclose(FILE *f)
{
	forget(fileno(f));
	return REAL(pclose)(f);
}

EXPORT int closedir(DIR *d)
{
	forget(dirfd(d));
	return REAL(closedir)(d);
}
