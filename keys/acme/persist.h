/* SPDX-License-Identifier: ISC */
#ifndef KEYS_ACME_PERSIST_H
#define KEYS_ACME_PERSIST_H

#include "smtpd/lib/bytes.h"

/* dns-persist-01 (draft-ietf-acme-dns-persist): a TXT record that stays proves a name. */
enum { PERSIST_NAME = 20 + 253, PERSIST_TEXT = 1024 }; /* octets at most */

/* Where the record of this host stands. */
void persist_name(struct slice host, struct buf *out);
/* What it says: the authority's domain name, and the URL of our account there. */
void persist_text(const char *issuer, const char *account, struct buf *out);
/* Is one of these records (the tail of struct dns_reply) that text, alone or before further parameters? */
bool persist_found(struct slice records, struct slice text);
/* Has the operator publish it. */
void persist_tell(struct slice name, struct slice text);

#endif
