/* SPDX-License-Identifier: ISC */
#include "keys/auth/throttle.h"

#include <sodium.h>
#include <string.h>

enum kind { ADDRESS = 1, ACCOUNT = 2, PAIR = ADDRESS | ACCOUNT };

struct key {
	uint8_t b[16];
};

static bool is_v4(const uint8_t peer[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(peer, mapped, sizeof mapped) == 0;
}

void throttle_network(const uint8_t peer[16], uint8_t net[16])
{
	memset(net, 0, 16);
	memcpy(net, peer, is_v4(peer) ? 15 : 8);
}

static struct key key_of(const struct throttle *t, enum kind kind, const uint8_t peer[16],
			 struct slice account)
{
	crypto_generichash_state s;
	uint8_t tag = (uint8_t)kind;
	struct key k;

	crypto_generichash_init(&s, t->secret, sizeof t->secret, sizeof k.b);
	crypto_generichash_update(&s, &tag, 1);
	if (kind & ADDRESS)
		crypto_generichash_update(&s, peer, is_v4(peer) ? 16 : 8);
	if (kind & ACCOUNT)
		crypto_generichash_update(&s, account.p, account.n);
	crypto_generichash_final(&s, k.b, sizeof k.b);
	return k;
}

static bool alive(const struct throttle_mark *m, int64_t now, int64_t life)
{
	return m->count && now - m->last < life;
}

static uint32_t count_of(const struct throttle_mark *m, size_t n, const struct key *k,
			 int64_t now, int64_t life)
{
	for (size_t i = 0; i < n; i++)
		if (alive(&m[i], now, life) && !memcmp(m[i].key, k->b, sizeof k->b))
			return m[i].count;
	return 0;
}

/* The mark of k, or the place for it: one that is over, else the one with the fewest failures, the oldest of those. */
static struct throttle_mark *place(struct throttle_mark *m, size_t n, const struct key *k,
				   int64_t now, int64_t life)
{
	struct throttle_mark *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!alive(&m[i], now, life))
			m[i].count = 0;
		else if (!memcmp(m[i].key, k->b, sizeof k->b))
			return &m[i];
		if (!best || m[i].count < best->count ||
		    (m[i].count == best->count && m[i].last < best->last))
			best = &m[i];
	}
	best->count = 0;
	memcpy(best->key, k->b, sizeof k->b);
	return best;
}

void throttle_init(struct throttle *t, const uint8_t secret[32])
{
	memset(t, 0, sizeof *t);
	memcpy(t->secret, secret, sizeof t->secret);
}

void throttle_resume(struct throttle *t, const uint8_t secret[32])
{
	static const uint8_t none[sizeof t->secret];

	if (!memcmp(t->secret, none, sizeof none))
		throttle_init(t, secret);
}

static uint32_t failures(const struct throttle *t, enum kind kind, const uint8_t peer[16],
			 struct slice account, int64_t now)
{
	struct key k = key_of(t, kind, peer, account);

	return count_of(t->failure, THROTTLE_FAILURES, &k, now, THROTTLE_WINDOW_MS);
}

bool throttle_friend(const struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now)
{
	struct key k = key_of(t, PAIR, peer, account);

	return count_of(t->friend, THROTTLE_FRIENDS, &k, now, THROTTLE_FRIEND_MS);
}

bool throttle_allows(const struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now)
{
	uint32_t own = failures(t, PAIR, peer, account, now);

	if (throttle_friend(t, peer, account, now))
		return own < THROTTLE_ADDRESS;
	return failures(t, ADDRESS, peer, account, now) < THROTTLE_ADDRESS &&
	       (!own || failures(t, ACCOUNT, peer, account, now) < THROTTLE_ACCOUNT);
}

static void fail(struct throttle *t, enum kind kind, const uint8_t peer[16],
		 struct slice account, int64_t now)
{
	struct key k = key_of(t, kind, peer, account);
	struct throttle_mark *m =
		place(t->failure, THROTTLE_FAILURES, &k, now, THROTTLE_WINDOW_MS);

	m->count++;
	m->last = now;
}

void throttle_failed(struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now)
{
	fail(t, ADDRESS, peer, account, now);
	fail(t, ACCOUNT, peer, account, now);
	fail(t, PAIR, peer, account, now);
}

static void forget(struct throttle *t, enum kind kind, const uint8_t peer[16],
		   struct slice account)
{
	struct key k = key_of(t, kind, peer, account);

	for (size_t i = 0; i < THROTTLE_FAILURES; i++)
		if (!memcmp(t->failure[i].key, k.b, sizeof k.b))
			t->failure[i].count = 0;
}

void throttle_worked(struct throttle *t, const uint8_t peer[16], struct slice account,
		     int64_t now)
{
	struct key k = key_of(t, PAIR, peer, account);
	struct throttle_mark *m =
		place(t->friend, THROTTLE_FRIENDS, &k, now, THROTTLE_FRIEND_MS);

	m->count = 1;
	m->last = now;
	forget(t, ADDRESS, peer, account);
	forget(t, PAIR, peer, account);
}
