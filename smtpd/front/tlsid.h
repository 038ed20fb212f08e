/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_TLSID_H
#define SMTPD_FRONT_TLSID_H

#include "smtpd/lib/tls.h"
#include "smtpd/msg/holder.h"

/*
 * What the front end presents in TLS: the chain comes from holder.tls, which also makes the
 * signatures, and the sessions that may be resumed without. The chain is asked for anew each time the
 * channel is wired, and again while there is none; with KEYS_ACME every few seconds. A new chain is for the same
 * key, so that a handshake with the older one ends well, too. A signature may take 50 ms; 500 with KEYS_TLS_FILE.
 */
struct tlsid {
	struct ask ask; /* first */
	struct chan *holder;
	struct tls_identity id[2]; /* a handshake in progress may still read the older one */
	uint8_t der[2][HOLDER_CERT_TAIL];
	size_t der_n; /* of the chain in use */
	unsigned now;
	bool known;
	struct tls_cache cache;
	uint8_t *sessions;   /* owned: what the cache keeps */
	struct watch forget; /* no session is resumed for longer than SMTPD_TLS_SESSION_TIME */
	struct watch again;
	void (*changed)(void *owner); /* a chain is known now */
	void *owner;
};

void tlsid_init(struct tlsid *t, struct chan *holder, void (*changed)(void *), void *owner);
void tlsid_wired(struct tlsid *t); /* to be called from the channel's `wired` */
/* NULL: none is known yet. */
const struct tls_identity *tlsid_get(const struct tlsid *t);

#endif
