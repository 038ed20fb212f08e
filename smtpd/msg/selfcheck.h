/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_SELFCHECK_H
#define SMTPD_MSG_SELFCHECK_H

#include "smtpd/lib/chan.h"

/* admin, acme, front -> selfcheck */
enum selfcheck_type { SELFCHECK_RUN = 1, SELFCHECK_ACCOUNT, SELFCHECK_GATE, SELFCHECK_TYPES };

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

/* front, with CHECK_GATE: may letters be taken? Answered at once where it is not as `known`, else after the next run:
 * within SELFCHECK_GATE_MS. */
enum selfcheck_gate_state {
	SELFCHECK_UNKNOWN, /* no run is over yet */
	SELFCHECK_OPEN,
	SELFCHECK_SHUT, /* something is wrong */
};

struct selfcheck_gate {
	struct msg h;
	uint8_t known; /* enum selfcheck_gate_state */
	uint8_t zero[7];
};

struct selfcheck_state {
	struct msg h;
	uint8_t state; /* enum selfcheck_gate_state */
	uint8_t zero[7];
};

enum { SELFCHECK_GATE_MS = 2 * 24 * 3600 * 1000 };

enum { SELFCHECK_MS = 300 * 1000, SELFCHECK_URL = 512 };

_Static_assert(sizeof(struct selfcheck_done) == 16, "no padding on the wire");

#endif
