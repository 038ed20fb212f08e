/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMKEY_H
#define KEYS_HOLDER_DKIMKEY_H

#include "keys/holder/dkimed.h"
#include "keys/holder/dkimrsa.h"
#include "smtpd/lib/loop.h"
#include "smtpd/msg/holder.h"

/* holder.dkim: the key that signs what accounts send, one for all domains, RSA or Ed25519. keygen makes it while
 * holder.dkim looks for it. A key of the kind that is not in use is left alone, and the log says that it is there. */
enum { DKIMKEY_LOOK_MS = 500, DKIMKEY_RECORD = 800 };

struct dkimkey {
	bool ed25519;  /* else RSA */
	bool imported; /* it came with the image (KEYS_DKIM_FILE); the disk is not looked at */
	bool known;
	bool hopeless; /* no key device, or a damaged file: nobody will make one */
	struct dkimrsa rsa;
	struct dkimed ed;
	struct slice domains, selector; /* borrowed; slot i is the i-th word */
	struct watch timer, batch;
	/* Requests that were judged; they are signed together, as many as are here and fit, and never wait for more. */
	struct token token[RSA64_JOBS];
	uint8_t sum[RSA64_JOBS][32];
	size_t waiting;
	struct loop *loop;
	uint8_t *preimage; /* owned: HOLDER_LONG_MAX octets, for one that came as a memfd */
};

/* file: the imported key, or empty, or -1: then it looks for the key now and, while it may come, every
 * DKIMKEY_LOOK_MS and at each request. */
void dkimkey_init(struct dkimkey *d, struct loop *l, bool ed25519, struct slice domains,
		  struct slice selector, int file);
void dkimkey_wipe(struct dkimkey *d);
/* The text of the TXT record. */
void dkimkey_record(const struct dkimkey *d, struct buf *out);

/* keygen: makes the key if it may and must; says on the log why it cannot. */
void dkimkey_keygen(bool ed25519, unsigned bits);

extern const struct rule dkimkey_rules[HOLDER_TYPES];

#endif
