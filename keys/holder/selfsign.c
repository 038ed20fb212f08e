/* SPDX-License-Identifier: ISC */
#include "keys/holder/selfsign.h"

#include "smtpd/proto/date.h"

enum {
	SEQUENCE = 0x30,
	SET = 0x31,
	INTEGER = 0x02,
	BITS = 0x03,
	OCTETS = 0x04,
	UTF8 = 0x0c,
	UTC_TIME = 0x17,
	GENERAL_TIME = 0x18,
	VERSION = 0xa0,
	EXTENSIONS = 0xa3,
	DNS_NAME = 0x82,
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

static void put_tlv(struct buf *out, uint8_t tag, struct slice content)
{
	buf_u8(out, tag);
	if (content.n < 128) {
		buf_u8(out, (uint8_t)content.n);
	} else {
		buf_u8(out, 0x82);
		buf_be16(out, (uint16_t)content.n);
	}
	buf_put(out, content);
}

/* What a part put into its own room, wrapped. */
static void put_part(struct buf *out, uint8_t tag, const struct buf *part)
{
	out->bad |= part->bad;
	put_tlv(out, tag, buf_slice(part));
}

static void put_bits(struct buf *out, struct slice s)
{
	uint8_t mem[SELFSIGN_MAX];
	struct buf b = BUF(mem);

	buf_u8(&b, 0); /* no unused bits */
	buf_put(&b, s);
	put_part(out, BITS, &b);
}

static void put_name(struct buf *out, struct slice host)
{
	uint8_t a[128], b[128], c[128];
	struct buf attr = BUF(a), set = BUF(b), name = BUF(c);

	buf_put(&attr, OID_COMMON_NAME);
	put_tlv(&attr, UTF8, host.n <= COMMON_NAME_MAX ? host : SLICE("tinpost"));
	put_part(&set, SEQUENCE, &attr);
	put_part(&name, SET, &set);
	put_part(out, SEQUENCE, &name);
}

/* RFC 5280 4.1.2.5: two digits of the year until 2049, four from 2050 on. */
static void put_time(struct buf *out, const struct date *d)
{
	uint8_t mem[16];
	struct buf b = BUF(mem);
	bool utc = d->year < 2050;

	if (utc)
		buf_dec_pad(&b, (uint64_t)d->year % 100, 2);
	else
		buf_dec_pad(&b, (uint64_t)d->year, 4);
	buf_dec_pad(&b, d->month, 2);
	buf_dec_pad(&b, d->day, 2);
	buf_dec_pad(&b, d->hour, 2);
	buf_dec_pad(&b, d->minute, 2);
	buf_dec_pad(&b, d->second, 2);
	buf_u8(&b, 'Z');
	put_part(out, utc ? UTC_TIME : GENERAL_TIME, &b);
}

static void put_validity(struct buf *out, int64_t from)
{
	uint8_t mem[64];
	struct buf b = BUF(mem);
	int64_t year = 31556952; /* s, the Gregorian mean */
	struct date start, end;

	if (!date_split(from, &start) || !date_split(from + SELFSIGN_YEARS * year, &end)) {
		out->bad = true;
		return;
	}
	put_time(&b, &start);
	put_time(&b, &end);
	put_part(out, SEQUENCE, &b);
}

static void put_key(struct buf *out, struct slice point)
{
	uint8_t mem[128];
	struct buf b = BUF(mem);

	buf_put(&b, EC_P256);
	put_bits(&b, point);
	put_part(out, SEQUENCE, &b);
}

static void put_extensions(struct buf *out, struct slice host)
{
	uint8_t a[300], b[300], c[320], d[400], e[400];
	struct buf name = BUF(a), names = BUF(b), san = BUF(c), list = BUF(d), all = BUF(e);

	put_tlv(&name, DNS_NAME, host);
	put_part(&names, SEQUENCE, &name);
	buf_put(&san, OID_SUBJECT_ALT);
	put_part(&san, OCTETS, &names);
	buf_put(&list, NOT_A_CA);
	buf_put(&list, FOR_SIGNING);
	buf_put(&list, FOR_SERVERS);
	put_part(&list, SEQUENCE, &san);
	put_part(&all, SEQUENCE, &list);
	put_part(out, EXTENSIONS, &all);
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
	put_tlv(out, INTEGER, (struct slice){ sum, SERIAL });
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
	uint8_t room[SELFSIGN_MAX], whole[SELFSIGN_MAX], both[SELFSIGN_MAX], point_mem[POINT];
	struct buf tbs = BUF(room), inner = BUF(whole), cert = BUF(both);
	br_ec_public_key pub;
	struct slice point;

	if (br_ec_compute_pub(&br_ec_p256_m31, &pub, point_mem, key) != POINT) {
		out->bad = true;
		return;
	}
	point = (struct slice){ pub.q, pub.qlen };
	put_tlv(&tbs, VERSION, SLICE("\x02\x01\x02")); /* v3 */
	put_serial(&tbs, point, host, not_before);
	buf_put(&tbs, ECDSA_SHA256);
	put_name(&tbs, host);
	put_validity(&tbs, not_before);
	put_name(&tbs, host);
	put_key(&tbs, point);
	put_extensions(&tbs, host);
	put_part(&inner, SEQUENCE, &tbs);
	buf_put(&cert, buf_slice(&inner));
	buf_put(&cert, ECDSA_SHA256);
	put_signature(&cert, key, buf_slice(&inner));
	cert.bad |= inner.bad;
	put_part(out, SEQUENCE, &cert);
}
