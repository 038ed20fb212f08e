/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SELFCHECK_SELFCHECK_H
#define SMTPD_SELFCHECK_SELFCHECK_H

#include "smtpd/lib/chan.h"
#include "smtpd/msg/holder.h"
#include "smtpd/msg/selfcheck.h"
#include "smtpd/selfcheck/rowcheck.h"

/*
 * What the world's name servers say of this machine, compared with what it needs (publish.h), and whether port 25 of
 * others can be reached: at start, once a day, sooner while something is not right, and on demand. One question at a
 * time. A record that is wrong, or changed, is a log line `ev=record`; what is to be published instead follows as
 * `ev=publish`. It owns no secret and sees no letter, and nothing
 * depends on it, except that with CHECK_GATE no letter is taken while something is wrong.
 */
enum {
	SELFCHECK_WATCHES = 2,
	SELFCHECK_GATES = 2, /* front.mx, front.sub */
	SELFCHECK_PORT = 25,
	SELFCHECK_DAY_MS = 24 * 60 * 60 * 1000,
	SELFCHECK_FIRST_MS = 60 * 1000,	 /* after a run where not all is right; doubles */
	SELFCHECK_LAST_MS = 3600 * 1000, /* up to this */
	SELFCHECK_DNS_MS = 20 * 1000,
	SELFCHECK_CONNECT_MS = 30 * 1000,
	/* "a.b " of SMTPD_DOMAINS is one domain, with at most seven rows; host, SRS domain and port 25 have nine */
	SELFCHECK_ROWS = 9 + 7 * (sizeof CONFIG_SMTPD_DOMAINS / 4 + 1),
};

struct selfcheck {
	struct loop *loop;
	struct chan *dns, *fetch,
		*holder; /* borrowed; fetch NULL: MTA-STS is not in this build */
	struct publish_site given, site; /* of .config; with what was found out */
	struct slice route;		 /* the domain whose port 25 is tried */
	uint16_t port;
	struct ask ask;
	struct watch timer;  /* the next run, or a question that found no wire */
	struct watch socket; /* port 25 of the route */
	struct publish_at at;
	struct rowcheck row;
	size_t n;	      /* of the row; rows come in the same order in each run */
	bool key;	      /* the row waits for the record of holder.dkim */
	bool running, wanted; /* wanted: a run was asked for while one is under way */
	bool loud;	      /* this run tells of all rows */
	struct token token;
	bool waits;   /* admin, for the run that was asked for */
	uint8_t gate; /* enum selfcheck_gate_state */
	struct {
		bool used;
		struct token token;
	} asked[SELFCHECK_GATES]; /* who waits for a change of it */
	int64_t pause;
	uint16_t count[ROWCHECK_VERDICTS];
	uint8_t last[SELFCHECK_ROWS]; /* verdicts of the run before, 1 + enum rowcheck_verdict */
	uint8_t dkim[HOLDER_RECORD_MAX];
	uint8_t account[SELFCHECK_URL]; /* given.ca_account */
};

extern const struct rule selfcheck_rules[SELFCHECK_TYPES];

/* The first run begins with the next round of the loop. */
void selfcheck_init(struct selfcheck *s, struct loop *l, const struct publish_site *site,
		    struct slice route);

#endif
