/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_UTF8_H
#define SMTPD_PROTO_UTF8_H

#include "smtpd/lib/bytes.h"

/* UTF-8 (RFC 3629) in addresses and headers (RFC 6531, RFC 6532). */

/* Octets above 127 are whole characters, none of them a control. The others are not judged. */
bool utf8_clean(struct slice s);
bool utf8_needed(struct slice s); /* an octet above 127 is in it */

/* A label of a domain as DNS has it: as it is, or "xn--" and RFC 3492. Nothing is mapped: the label is taken to be a
 * U-label (RFC 5890 2.3.2.1) already. *out becomes bad when it is not UTF-8, or longer than 63 octets. */
void utf8_label(struct buf *out, struct slice label);
/* The same for each label of a name. */
void utf8_domain(struct buf *out, struct slice name);

#endif
