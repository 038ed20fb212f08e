/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DNSMSG_H
#define SMTPD_PROTO_DNSMSG_H

#include "smtpd/lib/bytes.h"

/*
 * DNS messages of a stub resolver (RFC 1035). Names are text without a final dot; the root is empty.
 */
enum {
	DNSMSG_A = 1,
	DNSMSG_CNAME = 5,
	DNSMSG_SOA = 6,
	DNSMSG_PTR = 12,
	DNSMSG_MX = 15,
	DNSMSG_TXT = 16,
	DNSMSG_AAAA = 28,
	DNSMSG_TLSA = 52,
	DNSMSG_CAA = 257,
};

enum {
	DNSMSG_NAME = 253,
	DNSMSG_QUERY = 12 + 255 + 4 + 11, /* the longest query */
	DNSMSG_UDP = 1232,		  /* EDNS size announced; RFC 6891, without fragments */
	DNSMSG_CHAIN = 8,		  /* CNAMEs followed */
	DNSMSG_RECORDS = 8 * 1024 - 64,	  /* octets of all records of an answer */
};

enum dnsmsg_kind {
	DNSMSG_MALFORMED, /* it is ours, but cannot be used: ask another server, or give up as temporary */
	DNSMSG_FOREIGN,	  /* not the answer to this query: keep waiting */
	DNSMSG_TRUNCATED, /* ask again over TCP */
	DNSMSG_SERVFAIL,  /* SERVFAIL, REFUSED and all other error codes: temporary */
	DNSMSG_NXDOMAIN,
	DNSMSG_NODATA,
	DNSMSG_OK,
};

/* Records one after the other, each a big-endian 16-bit length and then: A 4 octets, AAAA 16 octets,
 * MX 2 octets preference (big endian) and the host, TXT the strings joined, PTR the name, TLSA and CAA as
 * they are (RFC 6698 2.1, RFC 8659 4.1). */
struct dnsmsg_answer {
	enum dnsmsg_kind kind;
	uint32_t ttl; /* s: the least on the way; of a negative answer RFC 2308 5, else 0 */
	uint8_t n;
	bool secure; /* the server says that it validated all of it (AD) */
	bool silent; /* with SERVFAIL: no server said anything */
	size_t len;
	uint8_t records[DNSMSG_RECORDS];
};

/* Letters, digits, '-' and '_', labels of 1 to 63, at most DNSMSG_NAME in all; not the root. */
bool dnsmsg_name_ok(struct slice name);
/* Does `name` end with a dot and `domain`, without regard to case? */
bool dnsmsg_name_below(struct slice name, struct slice domain);
/* The same with labels of any printable octets (RFC 2181 11): what can be asked for. */
bool dnsmsg_question_ok(struct slice name);

/* One question, recursion desired, EDNS0 with DNSMSG_UDP; dnssec asks the server to say whether it validated the answer
 * (RFC 4035 4.1, RFC 6840 5.7). *out becomes bad when the name is. */
void dnsmsg_query(struct buf *out, uint16_t id, struct slice name, uint16_t type, bool dnssec);
/* Does the message repeat the name asked for letter by letter, its case too? */
bool dnsmsg_same_case(struct slice msg, struct slice name);

/* Reads the answer to dnsmsg_query(id, name, type). CNAMEs are followed inside the message. Whatever the
 * message says, *out is written whole. */
void dnsmsg_parse(struct slice msg, uint16_t id, struct slice name, uint16_t type,
		  struct dnsmsg_answer *out);

/* Takes the next record off *c. False at the end. */
bool dnsmsg_record(struct cur *c, struct slice *record);

#endif
