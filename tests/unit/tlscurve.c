/* SPDX-License-Identifier: ISC */
/* The key exchange by libsodium against BearSSL's, and shares that would make the secret known. */
#include "smtpd/lib/tlscurve.h"

#include <string.h>

#include "tests/unit/test.h"

static br_ec_impl ours;

static void same(int curve, uint8_t seed, size_t scalar)
{
	const br_ec_impl *theirs = br_ec_get_default();
	uint8_t x[32], a[BR_EC_KBUF_PUB_MAX_SIZE] = { 0 }, b[sizeof a] = { 0 };
	size_t n;

	for (size_t i = 0; i < sizeof x; i++)
		x[i] = (uint8_t)(seed * 31 + i * 7);
	x[0] &= 0x7f; /* below the order of P-256 */
	n = ours.mulgen(a, x, scalar, curve);
	CHECK(n && n == theirs->mulgen(b, x, scalar, curve) && !memcmp(a, b, n));
	x[5] ^= seed;
	CHECK(ours.mul(a, n, x, scalar, curve) == 1 &&
	      theirs->mul(b, n, x, scalar, curve) == 1);
	CHECK(!memcmp(a, b, n));
}

/* RFC 7748 6.1: the numbers of order 1, 2, 4 and 8 lead to zero. */
static void small_shares(void)
{
	static const uint8_t eight[32] = { 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
					   0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
					   0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
					   0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 };
	uint8_t share[32] = { 0 };
	static const uint8_t x[32] = { 1, 2, 3 };

	CHECK(!ours.mul(share, sizeof share, x, sizeof x, BR_EC_curve25519));
	memset(share, 0, sizeof share);
	share[0] = 1;
	CHECK(!ours.mul(share, sizeof share, x, sizeof x, BR_EC_curve25519));
	memcpy(share, eight, sizeof share);
	CHECK(!ours.mul(share, sizeof share, x, sizeof x, BR_EC_curve25519));
}

static void lengths(void)
{
	uint8_t g[33] = { 9 }, x[33] = { 1 };

	CHECK(!ours.mul(g, 31, x, 32, BR_EC_curve25519));
	CHECK(!ours.mul(g, 33, x, 32, BR_EC_curve25519));
	CHECK(!ours.mul(g, 32, x, 33, BR_EC_curve25519));
	CHECK(!ours.mulgen(g, x, 33, BR_EC_curve25519));
	CHECK(ours.mul(g, 32, x, 32, BR_EC_curve25519));
}

int main(void)
{
	tlscurve_init(&ours, 1 << BR_EC_curve25519 | 1 << BR_EC_secp256r1);
	CHECK_EQ(ours.supported_curves, 1 << BR_EC_curve25519 | 1 << BR_EC_secp256r1);
	for (uint8_t seed = 1; seed < 20; seed++) {
		same(BR_EC_curve25519, seed, 32);
		same(BR_EC_curve25519, seed, 31);
		same(BR_EC_secp256r1, seed, 32);
	}
	small_shares();
	lengths();
	TEST_END();
}
