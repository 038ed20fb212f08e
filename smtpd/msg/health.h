/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_HEALTH_H
#define SMTPD_MSG_HEALTH_H

/* Where the health check's own connections to the front ends come from: an address that reaches nobody and that
 * nobody on a network can have. */
#define HEALTH_ADDRESS       \
	(const uint8_t[])    \
	{                    \
		127, 0, 0, 2 \
	}

#endif
