/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_HEALTH_H
#define SMTPD_MSG_HEALTH_H

#include "smtpd/lib/chan.h"

/* update -> health. */
enum health_type {
	HEALTH_WELL = 1, /* answered when everything has passed, however long that takes */
	HEALTH_TYPES
};

struct health_well { /* and its reply */
	struct msg h;
};

/* Where the health check's own connections to the front ends come from: an address that reaches nobody and that
 * nobody on a network can have. */
#define HEALTH_ADDRESS         \
	(const uint8_t[])      \
	{                      \
		127, 0, 0, 254 \
	}

#endif
