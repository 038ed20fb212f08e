/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_REPORT_H
#define SMTPD_PROTO_REPORT_H

#include "smtpd/lib/bytes.h"

/*
 * Reports to a sender of what became of his letter, or to postmaster of a stranger's (RFC 3461 to 3464, 6522; 3834): a
 * whole letter, header and body, CRLF lines of at most 998 octets. Only what is returned of an 8-bit letter has octets
 * above 127; non-ASCII header fields and addresses are written in ASCII (RFC 6533).
 * Nothing that others said (replies, addresses, parameters) can end a line in it.
 */
enum report_action { REPORT_FAILED = 1, REPORT_DELAYED, REPORT_RELAYED };

struct report_rcpt { /* borrowed */
	enum report_action action;
	struct slice final; /* path_print() form, where it was sent */
	struct slice named; /* the address that the sender wrote, when it differs; or empty */
	struct slice orcpt; /* ORCPT= as it was said, or empty */
	struct slice host, text; /* who answered, empty: nobody; and what */
	uint16_t code;		 /* 0: nothing is known */
	uint8_t enhanced[3];
	uint64_t time; /* s since 1970 */
};

struct report {		       /* borrowed */
	struct slice hostname; /* of this machine */
	struct slice domain;   /* of the MAILER-DAEMON@ that writes */
	struct slice to;       /* the sender of the letter, path_print() form; or postmaster */
	bool notice;	       /* to postmaster: `sender`, who may be <>, is told nothing */
	struct slice sender;
	uint64_t untold;     /* notice: letters that were given up without one since the last */
	struct slice envid;  /* ENVID= as it was said, or empty */
	struct slice header; /* of the letter: lines with CRLF */
	struct slice body;   /* with the empty line before it; p NULL: is not returned */
	uint64_t arrived, now; /* s since 1970 */
	uint64_t until;	       /* delayed: given up then */
	uint8_t id[16];	       /* random: nobody can have put it in the letter */
};

enum { REPORT_HEADER = 64 * 1024 }; /* of the letter's header at most */

/* Octets that a report with so many recipients takes at most. */
#define REPORT_OCTETS(rcpts, body) (8 * 1024 + (rcpts)*6144 + 4 * REPORT_HEADER + 4 * (body))

/* At least one recipient. *eight: the report needs 8BITMIME. False: no room, or the id does occur
 * in the letter. */
bool report_put(const struct report *r, const struct report_rcpt *rcpt, size_t n,
		struct buf *out, bool *eight);

#endif
