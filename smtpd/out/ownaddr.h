/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_OWNADDR_H
#define SMTPD_OUT_OWNADDR_H

#include "smtpd/lib/chan.h"
#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/ipaddr.h"

/*
 * May we show our IPv6 address to the world? Receivers refuse letters from one without a PTR record whose name leads
 * back to it (RULES D2, S2).
 */
enum own {
	OWN_UNKNOWN, /* asked now: come again soon */
	OWN_GOOD,
	OWN_BAD,
};

struct ownaddr { /* one for the process */
	struct chan *dns;
	struct ask ask;
	struct ipaddr addr;
	char name[DNSMSG_NAME + 1]; /* what its PTR says */
	enum own state;
	int64_t until; /* after this it is asked again */
};

void ownaddr_init(struct ownaddr *w, struct chan *dns);
/* to: where we want to connect to. */
enum own ownaddr_judge(struct ownaddr *w, const struct ipaddr *to);

#endif
