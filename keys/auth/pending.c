/* SPDX-License-Identifier: ISC */
#include "keys/auth/pending.h"

#include <sodium.h>
#include <string.h>

#include "keys/auth/throttle.h"

static bool same_network(const uint8_t a[16], const uint8_t b[16])
{
	uint8_t x[16], y[16];

	throttle_network(a, x);
	throttle_network(b, y);
	return !memcmp(x, y, sizeof x);
}

static unsigned strangers_of(const struct pendings *q, const uint8_t peer[16])
{
	unsigned n = 0;

	for (unsigned i = 0; i < PENDING_MAX; i++)
		n += q->slot[i].used && !q->slot[i].friend &&
		     same_network(q->slot[i].peer, peer);
	return n;
}

/* The newest stranger of the network that has most, and after that still no fewer than this one. */
static struct pending *who_gives_way(struct pendings *q, const uint8_t peer[16], bool friend)
{
	unsigned most = friend ? 1 : strangers_of(q, peer) + 2;
	struct pending *last = NULL;

	for (unsigned i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &q->slot[i];
		unsigned n = p->friend ? 0 : strangers_of(q, p->peer);

		if (n < most || (last && n == most && p->order < last->order))
			continue;
		most = n;
		last = p;
	}
	return last;
}

struct pending *pending_place(struct pendings *q, const uint8_t peer[16], bool friend)
{
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (!q->slot[i].used)
			return &q->slot[i];
	return who_gives_way(q, peer, friend);
}

void pending_put(struct pendings *q, struct pending *p, const struct token *t,
		 const uint8_t peer[16], bool friend, struct slice user, struct slice password,
		 int64_t now)
{
	*p = (struct pending){ .used = true,
			       .friend = friend,
			       .order = q->order++,
			       .token = *t,
			       .asked = now,
			       .user_n = (uint16_t)user.n,
			       .password_n = (uint16_t)password.n };
	memcpy(p->peer, peer, sizeof p->peer);
	if (user.n)
		memcpy(p->user, user.p, user.n);
	if (password.n)
		memcpy(p->password, password.p, password.n);
	q->n++;
}

struct pending *pending_next(struct pendings *q)
{
	struct pending *best = NULL;

	for (unsigned i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &q->slot[i];

		if (p->used && (!best || p->friend > best->friend ||
				(p->friend == best->friend && p->order < best->order)))
			best = p;
	}
	return best;
}

void pending_wipe(struct pendings *q, struct pending *p)
{
	q->n -= p->used;
	sodium_memzero(p, sizeof *p);
}
