/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_PUBLISH_H
#define SMTPD_PROTO_PUBLISH_H

#include "smtpd/lib/bytes.h"
#include "smtpd/proto/ipaddr.h"

/*
 * The records that an operator publishes for this machine (RULES D1): the one place that knows their names and texts.
 * What is printed for pasting and what is checked against the world come from here.
 *
 *   struct publish_at at = { 0 };
 *   while (publish_next(site, &at))
 *           publish_name(site, &at, &name), publish_value(site, &at, &value), ...
 */
enum {
	PUBLISH_TTL = 3600,   /* s, of the lines for a zone file */
	PUBLISH_STRING = 255, /* octets of one string of a TXT record (RFC 1035 3.3.14) */
	PUBLISH_VALUE = 1024, /* octets that hold every value */
	PUBLISH_LINE = 1536,  /* and every line */
};

enum publish_what {
	PUBLISH_A,
	PUBLISH_AAAA,
	PUBLISH_PTR, /* of the IPv4 address */
	PUBLISH_PTR6,
	PUBLISH_CAA,
	PUBLISH_MX,
	PUBLISH_SPF,
	PUBLISH_DKIM,
	PUBLISH_DKIM_SECOND, /* of the Ed25519 key beside it */
	PUBLISH_DMARC,
	PUBLISH_TLSRPT,
	PUBLISH_WHATS
};

struct publish_site { /* all borrowed; names in lower case, without a final dot */
	struct slice host;
	struct slice domains;	 /* of mail, separated by one space */
	struct slice srs;	 /* empty: the first of domains */
	struct ipaddr v4, v6;	 /* as others see us; all zero: not known */
	struct slice selector;	 /* of the first DKIM key */
	bool second;		 /* letters have a second signature */
	uint32_t dkim_number;	 /* which key signs, dkim_key_selector(); 0: the first */
	struct slice dkim;	 /* the text of its record; empty: not known */
	struct slice ca;	 /* as CAA names it (RFC 8659 4.2); empty: no CAA record */
	struct slice ca_account; /* URI of our account there (RFC 8657 3); empty: not known */
};

struct publish_at { /* zeroed: before the first */
	enum publish_what what;
	unsigned slot; /* which name; internal, like the next */
	bool begun;
	struct slice domain; /* the host, the SRS domain or a mail domain: whom it is about */
};

/* What .config says; addresses from INIT_PUBLIC_ADDRESS, or the static one. */
void publish_configured(struct publish_site *s);
bool publish_known(const struct ipaddr *a);

/* The next record, those of one name together. False: the end. */
bool publish_next(const struct publish_site *s, struct publish_at *at);
/* Is it a DKIM key's? Of those *site holds one at a time: its number and text. */
bool publish_dkim(enum publish_what what);
const char *publish_type(enum publish_what what); /* "MX" */
/* What it is called in a sentence or a log line: "SPF". */
const char *publish_word(enum publish_what what);
/* Where the record is, without a final dot. Nothing is put for the PTR record of an address that is not known. */
void publish_name(const struct publish_site *s, const struct publish_at *at, struct buf *out);
/* As forms of web pages take it: no quotes, names without a final dot. Nothing is put for what is not known. */
void publish_value(const struct publish_site *s, const struct publish_at *at, struct buf *out);
/* One line of a zone file (RFC 1035 5.1), without its end: a TXT value is cut into strings, names get their dot. */
void publish_line(struct slice name, struct slice type, struct slice value, struct buf *out);

#endif
