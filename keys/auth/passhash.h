/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_PASSHASH_H
#define KEYS_AUTH_PASSHASH_H

#include "smtpd/lib/bytes.h"

/*
 * How a password is stored: `$b2$SALT$HASH` (salted BLAKE2b, base64) for a generated token of 128 random bits,
 * argon2id in libsodium's text form for one that a person chose. Neither contains a space.
 */
enum passhash_kind {
	PASSHASH_BAD, /* neither, or argon2id above our memory */
	PASSHASH_TOKEN,
	PASSHASH_CHOSEN,
};

enum {
	PASSHASH_MAX = 128, /* octets of the text form */
	PASSHASH_TOKEN_TEXT = 26,
	PASSHASH_PASSES = 3, /* argon2id */
};

enum passhash_kind passhash_kind(struct slice hash);
/* Constant time for a token; one run of argon2id, with all its memory, for a chosen password. */
bool passhash_check(struct slice hash, struct slice password);

/* Puts a new random token in base32, PASSHASH_TOKEN_TEXT characters. */
void passhash_token(struct buf *out);
/* Puts the text form; false: no randomness or no memory. */
bool passhash_make(enum passhash_kind kind, struct slice password, struct buf *out);

#endif
