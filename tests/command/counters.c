/* SPDX-License-Identifier: MIT */
/*
 * counters.c - writes a counters file for the tests of shunt report.
 *
 * counters FILE [KEY=VALUE...]: pid, root, parent, ended, finished, ticks, program,
 * symbol, example, module, offset, bytes, reported, observe, calls, limit; hostile=1 puts in what
 * no library writes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stats.h"

static struct stats s;

static void fill_site(struct stats_site *site, const char *symbol, unsigned offset)
{
	site->state = 2;
	site->frame_count = 1;
	site->frame[0].offset = offset;
	site->frame[0].symbol_offset = 0x4e;
	strcpy(site->frame[0].symbol, symbol);
}

static void fill_route(struct stats_route *r, uint64_t bytes, enum verdict why)
{
	r->state = 2;
	r->source = STATS_KIND_FILE;
	r->sink = STATS_KIND_TCP;
	r->engine = why == VERDICT_REWRITTEN ? STATS_ENGINE_SENDFILE : STATS_ENGINE_NONE;
	r->bytes = bytes;
	r->chunks = bytes / 65536 + 1;
	r->chunks_rewritten = why == VERDICT_REWRITTEN ? r->chunks : 0;
	r->bytes_rewritten = why == VERDICT_REWRITTEN ? bytes : 0;
	r->verdict[why] = r->chunks;
	r->copies_avoided = why == VERDICT_REWRITTEN ? (int64_t)bytes * 2 : -4096;
	r->calls_avoided = why == VERDICT_REWRITTEN ? 10 : -1;
	strcpy(r->example_source, "/srv/a.iso");
	strcpy(r->example_sink, "127.0.0.1:4242");
}

static void fill(void)
{
	memcpy(s.magic, STATS_MAGIC, sizeof(s.magic));
	s.layout = STATS_LAYOUT;
	s.size = sizeof(s);
	s.ended = STATS_EXIT;
	s.pid = s.root = 4711;
	s.started = s.root_started = UINT64_C(1700000000000000000);
	s.finished = s.started + UINT64_C(62400000000);
	strcpy(s.version, "0.1");
	strcpy(s.program, "server");
	strcpy(s.host, "box");
	memcpy(s.argv, "server\0-x", s.argv_length = 10);
	strcpy(s.settings, "mode:rewrite,learn:3");
	s.native_bytes = 12345;
	s.module_count = 1;
	strcpy(s.module[0], "/usr/sbin/server");
	fill_site(&s.site[0], "serve_file", 0x1000);
	fill_site(&s.site[1], "send_all", 0x2000);
	fill_route(&s.route[0], 3u << 20, VERDICT_LOOKED_AT);
	fill_route(&s.route[1], 1u << 30, VERDICT_REWRITTEN);
	s.route[0].read_site = s.route[1].read_site = 0;
	s.route[0].write_site = s.route[1].write_site = 1;
}

/* Indexes out of range, strings without an end, words that do not exist. */
static void poison(void)
{
	memset(s.program, 'A', sizeof(s.program));
	memset(s.host, 0xff, sizeof(s.host));
	memset(s.argv, 'B', sizeof(s.argv));
	memset(s.settings, ',', sizeof(s.settings));
	s.argv_length = ~0u;
	s.module_count = ~0u;
	s.ended = 77;
	memset(s.module[0], '/', sizeof(s.module[0]));
	s.site[0].frame_count = ~0u;
	s.site[0].frame[0].module = ~0u;
	memset(s.site[0].frame[0].symbol, '%', STATS_SYMBOL);
	s.route[0].source = s.route[0].sink = s.route[0].engine = 255;
	s.route[0].read_site = -2147483647;
	s.route[0].write_site = 2147483647;
	memset(s.route[0].example_source, '<', STATS_PATH);
	s.route[1].copies_avoided = INT64_MIN;
	s.route[1].calls_avoided = INT64_MIN;
	s.route[1].bytes = ~UINT64_C(0);
}

static void set_number(const char *key, long long n)
{
	if (!strcmp(key, "pid"))
		s.pid = (int)n;
	else if (!strcmp(key, "root"))
		s.root = (int)n;
	else if (!strcmp(key, "parent"))
		s.parent = (int)n;
	else if (!strcmp(key, "ended"))
		s.ended = (unsigned)n;
	else if (!strcmp(key, "finished"))
		s.finished = (uint64_t)n;
	else if (!strcmp(key, "ticks"))
		s.start_ticks = (uint64_t)n;
	else if (!strcmp(key, "reported"))
		s.reported = (uint64_t)n;
	else if (!strcmp(key, "bytes"))
		fill_route(&s.route[1], (uint64_t)n, VERDICT_REWRITTEN);
	else if (!strcmp(key, "observe"))
		s.observe = n != 0;
	else if (!strcmp(key, "calls"))
		s.route[1].calls_avoided = n;
	else if (!strcmp(key, "limit"))
		s.route[1].verdict[VERDICT_LIMIT] = (uint64_t)n;
	else if (!strcmp(key, "offset"))
		s.site[0].frame[0].offset = (uint64_t)n;
	else if (!strcmp(key, "layout"))
		s.layout = (unsigned)n;
	else if (!strcmp(key, "started"))
		s.started = (uint64_t)n;
	else if (!strcmp(key, "hostile"))
		poison();
	else
		exit(2);
}

static void set(char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		exit(2);
	*value++ = '\0';
	if (!strcmp(word, "program"))
		snprintf(s.program, sizeof(s.program), "%s", value);
	else if (!strcmp(word, "symbol"))
		snprintf(s.site[0].frame[0].symbol, STATS_SYMBOL, "%s", value);
	else if (!strcmp(word, "example"))
		snprintf(s.route[1].example_source, STATS_PATH, "%s", value);
	else if (!strcmp(word, "module"))
		snprintf(s.module[0], STATS_PATH, "%s", value);
	else
		set_number(word, strtoll(value, NULL, 0));
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 2;
	fill();
	for (int i = 2; i < argc; i++)
		set(argv[i]);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	return fd < 0 || write(fd, &s, sizeof(s)) != (ssize_t)sizeof(s);
}
