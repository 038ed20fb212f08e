/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PROTO_DER_H
#define SMTPD_PROTO_DER_H

#include "smtpd/lib/bytes.h"

/* The little DER (X.690) that key records and self-signed certificates need. */
enum der_tag {
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_UTCTIME = 0x17,
	DER_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT = 0xa0, /* + number, constructed */
};

/* Everything put between open and close is the content. Contents up to 65535 octets. */
size_t der_open(struct buf *b, uint8_t tag);
void der_close(struct buf *b, size_t mark);

void der_put(struct buf *b, uint8_t tag, struct slice content);
void der_uint(struct buf *b,
	      struct slice unsigned_be); /* INTEGER; leading zeros are taken away */
/* RFC 5280 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on. */
void der_when(struct buf *b, int64_t unix_seconds);

/* Takes one element with this tag off *c and gives its content. Definite, shortest lengths below 65536. */
struct slice der_get(struct cur *c, uint8_t tag);

#endif
