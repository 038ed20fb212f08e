/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/grant.h"

#include <sodium.h>

enum { MAC = 32, ACCOUNT_MAX = 64 };

static void mac_of(struct slice body, const uint8_t key[32], uint8_t out[MAC])
{
	crypto_generichash(out, MAC, body.p, body.n, key, 32);
}

void grant_put(const struct grant *g, const uint8_t key[32], struct buf *out)
{
	static const uint8_t room[MAC];
	size_t at = out->len;
	uint64_t expires = (uint64_t)g->expires;

	if (g->account.n > ACCOUNT_MAX) {
		out->bad = true;
		return;
	}
	buf_put(out, (struct slice){ room, sizeof room });
	buf_be64(out, (uint64_t)expires);
	buf_u8(out, (uint8_t)g->account.n);
	buf_put(out, g->account);
	buf_put(out, g->rights);
	if (!out->bad)
		mac_of(slice_from(buf_slice(out), at + MAC), key, out->p + at);
}

bool grant_open(struct slice in, const uint8_t key[32], int64_t now, struct grant *out)
{
	struct cur c = CUR(in);
	struct slice mac = cur_take(&c, MAC);
	uint8_t want[MAC];
	struct grant g;

	if (c.bad)
		return false;
	mac_of(c.s, key, want);
	if (!slice_eq_ct(mac, (struct slice){ want, MAC }))
		return false;
	g.expires = (int64_t)cur_be64(&c);
	g.account = cur_take(&c, cur_u8(&c));
	g.rights = c.s;
	if (c.bad || g.account.n > ACCOUNT_MAX || now >= g.expires)
		return false;
	*out = g;
	return true;
}

bool grant_allows(const struct grant *g, struct slice local, struct slice domain)
{
	struct slice words = g->rights, word;

	if (!local.n || !domain.n)
		return false;
	while ((word = slice_word(&words)).n) {
		size_t at = slice_rfind(word, '@');

		if (at < word.n && slice_ieq(slice_from(word, at + 1), domain) &&
		    (!at || slice_ieq(slice_head(word, at), local)))
			return true;
	}
	return false;
}

uint32_t grant_quota(const struct grant *g, uint32_t otherwise)
{
	struct slice words = g->rights, word, key = SLICE("quota=");
	uint64_t n;

	while ((word = slice_word(&words)).n)
		if (slice_iprefix(word, key) &&
		    slice_u64(slice_from(word, key.n), UINT32_MAX, &n))
			return (uint32_t)n;
	return otherwise;
}
