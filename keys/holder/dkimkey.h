/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_DKIMKEY_H
#define KEYS_HOLDER_DKIMKEY_H

#include <bearssl.h>

#include "keys/holder/rsa64.h"
#include "smtpd/lib/loop.h"
#include "smtpd/msg/holder.h"

/* holder.dkim: the RSA-2048 key that signs what accounts send, one for all domains. keygen makes it while holder.dkim
 * looks for it. */
enum {
	DKIMKEY_BITS = 2048,
	DKIMKEY_N = DKIMKEY_BITS / 8,
	DKIMKEY_PART = DKIMKEY_N / 2,
	DKIMKEY_OCTETS = 5 * DKIMKEY_PART + DKIMKEY_N, /* p, q, dp, dq, iq, n */
	DKIMKEY_LOOK_MS = 500,
	DKIMKEY_RECORD = 512,
};

struct dkimkey {
	bool known;
	bool hopeless; /* no key device, or a damaged file: nobody will make one */
	bool fast;     /* the key is in rsa64, too, and it never was wrong */
	uint8_t secret[DKIMKEY_OCTETS];
	struct rsa64 rsa64;
	struct slice domains, selector; /* borrowed; slot i is the i-th word */
	struct watch timer, batch;
	/* Requests that were judged; they are signed together, as many as are here and fit, and never wait for more. */
	struct token token[RSA64_JOBS];
	uint8_t sum[RSA64_JOBS][32];
	size_t waiting;
	struct loop *loop;
	uint8_t *preimage; /* owned: HOLDER_LONG_MAX octets, for one that came as a memfd */
};

/* Looks for the key now and, while it may come, every DKIMKEY_LOOK_MS and at each request. */
void dkimkey_init(struct dkimkey *d, struct loop *l, struct slice domains,
		  struct slice selector);
void dkimkey_wipe(struct dkimkey *d);
/* PKCS#1 v1.5 with SHA-256, checked with the public key before it is given away. */
bool dkimkey_sign(struct dkimkey *d, struct slice preimage, uint8_t sig[DKIMKEY_N]);
/* From now on dkimkey_sign() takes the fast way where the configuration and the processor have one. */
void dkimkey_prepare(struct dkimkey *d);
/* Makes a key in `secret`; takes seconds. */
void dkimkey_make(struct dkimkey *d);
/* The text of the TXT record. */
void dkimkey_record(const struct dkimkey *d, struct buf *out);

/* keygen: makes the key if it may and must; says on the log why it cannot. */
void dkimkey_keygen(void);

extern const struct rule dkimkey_rules[HOLDER_TYPES];

#endif
