/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_RTNL_H
#define INIT_NET_RTNL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The kernel's interfaces, IPv4 addresses and routes over a NETLINK_ROUTE socket. The kernel
 * answers inside the send, so nothing waits. Addresses are numbers in host order. False: errno
 * says why.
 */
struct rtnl_link {
	int index;
	bool up;
	uint8_t mac[6];
};

bool rtnl_find(int fd, const char *name, struct rtnl_link *out);
bool rtnl_up(int fd, int index);
/* seconds: the kernel forgets the address by itself after that; UINT32_MAX = never.
 * Repeating it renews the time. */
bool rtnl_address(int fd, int index, uint32_t address, unsigned prefix, uint32_t seconds);
bool rtnl_drop_address(int fd, int index, uint32_t address, unsigned prefix);
bool rtnl_mtu(int fd, int index, uint32_t octets);
bool rtnl_gateway(int fd, int index,
		  uint32_t gateway); /* the default route, in place of any other */

#endif
