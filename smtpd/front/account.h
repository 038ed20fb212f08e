/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_ACCOUNT_H
#define SMTPD_FRONT_ACCOUNT_H

#include "smtpd/front/session.h"

/* On whose account the client submits: what auth says about a password or about the client's network. A grant is
 * kept for the session; check.sub judges it, front cannot. */

/* s->auth holds name and password; they are wiped here. The reply to the client comes now or later. */
void account_login(struct session *s);
/* SCRAM: s->auth.first, and with final.n client-final-message. The next challenge, or the reply, comes now or later. */
void account_scram(struct session *s, struct slice final);
/* The exchange of AUTH ends without a log-in; what SCRAM had granted before its last word is taken back. */
void account_cancel(struct session *s);
/* Asks auth which mechanisms to offer: f->offer. */
void account_offer(struct front *f);
/* Asks whether the client may submit without logging in (SMTPD_MYNETWORKS). The session is greeted by the answer,
 * whatever it is. False: not asked, because nobody may or because the answer was yes a moment ago. */
bool account_network(struct session *s);

/* Grants of clients' networks, kept for ACCOUNT_KNOWN_MS: a client that connects for each letter is one question. */
enum { ACCOUNT_KNOWN = 8, ACCOUNT_KNOWN_MS = 10 * 1000 };

struct account_known {
	struct ipaddr peer;
	int64_t until; /* 0: none */
	uint16_t grant_n;
	uint8_t grant[AUTH_GRANT_MAX];
};

#endif
