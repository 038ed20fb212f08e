/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_ACCTKEY_H
#define KEYS_HOLDER_ACCTKEY_H

#include <bearssl.h>

#include "smtpd/msg/holder.h"

/*
 * holder.acme: the key of the account at the certificate authority, P-256, and nothing but requests of RFC 8555 6.2
 * under it, which are put together here. Without a key disk it signs nothing: a new account at each start
 * would meet the authority's limits.
 */
enum { ACCTKEY_OCTETS = 32, ACCTKEY_EAB_MAX = 1024 };

struct acctkey {
	br_ec_private_key key; /* points into secret */
	uint8_t secret[ACCTKEY_OCTETS];
	uint8_t point[65];
	bool lasting;
	uint8_t eab[ACCTKEY_EAB_MAX]; /* the key identifier, NUL, the MAC key; or empty */
	size_t eab_n;
};

/* Loads the key, or makes and saves it; the account binding comes from the file. */
void acctkey_init(struct acctkey *a, int eab_fd);
void acctkey_wipe(struct acctkey *a);

extern const struct rule acctkey_rules[HOLDER_TYPES];

#endif
