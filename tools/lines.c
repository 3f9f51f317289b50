/* SPDX-License-Identifier: MIT */
/*
 * lines.c - file and line by libdw. Only the command does this, never the library.
 *
 * The module's path comes out of a counters file, so it is read only where it is a regular file
 * of root's or our own: what a stranger's names could be a pipe that never ends. For the same
 * reason nothing is looked for beside it, and nothing is fetched over the network.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lines.h"
#include "report_walk.h"

#ifdef HAVE_LIBDW
#include <elfutils/libdwfl.h>

enum { MODULES_MAX = 256 };

static struct module {
	char path[STATS_PATH];
	Dwfl *dwfl; /* NULL: nothing to be had */
	Dwfl_Module *module;
	time_t changed;
} modules[MODULES_MAX];

static unsigned module_count;

static char debug_files[] = "/usr/lib/debug", *debug_path = debug_files;

static const Dwfl_Callbacks callbacks = {
	.debuginfo_path = &debug_path,
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static void open_module(struct module *m)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_uid != 0 && st.st_uid != geteuid())) {
		close(fd);
		return;
	}
	m->changed = st.st_mtime > st.st_ctime ? st.st_mtime : st.st_ctime;
	unsetenv("DEBUGINFOD_URLS");
	m->dwfl = dwfl_begin(&callbacks);
	if (m->dwfl)
		m->module = dwfl_report_offline(m->dwfl, m->path, m->path, fd);
	if (m->module)
		dwfl_report_end(m->dwfl, NULL, NULL); /* the descriptor is libdwfl's now */
	else
		close(fd);
}

static struct module *module_get(const char *path)
{
	unsigned i;

	for (i = 0; i < module_count; i++)
		if (strcmp(modules[i].path, path) == 0)
			return &modules[i];
	if (module_count == MODULES_MAX)
		return NULL;
	strcpy(modules[module_count].path, path);
	open_module(&modules[module_count]);
	return &modules[module_count++];
}

bool lines_find(void *context, const struct stats *s, const struct stats_frame *f, char *file,
		size_t file_size, unsigned *line)
{
	char path[STATS_PATH];
	const char *source;
	struct module *m;
	Dwarf_Addr bias;
	Dwfl_Line *l;
	int number = 0;

	snprintf(path, sizeof(path), "%.*s", STATS_PATH - 1, walk_module(s, f->module));
	m = path[0] == '/' ? module_get(path) : NULL;
	if (!m || !m->module || (uint64_t)m->changed * 1000000000 > s->started)
		return false;
	if (!dwfl_module_getdwarf(m->module, &bias) || f->offset == 0)
		return false;
	/* the frame is where the call returns to: the byte before lies in the call */
	l = dwfl_module_getsrc(m->module, f->offset - 1 + bias);
	source = l ? dwfl_lineinfo(l, NULL, &number, NULL, NULL, NULL) : NULL;
	if (!source || number <= 0)
		return false;
	snprintf(file, file_size, "%s", source);
	*line = (unsigned)number;
	return true;
}

void lines_end(void)
{
	while (module_count > 0)
		if (modules[--module_count].dwfl)
			dwfl_end(modules[module_count].dwfl);
}

#else

bool lines_find(void *context, const struct stats *s, const struct stats_frame *f, char *file,
		size_t file_size, unsigned *line)
{
	return false;
}

void lines_end(void)
{
}

#endif
