/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_BASE64_H
#define SMTPD_PROTO_BASE64_H

#include "smtpd/lib/bytes.h"

/* RFC 4648 4. Decoding is strict: whole groups, exact padding, unused bits zero, no white
 * space. False: not so, or no room in *out; *out is untouched. Each text has one decoding
 * and back. */
bool base64_get(struct slice in, struct buf *out);
void base64_put(struct buf *b, struct slice s);
/* RFC 4648 5, without padding. */
void base64_put_url(struct buf *b, struct slice s);

#endif
