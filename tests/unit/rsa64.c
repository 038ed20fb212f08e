/* SPDX-License-Identifier: ISC */
/* rsa64 against BearSSL: the same octets for keys of all sizes and for the numbers where carries and zeros meet. */
#include <bearssl.h>

#include "keys/holder/rsa64.h"
#include "tests/unit/test.h"

enum { BITS_MAX = 4096, PART = BITS_MAX / 16 };

static struct {
	br_hmac_drbg_context rng;
	uint8_t priv[BR_RSA_KBUF_PRIV_SIZE(BITS_MAX)], pub[BR_RSA_KBUF_PUB_SIZE(BITS_MAX)];
	br_rsa_private_key sk;
	br_rsa_public_key pk;
	struct rsa64_key key;
	uint8_t ip[PART];
} t;

static struct rsa64 r;

static struct slice all(const uint8_t *p, size_t n)
{
	return (struct slice){ p, n };
}

static void make(unsigned bits)
{
	CHECK(br_rsa_i62_keygen_get()(&t.rng.vtable, &t.sk, t.priv, &t.pk, t.pub, bits, 65537));
	t.key = (struct rsa64_key){ all(t.sk.p, t.sk.plen),   all(t.sk.q, t.sk.qlen),
				    all(t.sk.dp, t.sk.dplen), all(t.sk.dq, t.sk.dqlen),
				    all(t.sk.iq, t.sk.iqlen), all(t.pk.n, t.pk.nlen) };
}

/* The key with its factors exchanged: 1/p mod q is p^(q-2). */
static void exchange(void)
{
	static struct mont64_work w;
	static struct mont64 o;
	static const uint64_t unit[MONT64_EXP_MAX] = { 1 };
	uint64_t x[MONT64_EXP_MAX];
	uint8_t e[PART];
	struct rsa64_key k = t.key;
	size_t n = (t.sk.plen + 63) / 64 * 8;

	memcpy(e, t.sk.q, t.sk.qlen);
	e[t.sk.qlen - 1] -= 2; /* q is odd, and no q of these ends in 01 */
	CHECK(t.sk.q[t.sk.qlen - 1] > 1);
	CHECK(mont64_init(&o, mont64_kernel(0), n, t.sk.q, t.sk.qlen));
	CHECK(mont64_get(x, n, t.sk.p, t.sk.plen));
	mont64_mul(&o, &w, x, x, o.r2);
	mont64_power(&o, &w, x, e, t.sk.qlen);
	mont64_mul(&o, &w, x, x, unit);
	mont64_whole(&o, x);
	mont64_put(x, n, t.ip, t.sk.qlen);
	t.key = (struct rsa64_key){ k.q, k.p, k.dq, k.dp, all(t.ip, t.sk.qlen), k.n };
}

static void same(const uint8_t *in)
{
	uint8_t want[BITS_MAX / 8], got[BITS_MAX / 8];

	memcpy(want, in, r.octets);
	memcpy(got, in, r.octets);
	CHECK(br_rsa_i62_private_get()(want, &t.sk));
	CHECK(rsa64_private(&r, (uint8_t *[]){ got }, 1));
	CHECK(memcmp(want, got, r.octets) == 0);
}

/* 0, 1, n-1, n-2, p, q, small, all ones below the top, random. */
static void numbers(void)
{
	uint8_t x[BITS_MAX / 8] = { 0 };
	size_t n = r.octets;

	same(x);
	x[n - 1] = 1;
	same(x);
	x[n - 1] = 2;
	same(x);
	memcpy(x, t.pk.n, n);
	x[n - 1]--;
	same(x);
	x[n - 1]--;
	same(x);
	memset(x, 0, n);
	memcpy(x + n - t.sk.plen, t.sk.p, t.sk.plen);
	same(x);
	memcpy(x + n - t.sk.qlen, t.sk.q, t.sk.qlen);
	same(x);
	memset(x, 0xff, n);
	x[0] = 0;
	same(x);
	memset(x, 0, n);
	x[n / 2] = 0x80;
	same(x);
	br_hmac_drbg_generate(&t.rng, x, n);
	x[0] &= 0x3f;
	same(x);
}

/* As many at once as go, and fewer. */
static void signatures(void)
{
	uint8_t sum[RSA64_JOBS][32], want[BITS_MAX / 8], got[RSA64_JOBS][BITS_MAX / 8];
	uint8_t *sig[RSA64_JOBS];

	br_hmac_drbg_generate(&t.rng, sum, sizeof sum);
	for (size_t n = 1; n <= RSA64_JOBS; n++) {
		for (size_t i = 0; i < n; i++)
			sig[i] = got[n - 1 - i];
		CHECK(rsa64_sign_sha256(&r, sum, sig, n));
		for (size_t i = 0; i < n; i++) {
			CHECK(br_rsa_i62_pkcs1_sign_get()(BR_HASH_OID_SHA256, sum[i],
							  sizeof sum[i], &t.sk, want));
			CHECK(memcmp(want, sig[i], r.octets) == 0);
		}
	}
}

static void too_large(void)
{
	uint8_t x[BITS_MAX / 8], small[BITS_MAX / 8] = { 1 };
	uint8_t *both[] = { small, x };

	memcpy(x, t.pk.n, r.octets);
	CHECK(!rsa64_private(&r, both, 2) && !x[0] && !x[r.octets - 1] && !small[0]);
	memset(x, 0xff, r.octets);
	CHECK(!rsa64_private(&r, (uint8_t *[]){ x }, 1));
}

/* Whatever goes wrong in a half, nothing leaves. */
static void faults(void)
{
	static struct rsa64 good;
	uint8_t sum[2][32] = { { 1 } }, zero[BITS_MAX / 8] = { 0 }, mem[2][BITS_MAX / 8];
	uint8_t *sig[] = { mem[0], mem[1] };
	uint8_t *const narrow[] = { r.dp + 3, r.dq + 9, (uint8_t *)r.iq_r + 5,
				    (uint8_t *)r.p.r2 + 2, (uint8_t *)r.q.r2 + 1 };
	uint8_t *const wide[] = { (uint8_t *)r.iq_r + 5, r.wide.e[0] + 3, r.wide.e[1] + 9,
				  (uint8_t *)&r.wide.r2[4] + 16, (uint8_t *)&r.wide.m[7] + 24 };
	uint8_t *const *spots = r.width == 1 ? narrow : wide;

	good = r;
	for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
		*spots[i] ^= 4;
		CHECK(!rsa64_sign_sha256(&r, sum, sig, 2));
		CHECK(memcmp(mem[0], zero, r.octets) == 0);
		CHECK(memcmp(mem[1], zero, r.octets) == 0);
		r = good;
	}
	CHECK(rsa64_sign_sha256(&r, sum, sig, 2));
}

static void refused(void)
{
	const struct mont64_kernel *k = mont64_kernel(0);
	struct rsa64_key bad = t.key;

	CHECK(!rsa64_init(&r, NULL, &t.key));
	bad.p = t.key.dp;
	CHECK(!rsa64_init(&r, k, &bad));
	bad = t.key;
	bad.n = t.key.p;
	CHECK(!rsa64_init(&r, k, &bad));
	bad = t.key;
	bad.dp.n = 0;
	CHECK(!rsa64_init(&r, k, &bad));
	bad = t.key;
	bad.q.n = bad.p.n = 1000;
	CHECK(!rsa64_init(&r, k, &bad));
}

static void try(void)
{
	numbers();
	signatures();
	too_large();
}

static void each_kernel(void)
{
	for (unsigned i = 0; mont64_kernel(i); i++) {
		CHECK(rsa64_init(&r, mont64_kernel(i), &t.key) && r.width == 1);
		try();
		if (r.octets != 256)
			continue;
		faults();
		rsa64_widen(&r);
		CHECK(r.width == (mont52_has() ? RSA64_JOBS : 1));
		try();
		faults();
	}
	rsa64_widen(&r);
	CHECK(r.octets == 256 || r.width == 1);
}

int main(void)
{
	static const unsigned sizes[] = { 1024, 1024, 1536, 1752, 2048, 3072, 4096 };

	if (!mont64_kernel(0)) /* a 32-bit host */
		return 0;
	br_hmac_drbg_init(&t.rng, &br_sha256_vtable, "rsa64", 5);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		make(sizes[i]);
		each_kernel();
		exchange();
		each_kernel();
	}
	refused();
	TEST_END();
}
