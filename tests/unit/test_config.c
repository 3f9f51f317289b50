/* SPDX-License-Identifier: MIT */
/* test_config.c - the settings: table, parser, complaints, dump, globs. Links config.c alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

/* The last complaint, and how many there were. */
struct heard {
	int count;
	char last[2048];
};

static void hear(void *context, const char *text)
{
	struct heard *h = context;

	h->count++;
	snprintf(h->last, sizeof(h->last), "%s", text);
}

static struct config fresh(void)
{
	struct config c;

	memset(&c, 0x5a, sizeof(c)); /* nothing may be left of what was there */
	config_defaults(&c);
	return c;
}

static void test_defaults(void **state)
{
	struct config c = fresh();
	unsigned i;

	assert_int_equal(c.mode, MODE_REWRITE);
	assert_int_equal(c.source, SOURCE_SETTLED);
	assert_string_equal(c.report, "");
	assert_int_equal(c.format, FORMAT_TEXT);
	assert_int_equal(c.min, 0);
	assert_int_equal(c.learn, 3);
	assert_int_equal(c.engines, ENGINE_SENDFILE | ENGINE_SPLICE | ENGINE_MAPPED);
	assert_int_equal(c.pipes, 64);
	assert_int_equal(c.landings, 1024);
	assert_int_equal(c.guard, TRI_AUTO);
	assert_false(c.stack);
	assert_true(c.children);
	assert_string_equal(c.only, "");
	assert_string_equal(c.skip, "");
	assert_string_equal(c.stats, "");
	assert_false(c.confirm);
	assert_false(c.strict);
	for (i = 0; i < CONFIG_KEYS; i++)
		assert_int_equal(c.origin[i], ORIGIN_DEFAULT);
}

/* Every default is a value that the parser accepts, and every row is filled in. */
static void test_table(void **state)
{
	unsigned i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		const struct config_option *o = config_option(i);
		struct config c = fresh();
		struct heard h = {0};
		char words[128];

		assert_non_null(o);
		assert_non_null(o->key);
		assert_true(strlen(o->help) > 0 && strlen(o->values) > 0);
		assert_true(o->offset + o->size <= sizeof(struct config));
		snprintf(words, sizeof(words), "%s:%s", o->key, o->fallback);
		assert_int_equal(config_parse(&c, words, ORIGIN_VARIABLE, hear, &h), 0);
		assert_int_equal(c.origin[i], ORIGIN_VARIABLE);
	}
	assert_null(config_option(CONFIG_KEYS));
}

static void test_words(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	assert_int_equal(config_parse(&c,
				      "mode:observe,source:trust,format:json,guard:off,"
				      "children:none,confirm:true,strict:true,stack:off",
				      ORIGIN_VARIABLE, hear, &h),
			 0);
	assert_int_equal(h.count, 0);
	assert_int_equal(c.mode, MODE_OBSERVE);
	assert_int_equal(c.source, SOURCE_TRUST);
	assert_int_equal(c.format, FORMAT_JSON);
	assert_int_equal(c.guard, TRI_OFF);
	assert_false(c.children);
	assert_true(c.confirm);
	assert_true(c.strict);
	config_parse(&c, "mode:off,children:follow", ORIGIN_COMMAND, hear, &h);
	assert_int_equal(c.mode, MODE_OFF);
	assert_true(c.children);
	assert_int_equal(c.origin[KEY_MODE], ORIGIN_COMMAND);
	assert_int_equal(c.origin[KEY_SOURCE], ORIGIN_VARIABLE);
}

/* A word must be whole: neither a part of one, nor more than one. */
static void test_words_are_whole(void **state)
{
	static const char *const wrong[] = {
		"mode:",
		"mode:obs",
		"mode:observe2",
		"mode:observe rewrite",
		"mode:OBSERVE",
		"mode:observe:off",
		"stack:true",
		"confirm:on",
		"engines:",
		"engines:sendfile+",
		"engines:+sendfile",
		"engines:sendfile++splice",
		"engines:sendfile splice",
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct config c = fresh(), before = fresh();
		struct heard h = {0};

		assert_int_equal(config_parse(&c, wrong[i], ORIGIN_VARIABLE, hear, &h), 1);
		assert_int_equal(h.count, 1);
		assert_memory_equal(&c, &before, sizeof(c));
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *words;
		size_t min;
	} right[] = {
		{"min:1", 1},
		{"min:4096", 4096},
		{"min:16k", 16384},
		{"min:16K", 16384},
		{"min:2m", 2097152},
		{"min:1M", 1048576},
		{"min:1024m", 1u << 30},
		{"min:auto", 0},
	};
	static const char *const wrong[] = {
		"min:",
		"min:k",
		"min:0",
		"min:0k",
		"min:-1",
		"min:1g",
		"min:1kb",
		"min:1 k",
		"min:1.5k",
		"min:0x10",
		"min:1025m",
		"min:99999999999999999999",
		"min:18446744073709551617",
		"min:autok",
	};
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct config c = fresh();

		c.min = 7;
		assert_int_equal(config_parse(&c, right[i].words, ORIGIN_FILE, NULL, NULL), 0);
		assert_int_equal(c.min, right[i].min);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct config c = fresh();

		c.min = 7;
		assert_int_equal(config_parse(&c, wrong[i], ORIGIN_FILE, NULL, NULL), 1);
		assert_int_equal(c.min, 7);
	}
}

static void test_numbers(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	assert_int_equal(config_parse(&c, "learn:1,pipes:0,landings:65536", ORIGIN_FILE, hear, &h),
			 0);
	assert_int_equal(c.learn, 1);
	assert_int_equal(c.pipes, 0);
	assert_int_equal(c.landings, 65536);
	assert_int_equal(config_parse(&c, "learn:0,pipes:1k,landings:65537,learn:4294967297",
				      ORIGIN_FILE, hear, &h),
			 4);
	assert_int_equal(c.learn, 1);
	assert_int_equal(c.pipes, 0);
	assert_int_equal(c.landings, 65536);
	assert_non_null(strstr(h.last, "from 1 to 1000000"));
}

static void test_engines(void **state)
{
	struct config c = fresh();

	assert_int_equal(config_parse(&c, "engines:mapped", ORIGIN_FILE, NULL, NULL), 0);
	assert_int_equal(c.engines, ENGINE_MAPPED);
	assert_int_equal(config_parse(&c, "engines:splice+sendfile", ORIGIN_FILE, NULL, NULL), 0);
	assert_int_equal(c.engines, ENGINE_SENDFILE | ENGINE_SPLICE);
	assert_int_equal(config_parse(&c, "engines:batch+mapped+nope", ORIGIN_FILE, NULL, NULL), 1);
	assert_int_equal(c.engines, ENGINE_SENDFILE | ENGINE_SPLICE);
}

/* One line, with the accepted words, where it came from, and what was kept. */
static void test_complaints(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	assert_int_equal(config_parse(&c, "mode:fast", ORIGIN_VARIABLE, hear, &h), 1);
	assert_string_equal(h.last,
			    "SHUNT_CONF: mode:fast: accepted: observe, rewrite, batch, off; "
			    "kept rewrite");
	assert_int_equal(config_parse(&c, "mdoe:off", ORIGIN_COMMAND, hear, &h), 1);
	assert_non_null(strstr(h.last, "command line: mdoe: no such setting"));
	assert_non_null(strstr(h.last, "strict"));
	assert_int_equal(config_parse(&c, "observe", ORIGIN_FILE, hear, &h), 1);
	assert_non_null(strstr(h.last, "shunt.conf: observe: settings are written key:value"));
	assert_int_equal(h.count, 3);
	assert_int_equal(config_parse(&c, "a\033[31m\n:b", ORIGIN_VARIABLE, hear, &h), 1);
	assert_null(strchr(h.last, '\033'));
	assert_null(strchr(h.last, '\n'));
}

/* A word that is known and not built is told as that, and what was stays. */
static void test_later(void **state)
{
	unsigned i, found = 0;

	for (i = 0; i < CONFIG_KEYS; i++) {
		const struct config_option *o = config_option(i);
		struct config c = fresh(), before = fresh();
		struct heard h = {0};
		char words[64];

		if (!o->later[0])
			continue;
		snprintf(words, sizeof(words), "%s:%.*s", o->key, (int)strcspn(o->later, ","),
			 o->later);
		assert_int_equal(config_parse(&c, words, ORIGIN_VARIABLE, hear, &h), 1);
		assert_non_null(strstr(h.last, "not in this version"));
		assert_memory_equal(&c, &before, sizeof(c));
		found++;
	}
	if (found == 0)
		skip();
}

static void test_good_words_beside_bad(void **state)
{
	struct config c = fresh();

	assert_int_equal(
		config_parse(&c, ",,learn:9,:,mode:x, pipes : 5 ,", ORIGIN_VARIABLE, NULL, NULL),
		2);
	assert_int_equal(c.learn, 9);
	assert_int_equal(c.pipes, 5);
	assert_int_equal(c.mode, MODE_REWRITE);
}

static void test_file(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	assert_int_equal(config_parse(&c,
				      "# all of it\nmode:observe # and why\r\n\n\tlearn : 5\n"
				      "report:/tmp/a#b\npipes:1,landings:2\n#mode:off",
				      ORIGIN_FILE, hear, &h),
			 0);
	assert_int_equal(c.mode, MODE_OBSERVE);
	assert_int_equal(c.learn, 5);
	assert_string_equal(c.report, "/tmp/a#b");
	assert_int_equal(c.pipes, 1);
	assert_int_equal(c.landings, 2);
	assert_int_equal(c.origin[KEY_LEARN], ORIGIN_FILE);
	/* in the variable, # is a letter like others */
	assert_int_equal(config_parse(&c, "report:/tmp/x #y", ORIGIN_VARIABLE, hear, &h), 0);
	assert_string_equal(c.report, "/tmp/x #y");
}

static void test_escapes(void **state)
{
	struct config c = fresh();

	assert_int_equal(
		config_parse(&c, "report:/a\\,b\\\\c:d,learn:8", ORIGIN_VARIABLE, NULL, NULL), 0);
	assert_string_equal(c.report, "/a,b\\c:d");
	assert_int_equal(c.learn, 8);
	config_parse(&c, "report:/x\\", ORIGIN_VARIABLE, NULL, NULL);
	assert_string_equal(c.report, "/x\\");
}

static void test_long_text(void **state)
{
	char words[700] = "report:";
	struct config c = fresh();
	size_t n = strlen(words), room = sizeof(c.report) - 1;

	memset(words + n, 'x', room);
	assert_int_equal(config_parse(&c, words, ORIGIN_VARIABLE, NULL, NULL), 0);
	assert_int_equal(strlen(c.report), room);
	assert_string_equal((char *)c.report + room, "");
	c = fresh();
	words[n + room] = 'x';
	assert_int_equal(config_parse(&c, words, ORIGIN_VARIABLE, NULL, NULL), 1);
	assert_string_equal(c.report, "");
	assert_int_equal(c.format, FORMAT_TEXT);
}

/* From where it is relative nobody would know: the process may be anywhere. */
static void test_relative_directory(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	assert_int_equal(config_parse(&c, "stats:/a,stats:b", ORIGIN_VARIABLE, hear, &h), 1);
	assert_string_equal(c.stats, "/a");
	assert_string_equal(h.last, "SHUNT_CONF: stats:b: accepted: an absolute path, shorter than "
				    "256 bytes; kept /a");
	assert_int_equal(config_parse(&c, "stats:", ORIGIN_VARIABLE, hear, &h), 0);
	assert_string_equal(c.stats, "");
}

static void test_dump(void **state)
{
	struct config c = fresh();
	char buf[4096];
	size_t n;

	assert_int_equal(config_dump(&c, buf, sizeof(buf), true), 0);
	assert_string_equal(buf, "");
	config_parse(&c, "min:1m,stack:off,engines:batch+splice,only:a+b", ORIGIN_FILE, NULL, NULL);
	n = config_dump(&c, buf, sizeof(buf), true);
	assert_int_equal(n, strlen(buf));
	assert_string_equal(buf, "min:1m,engines:splice+batch,stack:off,only:a+b");
	n = config_dump(&c, buf, sizeof(buf), false);
	assert_int_equal(n, strlen(buf));
	assert_string_equal(buf,
			    "mode:rewrite,source:settled,report:,format:text,min:1m,learn:3,"
			    "engines:splice+batch,pipes:64,landings:1024,guard:auto,stack:off,"
			    "children:follow,only:a+b,skip:,stats:,confirm:false,strict:false");
}

/* What is dumped and read again is the same, whatever is in it. */
static void test_round_trip(void **state)
{
	static const char *const words[] = {
		"",
		"mode:observe,source:trust,report:stderr,format:json,min:12345,learn:7",
		"report:/a\\,b\\\\,only:x\\,y+[a-z]*,skip:*\\\\",
		"min:auto,stats:/run/x y",
		"engines:sendfile,pipes:0,landings:1,guard:off,children:none",
		"confirm:true,strict:true",
		"min:1023k,min:1048577",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct config c = fresh(), again = fresh();
		char buf[4096];

		assert_int_equal(config_parse(&c, words[i], ORIGIN_VARIABLE, NULL, NULL), 0);
		config_dump(&c, buf, sizeof(buf), false);
		assert_int_equal(config_parse(&again, buf, ORIGIN_VARIABLE, NULL, NULL), 0);
		memset(c.origin, 0, sizeof(c.origin));
		memset(again.origin, 0, sizeof(again.origin));
		assert_memory_equal(&c, &again, sizeof(c));
	}
}

/* Whatever the room, the text ends, stays in it, and holds whole settings only. */
static void test_dump_cut(void **state)
{
	struct config c = fresh();
	char whole[1024], buf[1025];
	size_t size, n;

	n = config_dump(&c, whole, sizeof(whole), false);
	for (size = 1; size <= n + 1; size++) {
		struct config again = fresh();
		size_t got;

		memset(buf, '!', sizeof(buf));
		got = config_dump(&c, buf, size, false);
		assert_true(got < size);
		assert_int_equal(got, strlen(buf));
		assert_int_equal(buf[size], '!');
		assert_int_equal(config_parse(&again, buf, ORIGIN_FILE, NULL, NULL), 0);
	}
	assert_string_equal(buf, whole); /* of the last round, which had just the room */
}

static void test_confirm(void **state)
{
	struct config c = fresh();
	struct heard h = {0};

	config_confirm(&c, hear, &h);
	assert_int_equal(h.count, 1);
	assert_string_equal(h.last, "all settings are built in");
	h.count = 0;
	config_parse(&c, "mode:off", ORIGIN_FILE, NULL, NULL);
	config_parse(&c, "learn:5", ORIGIN_COMMAND, NULL, NULL);
	config_confirm(&c, hear, &h);
	assert_int_equal(h.count, 2);
	assert_string_equal(h.last, "learn:5 (command line)");
}

static bool applies(const char *words, const char *name)
{
	struct config c = fresh();

	assert_int_equal(config_parse(&c, words, ORIGIN_VARIABLE, NULL, NULL), 0);
	return config_applies_to(&c, name);
}

static void test_applies_to(void **state)
{
	assert_true(applies("", "nginx"));
	assert_true(applies("only:nginx", "nginx"));
	assert_false(applies("only:nginx", "nginx2"));
	assert_false(applies("only:nginx", "ngin"));
	assert_true(applies("only:vsftpd+nginx", "nginx"));
	assert_false(applies("only:vsftpd+nginx", "vsftpd+nginx"));
	assert_true(applies("only:ng*", "nginx"));
	assert_true(applies("only:*x", "nginx"));
	assert_true(applies("only:*g*n*", "nginx"));
	assert_false(applies("only:*g*n*z", "nginx"));
	assert_true(applies("only:*", ""));
	assert_false(applies("only:?", ""));
	assert_true(applies("only:ngin?", "nginx"));
	assert_true(applies("only:python3.[0-9]", "python3.9"));
	assert_false(applies("only:python3.[!0-9]", "python3.9"));
	assert_true(applies("only:[^a]x", "bx"));
	assert_true(applies("only:[]x]", "]"));
	assert_true(applies("only:a[b", "a[b"));
	assert_true(applies("only:[a-]", "-"));
	assert_true(applies("only:*[ab]c", "xbac"));
	assert_false(applies("skip:sh+ba*", "bash"));
	assert_true(applies("skip:sh+ba*", "dash"));
	assert_false(applies("only:*sh,skip:bash", "bash"));
	assert_true(applies("only:*sh,skip:bash", "dash"));
	assert_false(applies("only:*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_table),
		cmocka_unit_test(test_words),	   cmocka_unit_test(test_words_are_whole),
		cmocka_unit_test(test_sizes),	   cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_engines),	   cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_later),	   cmocka_unit_test(test_good_words_beside_bad),
		cmocka_unit_test(test_file),	   cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_long_text),  cmocka_unit_test(test_relative_directory),
		cmocka_unit_test(test_dump),	   cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_dump_cut),   cmocka_unit_test(test_confirm),
		cmocka_unit_test(test_applies_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
