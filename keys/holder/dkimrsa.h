/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMRSA_H
#define KEYS_HOLDER_DKIMRSA_H

#include "keys/holder/rsa64.h"

/* An RSA key of 2048, 3072 or 4096 bits, for DKIM (rsa-sha256, RFC 6376 3.3.1) or TLS. */
enum {
	DKIMRSA_BITS_MAX = 4096,
	DKIMRSA_N_MAX = DKIMRSA_BITS_MAX / 8,
	DKIMRSA_OCTETS_MAX = 7 * DKIMRSA_N_MAX / 2,
};

struct dkimrsa {
	bool fast; /* the key is in rsa64, too, and it never was wrong */
	size_t n;  /* octets of the modulus, and of a signature */
	uint8_t secret[DKIMRSA_OCTETS_MAX]; /* p, q, dp, dq, iq of n/2 octets each, the modulus */
	struct rsa64 rsa64;
};

/* Makes a key of so many bits; takes seconds. */
void dkimrsa_make(struct dkimrsa *r, unsigned bits);
/* What stands for the key on disk; borrowed. */
struct slice dkimrsa_secret(const struct dkimrsa *r);
/* Takes such a text. False: no size of ours. */
bool dkimrsa_take(struct dkimrsa *r, struct slice secret);
/* The key is there. From now on signing takes the fast way where the configuration and the processor have one. */
void dkimrsa_prepare(struct dkimrsa *r);
/* How many signatures take the time of one: 1, or RSA64_JOBS. */
size_t dkimrsa_width(const struct dkimrsa *r);
/* The name of the code that signs. */
const char *dkimrsa_code(const struct dkimrsa *r);
/* n signatures of SHA-256 hashes, r->n octets each, checked with the public key. False: none may be given away. */
bool dkimrsa_sign(struct dkimrsa *r, const uint8_t (*sum)[32], uint8_t *const *sig, size_t n);
/* The same with another hash, one signature: oid as BearSSL has them. */
bool dkimrsa_sign_hash(struct dkimrsa *r, const uint8_t *oid, struct slice sum, uint8_t *sig);
/* The public key as dkim_key_text() wants it: SubjectPublicKeyInfo. */
void dkimrsa_public(const struct dkimrsa *r, struct buf *out);

#endif
