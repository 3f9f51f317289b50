/* SPDX-License-Identifier: MIT */
/* hook_io.c - read, write and their kin, under every name. */
#undef _FORTIFY_SOURCE /* its inline definitions have the names of the hooks */

#include "io.h"
#include "sockio.h"

#define HOOK(ret, name, params, args, class) EXPORT ret name params;
#include "hooks_io.def"
#undef HOOK

/* The body of a hook that reads into one buffer. */
#define READ_BODY(name, fd, buf, n, at, ...)                                                       \
	struct watched *known;                                                                     \
	struct io_read r;                                                                          \
	ssize_t ret;                                                                               \
                                                                                                   \
	if (io_idle(n))                                                                            \
		return REAL(name)(__VA_ARGS__);                                                    \
	known = io_pass(fd, buf, n, CALLER);                                                       \
	if (likely(known != NULL))                                                                 \
		return watch_passed(known, buf, REAL(name)(__VA_ARGS__));                          \
	if (io_read_begin(fd, buf, n, at, CALLER, &r, &ret))                                       \
		return ret;                                                                        \
	return io_read_done(fd, buf, n, &r, REAL(name)(__VA_ARGS__))

static APART ssize_t read_judged(int fd, void *buf, size_t n, const void *caller)
{
	struct io_read r;
	ssize_t ret;

	if (io_read_begin(fd, buf, n, LAND_AT_OFFSET, caller, &r, &ret))
		return ret;
	return io_read_done(fd, buf, n, &r, sockio_read(fd, buf, n));
}

static OFTEN APART ssize_t read_chunk(int fd, void *buf, size_t n, const void *caller)
{
	struct watched *known = io_pass(fd, buf, n, caller);

	if (likely(known != NULL))
		return watch_passed(known, buf, sockio_read(fd, buf, n));
	if (io_is_small(fd, n))
		return io_read_small(fd, buf, sockio_read(fd, buf, n), caller);
	return read_judged(fd, buf, n, caller);
}

static APART ssize_t read_passive(int fd, void *buf, size_t n)
{
	return REAL(read)(fd, buf, n);
}

/* In steps, none of which saves a register for the sake of the next. */
EXPORT OFTEN ssize_t read(int fd, void *buf, size_t n)
{
	if (hook_passive())
		return read_passive(fd, buf, n);
	return io_is_none(n) ? REAL_LIVE(read)(fd, buf, n) : read_chunk(fd, buf, n, CALLER);
}

EXPORT ssize_t __read(int fd, void *buf, size_t n)
{
	READ_BODY(__read, fd, buf, n, LAND_AT_OFFSET, fd, buf, n);
}

/* The _chk forms end the process if the buffer is too small: the real one is called for that. */
EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
	if (n > room)
		return REAL(__read_chk)(fd, buf, n, room);
	READ_BODY(__read_chk, fd, buf, n, LAND_AT_OFFSET, fd, buf, n, room);
}

/* A negative offset is the kernel's to refuse; it must not be taken for LAND_AT_OFFSET. */
#define PREAD_BODY(name, fd, buf, n, at, ...)                                                      \
	READ_BODY(name, fd, buf, n, (at) < 0 ? -2 : (at), __VA_ARGS__)

EXPORT ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	PREAD_BODY(pread, fd, buf, n, at, fd, buf, n, at);
}

EXPORT ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	PREAD_BODY(pread64, fd, buf, n, at, fd, buf, n, at);
}

EXPORT ssize_t __pread64(int fd, void *buf, size_t n, off64_t at)
{
	PREAD_BODY(__pread64, fd, buf, n, at, fd, buf, n, at);
}

EXPORT ssize_t __pread_chk(int fd, void *buf, size_t n, off_t at, size_t room)
{
	if (n > room)
		return REAL(__pread_chk)(fd, buf, n, at, room);
	PREAD_BODY(__pread_chk, fd, buf, n, at, fd, buf, n, at, room);
}

EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t n, off64_t at, size_t room)
{
	if (n > room)
		return REAL(__pread64_chk)(fd, buf, n, at, room);
	PREAD_BODY(__pread64_chk, fd, buf, n, at, fd, buf, n, at, room);
}

/* The body of a hook that reads into pieces. One piece is an ordinary read. */
#define READV_BODY(name, fd, iov, count, at, ...)                                                  \
	struct io_read r;                                                                          \
	ssize_t ret;                                                                               \
                                                                                                   \
	if (hook_passive() || ((count) != 1 && !landing_any() && !fd_debts))                       \
		return REAL(name)(__VA_ARGS__);                                                    \
	if (io_readv_begin(fd, iov, count, at, CALLER, &r, &ret))                                  \
		return ret;                                                                        \
	ret = REAL(name)(__VA_ARGS__);                                                             \
	return r.site ? io_read_done(fd, (iov)->iov_base, (iov)->iov_len, &r, ret) : ret

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
	READV_BODY(readv, fd, iov, count, LAND_AT_OFFSET, fd, iov, count);
}

EXPORT ssize_t preadv(int fd, const struct iovec *iov, int count, off_t at)
{
	READV_BODY(preadv, fd, iov, count, at < 0 ? -2 : at, fd, iov, count, at);
}

EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t at)
{
	READV_BODY(preadv64, fd, iov, count, at < 0 ? -2 : at, fd, iov, count, at);
}

/* With flags (RWF_NOWAIT and others) the call has rules of its own; at -1 it is readv. */
EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	if (!hook_passive() && count > 0)
		io_open_pieces(iov, (size_t)count);
	return REAL(preadv2)(fd, iov, count, at, flags);
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	if (!hook_passive() && count > 0)
		io_open_pieces(iov, (size_t)count);
	return REAL(preadv64v2)(fd, iov, count, at, flags);
}

/* ---- writing ---- */

#define WRITE_BODY(name, fd, buf, n, ...)                                                          \
	struct iovec piece = { (void *)(buf), n };                                                 \
	ssize_t ret;                                                                               \
                                                                                                   \
	if (io_write_idle(n))                                                                      \
		return REAL(name)(__VA_ARGS__);                                                    \
	if (io_write_begin(fd, &piece, 1, 0, CALLER, &ret))                                        \
		return ret;                                                                        \
	return io_write_done(fd, &piece, 1, REAL(name)(__VA_ARGS__), CALLER)

static APART ssize_t write_whole(int fd, const void *buf, size_t n, const void *caller)
{
	struct iovec piece = { (void *)buf, n };
	ssize_t ret;

	if (io_write_begin(fd, &piece, 1, 0, caller, &ret))
		return ret;
	return io_write_done(fd, &piece, 1, sockio_write(fd, buf, n), caller);
}

static OFTEN APART ssize_t write_chunk(int fd, const void *buf, size_t n, const void *caller)
{
	if (!io_write_plain(fd, buf, n, 0, caller))
		return write_whole(fd, buf, n, caller);
	return io_wrote(fd, buf, sockio_write(fd, buf, n), caller);
}

static APART ssize_t write_passive(int fd, const void *buf, size_t n)
{
	return REAL(write)(fd, buf, n);
}

EXPORT OFTEN ssize_t write(int fd, const void *buf, size_t n)
{
	if (hook_passive())
		return write_passive(fd, buf, n);
	return io_write_is_none(n) ? REAL_LIVE(write)(fd, buf, n) : write_chunk(fd, buf, n, CALLER);
}

EXPORT ssize_t __write(int fd, const void *buf, size_t n)
{
	WRITE_BODY(__write, fd, buf, n, fd, buf, n);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t ret;

	if (hook_passive() || count <= 0 ||
	    (source_any() && !io_pieces_readable(iov, (size_t)count)))
		return REAL(writev)(fd, iov, count);
	if (io_write_begin(fd, iov, (size_t)count, 0, CALLER, &ret))
		return ret;
	return io_write_done(fd, iov, (size_t)count, REAL(writev)(fd, iov, count), CALLER);
}

/*
 * Writes at an offset go to files: nothing is rewritten, but the pieces are opened and the file's
 * own landings filled.
 */
#define PWRITE_BODY(name, fd, opening, ...)                                                        \
	if (source_any() && !hook_passive()) {                                                     \
		io_file_changes(fd);                                                        \
		opening;                                                                           \
	}                                                                                          \
	return REAL(name)(__VA_ARGS__)

EXPORT ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	PWRITE_BODY(pwrite, fd, landing_open(buf, n), fd, buf, n, at);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	PWRITE_BODY(pwrite64, fd, landing_open(buf, n), fd, buf, n, at);
}

EXPORT ssize_t __pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	PWRITE_BODY(__pwrite64, fd, landing_open(buf, n), fd, buf, n, at);
}

#define PIECES(iov, count) io_open_pieces(iov, (count) > 0 ? (size_t)(count) : 0)

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	PWRITE_BODY(pwritev, fd, PIECES(iov, count), fd, iov, count, at);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t at)
{
	PWRITE_BODY(pwritev64, fd, PIECES(iov, count), fd, iov, count, at);
}

/* At -1 these two are writev, and may be for a socket. */
static bool owes_instead(int fd, off_t at)
{
	if (at != -1 || hook_passive())
		return false;
	writers_note(fd, 0);
	return unlikely(fd_debts) && send_owes(fd);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	if (owes_instead(fd, at))
		return -1;
	PWRITE_BODY(pwritev2, fd, PIECES(iov, count), fd, iov, count, at, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t at, int flags)
{
	if (owes_instead(fd, at))
		return -1;
	PWRITE_BODY(pwritev64v2, fd, PIECES(iov, count), fd, iov, count, at, flags);
}
