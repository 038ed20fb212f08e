/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_REPLY_H
#define SMTPD_PROTO_REPLY_H

#include "smtpd/lib/bytes.h"
#include "smtpd/lib/verdict.h"

/*
 * A reply of an SMTP server (RFC 5321 4.2), read line by line and kept within bounds.
 */
enum {
	REPLY_LINE = 2048, /* the longest line taken, with CRLF; RFC 5321 4.5.3.1.5 has 512 */
	REPLY_LINES = 100,
	REPLY_TEXT = 400, /* of the text this much is kept */
};

enum reply_cap { /* RFC 5321 4.1.1.1: keywords in the lines after the first */
		 REPLY_STARTTLS = 1,
		 REPLY_PIPELINING = 2,
		 REPLY_SIZE = 4,
		 REPLY_8BITMIME = 8,
		 REPLY_SMTPUTF8 = 16,
		 REPLY_DSN = 32,
		 REPLY_AUTH_PLAIN = 64, /* AUTH with PLAIN among its mechanisms */
};

enum reply_step { REPLY_MORE, REPLY_DONE, REPLY_BAD };

struct reply {	      /* zeroed: nothing read */
	uint8_t step; /* enum reply_step */
	uint8_t lines;
	uint16_t code; /* 200 to 599 */
	uint16_t subject,
		detail; /* RFC 3463; 0.0 when absent, or when its class is not the reply's */
	uint8_t caps;	/* enum reply_cap; means something after EHLO only */
	uint64_t size;	/* with REPLY_SIZE; 0: no limit stated */
	uint16_t text_n;
	uint8_t text[REPLY_TEXT]; /* printable ASCII, lines joined by a space */
};

/* Takes whole lines off *in until the reply ends. REPLY_MORE leaves an unfinished line in
 * *in: the caller keeps it and comes back with more behind it. REPLY_BAD is final: not a
 * reply, codes that differ, a line end that is not CRLF, a bound exceeded; the connection is
 * of no further use. */
enum reply_step reply_feed(struct reply *r, struct slice *in);

/* By the first digit of the reply code alone, whatever the enhanced code says: 2 is V_OK, 5
 * is V_PERM, the rest is V_TEMP: 4, 3 (ask the code where 354 or 334 is due), unfinished,
 * nonsense. */
enum verdict reply_verdict(const struct reply *r);

struct slice reply_text(const struct reply *r);
/* "5.7.1"; the class is the first digit of the code. "4.0.0" for what is no reply. */
void reply_put_enhanced(const struct reply *r, struct buf *out);

#endif
