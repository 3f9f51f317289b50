/* SPDX-License-Identifier: MIT */
/*
 * target.c - what a command line would start.
 *
 * The looks are for a sentence to a person: the program is started whatever they
 * say, and what changes between the look and the start makes the sentence wrong only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "elfview.h"
#include "target.h"
#include "tool.h"

enum { SCRIPTS_MAX = 5 };

static const struct {
	const char *is, *why;
} troubles[] = {
#define T(id, what, why) [TARGET_##id] = {what, why},
	TARGET_TROUBLES(T)
#undef T
};

const char *target_trouble_is(enum target_trouble trouble)
{
	return troubles[trouble].is;
}

const char *target_trouble_why(enum target_trouble trouble)
{
	return troubles[trouble].why;
}

/* 0, or why PATH cannot be executed. A directory is as good as a file without the x bit. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES ? EACCES : ENOENT;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

/* As execvp: an element that is empty is the working directory; EACCES is told if nothing is found.
 */
static int search(const char *list, const char *name, char *path)
{
	int ret = ENOENT;

	for (;;) {
		size_t n = strcspn(list, ":");
		int e = ENOENT;

		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, list, n ? "/" : "", name) <
		    PATH_MAX)
			e = executable(path);
		if (e == 0)
			return 0;
		if (e == EACCES && access(path, F_OK) == 0)
			ret = EACCES; /* it is there; a closed directory says nothing */
		if (list[n] == '\0')
			return ret;
		list += n + 1;
	}
}

int target_find(const char *name, char *path)
{
	const char *list = getenv("PATH");

	if (name[0] == '\0')
		return ENOENT;
	if (!strchr(name, '/'))
		return search(list ? list : "/bin:/usr/bin", name, path);
	if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX)
		return ENOENT;
	return executable(path);
}

/* Would exec of PATH make the loader distrust its environment (AT_SECURE)? */
static enum target_trouble privileges(const char *path)
{
	struct statvfs mount;
	struct stat st;

	/* there the kernel grants nothing, and the loader trusts */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
	    (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID))
		return TARGET_NONE;
	if (stat(path, &st) < 0)
		return TARGET_NONE;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return TARGET_SETUID;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
		return TARGET_SETGID;
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return TARGET_CAPABILITIES;
	return TARGET_NONE;
}

/* The runtime of AddressSanitizer refuses to start behind any other preloaded library. */
static void find_sanitizer(void *context, const char *name, bool defined)
{
	static const char *const names[] = {"__asan_init", "__hwasan_init", "__lsan_init",
					    "__msan_init", "__tsan_init"};

	(void)defined;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			*(bool *)context = true;
}

static enum target_trouble look_elf(struct target *t, const struct elf *e)
{
	enum target_trouble privileged = privileges(t->binary);
	bool sanitized = false;

	t->privileged = privileged != TARGET_NONE;
	elf_describe(e, t->format, sizeof(t->format));
	t->go = elf_is_go(e);
	if (!e->native)
		return TARGET_CLASS;
	if (t->go)
		return TARGET_GO;
	/* the loader itself, started by hand, asks for none */
	if (!elf_loader(e, t->loader, sizeof(t->loader)) &&
	    strncmp(base_name(t->binary), "ld-linux", 8) != 0 &&
	    strcmp(base_name(t->binary), "ld.so") != 0)
		return TARGET_STATIC;
	if (privileged != TARGET_NONE)
		return privileged;
	if (t->loader[0] && strncmp(base_name(t->loader), "ld-linux", 8) != 0)
		return TARGET_LOADER;
	elf_symbols(e, find_sanitizer, &sanitized);
	return sanitized ? TARGET_SANITIZER : TARGET_NONE;
}

/* The first line of PATH behind its "#!" into LINE; false when it begins with none. */
static bool script_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(line, (int)size, f) && line[0] == '#' && line[1] == '!';

	if (f)
		fclose(f);
	if (ok)
		memmove(line, line + 2, strlen(line + 2) + 1);
	return ok;
}

/* Of "env [-S] [-x] [NAME=value] prog args", prog. */
static char *behind_env(char **save)
{
	char *word;

	while ((word = strtok_r(NULL, " \t\n", save)) != NULL)
		if (word[0] != '-' && !strchr(word, '='))
			return word;
	return NULL;
}

/* The interpreter of the script T->binary takes its place; false when there is none. */
static bool follow_script(struct target *t)
{
	char line[PATH_MAX + 64], *word, *save = NULL, found[PATH_MAX];

	if (!script_line(t->binary, line, sizeof(line)))
		return false;
	word = strtok_r(line, " \t\n", &save);
	if (word && strcmp(base_name(word), "env") == 0)
		word = behind_env(&save);
	if (!word || target_find(word, found) != 0)
		return false;
	memcpy(t->binary, found, strlen(found) + 1);
	t->scripts++;
	return true;
}

/* Text without #!: execvp hands it to the shell. The first line tells text from data. */
static bool plain_text(const char *path)
{
	char buf[256];
	size_t n = 0;
	FILE *f = fopen(path, "re");

	if (f) {
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
	}
	return f && memchr(buf, '\0', n) == NULL;
}

static bool next_binary(struct target *t)
{
	if (t->scripts >= SCRIPTS_MAX)
		return false;
	if (follow_script(t))
		return true;
	if (!plain_text(t->binary))
		return false;
	strcpy(t->binary, "/bin/sh");
	t->scripts++;
	return true;
}

void target_look(struct target *t, const char *path)
{
	struct elf e;
	int ret;

	memset(t, 0, sizeof(*t));
	snprintf(t->path, sizeof(t->path), "%s", path);
	snprintf(t->binary, sizeof(t->binary), "%s", path);
	while ((ret = elf_open(&e, t->binary)) == -ENOEXEC && next_binary(t))
		;
	if (ret == 0) {
		t->trouble = look_elf(t, &e);
		elf_close(&e);
	} else {
		t->trouble = ret == -ENOEXEC ? TARGET_FORMAT : TARGET_UNREADABLE;
	}
}
