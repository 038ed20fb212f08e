/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FETCH_FETCH_H
#define SMTPD_FETCH_FETCH_H

#include "smtpd/fetch/stscache.h"
#include "smtpd/http/httpcall.h"
#include "smtpd/msg/fetch.h"

/* The MTA-STS policies of domains (RFC 8461 3): answers FETCH_STS from the cache, or looks for the record and the
 * policy; equal questions are looked for once. */
enum {
	FETCH_LOOKUPS = 4, /* at the same time; further questions wait for their turn */
	/* out.mx and out.sub with all that they deliver at once, and selfcheck */
	FETCH_WAITERS = CONFIG_FORWARD_MAX_HELD +
			(1 + ON(CONFIG_FORWARD_SPOOL)) * CONFIG_SMTPD_QUEUE_ACTIVE + 1,
	FETCH_DNS_MS = 20 * 1000,
	FETCH_TURN_MS =
		FETCH_MS -
		5 * 1000,    /* a question that waited so long is answered with what is known */
	FETCH_CHECK = 300,   /* s: so long a domain is not looked at again (RFC 8461 3.3) */
	FETCH_FRESH = 86400, /* s: then a policy is fetched again while it still holds */
	FETCH_BODY = 64 * 1024, /* octets of a policy */
	FETCH_WATCHES = 2 * FETCH_LOOKUPS + 1,
};

struct fetch_lookup {
	struct fetch *owner;
	bool busy;
	struct ask ask;
	struct httpcall get;
	bool text; /* the reply is text/plain */
	uint8_t id_n, id[STS_ID];
	char domain[FETCH_NAME + 1], host[FETCH_NAME + 16];
	uint8_t request[512], out[512];
};

struct fetch_waiter {
	struct token token;
	bool used;
	int64_t due;
	uint8_t domain_n, domain[FETCH_NAME];
};

struct fetch {
	struct httpcall_env env;
	uint16_t port; /* of the web servers */
	struct stscache cache;
	struct fetch_lookup lookup[FETCH_LOOKUPS];
	struct fetch_waiter *waiter; /* owned, FETCH_WAITERS */
	struct watch tick;	     /* while somebody waits */
};

extern const struct rule fetch_rules[FETCH_TYPES];

/* Reserves memory, reads the cache from its file. */
void fetch_init(struct fetch *f, struct loop *l, struct chan *dns, int cache_fd);

#endif
