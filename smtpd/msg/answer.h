/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_MSG_ANSWER_H
#define SMTPD_MSG_ANSWER_H

#include "smtpd/lib/chan.h"

/*
 * The reply to everything that decides about a recipient or a letter (check, queue, out): an SMTP reply code,
 * an enhanced status code (RFC 3463), and as tail one line of printable ASCII without CRLF, at most
 * ANSWER_TEXT octets; never empty.
 */
enum { ANSWER_TEXT = 400 };

enum answer_flag {
	/* A process died with the letter inside: the front end remembers the letter by fingerprint. */
	ANSWER_CRASHED = 1,
	/* CHECK_RCPT of the mx lane: the recipient is fine, `route` names where the transaction goes. */
	ANSWER_ROUTE = 2,
};

struct answer {
	struct msg h;
	uint16_t code;	     /* 250, 451, 550 ... */
	uint8_t enhanced[3]; /* class, subject, detail; class 0 = none */
	uint8_t flags;	     /* enum answer_flag */
	uint16_t zero;
	/* With ANSWER_ROUTE: equal numbers are one route. With 250 for a letter on the mx lane: its number for
	 * CHECK_UNHEARD. */
	uint64_t route;
};

_Static_assert(sizeof(struct answer) == 24, "no padding on the wire");

#endif
