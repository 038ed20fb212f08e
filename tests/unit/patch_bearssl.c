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

int main(void)
{
	modulus_4096();
	key_decoder();
	seeder();
	close_unread();
	name_utf8();
	TEST_END();
}
