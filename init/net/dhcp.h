/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_DHCP_H
#define INIT_NET_DHCP_H

#include "smtpd/lib/bytes.h"

/*
 * DHCP messages (RFC 2131, RFC 2132) as whole IPv4 packets, the way they pass a packet socket.
 * Addresses are numbers in host order; 0 = none.
 */
enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
};

enum { DHCP_MAC = 6, DHCP_LIST_MAX = 4, DHCP_PACKET_MAX = 576 };

struct dhcp_list { /* of addresses; a server may name more, the first ones count */
	uint32_t a[DHCP_LIST_MAX];
	unsigned n;
};

struct dhcp_request {
	enum dhcp_type type;
	uint32_t xid;
	uint16_t secs;
	uint8_t mac[DHCP_MAC];
	uint32_t ciaddr;    /* our address while we renew it; also the packet's source */
	uint32_t requested; /* option 50 */
	uint32_t server;    /* option 54 */
	uint32_t to;	    /* destination; 0 = broadcast */
};

struct dhcp_reply {
	enum dhcp_type type; /* OFFER, ACK or NAK */
	uint32_t address;
	unsigned prefix; /* bits of the subnet mask */
	uint32_t router;
	uint32_t server;
	uint16_t mtu; /* octets, DHCP_MTU_MIN or more; 0: the server does not say */
	struct dhcp_list dns, ntp;
	uint32_t lease, t1, t2; /* s; t1 <= t2 <= lease */
};

enum {
	DHCP_MTU_MIN = 576,  /* RFC 2132 5.1 allows 68; nobody means that */
	DHCP_MTU_SIX = 1280, /* with less there is no IPv6 (RFC 8200 5) */
};

enum dhcp_kind {
	DHCP_OTHER, /* not for us, or not the answer to this transaction: none of our business */
	DHCP_BAD,   /* the answer, but malformed or incomplete */
	DHCP_GOOD,
};

void dhcp_put(struct buf *b, const struct dhcp_request *r); /* at most DHCP_PACKET_MAX octets */
/*
 * Is this packet an answer to that transaction of this interface? An OFFER and an ACK are
 * complete: a host address, mask, server and lease time. Options 1, 3, 6, 26, 42, 51, 53, 54, 58 and 59 are read, each
 * at most once; names are not, and neither are the fields that option 52 would lend to options: nothing that we ask
 * for needs the room. The UDP checksum is not looked at: on virtual networks it is filled in later.
 * Not DHCP_GOOD: *out untouched.
 */
enum dhcp_kind dhcp_parse(struct slice packet, uint32_t xid, const uint8_t mac[DHCP_MAC],
			  struct dhcp_reply *out);

#endif
