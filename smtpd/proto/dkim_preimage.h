/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DKIM_PREIMAGE_H
#define SMTPD_PROTO_DKIM_PREIMAGE_H

#include "smtpd/lib/bytes.h"

/*
 * What the key holder asks before it signs: is this the preimage that dkim_sign_preimage() makes for this
 * algorithm (ed25519-sha256, else rsa-sha256), domain and selector? Canonical fields in h= order and
 * nothing else; exactly one From, listed twice, all addresses in it at `domain`; then the dkim-signature
 * field with our tags in our order. Case does not matter in domains, it does in the selector.
 */
bool dkim_preimage_check(struct slice preimage, bool ed25519, struct slice domain,
			 struct slice selector);

#endif
