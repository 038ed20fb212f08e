/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_FRONT_H
#define SMTPD_FRONT_FRONT_H

#include "smtpd/front/account.h"
#include "smtpd/front/budget.h"
#include "smtpd/front/crashed.h"
#include "smtpd/front/session.h"
#include "smtpd/front/tlsid.h"
#include "smtpd/lib/proc.h"
#include "smtpd/lib/rates.h"

/* The process: front.mx (port 25) or front.sub (465 and 587). */

enum { FRONT_LISTENERS = 3 };

struct listener {
	struct watch watch; /* first */
	struct front *front;
	uint16_t port;
	bool implicit; /* TLS from the first octet */
	bool open;
};

struct front {
	struct proc proc; /* first */
	bool sub;	  /* the accounts' lane: AUTH, and nothing before TLS */
	bool stopping;
	struct chan *check, *auth; /* auth: NULL on the strangers' lane */
	struct chan *selfcheck;
	struct ask gate_ask;
	uint8_t gate; /* enum selfcheck_gate_state, as heard last; counts with CHECK_GATE */
	struct ask offer_ask;
	uint8_t offer; /* enum auth_offers */
	struct tlsid tlsid;
	struct budget budget, envelopes; /* texts; heads, in pages */
	struct crashed crashed;
	struct rates clients, faults; /* letters (mx) and errors of each, front_who() */
	struct account_known known[ACCOUNT_KNOWN];
	struct session *session; /* owned: FRONT_SESSIONS slots */
	uint32_t live, last_id;
	struct listener listener[FRONT_LISTENERS];
	struct watch patience; /* how long the listeners wait for a certificate */
};

void front_init(struct front *f); /* after proc_start() */
void front_free(struct front *f); /* a slot came free */
/* Who is one client: an IPv4 address, or the /64 of an IPv6 address. */
struct ipaddr front_who(const struct ipaddr *peer);
/* Has this client made too many errors, in whatever sessions? */
bool front_weary(const struct front *f, const struct ipaddr *peer);
/* More than three quarters of the slots are taken: who is slow has less time. */
bool front_stressed(const struct front *f);

#endif
