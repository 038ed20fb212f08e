/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_ENVELOPE_H
#define SMTPD_PROTO_ENVELOPE_H

#include "smtpd/lib/bytes.h"

/*
 * The `head` memfd of a letter in transit, and the envelope part of a journal record: records
 * of one tag octet, a big-endian 16-bit length and that many octets; the record ENV_HEADER has
 * no length, it is the rest: the header octets that go before the text (none between front and
 * check).
 *
 * Paths are stored without angle brackets, in the canonical form path_print() gives; the null
 * sender is an empty ENV_SENDER.
 */
enum env_tag {
	ENV_SENDER = 'S', /* exactly one: envelope sender */
	ENV_RCPT = 'R',	  /* one or more: where the letter goes next */
	ENV_ORIGINAL =
		'O', /* after an ENV_RCPT: the address the client named, when it differs */
	ENV_NOTIFY =
		'N', /* of the recipient before it: NOTIFY= (RFC 3461 4.1), as it was said */
	ENV_ORCPT = 'C', /* of the recipient before it: ORCPT= (RFC 3461 4.2), as it was said */
	ENV_RET = 'F',	 /* RET= (RFC 3461 4.3): FULL or HDRS */
	ENV_ENVID = 'I', /* ENVID= (RFC 3461 4.4), as it was said */
	ENV_UTF8 = 'U',	 /* "1": the letter needs SMTPUTF8 (RFC 6531) */
	ENV_REPORT = 'Q',  /* a report of ours: about the letter with this number */
	ENV_ACCOUNT = 'A', /* submission: who logged in */
	ENV_GRANT =
		'G',	/* submission, front to check only: struct auth_grant as auth made it */
	ENV_HELO = 'E', /* what the client called itself */
	ENV_PEER = 'P', /* the client's address, text form */
	ENV_WITH = 'W', /* protocol word for Received (RFC 3848), e.g. ESMTPSA */
	ENV_TLS = 'T',	/* "TLS1.2 suite", absent in clear text */
	ENV_BODY = 'B', /* one octet: '7' or '8' (BODY=, RFC 6152) */
	ENV_HEADER = 'H', /* last: all that follows */
};

enum {
	ENV_HEAD_MAX = 1024 * 1024, /* a reader refuses a longer head before it reads it */
	ENV_RECORD_MAX = 1024,	    /* one record except ENV_HEADER */
};

void envelope_put(struct buf *b, enum env_tag tag, struct slice value);
void envelope_put_header(struct buf *b, struct slice header); /* last */

/* Takes the next record off *c. False at the end or when the octets are malformed; ask
 * cur_done(c) to tell these apart. *value borrows from c. A record with an unknown tag is
 * malformed. */
bool envelope_next(struct cur *c, enum env_tag *tag, struct slice *value);

/* The whole shape: known tags, one sender, at least one recipient, ENV_ORIGINAL, ENV_NOTIFY and
 * ENV_ORCPT once each and only after a recipient, ENV_HEADER last and present, the other tags at
 * most once. Paths parse (a recipient may be a bare
 * postmaster, and characters above ASCII need ENV_UTF8), the other values are printable
 * ASCII and not empty, but ENV_GRANT and ENV_HEADER are any octets. Counts recipients. Every
 * receiver asks this first. */
bool envelope_check(struct slice head, size_t *nrcpt);

/* The first record with this tag; false when there is none. */
bool envelope_get(struct slice head, enum env_tag tag, struct slice *value);

#endif
