/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_CLIENTS_H
#define SMTPD_FRONT_CLIENTS_H

#include "smtpd/proto/ipaddr.h"

/*
 * How many letters each client address may still send. A row holds the time at which the client
 * would owe nothing: each letter moves it on by one share of an hour, and a client whose time is an
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
/* May it send one more of `hourly` letters now? 0: no limit. */
bool clients_may(const struct clients *c, const struct ipaddr *who, int64_t now,
		 unsigned hourly);
void clients_letter(struct clients *c, const struct ipaddr *who, int64_t now, unsigned hourly);

#endif
