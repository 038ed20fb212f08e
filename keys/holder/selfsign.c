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
#define RSA_SHA256   SLICE("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00")
#define EC_P256                                                      \
	SLICE("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08" \
	      "\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_COMMON_NAME	      SLICE("\x06\x03\x55\x04\x03")
#define OID_SUBJECT_ALT	      SLICE("\x06\x03\x55\x1d\x11")
#define NOT_A_CA	      SLICE("\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00")
#define FOR_SIGNING	      SLICE("\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80")
#define OID_EXTENSION_REQUEST SLICE("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")
/* id-pe-acmeIdentifier, critical */
#define ACME_IDENTIFIER SLICE("\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff")
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

static void put_names(struct buf *out, struct slice names)
{
	size_t san = der_open(out, DER_SEQUENCE), octets, list;

	buf_put(out, OID_SUBJECT_ALT);
	octets = der_open(out, DER_OCTETS);
	list = der_open(out, DER_SEQUENCE);
	while (names.n)
		der_put(out, DNS_NAME, slice_word(&names));
	der_close(out, list);
	der_close(out, octets);
	der_close(out, san);
}

static void put_digest(struct buf *out, struct slice digest)
{
	size_t extension = der_open(out, DER_SEQUENCE), octets;

	buf_put(out, ACME_IDENTIFIER);
	octets = der_open(out, DER_OCTETS);
	der_put(out, DER_OCTETS, digest);
	der_close(out, octets);
	der_close(out, extension);
}

static void put_extensions(struct buf *out, struct slice names, struct slice digest)
{
	size_t all = der_open(out, DER_CONTEXT + 3), list = der_open(out, DER_SEQUENCE);

	buf_put(out, NOT_A_CA);
	buf_put(out, FOR_SIGNING);
	buf_put(out, FOR_SERVERS);
	put_names(out, names);
	if (digest.n)
		put_digest(out, digest);
	der_close(out, list);
	der_close(out, all);
}

/* The serial number follows from what is certified; positive, not zero (RFC 5280 4.1.2.2). */
static void put_serial(struct buf *out, struct slice key, struct slice host, int64_t from)
{
	uint8_t sum[br_sha256_SIZE], when[8];
	br_sha256_context h;

	for (unsigned i = 0; i < sizeof when; i++)
		when[i] = (uint8_t)((uint64_t)from >> 8 * i);
	br_sha256_init(&h);
	br_sha256_update(&h, key.p, key.n);
	br_sha256_update(&h, host.p, host.n);
	br_sha256_update(&h, when, sizeof when);
	br_sha256_out(&h, sum);
	sum[0] = (uint8_t)((sum[0] & 0x3f) | 0x40);
	der_put(out, DER_INTEGER, (struct slice){ sum, SERIAL });
}

/* rsa: NULL for the P-256 key */
static void put_signature(struct buf *out, const br_ec_private_key *key, struct dkimrsa *rsa,
			  struct slice tbs)
{
	uint8_t sum[1][br_sha256_SIZE], sig[DKIMRSA_N_MAX], *at = sig;
	br_sha256_context h;
	size_t n;

	br_sha256_init(&h);
	br_sha256_update(&h, tbs.p, tbs.n);
	br_sha256_out(&h, sum[0]);
	if (rsa)
		n = dkimrsa_sign(rsa, sum, &at, 1) ? rsa->n : 0;
	else
		n = br_ecdsa_i31_sign_asn1(&br_ec_p256_m31, &br_sha256_vtable, sum[0], key,
					   sig);
	out->bad |= !n;
	put_bits(out, (struct slice){ sig, n });
}

void selfsign_put_key(const br_ec_private_key *key, struct buf *out)
{
	uint8_t point[POINT];
	br_ec_public_key pub;

	if (br_ec_compute_pub(&br_ec_p256_m31, &pub, point, key) == POINT)
		put_key(out, (struct slice){ pub.q, pub.qlen });
	else
		out->bad = true;
}

/* What was put since `from` is signed, and the signature put behind it. */
static void sign_since(struct buf *out, size_t from, const br_ec_private_key *key,
		       struct dkimrsa *rsa)
{
	struct slice signed_part = slice_from(buf_slice(out), from);

	buf_put(out, rsa ? RSA_SHA256 : ECDSA_SHA256);
	put_signature(out, key, rsa, signed_part);
}

void selfsign_put_alpn(const br_ec_private_key *key, struct slice names, int64_t not_before,
		       struct slice digest, struct buf *out)
{
	struct slice more = names, host = slice_word(&more);
	uint8_t spki_mem[128];
	struct buf spki = BUF(spki_mem);
	size_t cert, begin, tbs;

	selfsign_put_key(key, &spki);
	if (spki.bad) {
		out->bad = true;
		return;
	}
	cert = der_open(out, DER_SEQUENCE);
	begin = out->len;
	tbs = der_open(out, DER_SEQUENCE);
	der_put(out, DER_CONTEXT, SLICE("\x02\x01\x02")); /* v3 */
	put_serial(out, buf_slice(&spki), names, not_before);
	buf_put(out, ECDSA_SHA256);
	put_name(out, host);
	put_validity(out, not_before);
	put_name(out, host);
	buf_put(out, buf_slice(&spki));
	put_extensions(out, names, digest);
	der_close(out, tbs);
	sign_since(out, begin, key, NULL);
	der_close(out, cert);
}

void selfsign_put(const br_ec_private_key *key, struct slice names, int64_t not_before,
		  struct buf *out)
{
	selfsign_put_alpn(key, names, not_before, (struct slice){ NULL, 0 }, out);
}

/* No subject: the names are in the extension alone (RULES A1). */
void selfsign_put_request(const br_ec_private_key *key, struct dkimrsa *rsa, struct slice names,
			  struct buf *out)
{
	size_t request = der_open(out, DER_SEQUENCE), begin = out->len,
	       info = der_open(out, DER_SEQUENCE), attributes, attribute, set, list;

	der_put(out, DER_INTEGER, SLICE("\0"));
	der_put(out, DER_SEQUENCE, (struct slice){ NULL, 0 });
	if (rsa)
		dkimrsa_public(rsa, out);
	else
		selfsign_put_key(key, out);
	attributes = der_open(out, DER_CONTEXT);
	attribute = der_open(out, DER_SEQUENCE);
	buf_put(out, OID_EXTENSION_REQUEST);
	set = der_open(out, DER_SET);
	list = der_open(out, DER_SEQUENCE);
	put_names(out, names);
	der_close(out, list);
	der_close(out, set);
	der_close(out, attribute);
	der_close(out, attributes);
	der_close(out, info);
	sign_since(out, begin, key, rsa);
	der_close(out, request);
}
