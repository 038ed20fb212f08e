/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_OUT_MXLIST_H
#define SMTPD_OUT_MXLIST_H

#include "smtpd/lib/bytes.h"

/* Where letters for a domain may go, in the order of RFC 5321 5.1. */
enum { MXLIST_HOSTS = 16, MXLIST_NAME = 253 };

struct mxhost {
	uint16_t preference, lot;   /* equal preferences are drawn by lot */
	char name[MXLIST_NAME + 1]; /* 0-terminated */
};

struct mxlist {
	unsigned n;
	struct mxhost host[MXLIST_HOSTS];
};

enum mx_fate {
	MX_GO,
	MX_NULL,  /* RFC 7505: the domain takes no mail */
	MX_LOOP,  /* the best one is ourselves */
	MX_NONE,  /* no usable name among them */
	MX_OTHER, /* none of them is one of `pinned` */
};

/* records: those of a DNS_QUERY for MX (smtpd/msg/dns.h). Hosts that are not better than `self` are left out, and,
 * where pinned is not empty, those that mxname_match() does not find there. */
enum mx_fate mxlist_fill(struct mxlist *m, struct slice records, struct slice self,
			 struct slice pinned, uint64_t random);
/* Without MX records the domain itself is the one host (RFC 5321 5.1). */
enum mx_fate mxlist_single(struct mxlist *m, struct slice domain, struct slice self,
			   struct slice pinned);

#endif
