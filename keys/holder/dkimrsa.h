/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMRSA_H
#define KEYS_HOLDER_DKIMRSA_H

#include "keys/holder/rsa64.h"

/* An RSA-2048 key for DKIM: rsa-sha256 (RFC 6376 3.3.1). */
enum {
	DKIMRSA_BITS = 2048,
	DKIMRSA_N = DKIMRSA_BITS / 8, /* octets of a signature */
	DKIMRSA_PART = DKIMRSA_N / 2,
	DKIMRSA_OCTETS = 5 * DKIMRSA_PART + DKIMRSA_N, /* p, q, dp, dq, iq, n */
};

struct dkimrsa {
	bool fast; /* the key is in rsa64, too, and it never was wrong */
	uint8_t secret[DKIMRSA_OCTETS];
	struct rsa64 rsa64;
};

/* Makes a key in `secret`; takes seconds. */
void dkimrsa_make(struct dkimrsa *r);
/* `secret` is there. From now on signing takes the fast way where the configuration and the processor have one. */
void dkimrsa_prepare(struct dkimrsa *r);
/* How many signatures take the time of one: 1, or RSA64_JOBS. */
size_t dkimrsa_width(const struct dkimrsa *r);
/* The name of the code that signs. */
const char *dkimrsa_code(const struct dkimrsa *r);
/* n signatures of SHA-256 hashes, DKIMRSA_N octets each, checked with the public key. False: none may be given away. */
bool dkimrsa_sign(struct dkimrsa *r, const uint8_t (*sum)[32], uint8_t *const *sig, size_t n);
/* The public key as dkim_key_text() wants it. */
void dkimrsa_public(const struct dkimrsa *r, struct buf *out);

#endif
