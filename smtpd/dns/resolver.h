/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_DNS_RESOLVER_H
#define SMTPD_DNS_RESOLVER_H

#include "smtpd/dns/dnsask.h"
#include "smtpd/dns/dnscache.h"
#include "smtpd/lib/chan.h"
#include "smtpd/msg/dns.h"

/* The stub resolver: answers DNS_QUERY from the cache or from the name servers; equal questions are asked once. */
enum { /* as many questions as all requesters together may have open */
       RESOLVER_OPEN = 3 * CONFIG_FORWARD_MAX_HELD + CONFIG_SMTPD_QUEUE_ACTIVE + 10,
};

struct resolver_query {
	struct dnsask ask;
	struct resolver *owner;
	bool busy;
};

struct resolver_waiter {
	struct token token;
	struct resolver_query *query; /* NULL = free */
};

struct resolver {
	struct loop *loop;
	struct dnsask_servers servers;
	struct dotlink dot; /* n 0: none; else for all questions but those of clock and net */
	struct dnscache cache;
	struct resolver_query *query;	/* owned, RESOLVER_OPEN of them */
	struct resolver_waiter *waiter; /* owned, RESOLVER_OPEN of them */
};

extern const struct rule resolver_rules[DNS_TYPES];

/* Reserves memory. servers: addresses separated by one space; what is none is left out. dot: as dotlink_init() takes
 * them; its anchors are the caller's to set. */
void resolver_init(struct resolver *r, struct loop *l, struct slice servers, struct slice dot);

#endif
