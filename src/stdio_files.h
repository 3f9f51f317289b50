/* SPDX-License-Identifier: MIT */
/*
 * stdio_files.h - regular files that are open as streams for writing, or are written to by aio.
 *
 * What goes through a stream is written inside libc, unheard, when its buffer is full or the
 * process ends. So such a file does not land as long as the stream is open.
 */
#ifndef SHUNT_STDIO_FILES_H
#define SHUNT_STDIO_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * From now on a stream can write to the file that FD is, by the number NUMBER, the same or what
 * FD is about to be copied to; it ceases to. Both keep errno and are signal safe.
 */
void stdio_files_opened(int fd, int number);
void stdio_files_closed(int number);

/* May the file that is ST be written to by a stream? */
bool stdio_files_write(const struct stat *st);

#endif
