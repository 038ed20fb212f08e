/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_HEADER_H
#define SMTPD_PROTO_HEADER_H

#include "smtpd/lib/bytes.h"

/*
 * The header of a letter (RFC 5322 2.2, 3.6). A header block is the octets of its fields, each with its
 * CRLF, without the empty line. Everything handed out borrows from the input.
 */
enum { /* what Gmail refuses (RULES S6), or less */
       HEADER_OCTETS = CONFIG_SMTPD_MAX_HEADER * 1024,
       HEADER_FIELDS = CONFIG_SMTPD_MAX_FIELDS,
       HEADER_FIELD = 32 * 1024, /* one field, except To, Cc, Bcc and References */
       HEADER_NAME = 1024,
       HEADER_SUBJECT = 998,
       HEADER_MSGID = 500,
};

/* Cuts a letter at its first empty line, which belongs to neither part. False: there is none, all of it
 * is header and *body is empty. */
bool header_split(struct slice text, struct slice *header, struct slice *body);

struct header_field {
	struct slice raw; /* all of it: name, folds, last CRLF */
	/* empty: malformed line (no colon, a fold at the start, not RFC 5322 2.2 ftext) */
	struct slice name;
	struct slice body; /* behind the colon, with folds, without the last CRLF */
	bool loose;	   /* white space before the colon (RFC 5322 4.5.8, obsolete) */
};

/* Takes the next field off *rest. False at the end only. */
bool header_next(struct slice *rest, struct header_field *f);

size_t header_count(struct slice header, struct slice name);
/* The first field of that name. */
bool header_find(struct slice header, struct slice name, struct header_field *f);

struct header_addr {
	struct slice local;  /* as written: a quoted string keeps its quotes */
	struct slice domain; /* LDH labels */
};

/* From:, Sender:, To: and their like: RFC 5322 3.4 mailbox-list, with comments, quoted strings and
 * encoded words in display names. Stricter than RFC 5322: no groups, no domain literals, nothing but
 * the address between the angle brackets and no comment or space beside the '@', because readers
 * disagree about these. Of the obsolete syntax only the dot in a display name ("John Q. Public"), which
 * every program writes. Characters above ASCII pass, but not in domains: whether they may be there, header_check()
 * says. False: malformed, none, or more than cap; *n is not written then. */
bool header_addresses(struct slice body, struct header_addr *out, size_t cap, size_t *n);
/* The same for what a stranger wrote: domains may have characters above ASCII (RFC 6532 3.2), and a display name '@',
 * '[' and ']' without the quotes that they want: many programs write a@b <a@b>. */
bool header_authors(struct slice body, struct header_addr *out, size_t cap, size_t *n);

enum header_fault {
	HEADER_OK,
	HEADER_MALFORMED, /* not fields, or octets that fields do not have */
	HEADER_8BIT,
	HEADER_DUPLICATE, /* a field that may stand once stands twice */
	HEADER_LARGE,	  /* all of it: over HEADER_OCTETS */
	HEADER_MANY,	  /* over HEADER_FIELDS */
	HEADER_LONG,	  /* one field: over HEADER_FIELD, where that holds */
	HEADER_LONG_NAME,
	HEADER_LONG_SUBJECT,
	HEADER_LONG_ID,
	HEADER_FROM, /* From: missing, or not exactly one address */
	HEADER_SENDER,
	HEADER_ID,   /* Message-ID: not one <left@right> */
	HEADER_DATE, /* Date: not RFC 5322 3.3, nor 4.3 */
	HEADER_FAULTS
};

/* What a letter must be like to be submitted; Date and Message-ID may be missing. `utf8`: it came with SMTPUTF8, and
 * values may have characters above ASCII (RFC 6532). *name: the field at fault, or empty. */
enum header_fault header_check(struct slice header, bool utf8, struct slice *name);
/* What a stranger's letter must be like to be forwarded: as Gmail wants it (RULES S4, S6) and no more. Not refused are
 * obsolete syntax outside of From:, a missing or odd Message-ID, and fields of MIME that stand twice. */
enum header_fault header_check_stranger(struct slice header, bool utf8, struct slice *name);
/* The enhanced code and the words for an SMTP reply, "5.6.0 ..."; sizes are 5.3.4. */
struct slice header_fault_text(enum header_fault fault);

#endif
