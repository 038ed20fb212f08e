/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_BACKUP_H
#define KEYS_HOLDER_BACKUP_H

#include "keys/holder/keyfile.h"

/*
 * Secrets leave a holder in one form alone: sealed to the operator's public key that the build was given
 * (KEYS_BACKUP_PUBKEY; sealed box of libsodium: X25519, XSalsa20-Poly1305). What is sealed: the file's name, a zero
 * octet, the file as keyfile.h has it. The text of that, on the console and on the data disk:
 *
 *	ev=backup v=1 to=KEY secret=NUMBER secrets=COUNT name=FOLDER/NAME at=OFFSET of=OCTETS text=BASE64
 *
 * KEY: base64 of the public key's first BACKUP_TO octets. The whole backup has each NUMBER from 1 to COUNT. OFFSET and
 * OCTETS count the characters of the whole base64 text; BACKUP_PIECE of them stand on a line, and of=0, with an empty
 * text, says that there is no such secret.
 */
enum {
	BACKUP_VERSION = 1,
	BACKUP_TO = 6,
	BACKUP_SECRETS = 1024, /* at most */
	BACKUP_NAME = 256,
	BACKUP_PLAIN = BACKUP_NAME + KEYFILE_FILE_MAX,
	BACKUP_SEALED = BACKUP_PLAIN + 48,
	BACKUP_TEXT = (BACKUP_SEALED + 2) / 3 * 4,
	BACKUP_PIECE = 600,
	/* octets of the file on the data disk for one secret: lines, then line feeds */
	BACKUP_SLOT = 20 * 1024
};

struct backup {
	const uint8_t *to; /* the public key, 32 octets; borrowed */
	int file;	   /* on the data disk; its slots stand in the order of their numbers */
	unsigned secrets;
};

/* Tells a secret as it lies on disk, sealed, on the log and in its slot of the file, flushed. One that is damaged, or
 * has no disk: nothing is told, and the slot stays as it was. number: from 1 up. */
void backup_put(const struct backup *b, enum keyfile_kind kind, const char *name,
		unsigned number);

#endif
