/* SPDX-License-Identifier: MIT */
/* same_module_code.c - a module that same_memory loads: only a static buffer. */

extern char module_buffer[];
char module_buffer[1 << 20];
