/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_KEYFILE_H
#define KEYS_HOLDER_KEYFILE_H

#include "smtpd/lib/bytes.h"

/*
 * Secrets on disk: one file per kind, in two copies, `a/KIND/key` and `b/KIND/key` below the root directory (chains are
 * `chain` beside the key, those of DKIM have the mail domain's name).
 * Layout: magic[8], serial (3), kind (1), length (4, big endian), BLAKE2b-256 of what precedes it and the content,
 * the content.
 * A copy is written aside, flushed and renamed, a before b, so that one of them is whole at any time. The serial
 * grows with every save: the higher one of two whole copies counts.
 */
enum keyfile_kind {
	KEYFILE_TLS = 1,
	KEYFILE_SRS,
	KEYFILE_DKIM, /* RSA */
	KEYFILE_ED25519,
	KEYFILE_ACCOUNT, /* of the certificate authority */
	KEYFILE_CHAIN,	 /* certificates that are no secret: `chain` beside the tls key */
	KEYFILE_ORDER,	 /* what acme remembers; no secret either */
	KEYFILE_TLS_RSA,
	KEYFILE_KINDS
};

enum keyfile_state {
	KEYFILE_NOWHERE, /* neither copy's folder is there: no key device */
	KEYFILE_NEW,	 /* a folder, and no file: the secret may be made */
	KEYFILE_WHOLE,
	KEYFILE_DAMAGED, /* a file that cannot be read or believed, and no whole copy: never written over */
};

enum {
	KEYFILE_MAX = 8192, /* octets of content */
	KEYFILE_FILE_MAX = 48 + KEYFILE_MAX
};

/* Puts the content of the newest whole copy; mend: writes it over the other one where that differs. Says on the log
 * what it found wrong. */
enum keyfile_state keyfile_load(enum keyfile_kind kind, bool mend, struct buf *out);
enum keyfile_state keyfile_load_as(enum keyfile_kind kind, const char *name, bool mend,
				   struct buf *out);
/* The same for the file itself, mending nothing. */
enum keyfile_state keyfile_load_file(enum keyfile_kind kind, const char *name, struct buf *out);
/* Is this a whole file, and of what? *out untouched where it is not. */
bool keyfile_parse(struct slice file, enum keyfile_kind *kind, uint32_t *serial);
/* The folder of a kind in a copy: "dkim". */
const char *keyfile_folder(enum keyfile_kind kind);
/* True when there is a file, whatever it holds. */
bool keyfile_there(enum keyfile_kind kind, const char *name);
/* True when at least one copy is on disk. */
bool keyfile_save(enum keyfile_kind kind, struct slice content);
bool keyfile_save_as(enum keyfile_kind kind, const char *name, struct slice content);

#endif
