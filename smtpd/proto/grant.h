/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_GRANT_H
#define SMTPD_PROTO_GRANT_H

#include "smtpd/lib/bytes.h"

/*
 * What an account may do, under a MAC (keyed BLAKE2b) whose key init gives to auth and check.sub alone: the front
 * end between them can carry a grant but not make one.
 * Layout: mac[32], expiry (8 octets, big endian), account length (1), account, rights.
 */
struct grant {
	struct slice account; /* at most 64 octets */
	struct slice rights; /* words separated by one SP: "@domain", "local@domain", "quota=N" */
	int64_t expires;     /* CLOCK_MONOTONIC, ms: one boot, one key */
};

/* Appends the grant; out->bad when it does not fit. */
void grant_put(const struct grant *g, const uint8_t key[32], struct buf *out);
/* False: wrong MAC, malformed, or expired at `now`. Slices borrow from in. */
bool grant_open(struct slice in, const uint8_t key[32], int64_t now, struct grant *out);
/* May this account use the address local@domain as envelope sender or From:? */
bool grant_allows(const struct grant *g, struct slice local, struct slice domain);
/* How many recipients the account may write to in a day: its own number, or what holds for all. 0: no limit. */
uint32_t grant_quota(const struct grant *g, uint32_t otherwise);

#endif
