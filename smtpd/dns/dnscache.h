/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_DNS_DNSCACHE_H
#define SMTPD_DNS_DNSCACHE_H

#include <stdbool.h>

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * Answers that may be given again: a fixed number of them, reserved at start. The one that ends soonest
 * makes room. Times are monotonic ms.
 */
enum {
	DNSCACHE_ENTRIES = 256,
	DNSCACHE_RECORDS = 1024,     /* octets of records; a larger answer is not kept */
	DNSCACHE_TTL_MAX = 86400,    /* s */
	DNSCACHE_NEGATIVE_MAX = 300, /* s: NXDOMAIN and NODATA */
};

struct dnscache_entry {
	int64_t until; /* 0 = free */
	uint16_t type, len;
	uint8_t kind; /* enum dnsmsg_kind */
	uint8_t n, name_n;
	bool secure;
	uint8_t name[DNSMSG_NAME];
	uint8_t records[DNSCACHE_RECORDS];
};

struct dnscache {
	struct dnscache_entry *entry; /* owned, DNSCACHE_ENTRIES of them */
};

void dnscache_init(struct dnscache *c);
/* Names are compared without case. out->ttl is what is left of it. False: ask a server. */
bool dnscache_find(const struct dnscache *c, int64_t now, struct slice name, uint16_t type,
		   struct dnsmsg_answer *out);
/* Keeps OK, NODATA and NXDOMAIN with a ttl, the ttl clamped; anything else passes by. */
void dnscache_keep(struct dnscache *c, int64_t now, struct slice name, uint16_t type,
		   const struct dnsmsg_answer *a);

#endif
