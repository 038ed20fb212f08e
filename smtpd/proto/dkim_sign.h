/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DKIM_SIGN_H
#define SMTPD_PROTO_DKIM_SIGN_H

#include "smtpd/lib/bytes.h"

/*
 * RFC 6376 signatures: rsa-sha256 or ed25519-sha256 (RFC 8463), relaxed/relaxed, without l= and i=.
 * From, To, Cc, Subject, Date, Message-ID, Reply-To, the MIME fields and the one-click fields of RFC 8058
 * stand in h= once more than in the letter, so that none can be added.
 *
 * The key lives in another process. Signing is: dkim_sign_preimage(), the holder signs it, then
 * dkim_sign_field() with the same arguments gives the field that goes before the header.
 */
struct dkim_sign { /* borrowed */
	struct slice domain, selector;
	uint64_t time;		    /* t=: seconds since 1970 */
	const uint8_t *body_sha256; /* 32 octets, of the relaxed body (dkim_canon.h) */
	bool ed25519;		    /* a=ed25519-sha256, else rsa-sha256 */
};

/* Puts the octets that are hashed and signed. *out becomes bad when there is no room. */
void dkim_sign_preimage(const struct dkim_sign *s, struct slice header, struct buf *out);

/* Puts the field, folded, with its CRLF. */
void dkim_sign_field(const struct dkim_sign *s, struct slice header, struct slice signature,
		     struct buf *out);

#endif
