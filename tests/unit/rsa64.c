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
	CHECK(rsa64_private(&r, got));
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

static void signature(void)
{
	uint8_t sum[32], want[BITS_MAX / 8], got[BITS_MAX / 8];

	br_hmac_drbg_generate(&t.rng, sum, sizeof sum);
	CHECK(br_rsa_i62_pkcs1_sign_get()(BR_HASH_OID_SHA256, sum, sizeof sum, &t.sk, want));
	CHECK(rsa64_sign_sha256(&r, sum, got));
	CHECK(memcmp(want, got, r.octets) == 0);
}

static void too_large(void)
{
	uint8_t x[BITS_MAX / 8];

	memcpy(x, t.pk.n, r.octets);
	CHECK(!rsa64_private(&r, x) && !x[0] && !x[r.octets - 1]);
	memset(x, 0xff, r.octets);
	CHECK(!rsa64_private(&r, x));
}

/* Whatever goes wrong in a half, nothing leaves. */
static void faults(void)
{
	static struct rsa64 good;
	uint8_t sum[32] = { 1 }, sig[BITS_MAX / 8], zero[BITS_MAX / 8] = { 0 };
	uint8_t *const spots[] = { r.dp + 3, r.dq + 9, (uint8_t *)r.iq + 5,
				   (uint8_t *)r.p_r3 + 2, (uint8_t *)r.q_r3 + 1 };

	good = r;
	for (size_t i = 0; i < sizeof spots / sizeof *spots; i++) {
		*spots[i] ^= 4;
		CHECK(!rsa64_sign_sha256(&r, sum, sig));
		CHECK(memcmp(sig, zero, r.octets) == 0);
		r = good;
	}
	CHECK(rsa64_sign_sha256(&r, sum, sig));
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

static void each_kernel(void)
{
	for (unsigned i = 0; mont64_kernel(i); i++) {
		CHECK(rsa64_init(&r, mont64_kernel(i), &t.key));
		numbers();
		signature();
		too_large();
	}
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
	faults();
	refused();
	TEST_END();
}
