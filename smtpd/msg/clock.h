/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_CLOCK_H
#define SMTPD_MSG_CLOCK_H

#include "smtpd/lib/chan.h"

/* net -> clock */
enum clock_type { CLOCK_SERVERS = 1, CLOCK_TYPES };

enum { CLOCK_SERVERS_MAX = 4 };

/* The time servers that the network named, from now on (IPv4 as ::ffff:a.b.c.d): asked besides those of
 * INIT_NTP_SERVERS. Reply: struct clock_servers_set. */
struct clock_servers {
	struct msg h;
	uint32_t n;
	uint32_t zero;
	uint8_t addr[CLOCK_SERVERS_MAX][16];
};

struct clock_servers_set {
	struct msg h;
};

_Static_assert(sizeof(struct clock_servers) == 80, "no padding on the wire");

#endif
