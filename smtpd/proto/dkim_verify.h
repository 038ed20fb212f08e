/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DKIM_VERIFY_H
#define SMTPD_PROTO_DKIM_VERIFY_H

#include <bearssl.h>

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dkim_canon.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * Verifies the DKIM signatures of a letter: RFC 6376 with RFC 8301 (no SHA-1, RSA from 1024 bits) and
 * RFC 8463 (Ed25519), and U-labels in d=, s= and i= (RFC 8616). In this order:
 *
 *   dkim_verify_init(v, header, now);
 *   dkim_verify_body(v, piece) ...; dkim_verify_end(v);
 *   while (dkim_verify_ask(v, &name))        a TXT name to look up, now or later
 *           dkim_verify_answer(v, kind, records);
 *   v->sig[0 .. v->n - 1].verdict
 *
 * The header is borrowed by dkim_verify_init() alone: what is kept while the names are looked up is *v, less than 10
 * KiB, which must not move. However many signatures there are, DKIM_SIGNATURES are judged, and no body is hashed more
 * often than DKIM_BODIES times.
 */
enum {
	DKIM_SIGNATURES = 8, /* further ones are not looked at */
	DKIM_FIELDS = 1024,  /* a header with more fields is not verified */
	DKIM_NAMES = 256,    /* in one h= */
	DKIM_SIG_MAX = 512,
	DKIM_BODIES = 4,  /* forms of the body: canonicalisation and l= */
	DKIM_DRIFT = 300, /* s that t= may be ahead of our clock */
};

enum dkim_verdict {
	DKIM_PENDING, /* a key is missing yet */
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_PERMERROR,
	DKIM_TEMPERROR,
};

struct dkim_signature {
	enum dkim_verdict verdict;
	struct slice reason; /* static text, never empty when the verdict is there */
	struct slice domain,
		selector; /* d=, s= as DNS has them; empty when they could not be read */
	/* the rest is internal */
	bool ed25519, limited;
	bool below; /* i= is in a subdomain of d= */
	uint8_t sum;
	uint16_t name_n, b_n;
	uint8_t sha256[32], body_sha256[32]; /* of the header, counted; of the body, promised */
	uint8_t name[DNSMSG_NAME];	     /* of the key */
	uint8_t b[DKIM_SIG_MAX];
};

struct dkim_sum {
	struct dkim_body body;
	br_sha256_context hash;
};

struct dkim_verify {
	size_t n;
	struct dkim_signature sig[DKIM_SIGNATURES];
	/* the rest is internal */
	size_t asked, sums;
	struct dkim_sum sum[DKIM_BODIES];
};

/* now: seconds since 1970; 0: unknown, then times are not judged. */
void dkim_verify_init(struct dkim_verify *v, struct slice header, uint64_t now);
void dkim_verify_body(struct dkim_verify *v, struct slice piece);
void dkim_verify_end(struct dkim_verify *v);
/* Puts the name whose TXT records the next signature needs. False: all verdicts are there. */
bool dkim_verify_ask(struct dkim_verify *v, struct buf *name);
/* The answer for the name asked last; records as in struct dnsmsg_answer. */
void dkim_verify_answer(struct dkim_verify *v, enum dnsmsg_kind kind, struct slice records);

struct slice dkim_verdict_text(enum dkim_verdict verdict);

#endif
