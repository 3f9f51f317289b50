/* SPDX-License-Identifier: MIT */
/*
 * parse_counters.c - the counters' files of others, in every form of report.
 *
 * A file is some hundred KiB, most of them never looked at. So the input is not the file but what
 * is wrong with one: records of a place (a part of the file, and two bytes), a length and bytes,
 * which are written over up to three good files; the first byte says how many, whether the first is
 * cut, and how the rows are sorted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "families.h"
#include "out.h"
#include "parse.h"
#include "parse_forms.h"
#include "report.h"
#include "stats_table.h"

enum { FILES = 3, ROOM = 4 << 20 };

static char text[ROOM];
static size_t length;

static void take(void *context, const char *piece, size_t n)
{
	if (n > ROOM - 1 - length)
		parse_wrong("a report without an end", text, length);
	memcpy(text + length, piece, n);
	length += n;
	text[length] = '\0';
}

static void fill_site(struct stats_site *site, int i)
{
	site->state = 2;
	site->frame_count = 2;
	for (int k = 0; k < 2; k++) {
		site->frame[k].offset = (uint64_t)(4096 * (i + k));
		site->frame[k].symbol_offset = 0x4e;
		snprintf(site->frame[k].symbol, STATS_SYMBOL, "function_%d", i + k);
	}
}

static void fill_route(struct stats_route *r, int i)
{
	r->state = 2;
	r->source = (uint8_t)(i % STATS_KIND_COUNT);
	r->sink = STATS_KIND_TCP;
	r->engine = (uint8_t)(i % STATS_ENGINE_COUNT);
	r->read_site = i % 4;
	r->write_site = (i + 1) % 4;
	r->bytes = r->bytes_rewritten = 65536;
	r->chunks = r->chunks_rewritten = 1;
	r->verdict[i % VERDICT_COUNT] = 1;
	snprintf(r->example_source, STATS_PATH, "/srv/%d", i);
}

static void good(struct stats *s, int i)
{
	memcpy(s->magic, STATS_MAGIC, sizeof(s->magic));
	s->layout = STATS_LAYOUT;
	s->size = sizeof(*s);
	s->ended = STATS_EXIT;
	s->pid = 4711 + i;
	s->root = 4711;
	s->started = s->root_started = UINT64_C(1700000000000000000);
	s->finished = s->started + 1000000000;
	snprintf(s->program, sizeof(s->program), "server");
	memcpy(s->argv, "server\0-x", s->argv_length = 10);
	snprintf(s->settings, sizeof(s->settings), "mode:rewrite,learn:3");
	s->module_count = 1;
	snprintf(s->module[0], STATS_PATH, "/usr/sbin/server");
	for (int k = 0; k < 4; k++) {
		fill_site(&s->site[k], k);
		fill_route(&s->route[k], k + i);
	}
}

/* Where a record goes: the head, the modules, the first sites or the first routes. */
static size_t place(const uint8_t *data)
{
	static const struct {
		size_t at, size;
	} part[] = {
		{ 0, offsetof(struct stats, module) },
		{ offsetof(struct stats, module), 2 * STATS_PATH },
		{ offsetof(struct stats, site), 6 * sizeof(struct stats_site) },
		{ offsetof(struct stats, route), 8 * sizeof(struct stats_route) },
	};
	size_t i = data[0] & 3;

	return part[i].at + (data[1] | (size_t)data[2] << 8) % part[i].size;
}

/* The records, one after the other, over the files. */
static void spoil(struct stats *file, int files, const uint8_t *data, size_t n)
{
	while (n > 4) {
		size_t at = place(data), size = data[3] & 63, which = data[3] >> 6;

		data += 4;
		n -= 4;
		size = size < n ? size : n;
		memcpy((char *)&file[which % (size_t)files] + at, data, size);
		data += size;
		n -= size;
	}
}

static void all_forms(struct families *f, const struct report_options *o)
{
	const struct stats *const *all = families_sorted(f);
	static char buf[512];
	struct format out = format_through(buf, sizeof(buf), take, NULL);
	size_t n;

	for (size_t i = 0; i < f->count; i += n) {
		const struct stats *const *first = families_from(f, i, &n);

		length = 0;
		report_text(first, n, o, take, NULL);
		form_quiet(text, length, "\n");
		length = 0;
		out_html_begin(&out);
		out_html_family(&out, first, n, o);
		out_html_end(&out);
		format_flush(&out);
		form_html(text, length);
	}
	for (size_t i = 0; i < f->count; i++) {
		length = 0;
		report_json(all[i], o, take, NULL);
		form_json(text, length);
	}
	length = 0;
	out_csv(&out, all, f->count, o);
	format_flush(&out);
	form_csv(text, length);
	length = 0;
	out_prometheus(&out, all, f->count);
	format_flush(&out);
	form_prometheus(text, length);
}

/* In the library: counts of the family are added up, and the sum is as good as any. */
static void add_up(const struct stats *file, int files, const struct report_options *o)
{
	static struct stats sum;

	memset(&sum, 0, sizeof(sum));
	good(&sum, 0);
	memset(sum.route, 0, sizeof(sum.route));
	for (int i = 0; i < files; i++)
		if (report_valid(&file[i], sizeof(file[i])))
			stats_add_all(&sum, &file[i]);
	length = 0;
	report_json(&sum, o, take, NULL);
	form_json(text, length);
}

/* As it lies on the disk, and cut after SIZE bytes: is it refused without a complaint? */
static void through_a_file(const struct stats *s, size_t size)
{
	static char path[64];
	struct counters_id id;
	struct stats *read;
	int fd;

	if (!path[0])
		snprintf(path, sizeof(path), "/tmp/shunt-parse-%d", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, s, size) != (ssize_t)size || close(fd) < 0)
		exit(1);
	read = counters_peek(path, &id);
	if (read && (size < sizeof(*s) || !report_valid(read, sizeof(*read))))
		parse_wrong("a file that is none was taken", "", 0);
	free(read);
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct stats file[FILES];
	struct families f = { 0 };
	struct report_options o = { .rows = WALK_ROWS };
	int files;

	if (n < 1)
		return 0;
	files = data[0] % FILES + 1;
	o.sort = data[0] >> 2 & 7;
	memset(file, 0, sizeof(file));
	for (int i = 0; i < files; i++)
		good(&file[i], i);
	spoil(file, files, data + 1, n - 1);
	if (data[0] >= 0xe0)
		through_a_file(&file[0], n > 2 ? sizeof(file[0]) * data[2] / 255 : 0);
	for (int i = 0; i < files; i++) {
		struct stats *s = malloc(sizeof(*s));

		if (!s || !report_valid(&file[i], sizeof(file[i]))) {
			free(s);
			continue;
		}
		memcpy(s, &file[i], sizeof(*s));
		families_add(&f, s, &(struct counters_id){ 1, (ino_t)i + 1, 0 });
	}
	if (f.count)
		all_forms(&f, &o);
	families_end(&f);
	add_up(file, files, &o);
	return 0;
}
