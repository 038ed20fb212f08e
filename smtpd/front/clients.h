/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_CLIENTS_H
#define SMTPD_FRONT_CLIENTS_H

#include "smtpd/proto/ipaddr.h"

/*
 * How much of something each client address may still do in an hour: send letters, make errors. A row holds the time
 * at which the client would owe nothing: each one moves it on by one share of an hour, and a client whose time is an
 * hour ahead has to wait. Rows of clients that owe nothing are free; a full table forgets the one
 * that owes least.
 */
enum { CLIENTS_MAX = 1024 };

struct clients { /* zeroed: nobody owes */
	struct {
		struct ipaddr who;
		int64_t free_at; /* monotonic ms */
	} row[CLIENTS_MAX];
};

/* Who is one client: an IPv4 address, or the /64 of an IPv6 address. */
struct ipaddr clients_who(const struct ipaddr *peer);
/* May it have one more of `hourly` now? 0: no limit. */
bool clients_may(const struct clients *c, const struct ipaddr *who, int64_t now,
		 unsigned hourly);
void clients_count(struct clients *c, const struct ipaddr *who, int64_t now, unsigned hourly);

#endif
