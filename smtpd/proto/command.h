/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_COMMAND_H
#define SMTPD_PROTO_COMMAND_H

#include "smtpd/proto/path.h"

/*
 * One SMTP command line, without its CRLF. All slices borrow from it.
 */
struct command {
	struct slice verb; /* letters, as written: compare with slice_ieq() */
	struct slice arg;  /* after the one space; empty when there is none */
};

/* False (500 5.5.2): no verb, something else than a space after it, or an octet that is not
 * printable ASCII. Blanks before the CRLF are dropped (RFC 5321 4.1.1 wants them tolerated). */
bool command_parse(struct slice line, struct command *out);

enum command_error {
	COMMAND_OK,
	COMMAND_SYNTAX, /* 501 5.5.4: the argument is not what the verb wants */
	COMMAND_PATH,	/* 501 5.1.7 for MAIL, 501 5.1.3 for RCPT: not a path */
	COMMAND_PARAM,	/* 555 5.5.4: a parameter, or a value of BODY, that is not offered */
};

enum command_body { COMMAND_7BIT, COMMAND_8BIT }; /* RFC 6152; 7BIT when not said */

struct command_mail {
	struct path from;
	uint64_t size; /* RFC 1870; 0: not said; a value beyond 64 bits is UINT64_MAX */
	enum command_body body;
};

/* The argument of MAIL and RCPT. On an error *out is untouched. AUTH= (RFC 4954 5) is
 * checked and ignored when `auth`, and not offered otherwise. RCPT has no parameters.
 *
 * Wider than RFC 5321 4.1.1.2: one space after the colon is accepted, as Postfix does,
 * because old clients send it. A second one is not. */
enum command_error command_mail(struct slice arg, bool auth, struct command_mail *out);
enum command_error command_rcpt(struct slice arg, struct path *to);

/* The argument of HELO and EHLO: a host name or an address literal (RFC 5321 4.1.3). Wider
 * than RFC 5321: an underscore in a label passes, as in Postfix; real hosts have them, and
 * 4.1.4 forbids to refuse mail for the name alone. */
bool command_helo(struct slice arg);

#endif
