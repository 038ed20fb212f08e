/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMED_H
#define KEYS_HOLDER_DKIMED_H

#include "smtpd/lib/bytes.h"

/* An Ed25519 key for DKIM: ed25519-sha256 signs the SHA-256 of the preimage (RFC 8463 3). */
enum { DKIMED_SEED = 32, DKIMED_PUBLIC = 32, DKIMED_PAIR = 64, DKIMED_SIGNATURE = 64 };

struct dkimed {
	uint8_t seed[DKIMED_SEED];     /* what is kept (RFC 8032 5.1.5) */
	uint8_t pair[DKIMED_PAIR];     /* as libsodium signs with it */
	uint8_t public[DKIMED_PUBLIC]; /* another copy, to check with */
};

/* Makes a key, ready to sign. */
void dkimed_make(struct dkimed *e);
/* `seed` is there. */
void dkimed_prepare(struct dkimed *e);
/* False: it does not verify and must not be given away. */
bool dkimed_sign(const struct dkimed *e, const uint8_t sum[32], uint8_t sig[DKIMED_SIGNATURE]);

#endif
