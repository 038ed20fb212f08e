/* SPDX-License-Identifier: ISC */
#include "keys/auth/scram.h"

#include <sodium.h>
#include <string.h>

#include "smtpd/proto/base64.h"

/* The server's nonce: time, random octets, MAC; 30 octets are 40 of base64 without padding. */
enum { TIME = 6, RANDOM = 8, MAC = 16, RAW = TIME + RANDOM + MAC };

_Static_assert((int)SCRAM_NONCE == RAW / 3 * 4, "no padding");
_Static_assert((int)SCRAM_KEY == (int)crypto_auth_hmacsha256_BYTES, "SHA-256");

static void hmac(const uint8_t key[SCRAM_KEY], struct slice text, uint8_t out[SCRAM_KEY])
{
	crypto_auth_hmacsha256(out, text.p, text.n, key);
}

static void exact(struct cur *c, struct slice text)
{
	c->bad |= !slice_eq(cur_take(c, text.n), text);
}

/* ---- stored keys ---- */

static struct slice part(struct cur *c, uint8_t end)
{
	struct slice s = cur_take(c, slice_find(c->s, end));

	if (end)
		cur_lit(c, end);
	return s;
}

static bool octets(struct slice text, uint8_t *to, size_t least, size_t most, size_t *n)
{
	struct buf b = { .p = to, .cap = most };

	if (!base64_get(text, &b) || b.len < least)
		return false;
	*n = b.len;
	return true;
}

bool scram_keys_get(struct slice text, struct scram_keys *out)
{
	struct cur c = CUR(text);
	struct slice iterations, salt, stored;
	struct scram_keys k = { 0 };
	uint64_t count = 0;
	size_t n = 0;

	exact(&c, SLICE("SCRAM-SHA-256$"));
	iterations = part(&c, ':');
	salt = part(&c, '$');
	stored = part(&c, ':');
	if (c.bad || !slice_u64(iterations, SCRAM_ITERATIONS_MAX, &count) ||
	    count < SCRAM_ITERATIONS || !octets(stored, k.stored, SCRAM_KEY, SCRAM_KEY, &n) ||
	    !octets(c.s, k.server, SCRAM_KEY, SCRAM_KEY, &n) ||
	    !octets(salt, k.salt, 1, SCRAM_SALT_MAX, &n))
		return false;
	k.salt_n = (uint8_t)n;
	k.iterations = (uint32_t)count;
	*out = k;
	return true;
}

void scram_keys_put(const struct scram_keys *k, struct buf *out)
{
	buf_put(out, SLICE("SCRAM-SHA-256$"));
	buf_dec(out, k->iterations);
	buf_u8(out, ':');
	base64_put(out, (struct slice){ k->salt, k->salt_n });
	buf_u8(out, '$');
	base64_put(out, (struct slice){ k->stored, SCRAM_KEY });
	buf_u8(out, ':');
	base64_put(out, (struct slice){ k->server, SCRAM_KEY });
}

/* Hi() of RFC 5802 2.2: PBKDF2 with one block. */
static void salted(const struct scram_keys *k, struct slice password, uint8_t out[SCRAM_KEY])
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };
	crypto_auth_hmacsha256_state start, s;
	uint8_t u[SCRAM_KEY];

	crypto_auth_hmacsha256_init(&start, password.p, password.n);
	s = start;
	crypto_auth_hmacsha256_update(&s, k->salt, k->salt_n);
	crypto_auth_hmacsha256_update(&s, one, sizeof one);
	crypto_auth_hmacsha256_final(&s, u);
	memcpy(out, u, sizeof u);
	for (uint32_t i = 1; i < k->iterations; i++) {
		s = start;
		crypto_auth_hmacsha256_update(&s, u, sizeof u);
		crypto_auth_hmacsha256_final(&s, u);
		for (size_t j = 0; j < sizeof u; j++)
			out[j] ^= u[j];
	}
	sodium_memzero(&start, sizeof start);
	sodium_memzero(&s, sizeof s);
	sodium_memzero(u, sizeof u);
}

void scram_keys_make(struct scram_keys *k, struct slice password)
{
	uint8_t base[SCRAM_KEY], client[SCRAM_KEY];

	salted(k, password, base);
	hmac(base, SLICE("Client Key"), client);
	crypto_hash_sha256(k->stored, client, sizeof client);
	hmac(base, SLICE("Server Key"), k->server);
	sodium_memzero(base, sizeof base);
	sodium_memzero(client, sizeof client);
}

/* ---- messages ---- */

static bool is_printable(uint8_t c)
{
	return c > ' ' && c < 127 && c != ',';
}

/* saslname of RFC 5802 7: "=2C" is a comma and "=3D" an equals sign. */
static bool name(struct slice text, struct buf *out)
{
	for (struct cur c = CUR(text); !cur_end(&c);) {
		struct slice three = slice_head(c.s, 3);

		if (!cur_at(&c, '=')) {
			buf_u8(out, cur_u8(&c));
			continue;
		}
		if (!slice_eq(three, SLICE("=2C")) && !slice_eq(three, SLICE("=3D")))
			return false;
		buf_u8(out, three.p[1] == '2' ? ',' : '=');
		cur_take(&c, 3);
	}
	return !out->bad && out->len;
}

bool scram_first_get(struct slice message, struct scram_first *out)
{
	struct scram_first f = { .gs2 = { NULL, 0 } };
	uint8_t other[AUTH_USER_MAX];
	struct buf user = BUF(f.user), as = BUF(other);
	struct cur c = CUR(message);
	struct slice authzid;
	bool y = cur_try(&c, 'y'); /* the client knows binding, and saw that we do not */

	if (!y)
		cur_lit(&c, 'n');
	cur_lit(&c, ',');
	authzid = part(&c, ',');
	f.gs2 = slice_head(message, message.n - c.s.n);
	f.bare = c.s;
	exact(&c, SLICE("n="));
	if (!name(part(&c, ','), &user))
		return false;
	exact(&c, SLICE("r="));
	f.nonce = cur_skip(&c, is_printable);
	c.bad |= !f.nonce.n || (!cur_end(&c) && !cur_at(&c, ',')); /* extensions may follow */
	if (authzid.n &&
	    (!slice_eq(slice_head(authzid, 2), SLICE("a=")) ||
	     !name(slice_from(authzid, 2), &as) || !slice_eq(buf_slice(&as), buf_slice(&user))))
		return false;
	if (c.bad)
		return false;
	f.user_n = (uint8_t)user.len;
	*out = f;
	return true;
}

static void mac_of(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		   const uint8_t raw[RAW], uint8_t out[MAC])
{
	crypto_generichash_state h;

	crypto_generichash_init(&h, s->key, sizeof s->key, MAC);
	crypto_generichash_update(&h, raw, TIME + RANDOM);
	crypto_generichash_update(&h, peer, 16);
	crypto_generichash_update(&h, first.p, first.n);
	crypto_generichash_final(&h, out, MAC);
}

static void put_first(struct slice nonce, struct slice more, const struct scram_keys *k,
		      struct buf *out)
{
	buf_put(out, SLICE("r="));
	buf_put(out, nonce);
	buf_put(out, more);
	buf_put(out, SLICE(",s="));
	base64_put(out, (struct slice){ k->salt, k->salt_n });
	buf_put(out, SLICE(",i="));
	buf_dec(out, k->iterations);
}

void scram_first_put(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		     int64_t now, const struct scram_keys *k, struct buf *out)
{
	uint8_t raw[RAW], mem[SCRAM_NONCE];
	struct buf nonce = BUF(mem);
	struct scram_first f;

	if (!scram_first_get(first, &f)) {
		out->bad = true;
		return;
	}
	for (int i = 0; i < TIME; i++)
		raw[i] = (uint8_t)((uint64_t)now >> 8 * (TIME - 1 - i));
	randombytes_buf(raw + TIME, RANDOM);
	mac_of(s, peer, first, raw, raw + TIME + RANDOM);
	base64_put(&nonce, (struct slice){ raw, RAW });
	put_first(f.nonce, buf_slice(&nonce), k, out);
}

/* Our part of the nonce: made here, for this peer and message, and not long ago. */
static bool nonce_ok(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		     struct slice text, int64_t now)
{
	uint8_t raw[RAW], want[MAC];
	struct buf b = BUF(raw);
	uint64_t then = 0;

	if (!base64_get(text, &b) || b.len != RAW)
		return false;
	for (int i = 0; i < TIME; i++)
		then = then << 8 | raw[i];
	mac_of(s, peer, first, raw, want);
	return sodium_memcmp(want, raw + TIME + RANDOM, MAC) == 0 && (int64_t)then <= now &&
	       now - (int64_t)then < SCRAM_LIFE_MS;
}

struct final { /* client-final-message */
	struct slice bare, binding, nonce;
	uint8_t proof[SCRAM_KEY];
};

static bool final_get(struct slice message, struct final *out)
{
	size_t at = slice_rfind(message, ','), n;
	struct cur c = CUR(slice_head(message, at)), p = CUR(slice_from(message, at));

	out->bare = c.s;
	exact(&c, SLICE("c="));
	out->binding = part(&c, ',');
	exact(&c, SLICE("r="));
	out->nonce = cur_skip(&c, is_printable);
	exact(&p, SLICE(",p="));
	return !c.bad && !p.bad && (cur_end(&c) || cur_at(&c, ',')) &&
	       octets(p.s, out->proof, SCRAM_KEY, SCRAM_KEY, &n);
}

/* The nonce is the client's and ours, the binding says again what the client began with (RFC 5802 5.1). */
static bool belongs(const struct scram_first *f, const struct final *l)
{
	uint8_t mem[2 * AUTH_SCRAM_FIRST_MAX];
	struct buf gs2 = BUF(mem);

	base64_put(&gs2, f->gs2);
	return !gs2.bad && slice_eq(buf_slice(&gs2), l->binding) &&
	       l->nonce.n == f->nonce.n + SCRAM_NONCE &&
	       slice_eq(slice_head(l->nonce, f->nonce.n), f->nonce);
}

bool scram_final(const struct scram_secret *s, const uint8_t peer[16], struct slice first,
		 struct slice final, int64_t now, const struct scram_keys *k, struct buf *out)
{
	uint8_t mem[AUTH_SCRAM_FIRST_MAX + AUTH_SCRAM_FINAL_MAX + AUTH_SCRAM_TEXT_MAX + 2];
	uint8_t sum[SCRAM_KEY], stored[SCRAM_KEY];
	struct buf all = BUF(mem);
	struct scram_first f;
	struct final l;

	if (!scram_first_get(first, &f) || !final_get(final, &l) || !belongs(&f, &l) ||
	    !nonce_ok(s, peer, first, slice_from(l.nonce, f.nonce.n), now))
		return false;
	buf_put(&all, f.bare);
	buf_u8(&all, ',');
	put_first(l.nonce, SLICE(""), k, &all);
	buf_u8(&all, ',');
	buf_put(&all, l.bare);
	if (all.bad)
		return false;
	hmac(k->stored, buf_slice(&all), sum);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		sum[i] ^= l.proof[i]; /* ClientKey */
	crypto_hash_sha256(stored, sum, sizeof sum);
	sodium_memzero(sum, sizeof sum);
	if (sodium_memcmp(stored, k->stored, SCRAM_KEY) != 0)
		return false;
	hmac(k->server, buf_slice(&all), sum);
	buf_put(out, SLICE("v="));
	base64_put(out, (struct slice){ sum, sizeof sum });
	return !out->bad;
}
