/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_PASSHASH_H
#define KEYS_AUTH_PASSHASH_H

#include "smtpd/lib/bytes.h"

/*
 * How a password is stored: `$b2$SALT$HASH` (salted BLAKE2b, base64) for a generated token of 128 random bits,
 * argon2id in libsodium's text form for one that a person chose, or keys of SCRAM-SHA-256 (keys/auth/scram.h) or of
 * CRAM-MD5 (keys/auth/cram.h) for either. None contains a space.
 */
enum passhash_kind {
	PASSHASH_BAD, /* none of them, or dearer than we are built for */
	PASSHASH_TOKEN,
	PASSHASH_CRAM,	 /* with AUTH_LEGACY_CRAM_MD5 */
	PASSHASH_CHOSEN, /* from here on a check is dear */
	PASSHASH_SCRAM,
	PASSHASH_KINDS
};

enum {
	PASSHASH_MAX = 144,	  /* octets of the text form */
	PASSHASH_CHOSEN_MIN = 12, /* of a password that somebody chose */
	PASSHASH_TOKEN_TEXT = 26,
	PASSHASH_PASSES = 3, /* argon2id */
};

/* The map of accounts has under this name, which is nobody's, what the salts of unknown names are made with. */
#define PASSHASH_PEPPER "*"

enum passhash_kind passhash_kind(struct slice hash);
/* The same of a hash that is known to be none that is BAD, by its first octets: in one time for all. */
enum passhash_kind passhash_known(struct slice hash);
/* Constant time for a token; one run of argon2id, with all its memory, for a chosen password; the iterations of
 * SCRAM. */
bool passhash_check(struct slice hash, struct slice password);

/* Puts a new random token in base32, PASSHASH_TOKEN_TEXT characters. */
void passhash_token(struct buf *out);
/* Puts the text form; false: no randomness or no memory. */
bool passhash_make(enum passhash_kind kind, struct slice password, struct buf *out);

#endif
