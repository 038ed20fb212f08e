/* SPDX-License-Identifier: ISC */
#include "keys/holder/selfsign.h"

#include "smtpd/proto/der.h"

enum {
	DNS_NAME = 0x82,      /* GeneralName, RFC 5280 4.2.1.6 */
	COMMON_NAME_MAX = 64, /* X.520 ub-common-name */
	POINT = 65,
	SERIAL = 16,
};

/* Encoded as they are. */
#define ECDSA_SHA256 SLICE("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define EC_P256                                                      \
	SLICE("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08" \
	      "\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_COMMON_NAME SLICE("\x06\x03\x55\x04\x03")
#define OID_SUBJECT_ALT SLICE("\x06\x03\x55\x1d\x11")
#define NOT_A_CA	SLICE("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00")
#define FOR_SIGNING	SLICE("\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80")
#define FOR_SERVERS                                                      \
	SLICE("\x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06\x08\x2b" \
	      "\x06\x01\x05\x05\x07\x03\x01")

static void put_bits(struct buf *out, struct slice s)
{
	size_t bits = der_open(out, DER_BITS);

	buf_u8(out, 0); /* no unused bits */
	buf_put(out, s);
	der_close(out, bits);
}

static void put_name(struct buf *out, struct slice host)
{
	size_t name = der_open(out, DER_SEQUENCE), set = der_open(out, DER_SET),
	       attr = der_open(out, DER_SEQUENCE);

	buf_put(out, OID_COMMON_NAME);
	der_put(out, DER_UTF8, host.n <= COMMON_NAME_MAX ? host : SLICE("tinpost"));
	der_close(out, attr);
	der_close(out, set);
	der_close(out, name);
}

static void put_validity(struct buf *out, int64_t from)
{
	int64_t year = 31556952; /* s, the Gregorian mean */
	size_t validity = der_open(out, DER_SEQUENCE);

	der_when(out, from);
	if (!out->bad) /* a year up to 9999: the sum cannot overflow */
		der_when(out, from + SELFSIGN_YEARS * year);
	der_close(out, validity);
}

static void put_key(struct buf *out, struct slice point)
{
	size_t key = der_open(out, DER_SEQUENCE);

	buf_put(out, EC_P256);
	put_bits(out, point);
	der_close(out, key);
}

static void put_extensions(struct buf *out, struct slice host)
{
	size_t all = der_open(out, DER_CONTEXT + 3), list = der_open(out, DER_SEQUENCE), san,
	       octets, names;

	buf_put(out, NOT_A_CA);
	buf_put(out, FOR_SIGNING);
	buf_put(out, FOR_SERVERS);
	san = der_open(out, DER_SEQUENCE);
	buf_put(out, OID_SUBJECT_ALT);
	octets = der_open(out, DER_OCTETS);
	names = der_open(out, DER_SEQUENCE);
	der_put(out, DNS_NAME, host);
	der_close(out, names);
	der_close(out, octets);
	der_close(out, san);
	der_close(out, list);
	der_close(out, all);
}

/* The serial number follows from what is certified; positive, not zero (RFC 5280 4.1.2.2). */
static void put_serial(struct buf *out, struct slice point, struct slice host, int64_t from)
{
	uint8_t sum[br_sha256_SIZE], when[8];
	br_sha256_context h;

	for (unsigned i = 0; i < sizeof when; i++)
		when[i] = (uint8_t)((uint64_t)from >> 8 * i);
	br_sha256_init(&h);
	br_sha256_update(&h, point.p, point.n);
	br_sha256_update(&h, host.p, host.n);
	br_sha256_update(&h, when, sizeof when);
	br_sha256_out(&h, sum);
	sum[0] = (uint8_t)((sum[0] & 0x3f) | 0x40);
	der_put(out, DER_INTEGER, (struct slice){ sum, SERIAL });
}

static void put_signature(struct buf *out, const br_ec_private_key *key, struct slice tbs)
{
	uint8_t sum[br_sha256_SIZE], sig[80];
	br_sha256_context h;
	size_t n;

	br_sha256_init(&h);
	br_sha256_update(&h, tbs.p, tbs.n);
	br_sha256_out(&h, sum);
	n = br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, &br_sha256_vtable, sum, key, sig);
	out->bad |= !n;
	put_bits(out, (struct slice){ sig, n });
}

void selfsign_put(const br_ec_private_key *key, struct slice host, int64_t not_before,
		  struct buf *out)
{
	uint8_t point_mem[POINT];
	br_ec_public_key pub;
	struct slice point, certified;
	size_t cert, begin, tbs;

	if (br_ec_compute_pub(&br_ec_p256_m31, &pub, point_mem, key) != POINT) {
		out->bad = true;
		return;
	}
	point = (struct slice){ pub.q, pub.qlen };
	cert = der_open(out, DER_SEQUENCE);
	begin = out->len;
	tbs = der_open(out, DER_SEQUENCE);
	der_put(out, DER_CONTEXT, SLICE("\x02\x01\x02")); /* v3 */
	put_serial(out, point, host, not_before);
	buf_put(out, ECDSA_SHA256);
	put_name(out, host);
	put_validity(out, not_before);
	put_name(out, host);
	put_key(out, point);
	put_extensions(out, host);
	der_close(out, tbs);
	certified = slice_from(buf_slice(out), begin);
	buf_put(out, ECDSA_SHA256);
	put_signature(out, key, certified);
	der_close(out, cert);
}
