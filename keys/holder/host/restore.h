/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_HOST_RESTORE_H
#define KEYS_HOLDER_HOST_RESTORE_H

#include "keys/holder/backup.h"

/*
 * Finds secrets that backup.h told in a text: a console's, a log's, the file on the data disk. Octets of strangers.
 * Zero it before the first one.
 */
struct restored {
	const char *why; /* it cannot be restored; NULL: it can, and what follows is defined */
	char label[BACKUP_NAME +
		   16]; /* what the line says of the name, printable; always there */
	bool none;	/* there was no such secret; what follows is undefined */
	enum keyfile_kind kind;
	uint32_t serial;	/* the higher one of two counts */
	char name[BACKUP_NAME]; /* of the file: no `/` and no dot at its begin */
	struct slice file;	/* borrows from this struct */
	/* internal */
	unsigned number, secrets; /* as the line says; 0: it does not */
	unsigned lines, used; /* of a backup so far, and those of them that belong together */
	uint8_t text[BACKUP_TEXT], sealed[BACKUP_TEXT / 4 * 3], plain[BACKUP_TEXT / 4 * 3];
};

struct restore_key {
	uint8_t public[32], secret[32];
};

/* The next one; *rest is left behind its first line. False: the end. */
bool restore_next(struct slice *rest, const struct restore_key *k, struct restored *r);

/* Whether the text is one whole backup: each secret is there, as often as one likes, and never spoiled. Calls fault()
 * for each reason why not; what: of which secret. *found: how many can be restored, in any case. */
bool restore_check(struct slice text, const struct restore_key *k, struct restored *r,
		   void (*fault)(void *arg, const char *what, const char *why), void *arg,
		   unsigned *found);

#endif
