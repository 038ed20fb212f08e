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
 * printable ASCII or part of a UTF-8 character. Blanks before the CRLF are dropped (RFC 5321 4.1.1
 * wants them tolerated). */
bool command_parse(struct slice line, struct command *out);

enum command_error { /* what each one says to the client: command_fault() */
		     COMMAND_OK,
		     COMMAND_SYNTAX, /* the argument is not what the verb wants */
		     COMMAND_PATH,   /* not a path */
		     COMMAND_PARAM,  /* a parameter that is not offered */
		     COMMAND_TWICE,  /* a parameter that was given before */
		     COMMAND_UTF8,   /* an address that needs SMTPUTF8 */
		     COMMAND_SIZE,   /* from here: a value that this parameter does not have */
		     COMMAND_BODY,
		     COMMAND_AUTH,
		     COMMAND_SMTPUTF8,
		     COMMAND_RET,
		     COMMAND_ENVID,
		     COMMAND_NOTIFY,
		     COMMAND_ORCPT,
		     COMMAND_ERRORS
};

enum command_body { COMMAND_7BIT, COMMAND_8BIT }; /* RFC 6152; 7BIT when not said */

enum { /* RFC 3461 4.2 and 4.4, as written, without the keyword */
       COMMAND_ENVID_MAX = 100,
       COMMAND_ORCPT_MAX = 500,
       COMMAND_NOTIFY_MAX = 21,
       COMMAND_RET_MAX = 4,
};

struct command_mail {
	struct path from;
	uint64_t size; /* RFC 1870; 0: not said; a value beyond 64 bits is UINT64_MAX */
	enum command_body body;
	bool utf8;		 /* SMTPUTF8 (RFC 6531 3.4) */
	struct slice ret, envid; /* RFC 3461 4.3 and 4.4, as written; empty: not said */
};

struct command_rcpt {
	struct path to;
	struct slice notify, orcpt; /* RFC 3461 4.1 and 4.2, as written; empty: not said */
};

/* The argument of MAIL and RCPT. On an error *out is untouched. `sub`: the parameters of
 * submission are offered, too: AUTH= (RFC 4954 5), which is checked and ignored, and those of
 * RFC 3461. `utf8`: MAIL said SMTPUTF8.
 *
 * Wider than RFC 5321 4.1.1.2: one space after the colon is accepted, as Postfix does,
 * because old clients send it. A second one is not.
 * Stricter than RFC 3461 4: no word twice in NOTIFY, nothing but printable ASCII behind the xtext, and neither
 * ENVID nor the address of ORCPT empty. */
enum command_error command_mail(struct slice arg, bool sub, struct command_mail *out);
enum command_error command_rcpt(struct slice arg, bool sub, bool utf8,
				struct command_rcpt *out);
/* The reply to an error of MAIL, or of RCPT. Static text. */
const char *command_fault(enum command_error e, bool rcpt);

/* The argument of HELO and EHLO: a host name or an address literal (RFC 5321 4.1.3). Wider
 * than RFC 5321: an underscore in a label passes, as in Postfix; real hosts have them, and
 * 4.1.4 forbids to refuse mail for the name alone. */
bool command_helo(struct slice arg);

#endif
