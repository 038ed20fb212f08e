/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_GMAIL_H
#define SMTPD_PROTO_GMAIL_H

#include "smtpd/proto/reply.h"

/*
 * What a reply means for the letters after it, by the table that Google publishes (RULES S11 to S13, F9, Q5). What it
 * means for the letter itself is reply_verdict()'s alone: the first digit of the code (RULES Q6). Other operators use
 * the same codes (RFC 3463); the texts are Google's.
 */
/* The later ones weigh more. */
enum gmail_class {
	GMAIL_OK,
	GMAIL_TEMP, /* nothing that is known here */
	GMAIL_PERM,
	GMAIL_POLICY,	  /* this letter, its author or how it came breaks a rule */
	GMAIL_FULL,	  /* the mailbox has no room */
	GMAIL_FAST,	  /* the mailbox gets letters too fast */
	GMAIL_REPUTATION, /* about the machine that sends: its address or the name of it */
	GMAIL_RATE,	  /* stop for ten minutes: RULES, fact 6 */
	GMAIL_CLASSES
};

struct gmail {
	enum gmail_class class;
	const char *remedy; /* static: the name of what is published about it; NULL: none */
};

/* *r is a whole reply (REPLY_DONE). */
struct gmail gmail_read(const struct reply *r);
const char *gmail_name(enum gmail_class c); /* one word, for the log; static */

#endif
