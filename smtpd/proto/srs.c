/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/srs.h"

#include <bearssl.h>

#include "smtpd/proto/base64.h"

enum { DAYS = 1024, PREFIX = 4 };

static const uint8_t digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool has_prefix(struct slice local, uint8_t kind)
{
	return local.n > PREFIX && slice_iprefix(local, SLICE("SRS")) && local.p[3] == kind &&
	       (local.p[4] == '=' || local.p[4] == '-' || local.p[4] == '+');
}

bool srs_is(struct slice local)
{
	return has_prefix(local, '0') || has_prefix(local, '1');
}

static void hmac_lower(br_hmac_context *c, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t low = byte_lower(s.p[i]);

		br_hmac_update(c, &low, 1);
	}
}

/* 28 characters, the last one padding. */
static void hash_put(struct slice secret, struct slice a, struct slice b, struct slice c,
		     struct buf *out)
{
	br_hmac_key_context key;
	br_hmac_context mac;
	uint8_t sum[br_sha1_SIZE];

	br_hmac_key_init(&key, &br_sha1_vtable, secret.p, secret.n);
	br_hmac_init(&mac, &key, 0);
	hmac_lower(&mac, a);
	hmac_lower(&mac, b);
	hmac_lower(&mac, c);
	br_hmac_out(&mac, sum);
	base64_put(out, (struct slice){ sum, sizeof sum });
}

static void forward_put(const struct srs *s, struct slice prefix, const struct slice part[3],
			struct buf *out)
{
	uint8_t mem[28];
	struct buf hash = BUF(mem);

	hash_put(s->secret[0], part[0], part[1], part[2], &hash);
	buf_put(out, prefix);
	buf_put(out, slice_head(buf_slice(&hash), s->hash));
}

/* part: day, domain, local of SRS0; first domain, rest, nothing of SRS1. */
static bool hash_ok(const struct srs *s, struct slice hash, const struct slice part[3])
{
	uint8_t folded[SRS_HASH_MAX], mem[28], want[28];
	struct buf got = BUF(folded);
	bool ok = false;

	if (hash.n < (s->least ? s->least : s->hash) || hash.n > SRS_HASH_MAX)
		return false;
	buf_lower(&got, hash);
	for (size_t i = 0; i < s->nsecret; i++) {
		struct buf made = BUF(mem), low = BUF(want);

		hash_put(s->secret[i], part[0], part[1], part[2], &made);
		buf_lower(&low, slice_head(buf_slice(&made), hash.n));
		ok |= slice_eq_ct(buf_slice(&low), buf_slice(&got));
	}
	return ok;
}

/* Cuts what stands before the next '=' off *rest, and the '='. False: no '=', or nothing before. */
static bool cut(struct slice *rest, struct slice *part)
{
	size_t at = slice_find(*rest, '=');

	if (at == rest->n || at == 0)
		return false;
	*part = slice_head(*rest, at);
	*rest = slice_from(*rest, at + 1);
	return true;
}

static bool split0(struct slice local, struct slice *hash, struct slice part[3])
{
	struct slice rest = slice_from(local, PREFIX + 1);

	if (!cut(&rest, hash) || !cut(&rest, &part[0]) || !cut(&rest, &part[1]) || !rest.n)
		return false;
	part[2] = rest;
	return part[0].n == 2;
}

/* part[1] is what follows "SRS0" in the first forwarder's address, its separator included. */
static bool split1(struct slice local, struct slice *hash, struct slice part[3])
{
	struct slice rest = slice_from(local, PREFIX + 1), first;

	if (!cut(&rest, hash) || !cut(&rest, &first) || !rest.n)
		return false;
	if (rest.p[0] != '=' && rest.p[0] != '-' && rest.p[0] != '+')
		return false;
	part[0] = first;
	part[1] = rest;
	part[2] = (struct slice){ NULL, 0 };
	return true;
}

enum srs_result srs_forward(const struct srs *s, struct slice local, struct slice domain,
			    struct buf *out)
{
	uint8_t day[2] = { digit[s->day % DAYS >> 5], digit[s->day & 31] }, mem[SRS_LOCAL];
	struct slice part[3] = { { day, 2 }, domain, local }, old;
	struct buf made = BUF(mem);

	if (slice_ieq(domain, s->domain))
		return SRS_OWN;
	if (has_prefix(local, '0')) {
		part[0] = domain;
		part[1] = slice_from(local, PREFIX);
		part[2] = (struct slice){ NULL, 0 };
	}
	if (has_prefix(local, '0') || (has_prefix(local, '1') && split1(local, &old, part))) {
		forward_put(s, SLICE("SRS1="), part, &made);
		buf_u8(&made, '=');
		buf_put(&made, part[0]);
		buf_u8(&made, '=');
		buf_put(&made, part[1]);
	} else {
		forward_put(s, SLICE("SRS0="), part, &made);
		for (int i = 0; i < 3; i++) {
			buf_u8(&made, '=');
			buf_put(&made, part[i]);
		}
	}
	if (made.bad)
		return SRS_LONG;
	buf_put(out, buf_slice(&made));
	return SRS_OK;
}

static bool digit_value(uint8_t c, unsigned *v)
{
	for (unsigned i = 0; i < 32; i++)
		if (byte_lower(digit[i]) == byte_lower(c)) {
			*v = i;
			return true;
		}
	return false;
}

static bool fresh(const struct srs *s, struct slice stamp)
{
	unsigned hi, lo;

	return digit_value(stamp.p[0], &hi) && digit_value(stamp.p[1], &lo) &&
	       (s->day % DAYS + DAYS - (hi << 5 | lo)) % DAYS <= SRS_AGE;
}

enum srs_result srs_reverse(const struct srs *s, struct slice local, struct buf *out,
			    struct slice *domain)
{
	struct slice hash, part[3];

	if (has_prefix(local, '0')) {
		if (!split0(local, &hash, part) || !hash_ok(s, hash, part))
			return SRS_BAD;
		if (!fresh(s, part[0]))
			return SRS_OLD;
		*domain = part[1];
		buf_put(out, part[2]);
		return SRS_OK;
	}
	if (has_prefix(local, '1')) {
		if (!split1(local, &hash, part) || !hash_ok(s, hash, part))
			return SRS_BAD;
		*domain = part[0];
		buf_put(out, SLICE("SRS0"));
		buf_put(out, part[1]);
		return SRS_OK;
	}
	return SRS_NOT;
}
