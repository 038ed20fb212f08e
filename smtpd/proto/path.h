/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_PATH_H
#define SMTPD_PROTO_PATH_H

#include "smtpd/lib/bytes.h"

/*
 * RFC 5321 4.1.2: Reverse-path, Forward-path and Mailbox. Both slices borrow from the input and
 * are as written: `local` is a Dot-string, or a Quoted-string with its quotes; `domain` is a
 * name of LDH labels, or an address literal with its brackets. ASCII only, unless PATH_UTF8 is allowed (RFC 6531 3.3):
 * then characters above U+009F may stand in both, and path_print() gives the domain as DNS has it.
 *
 * The null path has both empty; a bare postmaster has an empty domain. A Quoted-string may be
 * empty inside: then path_local() puts nothing, and yet the path is not null.
 */
struct path {
	struct slice local, domain;
};

enum path_allow {
	PATH_NULL = 1, /* <> */
	PATH_BARE = 2, /* <postmaster> without a domain, any case; RFC 5321 4.5.1 */
	PATH_UTF8 = 4, /* the client said SMTPUTF8 */
};

enum { /* RFC 5321 4.5.3.1.1 to 4.5.3.1.3; the last counts the brackets and the route */
       PATH_LOCAL = 64,
       PATH_DOMAIN = 255,
       PATH_OCTETS = 256,
};

/* "<local@domain>", nothing around it. A source route before the mailbox is checked and
 * dropped. False: *out untouched. `allow` is a set of enum path_allow. */
bool path_parse(struct slice in, unsigned allow, struct path *out);

/* The same from the front of *c; what follows the '>' stays there. False: *c is bad. */
bool path_take(struct cur *c, unsigned allow, struct path *out);

/* "local@domain" without brackets and route: what path_print() gives, and what maps hold.
 * The empty slice is the null path. */
bool path_addr(struct slice in, unsigned allow, struct path *out);

/* A domain name of LDH labels, 1 to 63 octets each, without a dot at the end. */
bool path_name(struct slice in);

bool path_null(const struct path *p);
/* What the local part means: without quotes and backslashes. At most PATH_LOCAL octets. */
void path_local(const struct path *p, struct buf *out);
/* Canonical text without brackets; the local part is quoted only where it must be. Never longer
 * than what was parsed, but for a domain with characters above ASCII; *out becomes bad when that has no form of at most
 * PATH_DOMAIN octets in DNS. The null path prints nothing. */
void path_print(const struct path *p, struct buf *out);
/* The same from a decoded local part; an empty domain leaves out the '@'. *out becomes bad
 * when the local part has controls or is not UTF-8, or is longer than PATH_LOCAL as it must be
 * written. */
void path_join(struct slice local, struct slice domain, struct buf *out);
/* Decoded local parts octet for octet, domains without case. */
bool path_eq(const struct path *a, const struct path *b);

#endif
