/* SPDX-License-Identifier: ISC */
/* A P-256 key made at run time and a certificate that it signs for itself, for tests of TLS. */
#ifndef TESTS_UNIT_CERT_H
#define TESTS_UNIT_CERT_H

#include <bearssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "smtpd/lib/tls.h"

struct cert {
	br_ec_private_key sk;
	uint8_t secret[BR_EC_KBUF_PRIV_MAX_SIZE], point[BR_EC_KBUF_PUB_MAX_SIZE];
	uint8_t der[1024];
	size_t n;
	struct tls_identity id;
	bool refuse;	    /* the signer says no */
	unsigned algorithm; /* what it was asked with */
	size_t tbs_len;
};

static void cert_tlv(struct buf *b, uint8_t tag, struct slice s)
{
	buf_u8(b, tag);
	if (s.n > 127) {
		buf_u8(b, 0x82);
		buf_be16(b, (uint16_t)s.n);
	} else {
		buf_u8(b, (uint8_t)s.n);
	}
	buf_put(b, s);
}

static void cert_hash(struct slice s, uint8_t out[32])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, s.p, s.n);
	br_sha256_out(&h, out);
}

static bool cert_sign(void *ctx, unsigned algorithm, struct slice tbs, struct buf *sig)
{
	struct cert *c = ctx;
	uint8_t digest[32], out[80];
	size_t n;

	c->algorithm = algorithm;
	c->tbs_len = tbs.n;
	if (c->refuse || algorithm >> 8 != br_sha256_ID)
		return false;
	cert_hash(tbs, digest);
	n = br_ecdsa_i31_sign_asn1(&br_ec_all_m31, &br_sha256_vtable, digest, &c->sk, out);
	buf_put(sig, (struct slice){ out, n });
	return n > 0;
}

#define CERT_NEST(name, size)     \
	uint8_t name##_mem[size]; \
	struct buf name = { .p = name##_mem, .cap = size }

/* host goes into commonName and subjectAltName; it is a CA too, so it can be its own anchor. */
static inline void cert_make(struct cert *c, const char *host)
{
	static const struct slice ecdsa_sha256 = {
		(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d"
				 "\x04\x03\x02",
		12
	};
	static const struct slice p256 = {
		(const uint8_t *)"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
				 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
		21
	};
	br_hmac_drbg_context rng;
	br_ec_public_key pk;
	uint8_t seed[32];
	CERT_NEST(name, 128);
	CERT_NEST(san, 128);
	CERT_NEST(tmp, 256);
	CERT_NEST(tbs, 768);
	CERT_NEST(whole, 1024);
	struct buf out = BUF(c->der);

	memset(c, 0, sizeof *c);
	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		abort();
	br_hmac_drbg_init(&rng, &br_sha256_vtable, seed, sizeof seed);
	br_ec_keygen(&rng.vtable, &br_ec_all_m31, &c->sk, c->secret, BR_EC_secp256r1);
	br_ec_compute_pub(&br_ec_all_m31, &pk, c->point, &c->sk);

	buf_put(&tmp, SLICE("\x06\x03\x55\x04\x03"));
	cert_tlv(&tmp, 0x0c, slice_of(host));
	cert_tlv(&san, 0x30, buf_slice(&tmp));
	cert_tlv(&name, 0x31, buf_slice(&san)); /* RDN */
	san.len = tmp.len = 0;
	cert_tlv(&san, 0x30, buf_slice(&name));
	name.len = 0;
	buf_put(&name, buf_slice(&san)); /* Name */
	san.len = 0;

	buf_put(&tbs, SLICE("\xa0\x03\x02\x01\x02\x02\x01\x01"));
	buf_put(&tbs, ecdsa_sha256);
	buf_put(&tbs, buf_slice(&name));
	buf_put(&tmp, SLICE("\x17\x0d"
			    "200101000000Z"
			    "\x17\x0d"
			    "490101000000Z"));
	cert_tlv(&tbs, 0x30, buf_slice(&tmp));
	buf_put(&tbs, buf_slice(&name));
	tmp.len = 0;
	buf_put(&tmp, p256);
	buf_put(&tmp, SLICE("\x03\x42\x00"));
	buf_put(&tmp, (struct slice){ pk.q, pk.qlen });
	cert_tlv(&tbs, 0x30, buf_slice(&tmp));

	tmp.len = name.len = 0;
	cert_tlv(&tmp, 0x82, slice_of(host)); /* dNSName */
	cert_tlv(&name, 0x30, buf_slice(&tmp));
	tmp.len = 0;
	buf_put(&tmp, SLICE("\x06\x03\x55\x1d\x11"));
	cert_tlv(&tmp, 0x04, buf_slice(&name));
	cert_tlv(&san, 0x30, buf_slice(&tmp));
	buf_put(&san,
		SLICE("\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff"));
	tmp.len = 0;
	cert_tlv(&tmp, 0x30, buf_slice(&san));
	cert_tlv(&tbs, 0xa3, buf_slice(&tmp));

	cert_tlv(&whole, 0x30, buf_slice(&tbs));
	tbs.len = 1; /* the bit string: no unused bits */
	tbs.p[0] = 0;
	if (!cert_sign(c, br_sha256_ID << 8, buf_slice(&whole), &tbs))
		abort();
	buf_put(&whole, ecdsa_sha256);
	cert_tlv(&whole, 0x03, buf_slice(&tbs));
	cert_tlv(&out, 0x30, buf_slice(&whole));
	if (out.bad || whole.bad || tbs.bad || tmp.bad || san.bad || name.bad)
		abort();
	c->n = out.len;
	c->id = (struct tls_identity){ .n = 1, .sign = cert_sign, .ctx = c };
	c->id.chain[0] = (br_x509_certificate){ c->der, c->n };
}

/* The certificate as PEM; returns its length. */
static inline size_t cert_pem(const struct cert *c, char *out)
{
	return br_pem_encode(out, c->der, c->n, "CERTIFICATE", 0);
}

#endif
