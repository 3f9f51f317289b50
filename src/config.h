/* SPDX-License-Identifier: MIT */
/*
 * config.h - the settings: one table for the parser, --help, the man page,
 * the completion and `confirm`.
 *
 * config.c is linked into the library and into the command. Nothing in it
 * allocates, and all is safe in a signal handler but config_parse's callback, which
 * is the caller's. It prints only through the callback that it is given.
 *
 * The grammar: key:value,key:value. A comma or a backslash in a value has a
 * backslash before it; blanks around keys and values are dropped.
 */
#ifndef SHUNT_CONFIG_H
#define SHUNT_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum config_mode { MODE_OBSERVE, MODE_REWRITE, MODE_BATCH, MODE_OFF };
enum config_source { SOURCE_SETTLED, SOURCE_TRUST, SOURCE_LEASE, SOURCE_IMMUTABLE };
enum config_format { FORMAT_TEXT, FORMAT_JSON };
enum config_tristate { TRI_AUTO, TRI_ON, TRI_OFF };
enum { ENGINE_SENDFILE = 1, ENGINE_SPLICE = 2, ENGINE_MAPPED = 4, ENGINE_BATCH = 8 };
enum { CONFIG_FILE_MAX = 16 * 1024 }; /* of a longer file what begins a line that ends there */
enum config_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_VARIABLE, ORIGIN_COMMAND };
enum config_kind { KIND_WORD, KIND_FLAG, KIND_SET, KIND_NUMBER, KIND_SIZE, KIND_TEXT };

/* The rows of the option table, in the order of the manual page; config.c has the rest. */
enum config_key {
	KEY_MODE,
	KEY_SOURCE,
	KEY_REPORT,
	KEY_FORMAT,
	KEY_MIN,
	KEY_LEARN,
	KEY_ENGINES,
	KEY_PIPES,
	KEY_LANDINGS,
	KEY_GUARD,
	KEY_STACK,
	KEY_CHILDREN,
	KEY_ONLY,
	KEY_SKIP,
	KEY_STATS,
	KEY_CONFIRM,
	KEY_STRICT,
	CONFIG_KEYS
};

struct config {
	enum config_mode mode;
	enum config_source source;
	char report[512]; /* path pattern, "stderr", "none"; "" means not set */
	enum config_format format;
	size_t min; /* bytes; 0 means per route */
	unsigned learn;
	unsigned engines; /* ENGINE_* */
	unsigned pipes, landings;
	enum config_tristate guard;
	bool stack;
	bool children; /* follow */
	char only[256], skip[256];
	char stats[256]; /* directory, "" means the first that serves */
	bool confirm, strict;
	unsigned char origin[CONFIG_KEYS]; /* enum config_origin: who set it last */
};

/* One row of the option table. Static, as are its strings. */
struct config_option {
	const char *key;
	enum config_kind kind;
	const char *values;   /* the accepted words, joined by ", "; else what a value is */
	const char *later;    /* of these words, those that are known but not built; "" if none */
	const char *fallback; /* the default, as config_parse reads it */
	const char *help;     /* one line, no full stop */
	size_t offset, size;  /* of the field in struct config */
	unsigned low, high;   /* what is accepted; of KIND_TEXT what it begins with, 0: anything */
};

/* The rows by enum config_key; NULL when I is out of range. */
const struct config_option *config_option(unsigned i);

/* "built in", "shunt.conf", "SHUNT_CONF", "command line" */
const char *config_origin_word(unsigned origin);

extern struct config config; /* the process's settings; written only before LIVE */

/* One line of trouble: TEXT has no newline. CONTEXT is what the caller gave. */
typedef void config_warn_fn(void *context, const char *text);

/*
 * What of TEXT is to be read, LENGTH bytes of a file that may go on behind them: a line that is cut
 * off could mean something else. Returns the length.
 */
size_t config_whole_lines(const char *text, size_t length);

/* CONFIG gets the built-in values. */
void config_defaults(struct config *c);

/*
 * Reads "key:value,key:value" (or one a line, # comments, when WHERE is
 * ORIGIN_FILE) into C. A wrong key or value is told to WARN in one line, with
 * the accepted words, and the value before it stays. Returns how many were wrong.
 */
int config_parse(struct config *c, const char *text, enum config_origin where, config_warn_fn *warn,
		 void *context);

/*
 * All settings of C as "key:value,..." into BUF of SIZE bytes, always ended by
 * a NUL; only those that somebody set (origin) if CHANGED_ONLY. What does not fit
 * is left out whole. Returns the length.
 */
size_t config_dump(const struct config *c, char *buf, size_t size, bool changed_only);

/*
 * Setting I of C as "key:value", escaped so that config_parse reads it back.
 * Always ended by a NUL. Returns the length; SIZE or more means that it did not fit.
 */
size_t config_dump_one(const struct config *c, unsigned i, char *buf, size_t size);

/* What `confirm` asks for: each setting that somebody set, and who, one a call of SAY. */
void config_confirm(const struct config *c, config_warn_fn *say, void *context);

/* Does the program's NAME (no directory) pass only: and skip:? Globs joined by +. */
bool config_applies_to(const struct config *c, const char *name);

#endif
