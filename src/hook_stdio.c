/* SPDX-License-Identifier: MIT */
/*
 * hook_stdio.c - streams: libc reads and writes big blocks between the kernel and
 * the caller's memory, and closes numbers without our hearing of it.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <string.h>

#include "config.h"
#include "hook_idle.h"
#include "io.h"
#include "source.h"
#include "stdio_files.h"

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

/* The number of F, which may have none, or be none; keeps errno. */
static int number_of(FILE *f)
{
	int saved = errno, fd = f ? fileno_unlocked(f) : -1;

	errno = saved;
	return fd;
}

/* F is about to be written out; without F, all that are open are. */
static COLD void before_flush(FILE *f)
{
	if (hook_passive())
		return;
	if (f)
		io_file_changes(number_of(f));
	else if (config.source == SOURCE_TRUST)
		landing_open_all();
}

#define WRITE_BLOCK_BODY(name, p, size, n, f)                                                      \
	if (landing_any()) {                                                                       \
		open_block(p, size, n);                                                            \
		before_flush(f);                                                                   \
	}                                                                                          \
	return REAL(name)(p, size, n, f)

EXPORT size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	WRITE_BLOCK_BODY(fwrite, p, size, n, f);
}

EXPORT size_t fwrite_unlocked(const void *p, size_t size, size_t n, FILE *f)
{
	WRITE_BLOCK_BODY(fwrite_unlocked, p, size, n, f);
}

EXPORT int fflush(FILE *f)
{
	if (landing_any())
		before_flush(f);
	return REAL(fflush)(f);
}

EXPORT int fflush_unlocked(FILE *f)
{
	if (landing_any())
		before_flush(f);
	return REAL(fflush_unlocked)(f);
}

static void before_print(int fd)
{
	if (hook_passive())
		return;
	writers_note(fd, 0);
	if (landing_any())
		io_file_changes(fd);
}

EXPORT int vdprintf(int fd, const char *format, va_list list)
{
	before_print(fd);
	return REAL(vdprintf)(fd, format, list);
}

EXPORT int __vdprintf_chk(int fd, int check, const char *format, va_list list)
{
	before_print(fd);
	return REAL(__vdprintf_chk)(fd, check, format, list);
}

EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list list;
	int ret;

	va_start(list, format);
	ret = vdprintf(fd, format, list);
	va_end(list);
	return ret;
}

EXPORT int __dprintf_chk(int fd, int check, const char *format, ...)
{
	va_list list;
	int ret;

	va_start(list, format);
	ret = __vdprintf_chk(fd, check, format, list);
	va_end(list);
	return ret;
}

/* ---- streams come and go with descriptors ---- */

static bool writes(const char *mode)
{
	return mode && (mode[0] != 'r' || strchr(mode, '+'));
}

static void before_fopen(const char *path, const char *mode)
{
	if (!source_any() || hook_passive())
		return;
	hook_open_string(path);
	hook_open_string(mode);
	if (writes(mode))
		source_written_path(AT_FDCWD, path);
}

/* Without a PATH the file of F itself is opened anew. */
static void before_freopen(const char *path, const char *mode, FILE *f)
{
	before_fopen(path, mode);
	if (!path && !hook_passive() && writes(mode))
		source_written(number_of(f));
}

static void forget(int fd)
{
	if (fd < 0 || hook_passive())
		return;
	landing_close(fd);
	fd_reset(fd);
	stdio_files_closed(fd);
}

static FILE *opened(FILE *f, const char *mode)
{
	int fd = f ? number_of(f) : -1;

	if (fd < 0 || hook_passive())
		return f;
	forget(fd);
	if (writes(mode))
		stdio_files_opened(fd, fd);
	return f;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	before_fopen(path, mode);
	return opened(REAL(fopen)(path, mode), mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	before_fopen(path, mode);
	return opened(REAL(fopen64)(path, mode), mode);
}

/* What goes through the stream is written by libc, unheard. */
EXPORT FILE *fdopen(int fd, const char *mode)
{
	if (!hook_passive()) {
		writers_shared(fd);
		if (writes(mode))
			stdio_files_opened(fd, fd);
	}
	return REAL(fdopen)(fd, mode);
}

EXPORT FILE *tmpfile(void)
{
	return opened(REAL(tmpfile)(), "w+");
}

EXPORT FILE *tmpfile64(void)
{
	return opened(REAL(tmpfile64)(), "w+");
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *f)
{
	before_freopen(path, mode, f);
	forget(number_of(f));
	return opened(REAL(freopen)(path, mode, f), mode);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *f)
{
	before_freopen(path, mode, f);
	forget(number_of(f));
	return opened(REAL(freopen64)(path, mode, f), mode);
}

EXPORT int fclose(FILE *f)
{
	if (landing_any())
		before_flush(f);
	forget(number_of(f));
	return REAL(fclose)(f);
}

EXPORT int pclose(FILE *f)
{
	forget(number_of(f));
	if (!hook_passive())
		sleep_settle(); /* it waits for the child */
	return REAL(pclose)(f);
}

EXPORT int closedir(DIR *d)
{
	forget(dirfd(d));
	return REAL(closedir)(d);
}
