/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_SELFCHECK_H
#define SMTPD_MSG_SELFCHECK_H

#include "smtpd/lib/chan.h"

/* admin, acme -> selfcheck */
enum selfcheck_type { SELFCHECK_RUN = 1, SELFCHECK_ACCOUNT, SELFCHECK_TYPES };

/* Check all records now, or as soon as the run under way is over; every one gets a log line. Answered when it is done,
 * within SELFCHECK_MS. */
struct selfcheck_run {
	struct msg h;
};

struct selfcheck_done { /* how many records are */
	struct msg h;
	uint16_t ok, none, unknown, wrong;
};

/* acme only. tail: the URL of our account at the certificate authority, which CAA records may name (RFC 8657 3):
 * printable ASCII without space, `;`, quotes and backslash; any other is not taken. Answered at once. */
struct selfcheck_account {
	struct msg h;
};

struct selfcheck_noted {
	struct msg h;
};

enum { SELFCHECK_MS = 300 * 1000, SELFCHECK_URL = 512 };

_Static_assert(sizeof(struct selfcheck_done) == 16, "no padding on the wire");

#endif
