/* SPDX-License-Identifier: ISC */
#include "keys/holder/dkimrsa.h"

#include <bearssl.h>
#include <string.h>

#include "keys/holder/keyrand.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"
#include "smtpd/proto/dkim_key.h"

enum { EXPONENT = 65537 };

static const uint8_t exponent[] = { 1, 0, 1 };

static uint8_t *part(struct dkimrsa *r, unsigned i)
{
	return r->secret + i * (r->n / 2);
}

static br_rsa_private_key private_key(struct dkimrsa *r)
{
	return (br_rsa_private_key){
		.n_bitlen = (uint32_t)r->n * 8,
		.p = part(r, 0),
		.plen = r->n / 2,
		.q = part(r, 1),
		.qlen = r->n / 2,
		.dp = part(r, 2),
		.dplen = r->n / 2,
		.dq = part(r, 3),
		.dqlen = r->n / 2,
		.iq = part(r, 4),
		.iqlen = r->n / 2,
	};
}

static bool right(struct dkimrsa *r, const uint8_t *oid, struct slice sum, const uint8_t *sig)
{
	br_rsa_public_key pk = { part(r, 5), r->n, (uint8_t *)(uintptr_t)exponent,
				 sizeof exponent };
	uint8_t back[br_sha512_SIZE];

	return br_rsa_i31_pkcs1_vrfy(sig, r->n, oid, sum.n, &pk, back) &&
	       memcmp(back, sum.p, sum.n) == 0;
}

bool dkimrsa_sign_hash(struct dkimrsa *r, const uint8_t *oid, struct slice sum, uint8_t *sig)
{
	br_rsa_private_key sk = private_key(r);
	br_rsa_pkcs1_sign sign = br_rsa_i62_pkcs1_sign_get();

	if (!sign)
		sign = br_rsa_i31_pkcs1_sign;
	/* A fault in one half of the CRT would give the key away. */
	return sign(oid, sum.p, sum.n, &sk, sig) && right(r, oid, sum, sig);
}

bool dkimrsa_sign(struct dkimrsa *r, const uint8_t (*sum)[br_sha256_SIZE], uint8_t *const *sig,
		  size_t n)
{
	bool all = true;

	if (r->fast) {
		r->fast = rsa64_sign_sha256(&r->rsa64, sum, sig, n);
		if (!r->fast)
			log_event("wrong", "signer", "rsa64");
	}
	for (size_t i = 0; i < n && !r->fast; i++)
		all = dkimrsa_sign_hash(r, BR_HASH_OID_SHA256,
					(struct slice){ sum[i], br_sha256_SIZE }, sig[i]) &&
		      all;
	return all;
}

static struct slice piece(struct dkimrsa *r, unsigned i)
{
	return (struct slice){ part(r, i), r->n / 2 };
}

void dkimrsa_prepare(struct dkimrsa *r)
{
	struct rsa64_key key = { piece(r, 0), piece(r, 1), piece(r, 2),
				 piece(r, 3), piece(r, 4), { part(r, 5), r->n } };

	r->fast = !ON(CONFIG_KEYS_RSA_BEARSSL) && rsa64_init(&r->rsa64, mont64_kernel(0), &key);
	if (r->fast && ON(CONFIG_KEYS_RSA_AUTO))
		rsa64_widen(&r->rsa64);
}

size_t dkimrsa_width(const struct dkimrsa *r)
{
	return r->fast ? r->rsa64.width : 1;
}

const char *dkimrsa_code(const struct dkimrsa *r)
{
	if (!r->fast)
		return "bearssl";
	if (r->rsa64.width > 1)
		return "avx512-ifma";
	return mont64_kernel(1) ? "mulx-adx" : "128-bit-c";
}

void dkimrsa_public(const struct dkimrsa *r, struct buf *out)
{
	dkim_key_spki((struct slice){ r->secret + 5 * (r->n / 2), r->n },
		      (struct slice){ exponent, sizeof exponent }, out);
}

struct slice dkimrsa_secret(const struct dkimrsa *r)
{
	return (struct slice){ r->secret, r->n / 2 * 7 };
}

bool dkimrsa_take(struct dkimrsa *r, struct slice secret)
{
	size_t n = secret.n / 7 * 2;

	if (secret.n % 7 || (n != 256 && n != 384 && n != 512))
		return false;
	r->n = n;
	memcpy(r->secret, secret.p, secret.n);
	return true;
}

void dkimrsa_make(struct dkimrsa *r, unsigned bits)
{
	br_hmac_drbg_context rng;
	br_rsa_keygen keygen = br_rsa_i62_keygen_get();
	uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(DKIMRSA_BITS_MAX)],
		pub[BR_RSA_KBUF_PUB_SIZE(DKIMRSA_BITS_MAX)];
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	struct buf b = BUF(r->secret);

	if (!keygen)
		keygen = br_rsa_i31_keygen;
	keyrand_init(&rng);
	if (!keygen(&rng.vtable, &sk, priv, &pk, pub, bits, EXPONENT))
		bug("no key");
	buf_put(&b, (struct slice){ sk.p, sk.plen });
	buf_put(&b, (struct slice){ sk.q, sk.qlen });
	buf_put(&b, (struct slice){ sk.dp, sk.dplen });
	buf_put(&b, (struct slice){ sk.dq, sk.dqlen });
	buf_put(&b, (struct slice){ sk.iq, sk.iqlen });
	buf_put(&b, (struct slice){ pk.n, pk.nlen });
	explicit_bzero(&rng, sizeof rng);
	explicit_bzero(priv, sizeof priv);
	r->n = bits / 8;
	if (b.bad || sk.plen != r->n / 2 || b.len != dkimrsa_secret(r).n)
		bug("key of another size");
}
