/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DKIM_KEY_H
#define SMTPD_PROTO_DKIM_KEY_H

#include "smtpd/lib/bytes.h"

/* The key record under SELECTOR._domainkey.DOMAIN: RFC 6376 3.6.1, RFC 8463 4. */
enum {
	DKIM_KEY_RSA_MIN = 1024, /* bits; RFC 8301 3.2 */
	DKIM_KEY_RSA_MAX = 4096,
	DKIM_KEY_TEXT = 800, /* holds the record of the largest key */
};

/* SubjectPublicKeyInfo (RFC 5280 4.1) of an RSA key; numbers are unsigned, big-endian. */
void dkim_key_spki(struct slice modulus, struct slice exponent, struct buf *out);
/* "v=DKIM1; k=rsa; p=..."; the key: SubjectPublicKeyInfo, or the 32 octets of Ed25519. */
void dkim_key_text(bool ed25519, struct slice key, struct buf *out);

/* The selector of key `number` (from 1 up): the first one's is `base` itself. second: of the algorithm that signs
 * beside the first one. */
void dkim_key_selector(struct slice base, bool second, uint32_t number, struct buf *out);

struct dkim_key {
	bool ed25519; /* else RSA */
	bool testing; /* t=y */
	bool strict;  /* t=s: the domains of i= and d= must be the same */
	uint16_t modulus_n, exponent_n;
	uint8_t modulus[DKIM_KEY_RSA_MAX / 8]; /* Ed25519: the 32 octets of the key */
	uint8_t exponent[8];
};

enum dkim_key_fault {
	DKIM_KEY_OK,
	DKIM_KEY_SYNTAX,
	DKIM_KEY_REVOKED, /* p= is empty */
	DKIM_KEY_OTHER,	  /* for another service, hash or kind of key */
	DKIM_KEY_SIZE,	  /* RSA below DKIM_KEY_RSA_MIN or above DKIM_KEY_RSA_MAX */
};

/* *out is written only with DKIM_KEY_OK. */
enum dkim_key_fault dkim_key_parse(struct slice record, struct dkim_key *out);

#endif
