/* SPDX-License-Identifier: ISC */
/* rootfs/bearssl: the patches, each by its effect. */
#include <bearssl.h>

#include "smtpd/lib/bytes.h"
#include "tests/unit/cert.h"
#include "tests/unit/test.h"

enum {
	FACTOR = 256,
	PARTS = 5
}; /* octets of a factor of RSA-4096; numbers of a private key that are kept */

/* (2^2048 - 1)^2 = 2^4096 - 2^2049 + 1 */
static void modulus_4096(void)
{
	static size_t (*const compute[])(void *, const br_rsa_private_key *) = {
		br_rsa_i15_compute_modulus, br_rsa_i31_compute_modulus
	};
	uint8_t factor[FACTOR], n[2 * FACTOR], want[2 * FACTOR];
	br_rsa_private_key sk = { .n_bitlen = 16 * FACTOR, .p = factor, .plen = FACTOR };

	sk.q = factor;
	sk.qlen = FACTOR;
	memset(factor, 0xFF, sizeof factor);
	memset(want, 0xFF, FACTOR);
	memset(want + FACTOR, 0, FACTOR);
	want[FACTOR - 1] = 0xFE;
	want[2 * FACTOR - 1] = 1;
	for (size_t i = 0; i < 2; i++) {
		CHECK_EQ(compute[i](n, &sk), sizeof n);
		CHECK(!memcmp(n, want, sizeof n));
	}
}

static void integer(struct buf *b, size_t n)
{
	static const uint8_t ones[512] = { [0 ... 511] = 0x11 };

	cert_tlv(b, 0x02, (struct slice){ ones, n });
}

/* An RSA key whose kept numbers have `last` octets more than three of 512: 1536 is all the decoder has room for. */
static int decode(size_t last)
{
	static uint8_t body_mem[4096], whole_mem[4096];
	struct {
		br_skey_decoder_context ctx;
		uint8_t guard[64];
	} d;
	struct buf body = BUF(body_mem), whole = BUF(whole_mem);

	cert_tlv(&body, 0x02, SLICE("\0"));
	integer(&body, 64); /* n, e, d: read and dropped */
	integer(&body, 1);
	integer(&body, 64);
	for (int i = 0; i < 3; i++)
		integer(&body, 511);
	integer(&body, 2);
	integer(&body, 1 + last);
	cert_tlv(&whole, 0x30, buf_slice(&body));
	memset(d.guard, 0x5A, sizeof d.guard);
	br_skey_decoder_init(&d.ctx);
	br_skey_decoder_push(&d.ctx, whole.p, whole.len);
	for (size_t i = 0; i < sizeof d.guard; i++)
		CHECK(d.guard[i] == 0x5A);
	return br_skey_decoder_last_error(&d.ctx);
}

static void key_decoder(void)
{
	CHECK_EQ(decode(0), 0);
	CHECK_EQ(decode(1), BR_ERR_X509_LIMIT_EXCEEDED);
	CHECK_EQ(decode(24), BR_ERR_X509_LIMIT_EXCEEDED);
}

static void seeder(void)
{
	br_hmac_drbg_context rng;
	const char *name = NULL;
	br_prng_seeder seed = br_prng_seeder_system(&name);

	CHECK(seed != NULL);
	CHECK(name != NULL && !strcmp(name, "getrandom"));
	br_hmac_drbg_init(&rng, &br_sha256_vtable, NULL, 0);
	CHECK_EQ(seed(&rng.vtable), 1);
}

/* Everything that either side has for the other, until both are quiet. */
static void exchange(struct tls *a, struct tls *b)
{
	struct tls *from = a, *to = b;

	for (int quiet = 0; quiet < 2; quiet++) {
		size_t n, room;
		uint8_t *out, *in;

		while ((out = br_ssl_engine_sendrec_buf(from->eng, &n)) != NULL &&
		       (in = br_ssl_engine_recvrec_buf(to->eng, &room)) != NULL) {
			n = n < room ? n : room;
			memcpy(in, out, n);
			br_ssl_engine_sendrec_ack(from->eng, n);
			br_ssl_engine_recvrec_ack(to->eng, n);
			quiet = -1;
		}
		to = from == a ? a : b;
		from = from == a ? b : a;
	}
}

/* The server ends while a word of the client lies unread: both must reach the end. */
static void close_unread(void)
{
	static struct tls server, client;
	static struct cert c;
	uint8_t *p;
	size_t n;

	cert_make(&c, "mail.example");
	tls_server(&server, &c.id);
	tls_client(&client, NULL, "mail.example");
	exchange(&server, &client);
	p = br_ssl_engine_sendapp_buf(client.eng, &n);
	CHECK(p != NULL && n > 4);
	memcpy(p, "QUIT", 4);
	br_ssl_engine_sendapp_ack(client.eng, 4);
	br_ssl_engine_flush(client.eng, 0);
	exchange(&client, &server);
	CHECK(br_ssl_engine_recvapp_buf(server.eng, &n) != NULL && n == 4);
	br_ssl_engine_close(server.eng);
	exchange(&server, &client);
	CHECK(br_ssl_engine_current_state(client.eng) == BR_SSL_CLOSED);
	CHECK(br_ssl_engine_current_state(server.eng) == BR_SSL_CLOSED);
	CHECK_EQ(br_ssl_engine_last_error(server.eng), BR_ERR_OK);
}

/* What the X.509 engine says about the common name of a certificate: 1 = read, -1 = refused. */
static int common_name(const char *name, struct slice *got)
{
	static const uint8_t oid[] = { 3, 0x55, 4, 3 };
	static char text[64];
	static struct cert c;
	br_name_element e = { .oid = oid, .buf = text, .len = sizeof text };
	br_x509_minimal_context x;

	cert_make(&c, name);
	br_x509_minimal_init(&x, &br_sha256_vtable, NULL, 0);
	br_x509_minimal_set_name_elements(&x, &e, 1);
	x.vtable->start_chain(&x.vtable, NULL);
	x.vtable->start_cert(&x.vtable, (uint32_t)c.n);
	x.vtable->append(&x.vtable, c.der, c.n);
	x.vtable->end_cert(&x.vtable);
	*got = slice_of(text);
	return e.status;
}

static void name_utf8(void)
{
	static const struct {
		const char *name;
		int status;
	} t[] = {
		{ "mail.example", 1 },	{ "\xEF\xB7\x8F", 1 },	/* U+FDCF */
		{ "\xEF\xB7\x90", -1 },				/* U+FDD0, a noncharacter */
		{ "\xEF\xB7\xAF", -1 }, { "\xEF\xB7\xB0", 1 },	/* U+FDEF, U+FDF0 */
		{ "\xEF\xBB\x9F", 1 },	{ "\xED\xA0\x80", -1 }, /* U+FEDF; a surrogate */
		{ "\xC0\x80", -1 },	{ "\xE2\x82", -1 },	/* overlong; cut short */
	};
	struct slice got;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		CHECK_ROW(common_name(t[i].name, &got) == t[i].status, t[i].name);
		CHECK_ROW(t[i].status < 0 || slice_eq(got, slice_of(t[i].name)), t[i].name);
	}
}

/* The signature of "sample" with SHA-256 in RFC 6979 A.2.5: the inverse in it has one right value. */
static void known_signature(void)
{
	static uint8_t x[] = { 0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21,
			       0x57, 0x67, 0xB1, 0xD6, 0x93, 0x4E, 0x50, 0xC3, 0xDB, 0x36, 0xE8,
			       0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B, 0x12, 0x0F, 0x67, 0x21 };
	static const uint8_t want[] = {
		0xEF, 0xD4, 0x8B, 0x2A, 0xAC, 0xB6, 0xA8, 0xFD, 0x11, 0x40, 0xDD, 0x9C, 0xD4,
		0x5E, 0x81, 0xD6, 0x9D, 0x2C, 0x87, 0x7B, 0x56, 0xAA, 0xF9, 0x91, 0xC3, 0x4D,
		0x0E, 0xA8, 0x4E, 0xAF, 0x37, 0x16, 0xF7, 0xCB, 0x1C, 0x94, 0x2D, 0x65, 0x7C,
		0x41, 0xD4, 0x36, 0xC7, 0xA1, 0xB6, 0xE2, 0x9F, 0x65, 0xF3, 0xE9, 0x00, 0xDB,
		0xB9, 0xAF, 0xF4, 0x06, 0x4D, 0xC4, 0xAB, 0x2F, 0x84, 0x3A, 0xCD, 0xA8
	};
	br_ec_private_key sk = { BR_EC_secp256r1, x, sizeof x };
	uint8_t sum[32], sig[64];

	cert_hash(SLICE("sample"), sum);
	CHECK_EQ(br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, sum, &sk, sig), 64);
	CHECK(!memcmp(sig, want, sizeof want));
}

/* What a key of the curve signs is verified with its public key, and nothing else is. */
static void signatures(int curve)
{
	uint8_t secret[BR_EC_KBUF_PRIV_MAX_SIZE], point[BR_EC_KBUF_PUB_MAX_SIZE], sum[32],
		sig[132];
	br_ec_private_key sk;
	br_ec_public_key pk;
	br_hmac_drbg_context rng;
	size_t n;

	br_hmac_drbg_init(&rng, &br_sha256_vtable, &curve, sizeof curve);
	br_ec_keygen(&rng.vtable, &br_ec_all_m31, &sk, secret, curve);
	br_ec_compute_pub(&br_ec_all_m31, &pk, point, &sk);
	cert_hash(SLICE("test"), sum);
	n = br_ecdsa_i31_sign_raw(&br_ec_all_m31, &br_sha256_vtable, sum, &sk, sig);
	CHECK(n > 0);
	CHECK_EQ(br_ecdsa_i31_vrfy_raw(&br_ec_all_m31, sum, sizeof sum, &pk, sig, n), 1);
	sum[31] ^= 1;
	CHECK_EQ(br_ecdsa_i31_vrfy_raw(&br_ec_all_m31, sum, sizeof sum, &pk, sig, n), 0);
}

int main(void)
{
	known_signature();
	signatures(BR_EC_secp256r1);
	signatures(BR_EC_secp384r1);
	signatures(BR_EC_secp521r1);
	modulus_4096();
	key_decoder();
	seeder();
	close_unread();
	name_utf8();
	TEST_END();
}
