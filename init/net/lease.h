/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_LEASE_H
#define INIT_NET_LEASE_H

#include "init/net/dhcp.h"

/*
 * The client's side of a lease (RFC 2131 4.4) without socket and clock: the owner calls
 * lease_tick() when lease_due() has come and lease_feed() for each packet, and does what they
 * say. What does not depend on the server (names, other options) is not its business.
 */
enum lease_state {
	LEASE_INIT,
	LEASE_SELECTING,
	LEASE_REQUESTING,
	LEASE_BOUND,	 /* from here on there is an address */
	LEASE_REBOOTING, /* the link was away: is the address still good here? (RFC 2131 4.4.2) */
	LEASE_RENEWING,
	LEASE_REBINDING
};

enum lease_act {
	LEASE_QUIET, /* nothing to do */
	LEASE_SEND,  /* send what lease_packet() makes */
	LEASE_GOT,   /* `now` holds a lease, new or renewed: set it up */
	LEASE_LOST,  /* the address must not be used any more */
	LEASE_ODD, /* an answer to us that is malformed was ignored: said once for each transaction */
};

struct lease {
	enum lease_state state;
	uint8_t mac[DHCP_MAC];
	uint32_t xid;
	struct dhcp_reply offer; /* REQUESTING: what we asked for */
	struct dhcp_reply now;	 /* BOUND and later: what we have */
	unsigned tries;
	bool odd;		/* LEASE_ODD was said */
	int64_t due;		/* ms */
	int64_t begun;		/* ms: when this transaction began */
	int64_t t1, t2, expiry; /* ms */
};

void lease_init(struct lease *l, const uint8_t mac[DHCP_MAC], int64_t now);
/* random: fresh for each call; it makes transaction ids and jitter. */
enum lease_act lease_tick(struct lease *l, int64_t now, uint32_t random);
/* The link is there again, perhaps to another network; something is due at once. */
void lease_link(struct lease *l, int64_t now);
enum lease_act lease_feed(struct lease *l, int64_t now, uint32_t random, struct slice packet);
/* unicast: to the server we have the lease from, not to everybody. */
void lease_packet(const struct lease *l, int64_t now, struct buf *out, bool *unicast);

#endif
