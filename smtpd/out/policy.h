/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_POLICY_H
#define SMTPD_OUT_POLICY_H

#include "smtpd/lib/tls.h"
#include "smtpd/msg/fetch.h"

/*
 * What TLS a destination must have, strongest first: a pinned route; DANE (RFC 7672); MTA-STS in enforce mode
 * (RFC 8461); else whatever is offered. policy_domain() once the exchangers of a domain are known, then policy_host()
 * before each host is connected to. A name service that is broken defers; it never leads to less TLS.
 *
 * Who can make us ask for MTA-STS can fill what `fetch` remembers, with policies that hold for a year: the accounts and
 * the writer of the alias map may, the sender of a bounce to an address of our SRS domain may not.
 */
enum policy_level {
	POLICY_OPPORTUNISTIC,
	POLICY_TLS, /* DANE without a usable record: encrypted, not verified (RFC 7672 2.2) */
	POLICY_STS,
	POLICY_DANE,
	POLICY_PINNED,
	POLICY_SMARTHOST, /* a chain to a public anchor, the name of SMARTHOST_HOST */
};

enum policy_fate {
	POLICY_GO,
	POLICY_ASKED, /* done will be called with one of the others */
	POLICY_WAIT,  /* the one to be asked is being restarted: call again soon */
	POLICY_FAILED, /* p->why says it; policy_host(): not this host; policy_domain(): not now */
};

struct policy_env {		  /* shared by all deliveries of a process */
	struct chan *dns, *fetch; /* fetch NULL: no MTA-STS */
	const struct tls_anchors *pinned, *public;
};

struct policy { /* of one delivery; idle when zeroed */
	const struct policy_env *env;
	struct ask ask;
	void (*done)(struct policy *p, enum policy_fate fate);
	const char *host; /* borrowed: asked about */
	uint8_t level;	  /* enum policy_level, for the host at hand */
	uint8_t sts;	  /* enum fetch_mode, of the domain */
	bool pinned, mx_secure;
	bool asks_sts;
	const char *why; /* static text, with POLICY_FAILED */
	size_t hosts_n;
	uint8_t hosts[FETCH_HOSTS]; /* those that MTA-STS allows */
	struct tls_pins pins;
	struct tls_pinned engine;
};

/* A new destination. asks_sts: MTA-STS counts for this letter. */
void policy_begin(struct policy *p, const struct policy_env *env, bool pinned, bool asks_sts,
		  void (*done)(struct policy *p, enum policy_fate fate));
/* All goes to the smarthost: nothing is to be asked. */
void policy_smarthost(struct policy *p, const struct policy_env *env);
/* Its exchangers are known; mx_secure: that answer was. */
enum policy_fate policy_domain(struct policy *p, struct slice domain, bool mx_secure);
/* The addresses of a host are known; addr_secure: that answer was. host stays where it is. After POLICY_GO p->level is
 * what holds for it. */
enum policy_fate policy_host(struct policy *p, const char *host, bool addr_secure);
void policy_drop(struct policy *p);

bool policy_must_tls(const struct policy *p); /* never clear text */
/* The client's side of TLS with this host. */
void policy_tls(struct policy *p, struct tls *t, const char *host);
const char *policy_name(const struct policy *p); /* for the log */

#endif
