/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_FETCH_H
#define SMTPD_MSG_FETCH_H

#include "smtpd/lib/chan.h"

/* out.mx, out.sub, selfcheck -> fetch */
enum fetch_type { FETCH_STS = 1, FETCH_TYPES };

enum fetch_mode { FETCH_NONE, FETCH_TESTING, FETCH_ENFORCE };

/* The MTA-STS policy (RFC 8461) that applies to the domain in the tail now: the one that could be fetched, else an
 * earlier one that has not expired, else FETCH_NONE. Always answered within FETCH_MS. */
struct fetch_sts {
	struct msg h;
};

/* tail: the names of mail exchangers that the policy allows, as mxname_match() takes them; empty for FETCH_NONE. */
struct fetch_policy {
	struct msg h;
	uint8_t mode; /* enum fetch_mode */
	uint8_t zero[7];
};

enum { FETCH_NAME = 253, FETCH_HOSTS = 1024 /* octets */, FETCH_MS = 90 * 1000 };

_Static_assert(sizeof(struct fetch_policy) == 16, "no padding on the wire");

#endif
