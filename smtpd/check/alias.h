/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_ALIAS_H
#define SMTPD_CHECK_ALIAS_H

#include "smtpd/lib/map.h"
#include "smtpd/proto/path.h"

/*
 * Whose mail is it? The map holds `local@domain` and `@domain` in lower case and, as value, the addresses the letter
 * goes to, separated by one space, or a refusal; chains were followed when it was made (keys/README.md).
 */
enum alias_kind {
	ALIAS_ELSEWHERE, /* not one of our domains */
	ALIAS_UNKNOWN,	 /* ours, but nobody is there */
	ALIAS_TO,	 /* goes to *to: words, each a valid path in canonical form */
	ALIAS_REFUSED, /* takes no mail: *to is an enhanced code, a space and the words for it */
	ALIAS_RETURN,  /* an SRS address of ours: holder.srs knows whose it is */
};

struct alias_domains {
	struct slice mail; /* SMTPD_DOMAINS: words; the first one owns a bare postmaster */
	struct slice srs;
};

/* Looks for the exact address, then for the part before the first '+', then for the whole domain. *to borrows from
 * the map. postmaster and abuse of the SRS domain are those of the first mail domain. */
enum alias_kind alias_find(struct map *m, const struct alias_domains *d,
			   const struct path *rcpt, struct slice *to);

/* Index of a domain among the words of a list; -1 when it is not there. */
int alias_domain(struct slice words, struct slice domain);

#endif
