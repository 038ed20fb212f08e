/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_SELFSIGN_H
#define KEYS_HOLDER_SELFSIGN_H

#include <bearssl.h>

#include "keys/holder/dkimrsa.h"

/*
 * A self-signed X.509 v3 certificate for a P-256 key and DNS names: for TLS with peers that do not verify, until a
 * real one is there. Equal input gives equal octets, so nothing but the key is kept. And what else the key signs about
 * itself.
 */
enum { SELFSIGN_MAX = 1024 /* with one name */, SELFSIGN_YEARS = 10, SELFSIGN_DIGEST = 32 };

/* names: with one space between; the first one is the subject, too. not_before: unix seconds. out->bad: no room, or no
 * such key or time. */
void selfsign_put(const br_ec_private_key *key, struct slice names, int64_t not_before,
		  struct buf *out);
/* The same with the extension of RFC 8737 3; digest: SELFSIGN_DIGEST octets. */
void selfsign_put_alpn(const br_ec_private_key *key, struct slice names, int64_t not_before,
		       struct slice digest, struct buf *out);
/* A certificate request (RFC 2986) with nothing but names, separated by one space. rsa: NULL, or the key it is for. */
void selfsign_put_request(const br_ec_private_key *key, struct dkimrsa *rsa, struct slice names,
			  struct buf *out);
/* The SubjectPublicKeyInfo. */
void selfsign_put_key(const br_ec_private_key *key, struct buf *out);

#endif
