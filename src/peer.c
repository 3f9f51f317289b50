/* SPDX-License-Identifier: MIT */
/*
 * peer.c - the other end of a socket in words; see peer.h. inet_ntop and getpeername are not used:
 * no hook, no locale.
 */
#include <netinet/in.h>
#include <string.h>

#include "peer.h"
#include "prim.h"

struct text {
	char *to;
	size_t left;
};

static void put(struct text *t, char c)
{
	if (t->left > 1) {
		*t->to++ = c;
		t->left--;
	}
	if (t->left)
		*t->to = 0;
}

static void put_number(struct text *t, unsigned v, unsigned base)
{
	if (v >= base)
		put_number(t, v / base, base);
	put(t, "0123456789abcdef"[v % base]);
}

static void put_v4(struct text *t, const uint8_t *a)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			put(t, '.');
		put_number(t, a[i], 10);
	}
}

/* Groups without the "::" shorthand, but for the mapped IPv4 that servers mostly see. */
static void put_v6(struct text *t, const struct in6_addr *a)
{
	if (IN6_IS_ADDR_V4MAPPED(a)) {
		put_v4(t, a->s6_addr + 12);
		return;
	}
	put(t, '[');
	for (int i = 0; i < 16; i += 2) {
		if (i)
			put(t, ':');
		put_number(t, (unsigned)a->s6_addr[i] << 8 | a->s6_addr[i + 1], 16);
	}
	put(t, ']');
}

void peer_name(int fd, char *to, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} a;
	socklen_t n = sizeof(a);
	struct text t = { to, size };

	to[0] = 0;
	if (PRIM3(SYS_getpeername, fd, &a, &n) < 0)
		return;
	if (a.any.sa_family == AF_INET)
		put_v4(&t, (const uint8_t *)&a.v4.sin_addr);
	else if (a.any.sa_family == AF_INET6)
		put_v6(&t, &a.v6.sin6_addr);
	else if (a.any.sa_family == AF_UNIX)
		for (const char *s = "unix"; *s; s++)
			put(&t, *s);
	if (a.any.sa_family == AF_INET || a.any.sa_family == AF_INET6) {
		put(&t, ':');
		put_number(&t, ntohs(a.v4.sin_port), 10); /* the port is at the same place in both */
	}
}
