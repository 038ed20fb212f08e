/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_CRAM_H
#define KEYS_AUTH_CRAM_H

#include "smtpd/lib/bytes.h"

/*
 * CRAM-MD5 (RFC 2195), only with AUTH_LEGACY_CRAM_MD5. What has to be stored is worth the password here: the states of
 * MD5 after the two padded keys of HMAC. They do not show the password, but whoever reads them can log in, and a
 * password that a person chose is guessed from them at the speed of MD5, without a salt.
 */
enum { CRAM_STATE = 16, CRAM_DIGEST = 16, CRAM_TEXT = 10 + 4 * CRAM_STATE };

struct cram_keys {
	uint8_t outer[CRAM_STATE], inner[CRAM_STATE];
};

/* The stored form, as Dovecot has it: `{CRAM-MD5}`, both states in 64 hexadecimal digits, lower case. */
bool cram_keys_get(struct slice text, struct cram_keys *out);
void cram_keys_put(const struct cram_keys *k, struct buf *out);
void cram_keys_make(struct cram_keys *k, struct slice password);
/* Is this the HMAC-MD5 of the challenge? In constant time. */
bool cram_check(const struct cram_keys *k, struct slice challenge,
		const uint8_t digest[CRAM_DIGEST]);

#endif
