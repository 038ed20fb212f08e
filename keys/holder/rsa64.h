/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_RSA64_H
#define KEYS_HOLDER_RSA64_H

#include "keys/holder/mont64.h"
#include "smtpd/lib/bytes.h"

/* RSA with the private key, by CRT, in constant time; public exponent 65537. One of these holds everything secret. */
struct rsa64 {
	size_t octets; /* of the modulus */
	struct mont64 p, q, n;
	uint64_t p_r3[MONT64_EXP_MAX], q_r3[MONT64_EXP_MAX]; /* R^3 mod p, mod q */
	uint64_t iq[MONT64_EXP_MAX], iq_r[MONT64_EXP_MAX];   /* 1/q mod p, and R/q */
	uint8_t dp[MONT64_EXP_MAX * 8], dq[MONT64_EXP_MAX * 8];
	size_t dp_octets, dq_octets;
	uint64_t x[MONT64_MAX], y[MONT64_MAX], z[MONT64_MAX];
	struct mont64_work work;
};

struct rsa64_key { /* big-endian, borrowed for the call */
	struct slice p, q, dp, dq, iq, n;
};

/* False: not a key that this code handles (size, even factors, n is not p q). */
bool rsa64_init(struct rsa64 *r, const struct mont64_kernel *k, const struct rsa64_key *key);
/* x^d mod n in place, `octets` octets. False: x is not below n, or the result, raised to 65537, is not x: a fault in
 * one half of the CRT would give the key away. x is zeroed then. */
bool rsa64_private(struct rsa64 *r, uint8_t *x);
/* PKCS #1 v1.5 with SHA-256: `octets` octets of signature (RFC 8017 8.2.1). */
bool rsa64_sign_sha256(struct rsa64 *r, const uint8_t sum[32], uint8_t *sig);

#endif
