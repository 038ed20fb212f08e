/* SPDX-License-Identifier: ISC */
#ifndef KEYS_AUTH_MYNETWORKS_H
#define KEYS_AUTH_MYNETWORKS_H

#include "smtpd/msg/auth.h"
#include "smtpd/proto/ipaddr.h"

/*
 * Clients that may submit without AUTH. In a container a gateway may stand for anybody (its engine rewrites addresses),
 * so there a range that holds a gateway of the routing table is not in force, nor one for which that cannot be told.
 */
enum { MYNETWORKS_MAX = 32, MYNETWORKS_ROUTES = 32 * 1024 };

enum mynetworks_word {
	MYNETWORKS_NO,
	MYNETWORKS_YES,
	MYNETWORKS_GATEWAY, /* in a range, but none of its ranges is in force */
};

struct mynetworks {
	struct ipaddr_net net[MYNETWORKS_MAX];
	size_t n;
	uint8_t rights_mem[AUTH_GRANT_MAX];
	struct slice rights; /* words, as a grant has them */
	bool guarded;
	int routes_v4, routes_v6; /* /proc/net/route, /proc/net/ipv6_route; -1: not known */
	uint8_t text[MYNETWORKS_ROUTES];
};

/* list: ranges, words; senders: `sender[,sender]`; both were checked by the build, what is malformed opens nothing.
 * The descriptors are taken over; they are looked at only when guarded. Before the sandbox closes. */
void mynetworks_init(struct mynetworks *m, struct slice list, struct slice senders,
		     bool guarded, int routes_v4, int routes_v6);
/* peer: IPv4 as ::ffff:a.b.c.d. */
enum mynetworks_word mynetworks_judge(struct mynetworks *m, const uint8_t peer[16]);

/* Does net hold a gateway of this routing table (IPv4 ranges: text of /proc/net/route; others: /proc/net/ipv6_route)?
 * True also when the text is not what it should be. */
bool mynetworks_routed(const struct ipaddr_net *net, struct slice text);

#endif
