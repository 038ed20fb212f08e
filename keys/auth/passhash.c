/* SPDX-License-Identifier: ISC */
#include "keys/auth/passhash.h"

#include <sodium.h>
#include <string.h>

#include "keys/auth/cram.h"
#include "keys/auth/scram.h"
#include "smtpd/proto/base64.h"

enum { SALT = 16, SUM = 32, TOKEN = 16, PASSES_MAX = 16 };

_Static_assert((int)PASSHASH_MAX >= (int)crypto_pwhash_STRBYTES - 1, "argon2id fits");
_Static_assert((int)PASSHASH_MAX >= (int)SCRAM_TEXT, "SCRAM fits");

static void token_sum(struct slice salt, struct slice password, uint8_t out[SUM])
{
	static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] =
		"tinpost token";

	crypto_generichash_blake2b_salt_personal(out, SUM, password.p, password.n, NULL, 0,
						 salt.p, personal);
}

static bool token_open(struct slice hash, struct buf *salt, struct buf *sum)
{
	struct cur c = CUR(hash);
	size_t at;

	cur_word(&c, SLICE("$b2$"));
	at = slice_find(c.s, '$');
	return !c.bad && base64_get(slice_head(c.s, at), salt) && salt->len == SALT &&
	       base64_get(slice_from(c.s, at + 1), sum) && sum->len == SUM;
}

static uint64_t number(struct cur *c, const char *before, uint64_t max)
{
	uint64_t v = 0;

	cur_word(c, slice_of(before));
	c->bad |= !slice_u64(cur_span(c, byte_digit, 10), max, &v) || !v;
	return v;
}

static bool is_base64(uint8_t c)
{
	return byte_alpha(c) || byte_digit(c) || c == '+' || c == '/';
}

/* A field of an argon2 string: `least` octets and more, without padding. */
static void field(struct cur *c, size_t least)
{
	struct slice text;
	uint8_t mem[PASSHASH_MAX];
	size_t n = 0;

	cur_lit(c, '$');
	text = cur_span(c, is_base64, PASSHASH_MAX);
	c->bad |= sodium_base642bin(mem, sizeof mem, (const char *)text.p, text.n, NULL, &n,
				    NULL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
		  n < least;
}

/* One lane, and no more memory and passes than this machine is built for. */
static bool chosen_ok(struct slice hash)
{
	struct cur c = CUR(hash);

	c.bad |= number(&c, "$argon2id$v=", 19) != 19;
	c.bad |= number(&c, "$m=", CONFIG_KEYS_ARGON2_MEMORY * 1024) < 8;
	number(&c, ",t=", PASSES_MAX);
	number(&c, ",p=", 1);
	field(&c, 8); /* RFC 9106 3.1, and what libsodium takes */
	field(&c, 16);
	return cur_done(&c) && hash.n < crypto_pwhash_STRBYTES;
}

enum passhash_kind passhash_kind(struct slice hash)
{
	uint8_t a[SALT], b[SUM];
	struct buf salt = BUF(a), sum = BUF(b);
	struct scram_keys keys;
	struct cram_keys legacy;

	if (token_open(hash, &salt, &sum))
		return PASSHASH_TOKEN;
	if (scram_keys_get(hash, &keys))
		return PASSHASH_SCRAM;
	if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5) && cram_keys_get(hash, &legacy))
		return PASSHASH_CRAM;
	return chosen_ok(hash) ? PASSHASH_CHOSEN : PASSHASH_BAD;
}

static bool scram_check(struct scram_keys *k, struct slice password)
{
	struct scram_keys got = *k;

	scram_keys_make(&got, password);
	return sodium_memcmp(got.stored, k->stored, sizeof got.stored) == 0;
}

static bool cram_same(const struct cram_keys *k, struct slice password)
{
	struct cram_keys got;

	cram_keys_make(&got, password);
	return sodium_memcmp(&got, k, sizeof got) == 0;
}

static void cram_make(struct slice password, struct buf *out)
{
	struct cram_keys k;

	cram_keys_make(&k, password);
	cram_keys_put(&k, out);
}

static void scram_make(struct slice password, struct buf *out)
{
	struct scram_keys k = { .iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT };

	randombytes_buf(k.salt, SCRAM_SALT);
	scram_keys_make(&k, password);
	scram_keys_put(&k, out);
}

enum passhash_kind passhash_known(struct slice hash)
{
	static const struct slice begin[PASSHASH_KINDS] = {
		[PASSHASH_TOKEN] = SLICE("$b2$"),
		[PASSHASH_CRAM] = SLICE("{CRAM-MD5}"),
		[PASSHASH_CHOSEN] = SLICE("$argon2id$"),
		[PASSHASH_SCRAM] = SLICE("SCRAM-SHA-256$"),
	};
	enum passhash_kind kind = PASSHASH_BAD;

	for (int k = PASSHASH_TOKEN; k < PASSHASH_KINDS; k++)
		if (slice_eq(slice_head(hash, begin[k].n), begin[k]))
			kind = (enum passhash_kind)k;
	return kind;
}

bool passhash_check(struct slice hash, struct slice password)
{
	uint8_t a[SALT], b[SUM], got[SUM];
	struct buf salt = BUF(a), sum = BUF(b);
	char text[crypto_pwhash_STRBYTES] = { 0 };
	struct scram_keys keys;
	struct cram_keys legacy;

	if (token_open(hash, &salt, &sum)) {
		token_sum(buf_slice(&salt), password, got);
		return slice_eq_ct(buf_slice(&sum), (struct slice){ got, sizeof got });
	}
	if (scram_keys_get(hash, &keys))
		return scram_check(&keys, password);
	if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5) && cram_keys_get(hash, &legacy))
		return cram_same(&legacy, password);
	if (!chosen_ok(hash))
		return false;
	memcpy(text, hash.p, hash.n);
	return crypto_pwhash_argon2id_str_verify(text, (const char *)password.p, password.n) ==
	       0;
}

void passhash_token(struct buf *out)
{
	static const uint8_t digit[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t raw[TOKEN + 1];

	randombytes_buf(raw, TOKEN);
	raw[TOKEN] = 0;
	for (unsigned bit = 0; bit < 8 * TOKEN; bit += 5) {
		unsigned two = (unsigned)raw[bit / 8] << 8 | raw[bit / 8 + 1];

		buf_u8(out, digit[two >> (11 - bit % 8) & 31]);
	}
	sodium_memzero(raw, sizeof raw);
}

static void token_put(struct slice password, struct buf *out)
{
	uint8_t salt[SALT], sum[SUM];

	randombytes_buf(salt, sizeof salt);
	token_sum((struct slice){ salt, SALT }, password, sum);
	buf_put(out, SLICE("$b2$"));
	base64_put(out, (struct slice){ salt, SALT });
	buf_u8(out, '$');
	base64_put(out, (struct slice){ sum, SUM });
}

bool passhash_make(enum passhash_kind kind, struct slice password, struct buf *out)
{
	char text[crypto_pwhash_STRBYTES];

	if (kind == PASSHASH_TOKEN) {
		token_put(password, out);
	} else if (ON(CONFIG_AUTH_LEGACY_CRAM_MD5) && kind == PASSHASH_CRAM) {
		cram_make(password, out);
	} else if (kind == PASSHASH_SCRAM) {
		scram_make(password, out);
	} else {
		if (crypto_pwhash_argon2id_str(text, (const char *)password.p, password.n,
					       PASSHASH_PASSES,
					       (size_t)CONFIG_KEYS_ARGON2_MEMORY << 20) != 0)
			return false;
		buf_put(out, slice_of(text));
	}
	return !out->bad;
}
