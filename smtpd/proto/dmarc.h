/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DMARC_H
#define SMTPD_PROTO_DMARC_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dnsmsg.h"

/*
 * DMARC (RFC 9989): do SPF or DKIM vouch for the domain in From:, and what does its owner want done with a letter when
 * they do not? In this order:
 *
 *   dmarc_init(d, header);                    or dmarc_init_domain()
 *   dmarc_add(d, DMARC_SPF, domain, true);    for each identifier that passed, or that may pass another time
 *   while (dmarc_ask(d, &name))               a TXT name to look up, now or later
 *           dmarc_answer(d, kind, records);
 *   d->verdict
 *
 * The header is borrowed by dmarc_init() alone, the domains of dmarc_add() until the verdict is there; *d must not
 * move. With DMARC_TEMPERROR `policy` stands there, too, if the record was found: where it is p=none nothing depends
 * on the verdict. No walk up the tree asks for more than DMARC_WALK names, and only as many names are asked for as
 * the verdict needs: one, where an identifier is the domain in From: and this has a record. After DMARC_ASKS names
 * no further identifier is walked up from, and none of the rest is aligned: an honest letter is done with the walks of
 * its author and of one identifier.
 */
enum {
	DMARC_WALK = 8,	       /* RFC 9989 4.10 */
	DMARC_ASKS = 32,       /* names in all, and one more for np= */
	DMARC_IDENTIFIERS = 9, /* SPF and dkim_verify.h; further ones do not count */
	DMARC_AUTHORS = 16,    /* addresses in From: */
};

enum dmarc_verdict {
	DMARC_PENDING, /* a name is missing yet */
	DMARC_NONE,    /* the owner says nothing, or nothing that means something */
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR, /* a name, or what would vouch, could not be looked up */
	DMARC_PERMERROR, /* From: is missing, malformed, or of several domains */
};

/* RFC 9989 4.7, the severe ones last. */
enum dmarc_policy { DMARC_NO_POLICY, DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };

enum dmarc_means { DMARC_SPF, DMARC_DKIM };

struct dmarc_record {
	bool there;
	bool unusable;	/* p, sp or np means nothing, and rua asks for no reports; 4.10.1 */
	bool testing;	/* t=y */
	bool strict[2]; /* aspf=s, adkim=s */
	uint8_t psd;	/* 'y', 'n', or 'u' */
	enum dmarc_policy p, sp, np;
	struct slice domain; /* whose it is: the end of the author domain */
};

struct dmarc {
	enum dmarc_verdict verdict;
	struct slice reason;	       /* static text, never empty when the verdict is there */
	struct slice author;	       /* the domain of From: as DNS has it, in lower case */
	struct slice org;	       /* its organisational domain; empty: it was not needed */
	struct dmarc_record record;    /* the one that counts */
	enum dmarc_policy policy;      /* what it says about this author domain */
	enum dmarc_policy disposition; /* DMARC_FAIL: what to do; t=y makes it milder, 4.7 */
	struct slice by;	       /* DMARC_PASS: the domain that vouches, by `means` */
	enum dmarc_means means;
	unsigned asked; /* names so far */
	/* the rest is internal */
	enum { DMARC_AT_AUTHOR, DMARC_AT_IDENTIFIER, DMARC_AT_EXISTENCE } step;
	struct slice at;	   /* whose record is asked for */
	struct dmarc_record above; /* the last one found on the way up */
	struct dmarc_record below; /* the one before */
	bool exists;		   /* the author domain, for certain */
	bool temp;		   /* one that may be aligned could not be judged */
	size_t n, i;
	struct dmarc_identifier {
		enum dmarc_means means;
		bool passed;
		struct slice domain;
	} identifier[DMARC_IDENTIFIERS];
	uint8_t name[DNSMSG_NAME];
};

void dmarc_init(struct dmarc *d, struct slice header);
void dmarc_init_domain(struct dmarc *d, struct slice author);
/* What SPF says of the domain of MAIL FROM, or with the null path of HELO; what DKIM says of d=. `passed` is false
 * for a temporary error, and what neither passed nor may pass another time is not added. */
void dmarc_add(struct dmarc *d, enum dmarc_means means, struct slice domain, bool passed);
/* Puts the name whose TXT records are needed next. False: the verdict is there. */
bool dmarc_ask(struct dmarc *d, struct buf *name);
/* The answer for the name asked last; records as in struct dnsmsg_answer. */
void dmarc_answer(struct dmarc *d, enum dnsmsg_kind kind, struct slice records);

/* One record, RFC 9989 4.7 and 4.8; r->domain is left alone. False: it is not one of DMARC. Tags that are not known,
 * and values without meaning, are as if they were not there. */
bool dmarc_record_parse(struct slice text, struct dmarc_record *r);

struct slice dmarc_verdict_text(enum dmarc_verdict verdict);
struct slice dmarc_policy_text(enum dmarc_policy policy);

#endif
