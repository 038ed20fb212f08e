/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMRING_H
#define KEYS_HOLDER_DKIMRING_H

#include "keys/holder/dkimrsa.h"
#include "keys/holder/keyfile.h"

/*
 * The DKIM keys of one domain and algorithm, as they are kept on disk, in the file DOMAIN of the kind's folder:
 * for each key role (1), number (4), at (8), length of the secret (2), the secret; big-endian, roles ascending.
 * A file named `key` is what an older build kept: one secret alone, the same for every domain.
 */
enum dkimring_role {
	DKIMRING_OLD,  /* its record stays for the letters under way; at: when it signed last */
	DKIMRING_NOW,  /* signs; at: since when (0: an older build made it) */
	DKIMRING_NEXT, /* its record is to be published */
	DKIMRING_ROLES
};

struct dkimring_key {
	uint32_t number; /* from 1 up, in order; 0: there is none */
	uint16_t n;	 /* octets of the secret */
	int64_t at;	 /* unix s */
	uint8_t secret[DKIMRSA_OCTETS_MAX];
};

struct dkimring { /* secret */
	struct dkimring_key key[DKIMRING_ROLES];
};

/* WHOLE: *r is there, and has a key that signs. mend: as keyfile_load() says. */
enum keyfile_state dkimring_load(bool ed25519, struct slice domain, bool mend,
				 struct dkimring *r);
bool dkimring_save(bool ed25519, struct slice domain, const struct dkimring *r);
/* Is there a file of that domain, or an older build's, whatever it holds? */
bool dkimring_there(bool ed25519, struct slice domain);
/* What a file holds; false: damaged, and *r is undefined. */
bool dkimring_parse(struct slice content, struct dkimring *r);
void dkimring_put(const struct dkimring *r, struct buf *out);

#endif
