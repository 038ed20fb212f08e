/* SPDX-License-Identifier: ISC */
#ifndef INIT_UPDATE_MANIFEST_H
#define INIT_UPDATE_MANIFEST_H

#include "smtpd/lib/bytes.h"

/*
 * What stands before an update: all that the machine has to know of it, in MANIFEST_SIZE octets, with an Ed25519
 * signature over everything before it. Numbers are big-endian, texts filled up with NUL:
 *
 *	"tinpost update 1"[16] board[24] version[24] build[24] epoch[4] size[4] challenge[32]
 *	hash[32] for each chunk of the slot, signature[64]
 *
 * A hash is BLAKE2b-256 of a chunk, or all zero for a chunk of zeros, which is not sent. size: the octets that are. The
 * last chunk's worth of the slot holds the manifest itself.
 */
enum {
	MANIFEST_CHUNK = 64 * 1024,
	MANIFEST_CHUNKS = 255,
	MANIFEST_MAGIC = 16,
	MANIFEST_TEXT = 24,
	MANIFEST_HASH = 32,
	MANIFEST_CHALLENGE = 32,
	MANIFEST_KEY = 32,
	MANIFEST_SIGNATURE = 64,
	MANIFEST_HASHES = MANIFEST_MAGIC + 3 * MANIFEST_TEXT + 8 + MANIFEST_CHALLENGE,
	MANIFEST_SIGNED = MANIFEST_HASHES + MANIFEST_CHUNKS * MANIFEST_HASH,
	MANIFEST_SIZE = MANIFEST_SIGNED + MANIFEST_SIGNATURE,
};

struct manifest {
	char board[MANIFEST_TEXT], version[MANIFEST_TEXT], build[MANIFEST_TEXT]; /* C strings */
	uint32_t epoch, size;
	uint8_t challenge[MANIFEST_CHALLENGE];
	uint8_t hash[MANIFEST_CHUNKS][MANIFEST_HASH];
};

struct manifest_want { /* what a machine takes */
	const char *board;
	uint32_t epoch; /* or a higher one */
	uint8_t challenge[MANIFEST_CHALLENGE];
	uint8_t key[2][MANIFEST_KEY]; /* either one's signature; all zero: no key */
};

/* NULL: it is good, and *out holds it. Else why it is not, in a few words; *out is untouched. Nothing is looked at
 * before the signature is good. */
const char *manifest_check(struct slice in, const struct manifest_want *w,
			   struct manifest *out);
bool manifest_is_zero(const struct manifest *m, unsigned chunk);
/* Whether these MANIFEST_CHUNK octets are that chunk. */
bool manifest_chunk_is(const struct manifest *m, unsigned chunk, const uint8_t *octets);

/* Making one. Fills in the hash, and size by what it adds. */
void manifest_add(struct manifest *m, unsigned chunk, const uint8_t *octets);
/* seed: of the key, as crypto_sign_seed_keypair() takes it. *out has room for MANIFEST_SIZE. */
void manifest_put(struct buf *out, const struct manifest *m, const uint8_t seed[MANIFEST_KEY]);

#endif
