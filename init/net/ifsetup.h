/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_IFSETUP_H
#define INIT_NET_IFSETUP_H

#include "init/net/lease.h"
#include "init/net/rtnl.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/dns.h"

/*
 * Gives CONFIG_INIT_INTERFACE its address, route and name servers, as Kconfig says: static, by
 * DHCP, or not at all. An interface that is not there yet is looked for every second.
 */
struct ifsetup {
	struct proc *proc; /* borrowed */
	struct rtnl_link link;
	struct lease lease;
	struct watch packet; /* the DHCP socket */
	struct watch timer;
	uint8_t server_mac[DHCP_MAC]; /* where the last answer came from: the server or its relay */
	bool told;		      /* that the interface is missing */
	struct dns_servers servers; /* what dns has to know; n = 0: nothing yet */
	struct ask ask;
};

void ifsetup_init(struct ifsetup *s, struct proc *p);

#endif
