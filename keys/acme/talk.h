/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_TALK_H
#define KEYS_ACME_TALK_H

#include "keys/acme/door.h"
#include "keys/acme/orderfile.h"
#include "smtpd/http/httpcall.h"

/*
 * One conversation with a certificate authority (RFC 8555): from the directory to a certificate that holder.tls
 * took, or to the window in which it wants to be asked again (RFC 9773). Requests are signed by holder.acme. What was
 * reached is on disk before the next step, so that a conversation that broke off goes on where it was.
 */
enum {
	TALK_BODY = 64 * 1024, /* octets of a reply */
	TALK_REQUEST = HOLDER_JWS_MAX + 1024,
	TALK_MS = 15 * 60 * 1000, /* in all */
	TALK_ALTERNATES = 4,
	TALK_WATCHES = 3 + DOOR_WATCHES, /* stream, end of a call, pause */
	TALK_CERTID = 128,
};

enum talk_proof { TALK_HTTP01, TALK_TLSALPN01, TALK_DNSPERSIST01 };

struct talk_order {		    /* static texts */
	bool rsa;		    /* the key that the certificate is for */
	const char *names;	    /* with one space between */
	const char *profile, *root; /* empty: whatever the authority gives */
	enum talk_proof proof;
	const char *issuer; /* TALK_DNSPERSIST01: the authority's name in the records */
};

enum talk_end {
	TALK_DONE,
	TALK_UNREACHED, /* the authority was not heard: none of its limits was touched */
	TALK_REFUSED,	/* it refused, or what it said was no answer */
	TALK_LATER,	/* it names the time: wait */
};

struct talk {
	/* Set by the owner, once. */
	struct httpcall_env env;
	struct chan *tls_holder, *account_holder;
	struct orderfile *file;
	struct talk_order what;
	/* Idle again when this runs. */
	void (*done)(struct talk *t, enum talk_end end);
	void *owner;

	bool busy;
	bool for_window; /* the renewal window is all that is wanted */
	const char *why; /* of an end that is no success; may point into problem */
	unsigned wait;	 /* s; TALK_LATER */
	int64_t deadline;
	unsigned stage;	 /* of talk.c */
	unsigned nonces; /* refused, in a row */
	unsigned polls;
	bool counted, no_replaces, posted;
	bool walked; /* through the authorizations, since the order was last waited for */
	char certid[TALK_CERTID]; /* of the certificate to be replaced (RFC 9773 4.1); empty: none */
	char print[64];		  /* thumbprint of the account's key */

	struct acmedoc_directory directory;
	struct acmedoc_order order;
	struct acmedoc_auth auth;
	unsigned at;	    /* index of the authorization at hand */
	struct slice names; /* whose records are still to be looked for */
	bool missing;	    /* one of those that were */
	struct acmedoc_problem problem;
	char nonce[HOLDER_NONCE_MAX + 1];
	/* of the reply at hand */
	acmedoc_url location, alternate[TALK_ALTERNATES];
	unsigned nalternate, next_alternate;
	unsigned retry; /* s */
	uint8_t chain[HOLDER_CERT_TAIL];
	size_t chain_n;

	struct door door;
	struct json json;
	struct ask ask;
	struct watch pause;
	struct httpcall call;
	char url[URL_MAX + 1];
	struct url target;
	uint8_t request[TALK_REQUEST];
};

/* Reserves memory. The owner's fields are set. */
void talk_init(struct talk *t, int listen_fd);
/* done is not called before this returns. */
void talk_start(struct talk *t, bool for_window);

#endif
