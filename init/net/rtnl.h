/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_RTNL_H
#define INIT_NET_RTNL_H

#include "smtpd/proto/ipaddr.h"

/*
 * The kernel's interfaces, addresses and routes over a NETLINK_ROUTE socket. The kernel answers inside the send,
 * so nothing waits. False: errno says why.
 */
struct rtnl_link {
	int index;
	bool up, carrier; /* carrier: octets get through, as far as the interface knows */
	uint8_t mac[6];
};

bool rtnl_find(int fd, const char *name, struct rtnl_link *out);
bool rtnl_up(int fd, int index);
bool rtnl_mtu(int fd, int index, uint32_t octets);
/* Makes the interface `name` for the frames of `index` that carry this tag; good when there is one already. */
bool rtnl_vlan(int fd, int index, uint16_t tag, const char *name);
/* seconds: the kernel forgets the address by itself after that; UINT32_MAX = never.
 * Repeating it renews the time. */
bool rtnl_address(int fd, int index, const struct ipaddr_net *address, uint32_t seconds);
bool rtnl_drop_address(int fd, int index, const struct ipaddr_net *address);
/* The default route of the gateway's family, in place of any other. */
bool rtnl_gateway(int fd, int index, const struct ipaddr *gateway);

/* ---- what happens by itself ---- */

enum rtnl_what {
	RTNL_OTHER,
	RTNL_LINK,    /* `carrier` holds for the interface */
	RTNL_GONE,    /* there is no such interface any more */
	RTNL_OPTIONS, /* a router on that link said these */
};

struct rtnl_event {
	enum rtnl_what what;
	int index;
	bool carrier;
	struct slice options; /* borrowed from the datagram */
};

/* A socket that hears of them, which takes no privilege; -1: none. */
int rtnl_listen(void);
/* Takes the next message off a datagram of that socket. False: there is none left. */
bool rtnl_event(struct slice *datagram, struct rtnl_event *out);

#endif
