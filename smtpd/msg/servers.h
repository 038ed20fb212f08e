/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_SERVERS_H
#define SMTPD_MSG_SERVERS_H

#include "smtpd/lib/chan.h"

/* net -> dns (DNS_SERVERS), clock (CLOCK_SERVERS): the servers that the network named, from now on (IPv4 as
 * ::ffff:a.b.c.d). Reply: struct servers_set. */
enum { SERVERS_MAX = 4 };

struct servers {
	struct msg h;
	uint32_t n;
	uint32_t zero;
	uint8_t addr[SERVERS_MAX][16];
};

struct servers_set {
	struct msg h;
};

_Static_assert(sizeof(struct servers) == 80, "no padding on the wire");

#endif
