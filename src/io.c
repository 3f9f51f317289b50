/* SPDX-License-Identifier: MIT */
/* io.c - what the hooks of reading and writing have in common; see io.h. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "config.h"
#include "hook_idle.h"
#include "io.h"
#include "prim.h"
#include "sockio.h"
#include "source.h"

bool io_pieces_readable(const struct iovec *iov, size_t count)
{
	if (count == 0 || count > IOV_MAX)
		return false;
	landing_open(iov, count * sizeof(*iov));
	return hook_readable(iov, count * sizeof(*iov));
}

void io_open_pieces(const struct iovec *iov, size_t count)
{
	if (!landing_any() || !io_pieces_readable(iov, count))
		return;
	for (size_t i = 0; i < count; i++)
		landing_open(iov[i].iov_base, iov[i].iov_len);
}

ssize_t io_read_small_chunk(int fd, const void *buf, ssize_t ret, const void *caller)
{
	struct pass pass;
	struct site *site = site_of(caller);

	if (unlikely(site->wanted))
		site_name(site);
	pass_give(&pass, stream_least - 1, true);
	watch_read(buf, (size_t)ret, fd, site, VERDICT_WOULD_NOT_PAY, &pass);
	return ret;
}

/*
 * A try to land N bytes failed. Where that will hardly change soon the next one is made when as many
 * chunks have passed as went before; of those that were not queued in full, some.
 */
static void tried(struct io_read *r, size_t n)
{
	switch (r->why) {
	case VERDICT_STACK:
	case VERDICT_SHARED_MEMORY:
	case VERDICT_NO_WHOLE_PAGE:
	case VERDICT_FILE_SYSTEM:
	case VERDICT_BEING_WRITTEN:
	case VERDICT_UNSETTLED:
	case VERDICT_NO_LEASE:
	case VERDICT_MUTABLE:
		pass_take(&r->pass, PASS_CHUNKS, n);
		return;
	case VERDICT_NOT_FULL: /* while it is measured each chunk counts */
		if (!r->meter)
			pass_take(&r->pass, PASS_SHORT, n);
		return;
	default:
		return;
	}
}

/* May the chunk land, and does it? Anything but LAND_PLAINLY is the answer. */
static ssize_t read_file(int fd, struct fd_entry *e, void *buf, size_t n, off_t at,
			 const struct stat *st, struct io_read *r)
{
	ssize_t ret = LAND_PLAINLY;

	if (unlikely(r->site->wanted))
		site_name(r->site);
	r->why = land_wanted(e, buf, n, r->site, &r->pass);
	if (r->why == VERDICT_REWRITTEN)
		r->why = meter_chunk(fd, e, buf, n, r->site, &r->pass, &r->meter);
	else
		meter_skip(fd);
	if (r->why != VERDICT_REWRITTEN)
		return ret;
	if (config.mode == MODE_OBSERVE) {
		r->why = land_observe(fd, e, buf, n, at, r->site);
		return ret;
	}
	site_walk(r->site);
	if (!thread_single())
		pthread_testcancel();
	ret = land_read(fd, e, buf, n, at, st, r->site, &r->why);
	if (ret == LAND_PLAINLY)
		tried(r, n);
	if (ret >= 0 && r->why != VERDICT_REWRITTEN && ret >= WATCH_SMALLEST)
		watch_read(buf, (size_t)ret, fd, r->site, r->why, NULL);
	if (unlikely(r->meter) && ret != LAND_PLAINLY)
		meter_read(r->meter, ret);
	return ret;
}

/*
 * The same for what is no file. What is landed in the buffer is made ready for the program's own
 * call.
 */
static ssize_t read_stream(int fd, struct fd_entry *e, void *buf, size_t n, struct io_read *r)
{
	ssize_t ret = LAND_PLAINLY;
	bool queued = false;

	r->stream = true;
	if (unlikely(r->site->wanted))
		site_name(r->site);
	r->why = stream_wanted(fd, e, buf, n, r->site, &r->pass, &r->meter);
	if (r->why != VERDICT_REWRITTEN && !r->meter)
		meter_skip(fd);
	if (r->why == VERDICT_REWRITTEN && config.mode != MODE_OBSERVE) {
		site_walk(r->site);
		if (!thread_single())
			pthread_testcancel();
		ret = stream_read(fd, e, buf, n, r->site, &r->why, &queued);
		if (ret == LAND_PLAINLY)
			tried(r, n);
	}
	if (ret > 0 && r->why != VERDICT_REWRITTEN)
		watch_read(buf, (size_t)ret, fd, r->site, r->why, NULL);
	if (unlikely(r->meter) && ret != LAND_PLAINLY)
		meter_read(r->meter, ret);
	if (ret != LAND_PLAINLY || !landing_any())
		return ret;
	landing_receive(buf, n);
	if (!queued)
		sleep_before(fd);
	return ret;
}

static void begin_chunk(int fd, const void *buf, const void *caller, struct io_read *r)
{
	r->site = site_of(caller);
	r->pass = (struct pass){ .ahead = watch_ahead(buf, fd, r->site) };
}

bool io_read_begin(int fd, void *buf, size_t n, off_t at, const void *caller, struct io_read *r,
		   ssize_t *ret)
{
	struct fd_entry *e;
	struct stat st;
	bool file;

	r->site = NULL;
	r->stream = false;
	r->meter = NULL;
	if (lease_any())
		lease_look(prim_now());
	if (unlikely(fd_debts) && send_owes(fd)) {
		*ret = -1;
		return true;
	}
	e = fd_entry(fd);
	if (unlikely(!e)) { /* no memory for it, or a number above all that have one */
		landing_open(buf, n);
		return false;
	}
	file = fd_is_file(fd, e, &st);
	if (file && n >= WATCH_SMALLEST && n <= LARGEST_CALL && (at >= 0 || at == LAND_AT_OFFSET)) {
		begin_chunk(fd, buf, caller, r);
		*ret = read_file(fd, e, buf, n, at, &st, r);
		if (*ret != LAND_PLAINLY)
			return true;
	}
	if (!file && stream_on() && n >= WATCH_SMALLEST && n <= LARGEST_CALL && at == LAND_AT_OFFSET) {
		begin_chunk(fd, buf, caller, r);
		*ret = read_stream(fd, e, buf, n, r);
		return *ret != LAND_PLAINLY;
	}
	if (file) {
		landing_fill(buf, n);
	} else if (landing_any()) {
		landing_open(buf, n);
		if (n)
			sleep_before(fd);
		else
			sleep_settle(); /* read does not wait for no bytes, recv does */
	}
	return false;
}

ssize_t io_read_done(int fd, void *buf, size_t n, struct io_read *r, ssize_t ret)
{
	if (r->site && ret >= WATCH_SMALLEST) {
		if (r->stream)
			stream_read_plainly(fd, n, ret, &r->why);
		watch_read(buf, (size_t)ret, fd, r->site, r->why, &r->pass);
	}
	if (r->site && unlikely(r->meter))
		meter_read(r->meter, ret);
	return ret;
}

bool io_readv_begin(int fd, const struct iovec *iov, int count, off_t at, const void *caller,
		    struct io_read *r, ssize_t *ret)
{
	/* an array that cannot be read is the kernel's to refuse */
	landing_open(iov, sizeof(*iov));
	if (count == 1 && hook_readable(iov, sizeof(*iov))) {
		return io_read_begin(fd, iov->iov_base, iov->iov_len, at, caller, r, ret);
	}
	r->site = NULL;
	if (unlikely(fd_debts) && send_owes(fd)) {
		*ret = -1;
		return true;
	}
	if (landing_any() && count > 0) {
		io_open_pieces(iov, (size_t)count);
		sleep_before(fd);
	}
	return false;
}

void io_file_changes(int fd)
{
	struct fd_entry *e;

	if (!source_any())
		return;
	e = landing_any() ? fd_peek(fd) : fd_entry(fd);
	/* a mapping lasts as long as the process, often: then it pays to know what is written to */
	if (e && fd_is_known_socket(fd, e))
		return;
	if (e && !landing_any())
		fd_classify(fd, e);
	if (!e || e->kind == STATS_KIND_UNKNOWN || (landing_any() && e->kind == STATS_KIND_OTHER) ||
	    ((e->kind == STATS_KIND_FILE || e->kind == STATS_KIND_OTHER) &&
	     source_may_be(e->identity)))
		source_written(fd);
}

bool io_write_begin(int fd, const struct iovec *iov, size_t count, int flags, const void *caller,
		    ssize_t *ret)
{
	if (unlikely(fd_debts) && send_owes(fd)) {
		*ret = -1;
		return true;
	}
	writers_note(fd, flags);
	meter_start();
	if (!source_any() || count > IOV_MAX)
		return false;
	if (lease_any())
		lease_look(prim_now());
	io_file_changes(fd);
	if (!send_touches(iov, count)) {
		if (mapping_any() && count == 1)
			pieces_look_round(iov->iov_base);
		return false;
	}
	if (!thread_single())
		pthread_testcancel();
	if (!send_landings(fd, iov, count, flags, caller, ret))
		return false;
	meter_written(iov, count, *ret);
	return true;
}

COLD void io_measured(const struct iovec *iov, size_t count, ssize_t ret)
{
	bool readable = ret > 0 || hook_readable(iov, count * sizeof(*iov));

	meter_written(iov, readable ? count : 0, ret);
}
