/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DKIM_CANON_H
#define SMTPD_PROTO_DKIM_CANON_H

#include <bearssl.h>

#include "smtpd/lib/bytes.h"

/* Canonicalisation of RFC 6376 3.4: field by field, and of a body in pieces of any size. */
enum dkim_canon { DKIM_RELAXED, DKIM_SIMPLE };

struct dkim_sink { /* either may be NULL */
	struct buf *buf;
	br_sha256_context *hash;
};

/* Puts one header field, raw as in struct header_field, with its CRLF. */
void dkim_canon_header(enum dkim_canon canon, struct slice raw, struct dkim_sink *to);
/* The same for `a` followed by `b` (a field without its CRLF, a part cut out); no CRLF is put. */
void dkim_canon_open(enum dkim_canon canon, struct slice a, struct slice b,
		     struct dkim_sink *to);

struct dkim_body {
	struct dkim_sink to; /* borrowed */
	enum dkim_canon canon;
	uint64_t limit; /* l=: this many octets are put, the others only counted */
	uint64_t size;	/* of the canonical body so far */
	uint64_t lines; /* CRLFs not put yet: the body may end here */
	bool blank;	/* relaxed: white space not put yet */
	bool cr;	/* a CR whose LF may follow */
};

void dkim_body_init(struct dkim_body *d, enum dkim_canon canon, uint64_t limit,
		    struct dkim_sink to);
void dkim_body_feed(struct dkim_body *d, struct slice s);
void dkim_body_end(struct dkim_body *d); /* then d->size is final */

#endif
