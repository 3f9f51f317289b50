/* SPDX-License-Identifier: MIT */
/*
 * config.c - the table of settings, and what is made from it.
 *
 * Nothing here allocates or calls the kernel. A bad word changes nothing: it is
 * told in one line and the value before it stays.
 */
#include <string.h>

#include "config.h"

struct config config;

#define FIELD(f) offsetof(struct config, f), sizeof(((struct config *)0)->f)

/*
 * KIND_WORD: the place of the word is the value of the enum. KIND_FLAG: the first
 * word is true. KIND_SET: the place of the word is the bit.
 */
static const struct config_option table[CONFIG_KEYS] = {
	[KEY_MODE] = {"mode", KIND_WORD, "observe, rewrite, batch, off", "batch", "rewrite",
		      "watch only, rewrite, or stand aside", FIELD(mode), 0, 0},
	[KEY_SOURCE] = {"source", KIND_WORD, "settled, trust, lease, immutable", "", "settled",
			"what a file must prove before it is rewritten", FIELD(source), 0, 0},
	[KEY_REPORT] = {"report", KIND_TEXT, "a path with %p %n %h, stderr, none", "", "",
			"where the report goes at exit", FIELD(report), 0, 0},
	[KEY_FORMAT] = {"format", KIND_WORD, "text, json", "", "text", "how that report is written",
			FIELD(format), 0, 0},
	[KEY_MIN] = {"min", KIND_SIZE, "auto, or bytes with k or m", "", "auto",
		     "the smallest chunk that may be rewritten", FIELD(min), 1, 1u << 30},
	[KEY_LEARN] = {"learn", KIND_NUMBER, "a number", "", "3",
		       "chunks in a row before the first rewrite", FIELD(learn), 1, 1000000},
	[KEY_ENGINES] = {"engines", KIND_SET, "sendfile, splice, mapped, batch", "",
			 "sendfile+splice+mapped", "the engines allowed, joined by +",
			 FIELD(engines), 0, 0},
	[KEY_PIPES] = {"pipes", KIND_NUMBER, "a number", "", "64",
		       "the most hidden pipes at a time", FIELD(pipes), 0, 65536},
	[KEY_LANDINGS] = {"landings", KIND_NUMBER, "a number", "", "1024",
			  "the most landings at a time", FIELD(landings), 1, 65536},
	[KEY_GUARD] = {"guard", KIND_WORD, "auto, on, off", "", "auto",
		       "catch system calls that bypass libc", FIELD(guard), 0, 0},
	[KEY_STACK] = {"stack", KIND_FLAG, "on, off", "on", "off", "landings in stack buffers",
		       FIELD(stack), 0, 0},
	[KEY_CHILDREN] = {"children", KIND_FLAG, "follow, none", "", "follow",
			  "whether child processes are served too", FIELD(children), 0, 0},
	[KEY_ONLY] = {"only", KIND_TEXT, "globs on the program's name, joined by +", "", "",
		      "work in these programs alone", FIELD(only), 0, 0},
	[KEY_SKIP] = {"skip", KIND_TEXT, "globs on the program's name, joined by +", "", "",
		      "do not work in these programs", FIELD(skip), 0, 0},
	[KEY_STATS] = {"stats", KIND_TEXT, "an absolute path", "", "",
		       "where the live counters are kept", FIELD(stats), '/', 0},
	[KEY_CONFIRM] = {"confirm", KIND_FLAG, "true, false", "", "false",
			 "print the settings and who made them", FIELD(confirm), 0, 0},
	[KEY_STRICT] = {"strict", KIND_FLAG, "true, false", "", "false",
			"refuse to start on a wrong setting", FIELD(strict), 0, 0},
};

const struct config_option *config_option(unsigned i)
{
	return i < CONFIG_KEYS ? &table[i] : NULL;
}

const char *config_origin_word(unsigned origin)
{
	static const char *const words[] = {
		[ORIGIN_DEFAULT] = "built in",
		[ORIGIN_FILE] = "shunt.conf",
		[ORIGIN_VARIABLE] = "SHUNT_CONF",
		[ORIGIN_COMMAND] = "command line",
	};

	return origin <= ORIGIN_COMMAND ? words[origin] : "unknown";
}

/* ---- text: a piece of the input, and a line that is being put together ---- */

struct piece {
	const char *text;
	size_t length;
};

struct line {
	char *text;
	size_t size, length; /* length may run beyond size; the text is cut there */
};

static void line_add_char(struct line *l, char c)
{
	if (l->length + 1 < l->size) {
		l->text[l->length] = c;
		l->text[l->length + 1] = '\0';
	}
	l->length++;
}

static void line_add(struct line *l, const char *s)
{
	while (*s)
		line_add_char(l, *s++);
}

static void line_add_number(struct line *l, size_t n)
{
	char digits[24];
	int i = 0;

	do
		digits[i++] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	while (i > 0)
		line_add_char(l, digits[--i]);
}

static void line_add_size(struct line *l, size_t n)
{
	if (n == 0)
		return line_add(l, "auto");
	if (n % (1u << 20) == 0) {
		line_add_number(l, n >> 20);
		return line_add_char(l, 'm');
	}
	if (n % 1024 == 0) {
		line_add_number(l, n >> 10);
		return line_add_char(l, 'k');
	}
	line_add_number(l, n);
}

/* What somebody typed, not endless; see quieten. */
static void line_add_shown(struct line *l, struct piece p)
{
	size_t i;

	for (i = 0; i < p.length && i < 60; i++)
		line_add_char(l, p.text[i]);
	if (i < p.length)
		line_add(l, "...");
}

/* A line made of what somebody typed can do nothing to a terminal: C0, DEL, and C1 in UTF-8. */
static void quieten(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s; s++)
		if (*s < 0x20 || *s == 0x7f)
			*s = '?';
		else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
			s[0] = s[1] = '?';
}

static struct line line_start(char *buf, size_t size)
{
	if (size > 0)
		buf[0] = '\0';
	return (struct line){buf, size, 0};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct piece trim(struct piece p)
{
	while (p.length > 0 && is_blank(p.text[0]))
		p.text++, p.length--;
	while (p.length > 0 && is_blank(p.text[p.length - 1]))
		p.length--;
	return p;
}

static bool piece_is(struct piece p, const char *word, size_t length)
{
	return p.length == length && memcmp(p.text, word, length) == 0;
}

/* ---- words, numbers, texts: each returns false when the value is none of its kind ---- */

/* By hand: libc's strspn and strcspn take tables, and those pages, at each start of a process. */
static size_t word_length(const char *words)
{
	size_t n = 0;

	while (words[n] && words[n] != ',')
		n++;
	return n;
}

static const char *next_word(const char *after)
{
	while (*after == ',' || *after == ' ')
		after++;
	return after;
}

/* The place of the word P in WORDS ("a, b, c"), or -1. */
static int word_index(const char *words, struct piece p)
{
	int i;

	for (i = 0; *words; i++) {
		size_t n = word_length(words);

		if (piece_is(p, words, n))
			return i;
		words = next_word(words + n);
	}
	return -1;
}

static struct piece word_at(const char *words, unsigned i)
{
	size_t n = word_length(words);

	for (; i > 0 && *words; i--) {
		words = next_word(words + n);
		n = word_length(words);
	}
	return (struct piece){words, n};
}

static void *field(struct config *c, const struct config_option *o)
{
	return (char *)c + o->offset;
}

static void put_unsigned(struct config *c, const struct config_option *o, unsigned v)
{
	memcpy(field(c, o), &v, sizeof(v));
}

static bool set_word(struct config *c, const struct config_option *o, struct piece p)
{
	int i = word_index(o->values, p);
	bool on = i == 0;

	if (i < 0)
		return false;
	if (o->kind == KIND_FLAG)
		memcpy(field(c, o), &on, sizeof(on));
	else
		put_unsigned(c, o, (unsigned)i);
	return true;
}

static bool set_set(struct config *c, const struct config_option *o, struct piece p)
{
	unsigned set = 0;

	while (p.length > 0) {
		const char *plus = memchr(p.text, '+', p.length);
		size_t n = plus ? (size_t)(plus - p.text) : p.length;
		int i = word_index(o->values, trim((struct piece){p.text, n}));

		if (i < 0 || n + 1 == p.length)
			return false;
		set |= 1u << i;
		p.text += plus ? n + 1 : n;
		p.length -= plus ? n + 1 : n;
	}
	if (set != 0)
		put_unsigned(c, o, set);
	return set != 0;
}

/* Decimal digits, then what SUFFIX allows. No value accepted here comes near the 10^12 limit. */
static bool read_number(struct piece p, bool suffix, size_t *out)
{
	size_t n = 0, i;

	for (i = 0; i < p.length && p.text[i] >= '0' && p.text[i] <= '9'; i++) {
		n = n * 10 + (size_t)(p.text[i] - '0');
		if (n > 1000000000000)
			return false;
	}
	if (suffix && i > 0 && i + 1 == p.length) {
		char unit = p.text[i] | 0x20;

		if (unit != 'k' && unit != 'm')
			return false;
		n <<= unit == 'k' ? 10 : 20;
		i++;
	}
	*out = n;
	return i > 0 && i == p.length;
}

static bool set_number(struct config *c, const struct config_option *o, struct piece p)
{
	size_t n = 0;
	bool is_auto = o->kind == KIND_SIZE && piece_is(p, "auto", 4);

	if (!is_auto && (!read_number(p, o->kind == KIND_SIZE, &n) || n < o->low || n > o->high))
		return false;
	if (o->kind == KIND_SIZE)
		memcpy(field(c, o), &n, sizeof(n));
	else
		put_unsigned(c, o, (unsigned)n);
	return true;
}

static bool set_text(struct config *c, const struct config_option *o, struct piece p)
{
	char *to = field(c, o);
	size_t i, n = 0;

	if (p.length >= o->size) /* with its escapes; a path of that length is no loss */
		return false;
	if (o->low && p.length > 0 && (unsigned char)p.text[0] != o->low)
		return false;
	for (i = 0; i < p.length; i++) {
		if (p.text[i] == '\\' && i + 1 < p.length)
			i++;
		/*
		 * nor are there blanks at the ends that had a backslash before them: a dump is read
		 * again
		 */
		if (n > 0 || !is_blank(p.text[i]))
			to[n++] = p.text[i];
	}
	while (n > 0 && is_blank(to[n - 1]))
		n--;
	memset(to + n, 0, o->size - n);
	return true;
}

static bool set_option(struct config *c, const struct config_option *o, struct piece p)
{
	switch (o->kind) {
	case KIND_WORD:
	case KIND_FLAG:
		return set_word(c, o, p);
	case KIND_SET:
		return set_set(c, o, p);
	case KIND_NUMBER:
	case KIND_SIZE:
		return set_number(c, o, p);
	case KIND_TEXT:
		return set_text(c, o, p);
	}
	return false;
}

void config_defaults(struct config *c)
{
	unsigned i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < CONFIG_KEYS; i++)
		set_option(c, &table[i],
			   (struct piece){table[i].fallback, strlen(table[i].fallback)});
}

/* ---- dump ---- */

static void add_escaped(struct line *l, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			line_add_char(l, '\\');
		line_add_char(l, *s);
	}
}

static void add_piece(struct line *l, struct piece p)
{
	while (p.length-- > 0)
		line_add_char(l, *p.text++);
}

static void add_set(struct line *l, const struct config_option *o, unsigned set)
{
	unsigned i;
	bool more = false;

	for (i = 0; word_at(o->values, i).length > 0; i++) {
		if (!(set & 1u << i))
			continue;
		if (more)
			line_add_char(l, '+');
		add_piece(l, word_at(o->values, i));
		more = true;
	}
}

static void add_value(struct line *l, const struct config *c, const struct config_option *o)
{
	const char *at = (const char *)c + o->offset;
	unsigned number = 0;
	size_t size = 0;

	if (o->kind == KIND_TEXT)
		return add_escaped(l, at);
	if (o->kind == KIND_FLAG)
		return add_piece(l, word_at(o->values, *(const bool *)at ? 0 : 1));
	if (o->kind == KIND_SIZE) {
		memcpy(&size, at, sizeof(size));
		return line_add_size(l, size);
	}
	memcpy(&number, at, sizeof(number));
	if (o->kind == KIND_NUMBER)
		line_add_number(l, number);
	else if (o->kind == KIND_SET)
		add_set(l, o, number);
	else
		add_piece(l, word_at(o->values, number));
}

size_t config_dump_one(const struct config *c, unsigned i, char *buf, size_t size)
{
	struct line l = line_start(buf, size);

	if (i < CONFIG_KEYS) {
		line_add(&l, table[i].key);
		line_add_char(&l, ':');
		add_value(&l, c, &table[i]);
	}
	return l.length;
}

size_t config_dump(const struct config *c, char *buf, size_t size, bool changed_only)
{
	size_t used = 0;
	unsigned i;

	if (size > 0)
		buf[0] = '\0';
	for (i = 0; i < CONFIG_KEYS; i++) {
		size_t comma = used > 0, n;

		if ((changed_only && c->origin[i] == ORIGIN_DEFAULT) || used + comma >= size)
			continue;
		n = config_dump_one(c, i, buf + used + comma, size - used - comma);
		if (used + comma + n >= size) {
			buf[used] = '\0';
			continue;
		}
		if (comma)
			buf[used] = ',';
		used += comma + n;
	}
	return used;
}

void config_confirm(const struct config *c, config_warn_fn *say, void *context)
{
	unsigned i;
	int said = 0;

	for (i = 0; i < CONFIG_KEYS; i++) {
		char buf[1200];
		struct line l;

		if (c->origin[i] == ORIGIN_DEFAULT)
			continue;
		l = line_start(buf, sizeof(buf));
		l.length = config_dump_one(c, i, buf, sizeof(buf) - 32);
		line_add(&l, " (");
		line_add(&l, config_origin_word(c->origin[i]));
		line_add_char(&l, ')');
		quieten(buf);
		say(context, buf);
		said++;
	}
	if (said == 0)
		say(context, "all settings are built in");
}

/* ---- parse ---- */

struct parser {
	struct config *c;
	enum config_origin where;
	config_warn_fn *warn;
	void *context;
	int wrong;
};

/* "SHUNT_CONF: mode:fast: not one of observe, rewrite; rewrite kept" */
static void complain(struct parser *p, struct piece item, const char *what, const char *words,
		     const struct config_option *o)
{
	char buf[1200];
	struct line l = line_start(buf, sizeof(buf));

	p->wrong++;
	line_add(&l, config_origin_word(p->where));
	line_add(&l, ": ");
	line_add_shown(&l, item);
	line_add(&l, what);
	line_add(&l, words);
	if (o) {
		line_add(&l, "; kept ");
		add_value(&l, p->c, o);
	}
	quieten(buf);
	if (p->warn)
		p->warn(p->context, buf);
}

static void complain_key(struct parser *p, struct piece key)
{
	char buf[256];
	struct line l = line_start(buf, sizeof(buf));
	unsigned i;

	for (i = 0; i < CONFIG_KEYS; i++) {
		line_add(&l, i ? ", " : "");
		line_add(&l, table[i].key);
	}
	complain(p, key, ": no such setting, there are: ", buf, NULL);
}

static void complain_value(struct parser *p, struct piece item, const struct config_option *o)
{
	char buf[128];
	struct line l = line_start(buf, sizeof(buf));

	line_add(&l, o->values);
	if (o->kind == KIND_NUMBER) {
		line_add(&l, " from ");
		line_add_number(&l, o->low);
		line_add(&l, " to ");
		line_add_number(&l, o->high);
	} else if (o->kind == KIND_SIZE) {
		line_add(&l, " up to ");
		line_add_size(&l, o->high);
	} else if (o->kind == KIND_TEXT) {
		line_add(&l, ", shorter than ");
		line_add_number(&l, o->size);
		line_add(&l, " bytes");
	}
	complain(p, item, ": accepted: ", buf, o);
}

static int find_key(struct piece key)
{
	int i;

	for (i = 0; i < CONFIG_KEYS; i++)
		if (piece_is(key, table[i].key, strlen(table[i].key)))
			return i;
	return -1;
}

static void parse_item(struct parser *p, struct piece item)
{
	const char *colon;
	struct piece key, value;
	int i;

	item = trim(item);
	if (item.length == 0)
		return;
	colon = memchr(item.text, ':', item.length);
	if (!colon)
		return complain(p, item, ": settings are written key:value", "", NULL);
	key = trim((struct piece){item.text, (size_t)(colon - item.text)});
	value = trim((struct piece){colon + 1, item.length - (size_t)(colon - item.text) - 1});
	i = find_key(key);
	if (i < 0)
		return complain_key(p, key);
	if (word_index(table[i].later, value) >= 0)
		return complain(p, item, ": not in this version", "", &table[i]);
	if (!set_option(p->c, &table[i], value))
		return complain_value(p, item, &table[i]);
	p->c->origin[i] = (unsigned char)p->where;
}

/* Items end at a comma that has no backslash before it. */
static void parse_line(struct parser *p, struct piece line)
{
	size_t start = 0, i;

	for (i = 0; i < line.length; i++) {
		if (line.text[i] == '\\') {
			i++;
		} else if (line.text[i] == ',') {
			parse_item(p, (struct piece){line.text + start, i - start});
			start = i + 1;
		}
	}
	parse_item(p, (struct piece){line.text + start, line.length - start});
}

/* A comment begins with # at the start of the line or after a blank. */
static struct piece without_comment(struct piece line)
{
	size_t i;

	for (i = 0; i < line.length; i++)
		if (line.text[i] == '#' && (i == 0 || is_blank(line.text[i - 1])))
			line.length = i;
	return line;
}

size_t config_whole_lines(const char *text, size_t length)
{
	if (length == CONFIG_FILE_MAX)
		while (length > 0 && text[length - 1] != '\n')
			length--;
	return length;
}

int config_parse(struct config *c, const char *text, enum config_origin where, config_warn_fn *warn,
		 void *context)
{
	struct parser p = {c, where, warn, context, 0};

	while (where == ORIGIN_FILE && *text) {
		size_t n = strcspn(text, "\n");

		parse_line(&p, without_comment((struct piece){text, n}));
		text += n + (text[n] == '\n');
	}
	if (where != ORIGIN_FILE)
		parse_line(&p, (struct piece){text, strlen(text)});
	return p.wrong;
}

/* ---- only: and skip: ---- */

/* One [set] at *PATTERN against C; *PATTERN goes behind it. No ] means that [ is itself. */
static bool match_set(struct piece *pattern, char c)
{
	size_t i = 1, first;
	bool invert, hit = false;

	invert = pattern->length > 1 && (pattern->text[1] == '!' || pattern->text[1] == '^');
	first = i += invert;
	for (; i < pattern->length && (pattern->text[i] != ']' || i == first); i++) {
		char low = pattern->text[i], high = low;

		if (i + 2 < pattern->length && pattern->text[i + 1] == '-' &&
		    pattern->text[i + 2] != ']') {
			high = pattern->text[i + 2];
			i += 2;
		}
		hit |= c >= low && c <= high;
	}
	if (i >= pattern->length) {
		hit = c == '[';
		invert = false;
		i = 0;
	}
	pattern->text += i + 1;
	pattern->length -= i + 1;
	return hit != invert;
}

/* Matches one character of the name; *PATTERN goes on by one element. */
static bool match_one(struct piece *pattern, char c)
{
	char p = pattern->text[0];

	if (p == '[')
		return match_set(pattern, c);
	pattern->text++;
	pattern->length--;
	return p == '?' || p == c;
}

/* *, ? and [set], without recursion: after a mismatch the last * takes one character more. */
static bool glob(struct piece pattern, const char *name)
{
	struct piece star = {NULL, 0};
	const char *from = name;

	while (*name) {
		if (pattern.length > 0 && pattern.text[0] == '*') {
			star = (struct piece){pattern.text + 1, pattern.length - 1};
			from = name;
			pattern = star;
		} else if (pattern.length > 0 && match_one(&pattern, *name)) {
			name++;
		} else if (star.text) {
			name = ++from;
			pattern = star;
		} else {
			return false;
		}
	}
	while (pattern.length > 0 && pattern.text[0] == '*')
		pattern.text++, pattern.length--;
	return pattern.length == 0;
}

static bool glob_any(const char *globs, const char *name)
{
	while (*globs) {
		size_t n = strcspn(globs, "+");

		if (n > 0 && glob(trim((struct piece){globs, n}), name))
			return true;
		globs += n + (globs[n] == '+');
	}
	return false;
}

bool config_applies_to(const struct config *c, const char *name)
{
	if (c->only[0] && !glob_any(c->only, name))
		return false;
	return !glob_any(c->skip, name);
}
