/* SPDX-License-Identifier: MIT */
/*
 * counter.c - cycles and instructions of user and kernel (perf_event_open), and CPU time.
 *
 * Each hardware event makes each change of the running process dearer, in a virtual machine by
 * microseconds: four of them were seen to double what a byte costs, one not to change it. So
 * all cycles are one event, and those that tell more run only where counters_detail() asks.
 *
 * The events are inherited: what a process starts after counters_open() counts as its own,
 * also while that lives. Where the machine shares its counters among more events than it
 * has, the kernel counts part of the time, and the counts are scaled up.
 */
#define _GNU_SOURCE
#include <err.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

enum { CYCLES, CPU, USER, INS_USER, INS_KERNEL, EVENTS };

static int event[EVENTS] = { -1, -1, -1, -1, -1 };
static clockid_t clock_id = CLOCK_PROCESS_CPUTIME_ID; /* where there is no event */

static int event_open(int which, pid_t pid)
{
	bool later = pid != 0 || which >= USER;
	struct perf_event_attr a = {
		.type = which == CPU ? PERF_TYPE_SOFTWARE : PERF_TYPE_HARDWARE,
		.size = sizeof(a),
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.inherit = 1,
		.disabled = later,
		.enable_on_exec = pid != 0 && which < USER,
		.exclude_hv = 1,
	};

	if (which == CPU)
		a.config = PERF_COUNT_SW_TASK_CLOCK;
	else
		a.config = which == USER || which == CYCLES ? PERF_COUNT_HW_CPU_CYCLES :
							      PERF_COUNT_HW_INSTRUCTIONS;
	/* the clock runs in both all the same, and this may be asked for by anybody */
	a.exclude_kernel = which == USER || which == INS_USER || which == CPU;
	a.exclude_user = which == INS_KERNEL;
	return (int)syscall(SYS_perf_event_open, &a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void counters_open(pid_t pid)
{
	for (int i = 0; i < EVENTS; i++)
		event[i] = event_open(i, pid);
	if (pid)
		clock_getcpuclockid(pid, &clock_id);
}

void counters_detail(bool on)
{
	for (int i = USER; i < EVENTS; i++)
		if (event[i] >= 0)
			ioctl(event[i], on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

static double event_now(int which)
{
	uint64_t v[3] = { 0 };

	if (event[which] < 0 || read(event[which], v, sizeof(v)) != sizeof(v) || v[2] == 0)
		return 0;
	return (double)v[0] * ((double)v[1] / (double)v[2]);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Without the event: the process itself, and of a worker the children that were waited for. */
static double cpu_now(void)
{
	struct timespec t;
	struct rusage r;

	if (event[CPU] >= 0)
		return event_now(CPU);
	if (clock_gettime(clock_id, &t) < 0)
		return 0;
	getrusage(RUSAGE_CHILDREN, &r);
	return (double)(t.tv_sec + r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e9 +
	       (double)t.tv_nsec + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
}

struct counts counters_now(void)
{
	struct counts c = {
		.cycles = event_now(CYCLES),     .user = event_now(USER),
		.ins_user = event_now(INS_USER), .ins_kernel = event_now(INS_KERNEL),
		.cpu = cpu_now(),                .wall = (double)now_ns(),
	};

	return c;
}

struct counts counters_since(const struct counts *before)
{
	struct counts c = counters_now();

	c.cycles -= before->cycles;
	c.user -= before->user;
	c.ins_user -= before->ins_user;
	c.ins_kernel -= before->ins_kernel;
	c.cpu -= before->cpu;
	c.wall -= before->wall;
	return c;
}

void counts_print(char *text, size_t n, const struct counts *c)
{
	size_t used = strlen(text);

	snprintf(text + used, n - used, " %.0f %.0f %.0f %.0f %.0f %.0f", c->cycles, c->user,
		 c->ins_user, c->ins_kernel, c->cpu, c->wall);
}
