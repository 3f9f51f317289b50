/* SPDX-License-Identifier: MIT */
/* pays.c - does it pay to land what is read here? See pays.h. */
#include "pays.h"

#include "cpu.h"

static void begin_run(struct pays *p, int thread)
{
	p->thread = thread;
	p->chunks = 0;
	p->bytes = 0;
	p->start = cpu_now();
}

static void end_run(struct pays *p, uint8_t run)
{
	uint64_t bytes = p->bytes ? p->bytes : 1, cost = (cpu_now() - p->start) * 1000 / bytes + 1;
	_Atomic uint64_t *best = &p->best[run & 1];

	if (*best == 0 || cost < *best)
		*best = cost;
	/* within 3 % they are alike, and the way without a copy spares the caches */
	if (run + 1 == PAYS_RUNS)
		p->plain = p->best[1] < p->best[0] - p->best[0] / 32;
	p->chunks = 0;
	p->run = (uint8_t)(run + 1);
}

void pays_chunk_slow(struct pays *p, int thread, size_t n)
{
	uint8_t run = p->run;
	uint32_t chunks = p->chunks, length = run == 0 ? PAYS_FIRST : PAYS_RUN;

	/* the first chunk only starts the clock; the next ones of another thread start anew */
	if (chunks == 0 || p->thread != thread) {
		begin_run(p, thread);
		p->chunks = 1;
		return;
	}
	p->bytes += n;
	if (chunks < length)
		p->chunks = chunks + 1;
	else if (run < PAYS_RUNS)
		end_run(p, run);
}
