/* SPDX-License-Identifier: MIT */
/* test_report.c - the report as text and as JSON, of honest counters and of hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "format.h"
#include "report.h"

static struct {
	char *text;
	size_t length, room;
} got;

static void take(void *context, const char *text, size_t length)
{
	assert_ptr_equal(context, &got);
	if (got.length + length + 1 > got.room) {
		got.room = 2 * (got.length + length + 1);
		got.text = realloc(got.text, got.room);
	}
	memcpy(got.text + got.length, text, length);
	got.length += length;
	got.text[got.length] = '\0';
}

static const char *text_of(const struct stats *const *process, size_t count,
			   const struct report_options *options)
{
	got.length = 0;
	report_text(process, count, options, take, &got);
	return got.text;
}

static const char *json_of(const struct stats *s, const struct report_options *options)
{
	got.length = 0;
	report_json(s, options, take, &got);
	return got.text;
}

/* Exactly as large as it must be, so that a sanitizer sees the first byte too many. */
static struct stats *make_stats(void)
{
	struct stats *s = calloc(1, sizeof(*s));

	memcpy(s->magic, STATS_MAGIC, sizeof(s->magic));
	s->layout = STATS_LAYOUT;
	s->size = sizeof(*s);
	s->ended = STATS_EXIT;
	s->pid = s->root = 4711;
	s->parent = 1;
	s->started = 1738367999123000000u; /* 2025-01-31T23:59:59.123Z */
	s->finished = s->started + 62449000000u;
	s->feature_lease = s->feature_guard = 1;
	strcpy(s->version, "0.1");
	strcpy(s->program, "nginx");
	strcpy(s->host, "box");
	memcpy(s->argv, "nginx\0-c\0a \"b\"\n", 16);
	s->argv_length = 16;
	strcpy(s->settings, "mode:rewrite,report:/a:b\\,c\\\\,only:");
	s->module_count = 2;
	strcpy(s->module[0], "/usr/sbin/nginx");
	strcpy(s->module[1], "/usr/lib/libz.so.1");
	return s;
}

static void add_site(struct stats *s, int i, const char *symbol, uint64_t offset, uint32_t module)
{
	struct stats_site *site = &s->site[i];

	site->state = 2;
	site->frame_count = 1;
	site->frame[0].offset = 0x1000 + offset;
	site->frame[0].symbol_offset = offset;
	site->frame[0].module = module;
	strcpy(site->frame[0].symbol, symbol);
}

static struct stats_route *add_route(struct stats *s, int i, enum stats_kind source,
				     enum stats_engine engine, uint64_t bytes, uint64_t rewritten)
{
	struct stats_route *r = &s->route[i];

	r->state = 2;
	r->source = (uint8_t)source;
	r->sink = STATS_KIND_TCP;
	r->engine = (uint8_t)engine;
	r->read_site = r->write_site = -1;
	r->bytes = bytes;
	r->bytes_rewritten = rewritten;
	r->chunks = bytes / 65536;
	r->chunks_rewritten = rewritten / 65536;
	r->verdict[VERDICT_REWRITTEN] = r->chunks_rewritten;
	return r;
}

static struct stats *sample(void)
{
	struct stats *s = make_stats();
	struct stats_route *r;

	add_site(s, 0, "serve_file", 0x4e, 0);
	add_site(s, 1, "serve_file", 0x91, 0);
	add_site(s, 2, "", 0x234, 1);
	r = add_route(s, 1, STATS_KIND_FILE, STATS_ENGINE_SENDFILE, 9771050598u, 9751050598u);
	r->read_site = 0;
	r->write_site = 1;
	r->copies_avoided = 19502101196;
	r->calls_avoided = 148000;
	r->verdict[VERDICT_TOO_SMALL] = 12;
	r->verdict[VERDICT_LOOKED_AT] = 300;
	strcpy(r->example_source, "/srv/www/a.iso");
	strcpy(r->example_sink, "127.0.0.1:4242");
	r = add_route(s, 0, STATS_KIND_FILE, STATS_ENGINE_NONE, 3145728, 0);
	r->read_site = 2;
	r->looks = 48;
	r->verdict[VERDICT_LOOKED_AT] = 48;
	return s;
}

static void test_text(void **state)
{
	struct stats *s = sample();

	assert_string_equal(
		text_of((const struct stats *[]){ s }, 1, NULL),
		"shunt 0.1: nginx[4711] 62.4 s, 9.1 GiB seen, 9.1 GiB (99.7 %) without a copy\n"
		"   bytes   chunks  rewritten  engine    source -> sink  why not    "
		"read at -> written at\n"
		" 9.1 GiB  149 094     99.7 %  sendfile  file -> tcp     looked-at  "
		"serve_file+0x4e -> serve_file+0x91\n"
		" 3.0 MiB       48        0 %  -         file -> tcp     looked-at  "
		"libz.so.1+0x1234 -> ...\n"
		"saved: 18.2 GiB of copies, 148 000 system calls, 296 000 user/kernel switches\n"
		"not rewritten: looked-at 348, too-small 12\n");
	free(s);
}

static bool line_of(void *context, const struct stats *s, const struct stats_frame *f, char *file,
		    size_t file_size, unsigned *line)
{
	assert_ptr_equal(context, s);
	if (strcmp(f->symbol, "serve_file") != 0)
		return false;
	snprintf(file, file_size, "/src/srv.c");
	*line = 212;
	return true;
}

static void test_lines_and_color(void **state)
{
	struct stats *s = sample();
	struct report_options options = { .color = true, .line = line_of, .line_context = s };
	const char *text = text_of((const struct stats *[]){ s }, 1, &options);

	assert_non_null(strstr(text, "serve_file+0x4e (srv.c:212) -> serve_file+0x91 (srv.c:212)\n"));
	assert_non_null(strstr(text, "libz.so.1+0x1234 -> ...\n"));
	assert_int_equal(text[0], '\033');
	options.color = false;
	assert_null(strchr(text_of((const struct stats *[]){ s }, 1, &options), '\033'));
	free(s);
}

static void test_all_rewritten(void **state)
{
	struct stats *s = make_stats();
	struct stats_route *r = add_route(s, 0, STATS_KIND_FILE, STATS_ENGINE_SENDFILE, 131072, 131072);

	r->copies_avoided = 262144;
	r->calls_avoided = 1;
	assert_string_equal(text_of((const struct stats *[]){ s }, 1, NULL),
			    "shunt 0.1: nginx[4711] 62.4 s, 128.0 KiB seen, 128.0 KiB (100 %) "
			    "without a copy\n"
			    "     bytes  chunks  rewritten  engine    source -> sink  why not  "
			    "read at -> written at\n"
			    " 128.0 KiB       2      100 %  sendfile  file -> tcp     -        "
			    "... -> ...\n"
			    "saved: 256.0 KiB of copies, 1 system call, 2 user/kernel switches\n");
	free(s);
}

static void test_observe(void **state)
{
	struct stats *s = sample();
	const char *text;

	s->observe = 1;
	text = text_of((const struct stats *[]){ s }, 1, NULL);
	assert_non_null(strstr(text, "(99.7 %) would go without a copy\n"));
	assert_non_null(strstr(text, "   chunks  would be  engine  "));
	assert_null(strstr(text, "saved")); /* it is not counted then */
	assert_non_null(strstr(text, "\nwould not be rewritten: looked-at 348"));
	assert_null(strstr(text, "  rewritten"));
	free(s);
}

static void test_negative_savings(void **state)
{
	struct stats *s = sample();

	s->route[1].copies_avoided = -4096;
	s->route[1].calls_avoided = -3;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       "\nsaved: 4.0 KiB more were copied, 3 more system calls made, "
			       "6 more user/kernel switches\n"));
	assert_non_null(strstr(json_of(s, NULL), "\"copies_avoided_bytes\":-4096,"
						 "\"syscalls_avoided\":-3,\"switches_avoided\":-6,"));
	s->route[1].copies_avoided = s->route[1].calls_avoided = 0;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       "\nsaved: no copies, 0 system calls, 0 user/kernel switches\n"));
	free(s);
}

static void test_nothing(void **state)
{
	struct stats *s = make_stats();

	s->route[0].state = 2; /* made ready, never counted in */
	assert_string_equal(text_of((const struct stats *[]){ s }, 1, NULL),
			    "shunt 0.1: nginx[4711] 62.4 s, nothing found: no bytes went from one "
			    "descriptor to another by way of a buffer\n");
	s->native_bytes = 3u << 20;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       "\nsent by the program itself with sendfile or splice: 3.0 MiB\n"));
	free(s);
}

static void test_settled(void **state)
{
	struct stats *s = sample();

	s->age_granted = 3;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       "\nfiles taken as settled: 0 by a lease, 3 by their age alone\n"));
	assert_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL), "broken"));
	s->leases_broken = 2;
	s->lease_in_flight = 1024;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       "\nleases broken by writers: 2, with 1.0 KiB on the way to peers\n"));
	s->leases_lost = 1;
	assert_non_null(strstr(text_of((const struct stats *[]){ s }, 1, NULL),
			       " to peers; 1 ended by the kernel, after the file was changed\n"));
	free(s);
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Indices differ between processes, and so do addresses; the module and the place in it do not. */
static void test_family(void **state)
{
	struct stats *a = sample(), *b = sample();
	const char *text;

	strcpy(b->program, "worker");
	strcpy(b->module[0], "/usr/lib/libz.so.1");
	strcpy(b->module[1], "/usr/sbin/nginx");
	add_site(b, 7, "serve_file", 0x4e, 1);
	add_site(b, 8, "serve_file", 0x91, 1);
	add_site(b, 2, "", 0x234, 0);
	b->route[1].read_site = 7;
	b->route[1].write_site = 8;
	text = text_of((const struct stats *[]){ a, b }, 2, NULL);
	assert_memory_equal(text, "shunt 0.1: nginx[4711] 62.4 s, 18.2 GiB seen", 44);
	assert_int_equal(count_of(text, "file -> tcp"), 2);
	assert_non_null(strstr(text, " 18.2 GiB  298 188     99.7 %  sendfile"));
	assert_non_null(strstr(text, " 6.0 MiB       96 "));
	assert_non_null(strstr(text, "looked-at 696, too-small 24\n"));
	/* the same offset in another module is other code */
	strcpy(b->module[1], "/usr/sbin/other");
	assert_int_equal(count_of(text_of((const struct stats *[]){ a, b }, 2, NULL), "file -> tcp"),
			 3);
	free(a);
	free(b);
}

static void test_rows_and_order(void **state)
{
	struct stats *s = make_stats();
	struct report_options options = { .rows = 2, .sort = REPORT_BY_LOOKS };
	const char *text;

	for (int i = 0; i < 30; i++) {
		add_site(s, i, "f", (uint64_t)i, 0);
		add_route(s, i, STATS_KIND_FILE, 0, (uint64_t)(i + 1) << 20, 0)->read_site = i;
		s->route[i].looks = (uint64_t)(100 - i);
	}
	text = text_of((const struct stats *[]){ s }, 1, NULL);
	assert_int_equal(count_of(text, "file -> tcp"), 20);
	assert_non_null(strstr(text, "\n and 10 more\nsaved"));
	assert_true(strstr(text, " 30.0 MiB") < strstr(text, " 29.0 MiB"));
	assert_null(strstr(text, " 10.0 MiB"));
	text = text_of((const struct stats *[]){ s }, 1, &options);
	assert_non_null(strstr(text, "\n and 28 more\n"));
	assert_true(strstr(text, "  1.0 MiB") < strstr(text, " 2.0 MiB"));
	assert_non_null(strstr(text, " 2.0 MiB"));
	free(s);
}

static void test_ended_unseen(void **state)
{
	struct stats *s = sample();

	s->ended = STATS_RUNNING;
	s->finished = 0;
	s->pid = 0x7ffffffe; /* above pid_max */
	assert_memory_equal(text_of((const struct stats *[]){ s }, 1, NULL),
			    "shunt 0.1: nginx[2147483646] ended unseen, ", 43);
	assert_non_null(strstr(json_of(s, NULL), "\"seconds\":null,\"ended\":\"unknown\""));
	s->pid = getpid();
	assert_non_null(strstr(json_of(s, NULL), "\"ended\":\"running\""));
	s->start_ticks = 1; /* then the number has come again */
	assert_non_null(strstr(json_of(s, NULL), "\"ended\":\"unknown\""));
	free(s);
}

static void test_json(void **state)
{
	struct stats *s = sample();
	struct report_options options = { .line = line_of, .line_context = s };

	s->route[0].state = 1; /* being written */
	s->ended = STATS_SIGNAL;
	s->signal = 15;
	s->native_bytes = 7;
	assert_string_equal(
		json_of(s, &options),
		"{\"schema\":1,\"tool\":\"shunt\",\"version\":\"0.1\",\"host\":\"box\",\"pid\":4711,"
		"\"parent\":1,\"root\":4711,\"program\":\"nginx\","
		"\"argv\":[\"nginx\",\"-c\",\"a \\\"b\\\"\\n\"],"
		"\"started\":\"2025-01-31T23:59:59.123Z\",\"seconds\":62.449,\"ended\":\"signal\","
		"\"signal\":15,\"observe\":false,"
		"\"settings\":{\"mode\":\"rewrite\",\"report\":\"/a:b,c\\\\\",\"only\":\"\"},"
		"\"features\":{\"guard\":true,\"lease\":true,\"procmap_query\":false},"
		"\"totals\":{\"bytes\":9771050598,\"bytes_rewritten\":9751050598,\"chunks\":149094,"
		"\"chunks_rewritten\":148789,\"copies_avoided_bytes\":19502101196,"
		"\"syscalls_avoided\":148000,\"switches_avoided\":296000,\"looks\":0,"
		"\"native_bytes\":7,\"fills\":0,\"arms\":0,\"lease_granted\":0,\"age_granted\":0,"
		"\"leases_broken\":0,\"leases_lost\":0,\"lease_in_flight\":0,"
		"\"routes_lost\":0},"
		"\"routes\":[{\"source\":\"file\",\"sink\":\"tcp\",\"engine\":\"sendfile\","
		"\"bytes\":9771050598,\"bytes_rewritten\":9751050598,\"chunks\":149094,"
		"\"chunks_rewritten\":148789,\"looks\":0,\"copies_avoided_bytes\":19502101196,"
		"\"syscalls_avoided\":148000,\"verdicts\":{\"looked-at\":300,\"too-small\":12},"
		"\"read_site\":{\"symbol\":\"serve_file\",\"offset\":78,\"module\":\"/usr/sbin/nginx\","
		"\"module_offset\":4174,\"file\":\"/src/srv.c\",\"line\":212,"
		"\"frames\":[\"serve_file+0x4e\"]},"
		"\"write_site\":{\"symbol\":\"serve_file\",\"offset\":145,"
		"\"module\":\"/usr/sbin/nginx\",\"module_offset\":4241,\"file\":\"/src/srv.c\","
		"\"line\":212,\"frames\":[\"serve_file+0x91\"]},"
		"\"example\":{\"source\":\"/srv/www/a.iso\",\"sink\":\"127.0.0.1:4242\"}}],"
		"\"verdicts\":{\"looked-at\":300,\"too-small\":12}}\n");
	s->route[1].read_site = s->route[1].write_site = -1;
	assert_non_null(strstr(json_of(s, NULL), "\"read_site\":null,\"write_site\":null,"));
	free(s);
}

static void test_valid(void **state)
{
	struct stats *s = sample();
	void *few;

	assert_true(report_valid(s, sizeof(*s)));
	assert_false(report_valid(s, sizeof(*s) - 1));
	s->size--;
	assert_false(report_valid(s, sizeof(*s)));
	s->size++;
	s->layout++;
	assert_false(report_valid(s, sizeof(*s)));
	s->layout--;
	s->magic[3] ^= 1;
	assert_false(report_valid(s, sizeof(*s)));
	free(s);
	/* a file of a few bytes must not be read beyond its end */
	few = malloc(4);
	assert_false(report_valid(few, 4));
	free(few);
}

/* Every line must be an object that a strict reader takes. */
static FILE *start_reader(void)
{
	if (system("python3 -c pass 2>/dev/null") != 0)
		skip();
	return popen("python3 -c '\n"
		     "import json, sys\n"
		     "def no(word): raise ValueError(word)\n"
		     "for line in sys.stdin.buffer:\n"
		     "    d = json.loads(line.decode(\"utf-8\"), parse_constant=no)\n"
		     "    assert d[\"schema\"] == 1 and d[\"tool\"] == \"shunt\"\n"
		     "    assert isinstance(d[\"argv\"], list)\n"
		     "    assert isinstance(d[\"routes\"], list)\n"
		     "'",
		     "w");
}

static void assert_harmless(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		assert_true(*c >= 0x20 || *c == '\n');
		assert_int_not_equal(*c, 0x7f);
		assert_false(c[0] == 0xc2 && c[1] < 0xa0);
	}
}

static uint64_t chaos = 88172645463325252u;

static uint64_t next_random(void)
{
	chaos ^= chaos << 13;
	chaos ^= chaos >> 7;
	chaos ^= chaos << 17;
	return chaos;
}

static struct stats *random_stats(void)
{
	struct stats *s = malloc(sizeof(*s));
	unsigned char *bytes = (unsigned char *)s;

	for (size_t i = 0; i < sizeof(*s); i++)
		bytes[i] = (unsigned char)(next_random() >> 24);
	memcpy(s->magic, STATS_MAGIC, sizeof(s->magic));
	s->layout = STATS_LAYOUT;
	s->size = sizeof(*s);
	s->pid &= 0x7fffffff;
	for (int i = 0; i < STATS_SITES; i++)
		s->site[i].state = next_random() % 4;
	for (int i = 0; i < STATS_ROUTES; i++) {
		s->route[i].state = next_random() % 4;
		if (next_random() % 2)
			s->route[i].read_site = (int)(next_random() % (STATS_SITES + 2)) - 1;
		if (next_random() % 2)
			s->route[i].write_site = (int)(next_random() % (STATS_SITES + 2)) - 1;
	}
	return s;
}

static void test_hostile(void **state)
{
	FILE *reader = start_reader();
	struct report_options options = { .rows = 1000 };

	for (int i = 0; i < 60; i++) {
		struct stats *a = random_stats(), *b = random_stats();

		options.sort = i % 6 - 1;
		assert_true(report_valid(a, sizeof(*a)));
		assert_harmless(text_of((const struct stats *[]){ a, b }, 2, &options));
		json_of(a, &options);
		assert_int_equal(count_of(got.text, "\n"), 1);
		fwrite(got.text, 1, got.length, reader);
		free(a);
		free(b);
	}
	assert_int_equal(pclose(reader), 0);
}

/* Extremes that chance does not find. */
static void test_hostile_edges(void **state)
{
	FILE *reader = start_reader();
	struct stats *s = sample();

	memset(s->version, 'v', sizeof(s->version));
	memset(s->program, 0xff, sizeof(s->program));
	memset(s->host, '"', sizeof(s->host));
	memset(s->argv, 'a', sizeof(s->argv));
	memset(s->settings, ',', sizeof(s->settings));
	memset(s->module, '/', sizeof(s->module));
	memset(s->route[1].example_source, '\\', STATS_PATH);
	memset(s->route[1].example_sink, '\n', sizeof(s->route[1].example_sink));
	memset(s->site[0].frame[0].symbol, '\033', STATS_SYMBOL);
	s->argv_length = UINT32_MAX;
	s->module_count = UINT32_MAX;
	s->site[0].frame_count = UINT32_MAX;
	s->site[1].frame_count = 0;
	s->site[2].frame[0].module = UINT32_MAX;
	s->route[1].engine = s->route[1].source = s->route[1].sink = 255;
	s->route[1].copies_avoided = s->route[1].calls_avoided = INT64_MIN;
	s->route[0].copies_avoided = s->route[0].calls_avoided = INT64_MIN;
	s->route[0].bytes = s->route[1].bytes = UINT64_MAX;
	s->route[0].bytes_rewritten = UINT64_MAX;
	s->route[0].read_site = INT32_MIN;
	s->route[0].write_site = INT32_MAX;
	s->ended = 99;
	s->started = UINT64_MAX;
	s->finished = 1;
	assert_harmless(text_of((const struct stats *[]){ s }, 1, NULL));
	json_of(s, NULL);
	fwrite(got.text, 1, got.length, reader);
	/* all rows of all kinds, more than the walk has places for */
	for (int i = 0; i < STATS_ROUTES; i++) {
		s->route[i].state = 2;
		s->route[i].bytes = (uint64_t)i + 1;
		s->route[i].source = (uint8_t)i;
	}
	json_of(s, NULL);
	assert_int_equal(count_of(got.text, "\"example\""), STATS_ROUTES);
	fwrite(got.text, 1, got.length, reader);
	assert_int_equal(pclose(reader), 0);
	free(s);
}

/* What does not fit into the walk's rows is still in the sums. */
static void test_many_processes(void **state)
{
	enum { PROCESSES = 6 };
	struct stats *s[PROCESSES];
	const char *text;

	for (int p = 0; p < PROCESSES; p++) {
		s[p] = make_stats();
		snprintf(s[p]->module[0], STATS_PATH, "/module/%d", p);
		for (int i = 0; i < STATS_ROUTES; i++) {
			add_site(s[p], i, "", (uint64_t)i, 0);
			add_route(s[p], i, STATS_KIND_FILE, 0, 1 << 20, 0)->read_site = i;
		}
	}
	text = text_of((const struct stats *const *)s, PROCESSES, NULL);
	assert_non_null(strstr(text, " 768.0 MiB seen"));
	assert_non_null(strstr(text, "\n and 492 more\n"));
	for (int p = 0; p < PROCESSES; p++)
		free(s[p]);
}

static const char *formatted(void (*write)(struct format *, uint64_t), uint64_t n)
{
	static char buf[64];
	struct format f = format_into(buf, sizeof(buf));

	write(&f, n);
	return buf;
}

static void test_numbers(void **state)
{
	char buf[8];
	struct format f;

	assert_string_equal(formatted(format_size, 0), "0 B");
	assert_string_equal(formatted(format_size, 1023), "1023 B");
	assert_string_equal(formatted(format_size, 1024), "1.0 KiB");
	assert_string_equal(formatted(format_size, 1048575), "1.0 MiB");
	assert_string_equal(formatted(format_size, 1048576), "1.0 MiB");
	assert_string_equal(formatted(format_size, 1500), "1.5 KiB");
	assert_string_equal(formatted(format_size, (1u << 30) - 1), "1.0 GiB");
	assert_string_equal(formatted(format_size, UINT64_MAX), "16.0 EiB");
	assert_string_equal(formatted(format_grouped, 0), "0");
	assert_string_equal(formatted(format_grouped, 999), "999");
	assert_string_equal(formatted(format_grouped, 1000), "1 000");
	assert_string_equal(formatted(format_grouped, UINT64_MAX), "18 446 744 073 709 551 615");
	assert_string_equal(formatted(format_hex, 0), "0x0");
	assert_string_equal(formatted(format_hex, 0xabc0), "0xabc0");
	assert_string_equal(formatted(format_hex, UINT64_MAX), "0xffffffffffffffff");
	assert_string_equal(formatted(format_time, 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(formatted(format_time, 951782400000000000u), "2000-02-29T00:00:00.000Z");
	assert_string_equal(formatted(format_time, 4107542399999000000u), "2100-02-28T23:59:59.999Z");
	f = format_into(buf, sizeof(buf));
	format_i64(&f, INT64_MIN);
	assert_string_equal(buf, "-922337"); /* cut off, ended by a NUL */
}

static void test_percent(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *text;
	} row[] = { { 0, 0, "0 %" },	     { 0, 5, "0 %" },	    { 5, 5, "100 %" },
		    { 9999999, 10000000, "99.9 %" },		    { 1, 100000, "0.0 %" },
		    { 1, 100, "1.0 %" },     { 7, 5, "100 %" },
		    { UINT64_MAX / 2, UINT64_MAX, "49.9 %" } };
	char buf[32];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct format f = format_into(buf, sizeof(buf));

		format_percent(&f, row[i].part, row[i].whole);
		assert_string_equal(buf, row[i].text);
	}
}

static void test_strings(void **state)
{
	char buf[64];
	struct format f = format_into(buf, sizeof(buf));

	format_json(&f, "a\"\\\x01\xc3\xa4\xff\xe2\x82", 64);
	assert_string_equal(buf, "\"a\\\"\\\\\\u0001\xc3\xa4\\ufffd\\ufffd\\ufffd\"");
	f = format_into(buf, sizeof(buf));
	format_json(&f, "\xed\xa0\x80\xc0\xaf", 64); /* a surrogate, an overlong slash */
	assert_string_equal(buf, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
	f = format_into(buf, sizeof(buf));
	format_safe(&f, "a\033[2J\xc3\xa4\xc2\x9b\xff", 64);
	assert_string_equal(buf, "a?[2J\xc3\xa4??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_lines_and_color),
		cmocka_unit_test(test_all_rewritten),
		cmocka_unit_test(test_observe),
		cmocka_unit_test(test_negative_savings),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_rows_and_order),
		cmocka_unit_test(test_ended_unseen),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_edges),
		cmocka_unit_test(test_many_processes),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
