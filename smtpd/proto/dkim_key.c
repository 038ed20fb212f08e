/* SPDX-License-Identifier: ISC */
#include "smtpd/proto/dkim_key.h"

#include <string.h>

#include "smtpd/proto/base64.h"
#include "smtpd/proto/der.h"
#include "smtpd/proto/taglist.h"

enum { DER_MAX = 600 };

static const struct slice rsa_oid =
	SLICE("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"); /* RFC 8017 A.1 */

void dkim_key_spki(struct slice modulus, struct slice exponent, struct buf *out)
{
	size_t spki = der_open(out, DER_SEQUENCE), alg = der_open(out, DER_SEQUENCE), bits, key;

	der_put(out, DER_OID, rsa_oid);
	der_put(out, DER_NULL, SLICE(""));
	der_close(out, alg);
	bits = der_open(out, DER_BITS);
	buf_u8(out, 0); /* unused bits */
	key = der_open(out, DER_SEQUENCE);
	der_uint(out, modulus);
	der_uint(out, exponent);
	der_close(out, key);
	der_close(out, bits);
	der_close(out, spki);
}

void dkim_key_text(bool ed25519, struct slice key, struct buf *out)
{
	buf_put(out, ed25519 ? SLICE("v=DKIM1; k=ed25519; p=") : SLICE("v=DKIM1; k=rsa; p="));
	base64_put(out, key);
}

void dkim_key_selector(struct slice base, bool second, uint32_t number, struct buf *out)
{
	buf_put(out, base);
	if (second)
		buf_put(out, SLICE("-ed25519"));
	if (number > 1) {
		buf_u8(out, '-');
		buf_dec(out, number);
	}
}

static bool number(struct cur *c, uint8_t *out, size_t cap, uint16_t *n)
{
	struct slice v = der_get(c, DER_INTEGER);

	if (c->bad || !v.n || v.p[0] & 0x80)
		return false;
	while (v.n && !v.p[0])
		v = slice_from(v, 1);
	if (v.n)
		memcpy(out, v.p, v.n < cap ? v.n : cap);
	*n = v.n <= UINT16_MAX ? v.n : UINT16_MAX;
	return v.n > 0;
}

/* SubjectPublicKeyInfo, or the RSAPublicKey inside it alone, which RFC 6376 3.6.1 names. */
static enum dkim_key_fault rsa_get(struct slice der, struct dkim_key *k)
{
	struct cur c = CUR(der), in = CUR(der_get(&c, DER_SEQUENCE)), key = in, alg;
	size_t bits;

	if (!cur_done(&c))
		return DKIM_KEY_SYNTAX;
	if (cur_at(&in, DER_SEQUENCE)) {
		alg = CUR(der_get(&in, DER_SEQUENCE));
		if (!slice_eq(der_get(&alg, DER_OID), rsa_oid))
			return DKIM_KEY_SYNTAX;
		struct cur string = CUR(der_get(&in, DER_BITS));

		cur_lit(&string, 0);
		key = CUR(der_get(&string, DER_SEQUENCE));
		if (!cur_done(&in) || !cur_done(&string))
			return DKIM_KEY_SYNTAX;
	}
	if (!number(&key, k->modulus, sizeof k->modulus, &k->modulus_n) ||
	    !number(&key, k->exponent, sizeof k->exponent, &k->exponent_n) || !cur_done(&key))
		return DKIM_KEY_SYNTAX;
	bits = k->modulus_n * 8u;
	for (uint8_t top = k->modulus[0]; !(top & 0x80); top <<= 1)
		bits--;
	if (bits < DKIM_KEY_RSA_MIN || bits > DKIM_KEY_RSA_MAX ||
	    k->exponent_n > sizeof k->exponent)
		return DKIM_KEY_SIZE;
	return DKIM_KEY_OK;
}

static enum dkim_key_fault key_get(struct slice p, struct dkim_key *k)
{
	uint8_t mem[DER_MAX];
	struct buf der = BUF(mem);

	if (!p.n)
		return DKIM_KEY_REVOKED;
	if (!taglist_base64(p, &der))
		return DKIM_KEY_SYNTAX;
	if (!k->ed25519)
		return rsa_get(buf_slice(&der), k);
	if (der.len != 32)
		return DKIM_KEY_SYNTAX;
	memcpy(k->modulus, mem, 32);
	k->modulus_n = 32;
	return DKIM_KEY_OK;
}

enum { V, K, P, H, S, T, TAGS };

enum dkim_key_fault dkim_key_parse(struct slice record, struct dkim_key *out)
{
	static const uint8_t letter[TAGS] = {
		[V] = 'v', [K] = 'k', [P] = 'p', [H] = 'h', [S] = 's', [T] = 't'
	};
	struct tag seen[TAGS] = { 0 }, t;
	struct cur c = CUR(record);
	struct dkim_key k = { 0 };
	enum dkim_key_fault fault;

	for (unsigned n = 0; taglist_next(&c, &t); n++)
		for (unsigned i = 0; i < TAGS; i++) {
			if (t.name.n != 1 || t.name.p[0] != letter[i])
				continue;
			if (seen[i].name.n || (i == V && n))
				return DKIM_KEY_SYNTAX;
			seen[i] = t;
		}
	if (c.bad || !seen[P].name.n)
		return DKIM_KEY_SYNTAX;
	if (seen[V].name.n && !slice_eq(seen[V].value, SLICE("DKIM1")))
		return DKIM_KEY_SYNTAX;
	k.ed25519 = slice_eq(seen[K].value, SLICE("ed25519"));
	if ((seen[K].name.n && !k.ed25519 && !slice_eq(seen[K].value, SLICE("rsa"))) ||
	    (seen[H].name.n && !taglist_has(seen[H].value, ':', SLICE("sha256"))) ||
	    (seen[S].name.n && !taglist_has(seen[S].value, ':', SLICE("*")) &&
	     !taglist_has(seen[S].value, ':', SLICE("email"))))
		return DKIM_KEY_OTHER;
	k.testing = taglist_has(seen[T].value, ':', SLICE("y"));
	k.strict = taglist_has(seen[T].value, ':', SLICE("s"));
	fault = key_get(seen[P].value, &k);
	if (fault == DKIM_KEY_OK)
		*out = k;
	return fault;
}
