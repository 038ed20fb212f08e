/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_SRSKEY_H
#define KEYS_HOLDER_SRSKEY_H

#include "keys/holder/srslong.h"
#include "smtpd/msg/holder.h"

/* holder.srs: the secrets behind rewritten envelope senders. The newest one makes addresses, all check them. */
enum { SRSKEY_OCTETS = 32, SRSKEY_ROW = 4 + SRSKEY_OCTETS, SRSKEY_KEPT = 3 };

struct srskey {
	struct srssecrets {
		uint8_t row[SRSKEY_KEPT * SRSKEY_ROW]; /* as on disk: number (big endian),
							* secret; newest first */
		size_t n;
	} secrets;
	bool damaged; /* the file cannot be read: who reverses an address of before tries again */
	struct slice domain;	/* of rewritten senders; borrowed */
	struct srslong senders; /* that do not fit */
};

/* Loads the secrets; makes and saves one where there is none, or none with so high a number. Those with more than two
 * numbers less are forgotten then. One that cannot be kept is ephemeral, or not made where there are others; the log
 * says so. */
void srskey_init(struct srskey *s, struct slice domain, uint32_t number);
void srskey_wipe(struct srskey *s);

extern const struct rule srskey_rules[HOLDER_TYPES];

#endif
