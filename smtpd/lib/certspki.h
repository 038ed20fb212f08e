/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_LIB_CERTSPKI_H
#define SMTPD_LIB_CERTSPKI_H

#include "smtpd/lib/bytes.h"

/* Finds the SubjectPublicKeyInfo in a certificate (RFC 5280 4.1) that arrives in pieces. Reads no more of it than the
 * way to there; whether the certificate is well formed is another's question. */
struct certspki { /* zeroed: at the beginning of a certificate */
	uint8_t at, more;
	bool tagged, bad;
	uint32_t left;
};

/* The part of `in`, the next piece, that belongs to it; all parts together are the DER element. */
struct slice certspki_feed(struct certspki *w, struct slice in);
/* It was there, and all of it was given. */
bool certspki_done(const struct certspki *w);

#endif
