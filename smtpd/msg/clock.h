/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_CLOCK_H
#define SMTPD_MSG_CLOCK_H

#include "smtpd/msg/servers.h"

/* net -> clock. CLOCK_SERVERS: struct servers, asked for the time besides those of INIT_NTP_SERVERS. */
enum clock_type { CLOCK_SERVERS = 1, CLOCK_TYPES };

#endif
