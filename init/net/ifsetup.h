/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_IFSETUP_H
#define INIT_NET_IFSETUP_H

#include "init/net/lease.h"
#include "init/net/plan.h"
#include "init/net/rdnss.h"
#include "init/net/rtnl.h"
#include "smtpd/lib/proc.h"
#include "smtpd/msg/clock.h"
#include "smtpd/msg/dns.h"

/* What a process has to know of the servers that the network named. */
struct ifsetup_told {
	struct chan *chan; /* borrowed */
	struct want want;
	struct servers servers; /* n = 0: none yet */
	struct ask ask;
};

/*
 * Gives the one interface its addresses, routes and name servers, as the plan says. IPv6 addresses and routes from
 * router advertisements are the kernel's own business; name servers in them are ours. An interface that is not there
 * yet, or went away, is looked for every second.
 */
struct ifsetup {
	struct proc *proc; /* borrowed */
	struct plan plan;
	struct rtnl_link link; /* index 0: not there */
	struct lease lease;
	struct watch packet; /* the DHCP socket */
	struct watch events; /* of the kernel: links, router advertisements */
	struct watch timer;
	uint8_t server_mac[DHCP_MAC]; /* where the last answer came from: the server or its relay */
	bool told;		      /* that the interface is missing */
	struct rdnss six;
	int64_t six_until; /* ms: then those are forgotten */
	struct ifsetup_told dns, clock;
};

enum { IFSETUP_WATCHES = 3 };

void ifsetup_init(struct ifsetup *s, struct proc *p);

#endif
