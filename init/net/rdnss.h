/* SPDX-License-Identifier: ISC */
#ifndef INIT_NET_RDNSS_H
#define INIT_NET_RDNSS_H

#include "smtpd/proto/ipaddr.h"

enum { RDNSS_MAX = 4 };

struct rdnss {
	struct ipaddr a[RDNSS_MAX];
	unsigned n;
	uint32_t seconds; /* from now on; 0: not any more */
};

/*
 * Name servers from the options of a router advertisement (RFC 8106 5.1), as the kernel hands them on: it has looked
 * at the rest of the message. The first such option counts, other options are passed over. Link-local
 * addresses are left out: without the interface they lead nowhere. False: none, or malformed; *out untouched.
 */
bool rdnss_parse(struct slice options, struct rdnss *out);

#endif
