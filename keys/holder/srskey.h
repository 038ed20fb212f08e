/* SPDX-License-Identifier: ISC */
#ifndef KEYS_HOLDER_SRSKEY_H
#define KEYS_HOLDER_SRSKEY_H

#include "smtpd/msg/holder.h"

/* holder.srs: the secret behind rewritten envelope senders. */
enum { SRSKEY_OCTETS = 32 };

struct srskey {
	uint8_t secret[SRSKEY_OCTETS];
	struct slice domain; /* of rewritten senders; borrowed */
};

/* Loads the secret, or makes and saves it; one that cannot be kept is ephemeral, and the log says so. */
void srskey_init(struct srskey *s, struct slice domain);
void srskey_wipe(struct srskey *s);

extern const struct rule srskey_rules[HOLDER_TYPES];

#endif
