/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "keys/auth/pending.h"

#include <string.h>

#include "tests/unit/test.h"

static struct pendings q;
static const struct token token;

static const uint8_t *from(uint8_t net, uint8_t host)
{
	static uint8_t a[4][16];
	static unsigned i;
	uint8_t *p = a[i++ % 4];

	memset(p, 0, 16);
	p[10] = p[11] = 0xff;
	p[14] = net;
	p[15] = host;
	return p;
}

/* The network whose login gave way, 0: there was a free place, -1: none. */
static int put(uint8_t net, bool friend)
{
	static uint8_t host;
	const uint8_t *peer = from(net, ++host);
	struct pending *p = pending_place(&q, peer, friend);
	int gone = !p ? -1 : p->used ? p->peer[14] : 0;

	if (!p)
		return gone;
	if (p->used)
		pending_wipe(&q, p);
	pending_put(&q, p, &token, peer, friend, SLICE("bob"), SLICE("secret"), 1);
	return gone;
}

static int next(void)
{
	struct pending *p = pending_next(&q);
	int net = p ? p->peer[14] : -1;

	if (p)
		pending_wipe(&q, p);
	return net;
}

static void order(void)
{
	CHECK_EQ(next(), -1);
	put(1, false);
	put(2, false);
	put(3, true);
	put(1, false);
	put(4, true);
	CHECK_EQ(q.n, 5);
	CHECK_SLICE(((struct slice){ pending_next(&q)->user, pending_next(&q)->user_n }),
		    "bob");
	CHECK(next() == 3 && next() == 4 && next() == 1 && next() == 2 && next() == 1);
	CHECK(next() == -1 && !q.n);
	CHECK(!memmem(&q, sizeof q, "secret", 6));
}

/* One network does not keep the others out; many of them share. */
static void storm(void)
{
	unsigned of[4] = { 0 };

	for (unsigned i = 0; i < PENDING_MAX; i++)
		CHECK_EQ(put(1, false), 0);
	CHECK_EQ(put(1, false), -1);
	CHECK_EQ(put(2, false), 1);
	while (put(2, false) == 1)
		;
	while (put(3, false) > 0)
		;
	CHECK_EQ(q.n, PENDING_MAX);
	for (unsigned i = 0; i < PENDING_MAX; i++)
		of[q.slot[i].peer[14]]++;
	CHECK(of[1] >= PENDING_MAX / 3 && of[2] >= PENDING_MAX / 3 - 1 &&
	      of[3] >= PENDING_MAX / 3 - 1);
	for (uint8_t net = 1; net <= 3; net++)
		CHECK_EQ(put(net, false), -1); /* nobody gains by taking it from an equal */
	CHECK(put(4, false) > 0);
	/* Friends take a stranger's place, never a friend's. */
	CHECK(put(3, true) > 0);
	CHECK_EQ(next(), 3);
	for (unsigned i = 0; i < PENDING_MAX; i++)
		CHECK(put(5, true) >= 0);
	CHECK_EQ(put(6, true), -1);
	CHECK_EQ(put(6, false), -1);
	for (unsigned i = 0; i < PENDING_MAX; i++)
		CHECK_EQ(next(), 5);
	CHECK_EQ(next(), -1);
}

int main(void)
{
	order();
	storm();
	TEST_END();
}
