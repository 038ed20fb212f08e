/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_IPADDR_H
#define SMTPD_PROTO_IPADDR_H

#include "smtpd/lib/bytes.h"

/* An address of either family; IPv4 lives in ::ffff:0:0/96, as a dual-stack socket reports
 * it. */
struct ipaddr {
	uint8_t b[16];
};

enum {
	IPADDR_TEXT = 45,    /* the longest text form */
	IPADDR_V4_BITS = 96, /* before an IPv4 address */
};

/* From the four octets of an A record. */
struct ipaddr ipaddr_of4(const uint8_t b[4]);
bool ipaddr_v4(const struct ipaddr *a);

/* Text forms, nothing around them: four decimal octets without leading zeros; RFC 4291 2.2
 * without a zone. False: *out untouched. ipaddr_parse() takes either form. */
bool ipaddr_parse4(struct slice in, struct ipaddr *out);
bool ipaddr_parse6(struct slice in, struct ipaddr *out);
bool ipaddr_parse(struct slice in, struct ipaddr *out);

/* Dotted for IPv4, RFC 5952 otherwise. */
void ipaddr_put(struct buf *b, const struct ipaddr *a);

/* ADDRESS/LENGTH. Bits below the length are kept in `addr`; `bits` counts in the 16-octet form,
 * so a.b.c.d/24 has 120. */
struct ipaddr_net {
	struct ipaddr addr;
	unsigned bits;
};

bool ipaddr_net_parse(struct slice in, struct ipaddr_net *out);
/* Its length as people write it. */
unsigned ipaddr_net_length(const struct ipaddr_net *net);
/* Could it be anybody's host on the Internet? Not: private, shared (RFC 6598), loopback, link-local, unique local and
 * multicast ranges, the unspecified address. */
bool ipaddr_public(const struct ipaddr *a);
/* The name that its PTR records are at (RFC 1035 3.5, RFC 3596 2.5). */
void ipaddr_put_arpa(struct buf *b, const struct ipaddr *a);
bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b);
/* An address literal with its brackets (RFC 5321 4.1.3). */
bool ipaddr_literal(struct slice in, struct ipaddr *out);
bool ipaddr_in(const struct ipaddr *a, const struct ipaddr_net *net);

#endif
