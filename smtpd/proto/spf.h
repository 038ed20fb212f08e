/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_SPF_H
#define SMTPD_PROTO_SPF_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/dnsmsg.h"
#include "smtpd/proto/ipaddr.h"
#include "smtpd/proto/spf_record.h"

/*
 * May this host use that name? RFC 7208, check_host(), for one identity:
 *
 *   spf_init(s, &who);
 *   while (spf_ask(s, &name, &type))          to look up, now or later
 *           spf_answer(s, kind, records);
 *   s->result, s->reason, s->matched, s->explanation
 *
 * At most SPF_ASKS questions are asked. What *who points to is borrowed until the end, and *s must not move.
 */
enum {
	SPF_TERMS = 10, /* RFC 7208 4.6.4: terms that look something up */
	SPF_VOIDS = 2,	/* of them without an answer */
	SPF_HOSTS = 10, /* of one MX or PTR answer */
	/* the record; each term and its hosts; explanation: twice %{p} and the text */
	SPF_ASKS = 1 + SPF_TERMS * (1 + SPF_HOSTS) + 2 * (1 + SPF_HOSTS) + 1,
	SPF_DEPTH = SPF_TERMS + 1,
	/* Octets of all records and names that are open at once, one include inside the other; beyond it permerror. */
	SPF_TEXT = 9 * 1024,
	SPF_EXPLANATION = 400, /* octets; a longer explanation is none */
};

enum spf_result {
	SPF_PENDING, /* something has to be looked up yet */
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
};

struct spf_who {
	struct ipaddr ip;   /* the client */
	struct slice helo;  /* what it called itself, as it said it */
	struct slice local; /* of MAIL FROM; empty: "postmaster" (RFC 7208 4.3) */
	/* of MAIL FROM, in A-labels (path_print()); empty: the HELO identity is checked */
	struct slice domain;
	/* for explanations alone: */
	struct slice receiver; /* our name; empty: "unknown" */
	uint64_t now;	       /* s since 1970 */
};

struct spf_frame { /* offsets into text[]: the domain, then its record */
	uint16_t domain, domain_n, record, record_n;
	uint16_t term, term_n, next; /* the term under evaluation, and what follows it */
	uint8_t qualifier;	     /* of the include that leads here */
};

struct spf {
	enum spf_result result;
	struct slice reason;  /* static text, never empty when the result is there */
	struct slice domain;  /* the identity that was checked */
	struct slice matched; /* the term of its record that decided; empty: none did */
	/* with SPF_FAIL: the domain's own words, printable ASCII; or empty */
	struct slice explanation;
	/* the rest is internal */
	struct spf_who who;
	uint8_t asking; /* enum asking in spf.c; 0: nothing */
	uint8_t phase;	/* enum phase in spf.c */
	bool validated_known, for_macro;
	unsigned terms, voids, depth;
	struct spf_term term; /* the one that asks; borrows from text[] */
	struct spf_frame frame[SPF_DEPTH];
	size_t text_n, explain_n;
	size_t host, hosts_n; /* octets of host_text[]: behind the one asked for; in all */
	bool more_hosts;
	uint16_t name_n, validated_n;
	uint8_t name[2 * DNSMSG_NAME]; /* what is asked for */
	uint8_t validated[DNSMSG_NAME];
	uint8_t host_text[SPF_HOSTS * (2 + DNSMSG_NAME)];
	uint8_t text[SPF_TEXT];
	uint8_t explanation_text[SPF_EXPLANATION];
};

_Static_assert(sizeof(struct spf) <= 14 * 1024, "one for each session");

void spf_init(struct spf *s, const struct spf_who *who);
/* What to look up next; *name is valid until the answer. Its octets are printable ASCII, not only those of host names;
 * *type is one of DNSMSG_A, AAAA, MX, PTR, TXT. False: the result is there. */
bool spf_ask(const struct spf *s, struct slice *name, uint16_t *type);
/* The answer to it; records as in struct dnsmsg_answer. */
void spf_answer(struct spf *s, enum dnsmsg_kind kind, struct slice records);

struct slice spf_result_text(enum spf_result result);

#endif
