/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMKEY_H
#define KEYS_HOLDER_DKIMKEY_H

#include "keys/holder/dkimed.h"
#include "keys/holder/dkimrsa.h"
#include "smtpd/lib/loop.h"
#include "smtpd/msg/holder.h"

/* holder.dkim: the keys that sign what accounts send, one for each mail domain and algorithm. keygen makes them
 * (dkimlife.h) while holder.dkim looks for them, and says by the file when another one signs. A key of an algorithm
 * that is not in use is left alone, and the log says that it is there. */
enum {
	DKIMKEY_LOOK_MS = 500,	      /* while some key may still come */
	DKIMKEY_AGAIN_MS = 60 * 1000, /* then: has keygen put another one in its place? */
	DKIMKEY_RECORD = 800,
};

struct dkimkey_slot {
	struct slice domain; /* borrowed */
	bool ed25519;	     /* else RSA */
	bool known;
	bool hopeless; /* no key device, or a damaged file: nobody will make one */
	uint32_t number;
	union {
		struct dkimrsa rsa;
		struct dkimed ed;
	} key;
};

struct dkimkey {
	bool rsa, ed25519; /* which sign; both: Ed25519 is the second one */
	bool imported;	   /* the RSA key came with the image (KEYS_DKIM_FILE) */
	struct dkimkey_slot *
		slot; /* owned; of domain i: RSA's and then Ed25519's, as far as they are wanted */
	size_t slots;
	struct slice selector; /* borrowed */
	struct watch timer, batch;
	/* Requests that were judged, all for one key; they are signed together, as many as are here and fit, and never
	 * wait for more. */
	struct dkimkey_slot *of;
	struct token token[RSA64_JOBS];
	uint8_t sum[RSA64_JOBS][32];
	size_t waiting;
	struct loop *loop;
	uint8_t *preimage; /* owned: HOLDER_LONG_MAX octets, for one that came as a memfd */
};

/* Members `rsa`, `ed25519`, `selector` and `loop` are set. file: the imported key, or empty, or -1: then it looks for
 * the keys now, every DKIMKEY_LOOK_MS while one may come, and at each request. */
void dkimkey_init(struct dkimkey *d, struct slice domains, int file);
void dkimkey_wipe(struct dkimkey *d);
/* The text of the TXT record. */
void dkimkey_record(const struct dkimkey_slot *s, struct buf *out);
/* The same for a secret as it is kept on disk; *work is left with it. */
void dkimkey_text(bool ed25519, struct slice secret, struct dkimrsa *work, struct buf *out);

extern const struct rule dkimkey_rules[HOLDER_TYPES];

#endif
