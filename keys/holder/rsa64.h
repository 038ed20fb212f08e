/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_RSA64_H
#define KEYS_HOLDER_RSA64_H

#include "keys/holder/mont52.h"
#include "keys/holder/mont64.h"
#include "smtpd/lib/bytes.h"

enum { RSA64_JOBS = MONT52_PAIRS, RSA64_OCTETS_MAX = 512 };

struct rsa64_job {
	uint64_t x[MONT64_MAX], p[MONT64_EXP_MAX], q[MONT64_MAX];
};

/* RSA with the private key, by CRT, in constant time; public exponent 65537. One of these holds everything secret. */
struct rsa64 {
	size_t octets; /* of the modulus */
	size_t width;  /* numbers that take the time of one: 1, or RSA64_JOBS */
	struct mont64 p, q, n;
	uint64_t iq_r[MONT64_EXP_MAX]; /* R/q mod p */
	uint8_t dp[MONT64_EXP_MAX * 8], dq[MONT64_EXP_MAX * 8];
	size_t dp_octets, dq_octets;
	struct rsa64_job job[RSA64_JOBS];
	struct mont64_work work;
	struct mont52 wide;
};

struct rsa64_key { /* big-endian, borrowed for the call */
	struct slice p, q, dp, dq, iq, n;
};

/* False: not a key that this code handles (size, even factors, n is not p q). */
bool rsa64_init(struct rsa64 *r, const struct mont64_kernel *k, const struct rsa64_key *key);
/* After init. From now on RSA64_JOBS at a time, where the processor can and the key has 2048 bits. */
void rsa64_widen(struct rsa64 *r);
/* x[i]^d mod n in place, `octets` octets each, n <= RSA64_JOBS numbers. False, and all zeroed: one is not below n, or
 * its result, raised to 65537, is not x: a fault in one half of the CRT would give the key away. */
bool rsa64_private(struct rsa64 *r, uint8_t *const *x, size_t n);
/* PKCS #1 v1.5 with SHA-256: `octets` octets of signature each (RFC 8017 8.2.1). */
bool rsa64_sign_sha256(struct rsa64 *r, const uint8_t (*sum)[32], uint8_t *const *sig,
		       size_t n);

#endif
