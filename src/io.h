/* SPDX-License-Identifier: MIT */
/*
 * io.h - what the hooks of reading and writing have in common.
 *
 * A hook is short: if nothing of ours can be concerned it jumps to the real
 * function, else it comes here. CALLER is the hook's return address.
 */
#ifndef SHUNT_IO_H
#define SHUNT_IO_H

#include "fd.h"
#include "hook.h"
#include "land.h"
#include "landing.h"
#include "meter.h"
#include "pieces.h"
#include "send.h"
#include "sleep.h"
#include "source.h"
#include "stream.h"
#include "watch.h"
#include "writers.h"

#define CALLER __builtin_return_address(0)

/*
 * Nothing is landed, nobody owes an error, and N bytes are no chunk: only the real function is of
 * use.
 */
static inline bool io_is_none(size_t n)
{
	return n < WATCH_SMALLEST && !landing_any() && likely(fd_debts == 0);
}

/* The same for a write, which may have to be noted. */
static inline bool io_write_is_none(size_t n)
{
	return io_is_none(n) && !relaxed(writers_noted);
}

static inline bool io_idle(size_t n)
{
	return hook_passive() || io_is_none(n);
}

static inline bool io_write_idle(size_t n)
{
	return hook_passive() || io_write_is_none(n);
}

/*
 * Could a read of N bytes from FD not land, does it meet nothing landed, and is FD no regular file?
 * Then the call is made at once, and io_read_small, which returns RET, tells what came to BUF.
 */
static inline bool io_is_small(int fd, size_t n)
{
	return stream_is_small(n) && !landing_any() && likely(fd_debts == 0) && fd_is_known_stream(fd);
}

ssize_t io_read_small_chunk(int fd, const void *buf, ssize_t ret, const void *caller);

static inline ssize_t io_read_small(int fd, const void *buf, ssize_t ret, const void *caller)
{
	return ret < WATCH_SMALLEST || stream_least == 0 ? ret : io_read_small_chunk(fd, buf, ret, caller);
}

/* Is anything landed, held, owed or measured? Then a chunk is looked at, whatever it is. */
static inline bool io_busy(void)
{
	return unlikely(relaxed(landing_armed) | relaxed(lease_count) | relaxed(fd_debts) |
			relaxed(meter_active));
}

/*
 * The pass for a read of N bytes from FD into BUF, which is made at once, and then watch_passed;
 * NULL if there is none.
 */
static inline struct watched *io_pass(int fd, const void *buf, size_t n, const void *caller)
{
	return io_busy() ? NULL : watch_pass(buf, n, fd, caller);
}

/*
 * Before a read of N bytes into BUF from FD. True: it is answered, *RET is the
 * result, with errno. False: the caller makes the real call, and then
 * io_read_done with what io_read_begin left in R.
 */
struct io_read {
	struct site *site; /* NULL: not a chunk */
	enum verdict why;
	bool stream;       /* no regular file */
	struct meter *meter; /* what it costs is measured, in that unit */
	struct pass pass;  /* for how long WHY holds */
};
bool io_read_begin(int fd, void *buf, size_t n, off_t at, const void *caller, struct io_read *r,
		   ssize_t *ret);
ssize_t io_read_done(int fd, void *buf, size_t n, struct io_read *r, ssize_t ret);

/* Before a read into several buffers: opens them and the array, and counts it as vectored. */
bool io_readv_begin(int fd, const struct iovec *iov, int count, off_t at, const void *caller,
		    struct io_read *r, ssize_t *ret);

/*
 * Before a write. True: done, with *RET and errno. False: the caller makes the real call, then
 * io_write_done.
 */
bool io_write_begin(int fd, const struct iovec *iov, size_t count, int flags, const void *caller,
		    ssize_t *ret);

/* The hook that wrote RET bytes of IOV was measured. An array that cannot be read is not. */
void io_measured(const struct iovec *iov, size_t count, ssize_t ret);

static inline ssize_t io_write_done(int fd, const struct iovec *iov, size_t count, ssize_t ret,
				    const void *caller)
{
	if (ret >= WATCH_SMALLEST && (watch_any() || mapping_any()))
		send_watch(fd, iov, count, ret, caller);
	if (unlikely(meter_since))
		io_measured(iov, count, ret);
	return ret;
}

/* The same for one piece at BUF. */
static inline ssize_t io_wrote(int fd, const void *buf, ssize_t ret, const void *caller)
{
	if (ret < WATCH_SMALLEST || (mapping_any() && pieces_wrote(buf, (size_t)ret, fd, caller)))
		return ret;
	if (!watch_any() || likely(watch_wrote(buf, (size_t)ret, fd, caller)))
		return ret;
	if ((!mapping_any() || pieces_none(buf, (size_t)ret)) && !watch_knows(buf, (size_t)ret))
		return ret;
	return send_watch_one(fd, buf, ret, caller);
}

/*
 * Nothing is landed or measured, no error is owed, and nothing is mapped that has to do with it, or it
 * goes as the last piece did: a write to FD is noted, and goes its way.
 */
static inline bool io_write_plain(int fd, const void *buf, size_t n, int flags, const void *caller)
{
	if (io_busy() || (mapping_any() && !pieces_pass(buf, n, fd, caller)))
		return false;
	writers_note(fd, flags);
	return true;
}

/*
 * The file FD, if it is one, is about to be written to: what is landed of it must be what it was.
 * Keeps errno.
 */
void io_file_changes(int fd);

/* Can the array of COUNT pieces be read (once open)? If not it is the kernel's to refuse. */
bool io_pieces_readable(const struct iovec *iov, size_t count);

/*
 * Opens what an array of pieces reaches, the array first; nothing for one that the kernel would
 * refuse.
 */
void io_open_pieces(const struct iovec *iov, size_t count);

#endif
