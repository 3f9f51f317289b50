/* SPDX-License-Identifier: MIT */
/* crash.h - whose relay crashes, which the peers have to know: a matter of the client's port. */
#ifndef CRASH_H
#define CRASH_H

#include <stdint.h>

/* After how many bytes, of both directions, a child crashes; negative: it does not. */
static inline long long crash_after(uint16_t client_port)
{
	uint32_t h = client_port * UINT32_C(2654435761);

	return h >> 29 ? -1 : (long long)(h & 0xfffff);
}

#endif
