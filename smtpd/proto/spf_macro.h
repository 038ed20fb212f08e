/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_SPF_MACRO_H
#define SMTPD_PROTO_SPF_MACRO_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/ipaddr.h"

/* Macros of SPF (RFC 7208 7). */

/* What the letters stand for; borrowed. A value longer than SPF_MACRO_VALUE octets cannot be expanded. */
struct spf_values {
	struct ipaddr ip;
	struct slice local, sender_domain; /* l, o; s is both */
	struct slice domain;		   /* d */
	struct slice helo;		   /* h */
	struct slice validated;		   /* p */
	struct slice receiver;		   /* r */
	uint64_t now;			   /* t: s since 1970 */
};

enum { SPF_MACRO_VALUE = 384 };

enum spf_macro_where {
	SPF_MACRO_RECORD,  /* macro-string: visible octets, letters s l o d i p v h */
	SPF_MACRO_EXPLAIN, /* explain-string: c, r, t and SP as well */
};

bool spf_macro_string(struct slice s, enum spf_macro_where where);
/* domain-spec: a macro-string that ends in a macro or in ".toplabel", a dot after it allowed. */
bool spf_macro_domain(struct slice s);
/* Does it use %{p}? */
bool spf_macro_validated(struct slice s);

/* Puts the text. *out becomes bad when it is no string of that kind, has no room, or is not printable ASCII. */
void spf_macro_text(struct slice s, const struct spf_values *v, struct buf *out);
/* Puts the name that a domain-spec stands for, without a final dot; labels are cut from the left until it has at most
 * DNSMSG_NAME octets. *out, of at least 2 * DNSMSG_NAME octets and empty, becomes bad when that is no
 * dnsmsg_question_ok(). */
void spf_macro_name(struct slice s, const struct spf_values *v, struct buf *out);

#endif
