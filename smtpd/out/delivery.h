/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_DELIVERY_H
#define SMTPD_OUT_DELIVERY_H

#include "smtpd/out/mxlist.h"
#include "smtpd/out/outbound.h"
#include "smtpd/out/outletter.h"
#include "smtpd/out/peer.h"
#include "smtpd/out/policy.h"
#include "smtpd/out/targets.h"

/*
 * One letter on its way to the recipients of one domain. delivery.c finds the destination's hosts and addresses and
 * connects to one after the other, or takes a kept connection; converse.c speaks SMTP. The requester is answered once,
 * and with that the delivery is over.
 */
enum {
	DELIVERY_ADDRS = 4,    /* of one host and family */
	DELIVERY_CONNECTS = 8, /* in all */
	DELIVERY_DNS_MS = 45 * 1000,
	DELIVERY_CONNECT_MS = 30 * 1000,
	DELIVERY_WIRE_MS = 100, /* pause while dns has no wire */
	DELIVERY_SUB_MS =
		3600 * 1000, /* the submission lane, in all; the other one: OUT_MX_MS */
};

struct delivery { /* zeroed: free */
	struct outbound *owner;
	bool busy;
	struct token token;
	struct targets to;
	struct outletter letter;
	int64_t began, deadline;
	/* the verdict of those that have none of their own; or the failure so far */
	struct outcome outcome;

	/* the route */
	struct policy policy;
	bool pinned;	  /* the one destination whose exchangers the configuration names */
	bool judged;	  /* policy: of the domain */
	bool host_judged; /* and of the host at hand */
	bool mx_secure, addr_secure; /* DNSSEC: the exchangers, the addresses at hand */
	bool smart;		     /* all goes to the smarthost */
	uint8_t asked;		     /* enum outbound_family: of the host at hand */
	bool no_tls; /* opportunistic: the handshake failed, once more in clear */
	bool again;  /* the same address once more */
	bool tried;  /* the address at hand was connected to */
	bool soft;   /* a host could not be asked: no verdict of another is for ever */
	bool dead;   /* no host has taken MAIL so far */
	bool fresh;  /* a kept connection was dead: no more of them */
	struct ask ask;
	struct watch next; /* connecting; or the next thing to do, outside of callbacks */
	struct mxlist mx;
	unsigned host, naddr, at, connects;
	struct ipaddr addr[DELIVERY_ADDRS];
	char last_host[MXLIST_NAME + 1]; /* connected to last, for the log; empty: none */
	struct ipaddr last_addr;
	const char *last_tls; /* the suite, static; NULL: clear text */

	struct peer *peer; /* the conversation; NULL: none */
	struct turn turn;  /* out.mx: turns.h */
};

/* The letter and the recipients are filled in; its verdict is there within ms. */
void delivery_begin(struct delivery *d, const struct token *t, int64_t ms);
/* Its turn has come: over a kept connection, or on from where it was. */
void delivery_go(struct delivery *d);
/* Ends it without an answer and frees the place, with the connection if it has one. Not inside its own callbacks. */
void delivery_drop(struct delivery *d);
/* d->outcome is the verdict of those without one: logs them, gives the letter back, answers, and lets go of the
 * connection. The place is free. */
void delivery_answer(struct delivery *d);
/* The connection is of no more use: the next address, or the end, comes with the next round. */
void delivery_next(struct delivery *d);
/* The kept connection had ended when this letter came: that is nobody's failure. */
void delivery_stale(struct delivery *d);
/* The host at hand is this machine (RFC 5321 5.1): neither it nor a worse one is asked. Ends the connection. */
void delivery_loop(struct delivery *d);
const char *delivery_host(const struct delivery *d); /* the host at hand */
bool delivery_past_dot(const struct delivery *d);

#endif
