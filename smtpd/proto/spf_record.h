/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_SPF_RECORD_H
#define SMTPD_PROTO_SPF_RECORD_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/ipaddr.h"

/* The text of an SPF record (RFC 7208 4.5, 4.6, 5, 6, 12), term by term. All slices borrow from it. */

enum spf_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT, /* from here: modifiers */
	SPF_EXP,
	SPF_OTHER,   /* a modifier that is not known: to be ignored */
	SPF_UNKNOWN, /* name:text of no known mechanism: an error, but behind `all` */
};

struct spf_term {
	enum spf_kind kind;
	uint8_t qualifier;     /* '+', '-', '~' or '?'; of a modifier '+' */
	struct slice text;     /* the term as written */
	struct slice spec;     /* domain-spec; empty: not said */
	unsigned bits4, bits6; /* of a and mx: 0 to 32, 0 to 128 */
	struct ipaddr_net net; /* of ip4 and ip6 */
};

/* Is this TXT record one of SPF, version 1? */
bool spf_record_is(struct slice txt);
/* A cursor at the first term of such a record. */
struct cur spf_record_terms(struct slice record);
/* The next term. False: no more, or *c is bad: a syntax error. */
bool spf_record_term(struct cur *c, struct spf_term *t);
/* Reads the whole record and tells its modifiers; empty slices: not there. False: a syntax error anywhere, or one of
 * the two twice. Wider than RFC 7208 4.6: behind `all`, where mechanisms MUST be ignored (5.1), SPF_UNKNOWN is. */
bool spf_record_check(struct slice record, struct slice *redirect, struct slice *exp);

#endif
