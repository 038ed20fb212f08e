/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_SELFSIGN_H
#define KEYS_HOLDER_SELFSIGN_H

#include <bearssl.h>

#include "smtpd/lib/bytes.h"

/*
 * A self-signed X.509 v3 certificate for a P-256 key and one DNS name: for TLS with peers that do not verify, until a
 * real one is there. Equal input gives equal octets, so nothing but the key is kept.
 */
enum { SELFSIGN_MAX = 1024, SELFSIGN_YEARS = 10 };

/* not_before: unix seconds. out->bad: no room, or no such key or time. */
void selfsign_put(const br_ec_private_key *key, struct slice host, int64_t not_before,
		  struct buf *out);

#endif
