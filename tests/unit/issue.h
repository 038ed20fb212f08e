/* SPDX-License-Identifier: ISC */
/* Certificates that keys of cert.h sign for other keys and names, for tests of chains. */
#ifndef TESTS_UNIT_ISSUE_H
#define TESTS_UNIT_ISSUE_H

#include "tests/unit/cert.h"
#include "tests/unit/test.h"

struct issued {
	uint8_t mem[1024];
	struct buf der;
};

static inline void nest(uint8_t tag, struct buf *to, struct buf *from)
{
	cert_tlv(to, tag, buf_slice(from));
	from->len = 0;
}

static inline void put_dn(struct buf *to, const char *cn)
{
	CERT_NEST(a, 128);
	CERT_NEST(b, 128);

	buf_put(&a, SLICE("\x06\x03\x55\x04\x03"));
	cert_tlv(&a, 0x0c, slice_of(cn));
	nest(0x30, &b, &a);
	nest(0x31, &a, &b);
	nest(0x30, to, &a);
}

/* A certificate for the key `spki`, signed by `by` under the name `issuer`. */
static inline struct issued *issue(struct issued *out, struct cert *by, const char *issuer,
				   const char *subject, struct slice spki, bool ca)
{
	static const uint8_t alg[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
				       0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
	CERT_NEST(a, 768);
	CERT_NEST(b, 768);
	CERT_NEST(tbs, 768);

	out->der = BUF(out->mem);
	buf_put(&tbs, SLICE("\xa0\x03\x02\x01\x02\x02\x01\x02"));
	buf_put(&tbs, (struct slice){ alg, sizeof alg });
	put_dn(&tbs, issuer);
	buf_put(&a, SLICE("\x17\x0d"
			  "200101000000Z"
			  "\x17\x0d"
			  "490101000000Z"));
	nest(0x30, &tbs, &a);
	put_dn(&tbs, subject);
	buf_put(&tbs, spki);
	cert_tlv(&a, 0x82, slice_of(subject));
	nest(0x30, &b, &a);
	buf_put(&a, SLICE("\x06\x03\x55\x1d\x11"));
	nest(0x04, &a, &b);
	nest(0x30, &b, &a);
	if (ca)
		buf_put(&b, SLICE("\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05"
				  "\x30\x03\x01\x01\xff"));
	nest(0x30, &a, &b);
	nest(0xa3, &tbs, &a);
	nest(0x30, &a, &tbs);
	buf_u8(&tbs, 0); /* the bit string: no unused bits */
	CHECK(cert_sign(by, br_sha256_ID << 8, buf_slice(&a), &tbs));
	buf_put(&a, (struct slice){ alg, sizeof alg });
	cert_tlv(&a, 0x03, buf_slice(&tbs));
	cert_tlv(&out->der, 0x30, buf_slice(&a));
	CHECK(!out->der.bad && !a.bad && !b.bad && !tbs.bad);
	return out;
}

static inline void put_ec(struct buf *to, const struct cert *key)
{
	CERT_NEST(a, 128);

	buf_put(&a, SLICE("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
			  "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"));
	buf_put(&a, (struct slice){ key->point, 65 });
	nest(0x30, to, &a);
}

/* Any odd number does for a modulus that nobody computes with. */
static inline void put_rsa(struct buf *to, size_t octets)
{
	uint8_t modulus[257] = { 0 };
	CERT_NEST(a, 512);
	CERT_NEST(b, 512);

	memset(modulus + 1, 0xc5, octets);
	cert_tlv(&a, 0x02, (struct slice){ modulus, 1 + octets });
	buf_put(&a, SLICE("\x02\x03\x01\x00\x01"));
	buf_u8(&b, 0);
	nest(0x30, &b, &a);
	buf_put(&a, SLICE("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"));
	nest(0x03, &a, &b);
	nest(0x30, to, &a);
}

#endif
